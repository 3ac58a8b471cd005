package dpop_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/internal/trials/proofs"
)

// firstFailed is the check of the first step that failed, or empty.
func firstFailed(steps []dpop.Step) dpop.Check {
	for _, s := range steps {
		if s.Err != nil {
			return s.Check
		}
	}
	return ""
}

// TestExplainSaysWhatVerifySays runs the whole catalogue: the first step that fails is
// Verify's, before and after Verify was asked, and nothing is spent by it. Whether a
// proof was seen it leaves open.
func TestExplainSaysWhatVerifySays(t *testing.T) {
	for _, tc := range catalogue() {
		t.Run(strings.ReplaceAll(tc.Name, "/", "_"), func(t *testing.T) {
			v := verifierFor(t, tc)
			for _, line := range tc.Prior {
				if _, err := v.Verify(t.Context(), requestOf(tc, []string{line})); err != nil {
					t.Fatal(err)
				}
			}
			want := dpop.Check(tc.Want)
			if want == dpop.CheckReplay {
				want = ""
			}
			for _, when := range []string{"before", "again, before", "after"} {
				counted := v.Stats()
				steps := v.Explain(t.Context(), requestOf(tc, tc.Proofs), dpop.ExplainOptions{Network: true})
				if diff := cmp.Diff(counted, v.Stats()); diff != "" {
					t.Errorf("%s: what is counted has changed: %s", when, diff)
				}
				if got := firstFailed(steps); got != want {
					t.Errorf("%s: %q failed first, wanted %q (%s)", when, got, want, tc.Cite)
				}
				for _, s := range steps {
					if (s.Err != nil) != (s.Fix != "") || s.Err != nil && (s.NotReached != "" || s.Err.Check() != s.Check || s.Found == "" && s.Wanted == "") {
						t.Errorf("%s: step %s does not say what failed: %+v", when, s.Name, s)
					}
					for _, line := range tc.Proofs {
						if len(line) > 40 && strings.Contains(s.Found+s.Wanted+s.NotReached, line[len(line)-40:]) {
							t.Errorf("%s: step %s holds the proof", when, s.Name)
						}
					}
				}
				if last := steps[len(steps)-1]; last.Check != dpop.CheckReplay || last.NotReached == "" {
					t.Errorf("%s: the last step is %+v", when, last)
				}
				if when != "again, before" {
					continue
				}
				_, err := v.Verify(t.Context(), requestOf(tc, tc.Proofs))
				if refused, ok := errors.AsType[*dpop.Error](err); ok != tc.Hostile() || ok && string(refused.Check()) != tc.Want {
					t.Errorf("after Explain, Verify says %v, wanted check %q", err, tc.Want)
				}
			}
		})
	}
}

// TestExplainGoesOn: behind the first fault, the others are told, too.
func TestExplainGoesOn(t *testing.T) {
	var good proofs.Case
	for _, tc := range catalogue() {
		if tc.Config == proofs.Plain && !tc.Hostile() && tc.Prior == nil {
			good = tc
			break
		}
	}
	v := verifierFor(t, good)
	r := requestOf(good, good.Proofs)
	r.Method, r.URL, r.TokenHash = "BREW", "https://elsewhere.example/", "another"
	steps := v.Explain(t.Context(), r, dpop.ExplainOptions{At: good.Now.Add(time.Hour)})
	failed := make(map[dpop.Check]bool)
	for _, s := range steps {
		failed[s.Check] = s.Err != nil
	}
	for check, want := range map[dpop.Check]bool{
		dpop.CheckMethod: true, dpop.CheckIssuedAt: true, dpop.CheckTokenHash: true, dpop.CheckURL: true,
		dpop.CheckThumbprint: false, dpop.CheckSignature: false, dpop.CheckField: false,
	} {
		if got, reached := failed[check]; !reached || got != want {
			t.Errorf("%s: failed %v, there %v, wanted %v", check, got, reached, want)
		}
	}
	if steps := new(dpop.Verifier).Explain(t.Context(), r, dpop.ExplainOptions{}); firstFailed(steps) != dpop.CheckUnavailable {
		t.Errorf("a Verifier that New did not make explains %+v", steps)
	}
}

// asked counts how often a store of nonces is asked.
type asked struct {
	fixedNonces
	n *int
}

func (a asked) Judge(ctx context.Context, nonce string) (dpop.Judgement, error) {
	*a.n++
	return a.fixedNonces.Judge(ctx, nonce)
}

// seenNone is a store of proofs that nobody may ask.
type seenNone struct{ t *testing.T }

func (s seenNone) Remember(context.Context, dpop.Seen, time.Duration) (bool, error) {
	s.t.Error("the memory of proofs was asked")
	return true, nil
}

// TestExplainAsksNobody: not the store of proofs, and that of nonces only where it may.
func TestExplainAsksNobody(t *testing.T) {
	n := 0
	v, err := dpop.New(dpop.Config{Now: proofs.Now, Replays: seenNone{t}, Nonces: asked{n: &n}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range catalogue() {
		if tc.Config == proofs.Nonces && !tc.Hostile() && tc.Prior == nil {
			for want, network := range []bool{false, true} {
				n = 0
				steps := v.Explain(t.Context(), requestOf(tc, tc.Proofs), dpop.ExplainOptions{Network: network})
				if n != want || firstFailed(steps) != "" {
					t.Errorf("%s: with Network %v the store was asked %d times; %+v", tc.Name, network, n, steps)
				}
			}
		}
	}
}
