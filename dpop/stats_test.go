package dpop_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/internal/trials/proofs"
)

// TestStats counts what became of each proof.
func TestStats(t *testing.T) {
	s := newSigner(t)
	n := 0
	with := func(nonce string) string {
		n++
		claims := s.claims(fmt.Sprint("j", n))
		if nonce != "" {
			claims = strings.Replace(claims, `{`, `{"nonce":"`+nonce+`",`, 1)
		}
		return s.sign(claims)
	}
	v := newVerifier(t, func(c *dpop.Config) { c.Nonces = fixedNonces{} })
	good := with(proofs.GoodNonce)
	for _, proof := range []string{good, good, with(proofs.EndingNonce), with(""), with("made up"), "garbage"} {
		_, _ = v.Verify(t.Context(), s.request(proof))
	}
	if _, err := v.Check(t.Context(), s.request(good)); err != nil { // which spends nothing
		t.Fatal(err)
	}
	if diff := cmp.Diff(dpop.Stats{NoncesGood: 4, NoncesMissing: 1, NoncesBad: 1, First: 2, Replayed: 1}, v.Stats()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, change := range map[string]func(*dpop.Config){
		"store":       func(c *dpop.Config) { c.Replays = &keeping{err: errors.New("down")} },
		"judge":       func(c *dpop.Config) { c.Nonces = brokenNonces{} },
		"no next one": func(c *dpop.Config) { c.Nonces = badNonces{} },
	} {
		v := newVerifier(t, change)
		_, _ = v.Verify(t.Context(), s.request(with("any")))
		if got := v.Stats(); got != (dpop.Stats{Undecided: 1}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	var none *dpop.Verifier
	if got := none.Stats(); got != (dpop.Stats{}) {
		t.Errorf("%+v", got)
	}
}

// badNonces knows none, and has none to hand out.
type badNonces struct{ brokenNonces }

func (badNonces) Judge(context.Context, string) (dpop.Judgement, error) { return dpop.NonceBad, nil }
