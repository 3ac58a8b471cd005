//go:build !race

package dpop_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
)

// TestRefusalsAreCheap: a proof of 4 KiB that fails before its signature costs a
// twentieth of one, so that a flood of such proofs is no dearer than one of forgeries.
func TestRefusalsAreCheap(t *testing.T) {
	const most = 0.06 // a twentieth, and what a busy machine adds
	s := newSigner(t)
	verify := s.primitive(t)
	for name, proof := range dear(s) {
		v := newVerifier(t)
		r := s.request(proof)
		r.Thumbprint = strings.Repeat("A", 43)
		_, err := v.Verify(t.Context(), r)
		refuse := func() {
			if _, err := v.Verify(t.Context(), r); err == nil {
				t.Fatal("accepted")
			}
		}
		ratio := least(refuse, verify)
		for tries := 0; ratio > most && tries < 40; tries++ { // on a busy machine the least takes longer to show
			ratio = min(ratio, least(refuse, verify))
		}
		t.Logf("%d bytes, %s: %.3f of a signature, refused for %s", len(proof), name, ratio, err.(*dpop.Error).Check())
		if ratio > most {
			t.Errorf("%d bytes, %s: %.3f of a signature, wanted at most %v", len(proof), name, ratio, most)
		}
	}
}

// TestGoodProofsCostTheirSignature, and little more.
func TestGoodProofsCostTheirSignature(t *testing.T) {
	s := newSigner(t)
	v := newVerifier(t)
	requests := make([]*dpop.Request, 4000)
	for n := range requests {
		requests[n] = s.request(s.sign(s.claims(fmt.Sprint(n))))
	}
	next := 0
	good := func() {
		if _, err := v.Verify(t.Context(), requests[next]); err != nil {
			t.Fatal(err)
		}
		next++
	}
	good()
	if n := testing.AllocsPerRun(100, good); n > 20 {
		t.Errorf("%v allocations, wanted at most 20", n)
	}
	verify := s.primitive(t)
	const most = 1.15
	ratio := least(good, verify)
	for next < 3000 && ratio > most {
		ratio = min(ratio, least(good, verify))
	}
	t.Logf("%.3f of a signature", ratio)
	if ratio > most {
		t.Errorf("%.3f of a signature, wanted at most %v", ratio, most)
	}
}

// least is the least time that f takes, in units of the least that of takes.
func least(f, of func()) float64 {
	best := func(f func()) time.Duration {
		best := time.Hour
		for range 30 {
			start := time.Now()
			f()
			best = min(best, time.Since(start))
		}
		return best
	}
	return float64(best(f)) / float64(best(of))
}
