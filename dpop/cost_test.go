package dpop_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
)

// BenchmarkRefusals holds refusals before the signature against one signature, side by
// side: a proof of 4 KiB should cost at most a twentieth, so that a flood of such proofs
// is no dearer than one of forgeries. bench/ has the bound.
func BenchmarkRefusals(b *testing.B) {
	s := newSigner(b)
	verify := s.primitive(b)
	for name, proof := range dear(s) {
		b.Run(name, func(b *testing.B) {
			v := newVerifier(b)
			r := s.request(proof)
			r.Thumbprint = strings.Repeat("A", 43)
			inSignatures(b, verify, func() {
				if _, err := v.Verify(b.Context(), r); err == nil {
					b.Fatal("accepted")
				}
			})
		})
	}
}

// TestGoodProofsMakeLittleGarbage beside what the signature makes.
func TestGoodProofsMakeLittleGarbage(t *testing.T) {
	s := newSigner(t)
	if n := testing.AllocsPerRun(100, goodProofs(t, s, 200)); n > 20 {
		t.Errorf("%v allocations, wanted at most 20", n)
	}
}

// BenchmarkGoodProofs holds good proofs against their signature.
func BenchmarkGoodProofs(b *testing.B) {
	s := newSigner(b)
	inSignatures(b, s.primitive(b), goodProofs(b, s, b.N+1))
}

// goodProofs verifies another good one at each call.
func goodProofs(tb testing.TB, s *signer, most int) func() {
	tb.Helper()
	v := newVerifier(tb)
	requests := make([]*dpop.Request, most)
	for n := range requests {
		requests[n] = s.request(s.sign(s.claims(fmt.Sprint(n))))
	}
	next := 0
	return func() {
		if _, err := v.Verify(tb.Context(), requests[next]); err != nil {
			tb.Fatal(err)
		}
		next++
	}
}

// inSignatures reports what f takes in signatures: some of f, and then as many of those.
func inSignatures(b *testing.B, verify, f func()) {
	b.Helper()
	const batch = 20
	f()
	b.ResetTimer()
	var ours, theirs time.Duration
	for done := 0; done < b.N; done += batch {
		n := min(batch, b.N-done)
		start := time.Now()
		for range n {
			f()
		}
		between := time.Now()
		for range n {
			verify()
		}
		ours, theirs = ours+between.Sub(start), theirs+time.Since(between)
	}
	b.ReportMetric(float64(ours)/float64(theirs), "signatures/op")
}
