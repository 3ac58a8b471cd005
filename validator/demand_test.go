package validator_test

import (
	"errors"
	"testing"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestDemand: what a route asks beside its rule is asked at every request, of a
// remembered token as of a new one.
func TestDemand(t *testing.T) {
	iss := issuertest.New(t)
	v, err := validator.New(validator.Config{
		Issuers:  []validator.Issuer{{URL: iss.URL(), Audience: []string{"a", "b", "c"}, DangerouslyAcceptMissingAudience: true}},
		Observer: func(validator.Event) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	of := func(audience ...string) string { return iss.Token(issuertest.Claims{Audience: audience}) }
	none := iss.Token(issuertest.Claims{Extra: map[string]any{"aud": nil}})
	for name, tc := range map[string]struct {
		token  string
		demand *validator.Demand
		want   validator.Check // "" if it passes
	}{
		"no demand":                         {of("a"), nil, ""},
		"the zero demand":                   {of("a"), &validator.Demand{}, ""},
		"no audience, no demand":            {none, nil, ""},
		"no audience, an empty demand":      {none, &validator.Demand{Audience: []string{}}, ""},
		"the audience":                      {of("b"), &validator.Demand{Audience: []string{"b"}}, ""},
		"one of two on either side":         {of("a", "b"), &validator.Demand{Audience: []string{"b", "c"}}, ""},
		"another of the issuer's":           {of("a"), &validator.Demand{Audience: []string{"b"}}, validator.CheckAudience},
		"no audience":                       {none, &validator.Demand{Audience: []string{"b"}}, validator.CheckAudience},
		"no audience, an empty name":        {none, &validator.Demand{Audience: []string{""}}, validator.CheckAudience},
		"an audience that is none of ours":  {of("x"), &validator.Demand{Audience: []string{"x"}}, validator.CheckAudience},
		"bound":                             {of("a"), &validator.Demand{Bound: true}, validator.CheckBinding},
		"bound, and another audience":       {of("a"), &validator.Demand{Bound: true, Audience: []string{"b"}}, validator.CheckAudience},
		"bound, and there is no token":      {"", &validator.Demand{Bound: true}, validator.CheckMissing},
		"narrowed, and the token is no one": {"a b", &validator.Demand{Audience: []string{"b"}}, validator.CheckRequest},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				accepted, err := v.VerifyRequest(t.Context(), &validator.Request{Token: tc.token}, tc.demand)
				if tc.want == "" {
					if err != nil || accepted.Token == nil {
						t.Errorf("refused: %v", err)
					}
					continue
				}
				refused, ok := errors.AsType[*validator.Error](err)
				if !ok || refused.Check() != tc.want || accepted.Token != nil {
					t.Errorf("got %v, wanted a refusal by %s", err, tc.want)
				}
			}
		})
	}
}
