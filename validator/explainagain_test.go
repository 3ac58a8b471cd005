package validator_test

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// TestExplainAsksAgain: where an issuer's word stands for a list's, an explanation goes by
// the answer that came for it, and by no older one.
func TestExplainAsksAgain(t *testing.T) {
	const raw = "opaque-token-of-somebody"
	for name, test := range map[string]struct {
		changes map[string]any
		want    string
	}{
		"as before":     {nil, "ok"},
		"scope gone":    {map[string]any{"scope": ""}, "scope"},
		"audience gone": {map[string]any{"aud": "api"}, "aud"},
		"bound":         {map[string]any{"cnf": map[string]any{"x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"}}, "cnf"},
		"not secret":    {map[string]any{"client_id": raw}, "claims"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				claims := map[string]any{"aud": []string{"api", "orders"}, "scope": "orders:read", "client_id": "c", "exp": time.Now().Add(time.Hour).Unix()}
				answers := reviewing{answers: map[string]map[string]any{raw: claims}}
				list, err := revocation.New(revocation.Config{AskIssuerAtStart: true, StaleAfter: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				defer list.Close()
				v, err := validator.New(validator.Config{Revocations: list, Issuers: []validator.Issuer{{URL: "https://id.example.com", Audience: []string{"api"},
					Introspection: &introspection.Config{Introspector: answers, PositiveLifetime: time.Minute}}}})
				if err != nil {
					t.Fatal(err)
				}
				defer v.Close()
				request, demand, rule := &validator.Request{Token: raw}, &validator.Demand{Audience: []string{"orders"}}, scopes.All("orders:read")
				if _, err := v.VerifyRequest(t.Context(), request, demand); err != nil {
					t.Fatal(err)
				}
				time.Sleep(1200 * time.Millisecond) // the cached answer is now older than a list may be
				answers.answers[raw] = maps.Clone(claims)
				maps.Copy(answers.answers[raw], test.changes)
				e := v.Explain(t.Context(), request, validator.ExplainOptions{Network: true, Demand: demand, Rule: &rule})
				a, err := v.VerifyRequest(t.Context(), request, demand)
				if err == nil {
					err = a.Token.Check(rule)
				}
				wantOutcome(t, test.want)(a.Token, err)
				explained := "ok"
				for _, step := range e.Steps {
					if step.Err != nil {
						explained = string(step.Check)
						break
					}
				}
				if explained != test.want || e.Accepted != (err == nil) {
					t.Errorf("explained as %q, accepted %t, wanted %q:\n%s", explained, e.Accepted, test.want, e)
				}
			})
		})
	}
}
