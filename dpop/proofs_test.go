package dpop_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/internal/trials/proofs"
)

// catalogue is proofs.All, with tokens that are none: dpop sees their hashes alone.
func catalogue() []proofs.Case {
	return proofs.All(func(thumbprint string) string { return "token-of-" + thumbprint })
}

// fixedNonces are those of the catalogue.
type fixedNonces struct{}

func (fixedNonces) Nonce(context.Context) (string, error) { return proofs.NextNonce, nil }

func (fixedNonces) Judge(_ context.Context, nonce string) (dpop.Judgement, error) {
	switch nonce {
	case proofs.GoodNonce:
		return dpop.NonceGood, nil
	case proofs.EndingNonce:
		return dpop.NonceEnding, nil
	}
	return dpop.NonceBad, nil
}

// verifierFor is configured as a case wants it.
func verifierFor(t testing.TB, tc proofs.Case) *dpop.Verifier {
	t.Helper()
	cfg := dpop.Config{Now: func() time.Time { return tc.Now }, Replays: dpop.NewMemory(2000)}
	switch tc.Config {
	case proofs.OnlyES256:
		cfg.Algorithms = []string{"ES256"}
	case proofs.Nonces:
		cfg.Nonces = fixedNonces{}
	}
	v, err := dpop.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func requestOf(tc proofs.Case, lines []string) *dpop.Request {
	return &dpop.Request{Proofs: lines, Method: tc.Method, URL: tc.URL, TokenHash: tc.TokenHash(), Thumbprint: tc.Thumbprint}
}

// kinds are what the checks come to, but for those that are ErrProof.
var kinds = map[dpop.Check]error{
	dpop.CheckThumbprint: dpop.ErrKey, dpop.CheckNonce: dpop.ErrNonce, dpop.CheckShare: dpop.ErrThrottled, dpop.CheckUnavailable: dpop.ErrUnavailable,
}

// TestCatalogue runs all of it, each case with a Verifier of its own and then all in
// one, where headers are remembered.
func TestCatalogue(t *testing.T) {
	shared := make(map[string]*dpop.Verifier)
	for _, tc := range catalogue() {
		t.Run(strings.ReplaceAll(tc.Name, "/", "_"), func(t *testing.T) {
			judge(t, verifierFor(t, tc), tc)
			key := string(tc.Config) + tc.Now.String()
			if tc.Config == proofs.Example { // which are all one proof
				return
			}
			if shared[key] == nil {
				shared[key] = verifierFor(t, tc)
			}
			judge(t, shared[key], tc)
		})
	}
}

// TestCatalogueFailsEachCheck that a proof can fail, so that Explain and the adapters are
// tried with it.
func TestCatalogueFailsEachCheck(t *testing.T) {
	source, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	failed := map[string]bool{string(dpop.CheckShare): true, string(dpop.CheckUnavailable): true} // no fault of the proof's
	for _, tc := range catalogue() {
		failed[tc.Want] = true
	}
	checks := regexp.MustCompile(`Check\w+ +Check += "(\w+)"`).FindAllSubmatch(source, -1)
	if len(checks) < 20 {
		t.Fatalf("%d checks found", len(checks))
	}
	for _, check := range checks {
		if !failed[string(check[1])] {
			t.Errorf("no proof of internal/trials/proofs fails check %q: a function there wants those that do, and the odd ones that pass", check[1])
		}
	}
}

func judge(t *testing.T, v *dpop.Verifier, tc proofs.Case) {
	t.Helper()
	for _, line := range tc.Prior {
		if _, err := v.Verify(t.Context(), requestOf(tc, []string{line})); err != nil {
			t.Fatalf("before it: %v (%s)", err, tc.Cite)
		}
	}
	result, err := v.Verify(t.Context(), requestOf(tc, tc.Proofs))
	if !tc.Hostile() {
		if err != nil {
			t.Errorf("%v (%s)", err, tc.Cite)
		}
	} else if refused, ok := errors.AsType[*dpop.Error](err); !ok || string(refused.Check()) != tc.Want {
		t.Errorf("%v, wanted check %s (%s)", err, tc.Want, tc.Cite)
	} else {
		kind := kinds[refused.Check()]
		if kind == nil {
			kind = dpop.ErrProof
		}
		if !errors.Is(err, kind) || refused.Description() == "" || refused.RetryAfter() != 0 {
			t.Errorf("%v: of another kind than %v, or without a description, or to be tried again", err, kind)
		}
	}
	want := ""
	if tc.Config == proofs.Nonces && (tc.Want == "nonce" || strings.HasPrefix(tc.Name, "a nonce near its end")) {
		want = proofs.NextNonce
	}
	if result.Nonce != want {
		t.Errorf("hands out %q, wanted %q", result.Nonce, want)
	}
}
