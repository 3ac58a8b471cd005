package validator_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestDemandedAudience: a route's own audience narrows the issuer's, at the first
// sight of a token and at every hit, whatever the token was proven by.
func TestDemandedAudience(t *testing.T) {
	const orders, payments, other = issuertest.Audience, "https://payments.example.com", "https://other.example.com"
	iss := issuertest.New(t)
	outer := func(c *validator.Config) { c.Issuers[0].Audience = []string{orders, payments} }
	lenient := func(c *validator.Config) { c.Issuers[0].DangerouslyAcceptMissingAudience = true }
	validators := map[string]struct {
		v    *validator.Validator
		make func(issuertest.Claims) string
		d    validator.Demand
	}{
		"JWT":                  {newJWT(t, iss, outer), iss.Token, validator.Demand{}},
		"JWT, aud may miss":    {newJWT(t, iss, outer, lenient), iss.Token, validator.Demand{}},
		"opaque":               {newOpaque(t, iss, outer), iss.Opaque, validator.Demand{}},
		"opaque, aud may miss": {newOpaque(t, iss, outer, lenient), iss.Opaque, validator.Demand{}},
		"fresh JWT": {newJWT(t, iss, outer, lenient, func(c *validator.Config) { c.Issuers[0].Introspection = introspectionAt(iss) }),
			iss.Token, validator.Demand{MaxAge: new(time.Duration)}},
		"fresh opaque": {newOpaque(t, iss, outer, lenient), iss.Opaque, validator.Demand{MaxAge: new(time.Duration)}},
	}
	for name, tc := range map[string]struct {
		aud    any // of the token; nil for none
		demand []string
		want   string
	}{
		"not narrowed":                {[]string{payments}, nil, "ok"},
		"the one":                     {[]string{payments}, []string{payments}, "ok"},
		"as a string":                 {payments, []string{payments}, "ok"},
		"one of two":                  {[]string{payments}, []string{other, payments}, "ok"},
		"among others":                {[]string{orders, payments}, []string{payments}, "ok"},
		"the other of ours":           {[]string{orders}, []string{payments}, "aud"},
		"one beyond the issuer's":     {[]string{other}, []string{other}, "aud"},
		"one beyond, beside the ours": {[]string{orders, other}, []string{other}, "ok"},
		"by another case":             {[]string{payments}, []string{strings.ToUpper(payments)}, "aud"},
		"by a slash":                  {[]string{payments}, []string{payments + "/"}, "aud"},
		"none named":                  {nil, []string{payments}, "aud"},
		"an empty list named":         {[]string{}, []string{payments}, "aud"},
		"an empty name":               {[]string{orders, ""}, []string{payments}, "aud"},
		"an empty list asked for":     {[]string{payments}, []string{}, "aud"},
	} {
		for how, by := range validators {
			t.Run(name+", "+how, func(t *testing.T) {
				raw := by.make(issuertest.Claims{Audience: []string{orders}, Extra: map[string]any{"aud": tc.aud}})
				d := by.d
				d.Audience = tc.demand
				for range 3 { // first sights and hits
					a, err := by.v.VerifyRequest(t.Context(), &validator.Request{Token: raw}, &d)
					wantOutcome(t, tc.want)(a.Token, err)
					if tc.want != "ok" && !errors.Is(err, validator.ErrInvalidToken) {
						t.Errorf("%v", err)
					}
				}
				if tc.aud != nil && tc.want == "aud" && tc.demand != nil && tc.aud != any(other) {
					// What one route refused, another may let in, and the other way round.
					a, err := by.v.VerifyRequest(t.Context(), &validator.Request{Token: raw}, &validator.Demand{MaxAge: by.d.MaxAge, Audience: []string{orders, payments}})
					if refused := err != nil; refused != (name == "one beyond the issuer's" || name == "an empty list named") {
						t.Errorf("another route: %v, %v", a.Token, err)
					}
				}
			})
		}
	}
}

// TestAnswerHasTheNewerWord: what an issuer says now of a fresh JWT's audience is
// narrowed, too.
func TestAnswerHasTheNewerWord(t *testing.T) {
	const orders, payments = issuertest.Audience, "https://payments.example.com"
	for name, tc := range map[string]struct {
		answer string
		want   string
	}{
		"none":      {`{"active":true}`, "ok"},
		"the same":  {`{"active":true,"aud":["` + payments + `"]}`, "ok"},
		"the other": {`{"active":true,"aud":["` + orders + `"]}`, "aud"},
	} {
		t.Run(name, func(t *testing.T) {
			iss := issuertest.New(t)
			answering(iss, "application/json", tc.answer)
			v := newJWT(t, iss, func(c *validator.Config) {
				c.Issuers[0].Audience = []string{orders, payments}
				c.Issuers[0].Introspection = introspectionAt(iss)
			})
			raw := iss.Token(issuertest.Claims{Audience: []string{orders, payments}})
			ask := func(maxAge time.Duration, audience []string) (*validator.Token, error) {
				a, err := v.VerifyRequest(t.Context(), &validator.Request{Token: raw}, &validator.Demand{MaxAge: &maxAge, Audience: audience})
				return a.Token, err
			}
			wantOutcome(t, tc.want)(ask(0, []string{payments}))
			// An answer that was judged for a route that narrows nothing, and is remembered.
			wantOutcome(t, "ok")(ask(0, nil))
			wantOutcome(t, tc.want)(ask(time.Hour, []string{payments}))
			wantOutcome(t, "ok")(ask(time.Hour, nil))
		})
	}
}

// TestDemandedBinding: a route for bound tokens lets no bearer token in, and what
// it says to a client is not what a bound token hears elsewhere.
func TestDemandedBinding(t *testing.T) {
	iss := issuertest.New(t)
	jwt, opaque := newJWT(t, iss), newOpaque(t, iss)
	bound := issuertest.Claims{Extra: map[string]any{"cnf": map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}}
	for name, tc := range map[string]struct {
		v    *validator.Validator
		raw  string
		want string
	}{
		"JWT":             {jwt, iss.Token(issuertest.Claims{}), "cnf"},
		"opaque":          {opaque, iss.Opaque(issuertest.Claims{}), "cnf"},
		"a bound JWT":     {jwt, iss.Token(bound), "cnf"},
		"a bound opaque":  {opaque, iss.Opaque(bound), "cnf"},
		"no token":        {jwt, "", "missing"},
		"an expired one":  {jwt, iss.Bad(issuertest.Expired, issuertest.Claims{}), "exp"},
		"another's token": {jwt, issuertest.New(t).Token(issuertest.Claims{}), "iss"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				a, err := tc.v.VerifyRequest(t.Context(), &validator.Request{Token: tc.raw}, &validator.Demand{Bound: true})
				wantOutcome(t, tc.want)(a.Token, err)
				if e, ok := errors.AsType[*validator.Error](err); tc.want == "cnf" && (!ok || !strings.Contains(e.Description(), "bound to ")) {
					t.Errorf("a client reads %v", err)
				}
			}
		})
	}
	_, plain := jwt.Verify(t.Context(), iss.Token(bound))
	_, wanted := jwt.VerifyRequest(t.Context(), &validator.Request{Token: iss.Token(issuertest.Claims{})}, &validator.Demand{Bound: true})
	if plain.(*validator.Error).Description() == wanted.(*validator.Error).Description() {
		t.Error("a client reads the same of a bound token and of one that should be bound")
	}
	if !strings.Contains(wanted.Error(), "Demand.Bound") {
		t.Errorf("%v does not name Demand.Bound", wanted)
	}
}

// TestDemandsInOrder: what is wrong with a token comes before what a route demands,
// and the audience before the binding, so that each is told of by its own name.
func TestDemandsInOrder(t *testing.T) {
	iss := issuertest.New(t)
	v := newJWT(t, iss)
	both := &validator.Demand{Bound: true, Audience: []string{"another"}}
	for raw, want := range map[string]string{"": "missing", "a b": "request", iss.Token(issuertest.Claims{}): "aud"} {
		for range 2 {
			a, err := v.VerifyRequest(t.Context(), &validator.Request{Token: raw}, both)
			wantOutcome(t, want)(a.Token, err)
		}
	}
}
