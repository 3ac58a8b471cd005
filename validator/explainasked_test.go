package validator_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestExplainSaysWhoWasAsked: behind an issuer's no, nobody reads that it was not asked.
func TestExplainSaysWhoWasAsked(t *testing.T) {
	iss := issuertest.New(t)
	v, token := newOpaque(t, iss), iss.Opaque(issuertest.Claims{})
	iss.Revoke(token)
	for network, want := range map[bool]string{true: "the issuer was asked, and does not vouch for it", false: "ExplainOptions.Network is not set"} {
		e := v.Explain(t.Context(), &validator.Request{Token: token}, validator.ExplainOptions{Network: network})
		n := slices.IndexFunc(e.Steps, func(s validator.Step) bool { return s.Name == "answer" })
		if n < 0 || network && e.Steps[n-1].Err == nil {
			t.Fatalf("network %t: nothing failed at active\n%s", network, e)
		}
		for _, s := range e.Steps[n:] {
			if !strings.Contains(s.NotReached, want) && s.NotReached != "the claims cannot be read" && s.Outcome() != "passed" {
				t.Errorf("network %t: %s, wanted %q", network, s, want)
			}
		}
		if !strings.Contains(e.Steps[n].NotReached, want) {
			t.Errorf("network %t: %s, wanted %q", network, e.Steps[n], want)
		}
	}
}

// TestExplainOfAnUnreadList: a step that passes because there is no list yet says so.
func TestExplainOfAnUnreadList(t *testing.T) {
	iss := issuertest.New(t)
	l, err := revocation.New(revocation.Config{DangerouslyServeAtStart: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	v, r := newValidator(t, keysOf(iss), func(c *validator.Config) { c.Revocations = l }), &validator.Request{Token: iss.Token(issuertest.Claims{})}
	for _, want := range []string{"no list was read yet: nothing is held against anybody", ""} {
		e := v.Explain(t.Context(), r, validator.ExplainOptions{Network: true})
		n := slices.IndexFunc(e.Steps, func(s validator.Step) bool { return s.Name == "revocation" })
		if n < 0 || e.Steps[n].Outcome() != "passed" || e.Steps[n].Found != want || !e.Accepted {
			t.Errorf("wanted a step that found %q\n%s", want, e)
		}
		l.Current(time.Now())
	}
}
