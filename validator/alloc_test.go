//go:build !race

// Under the race detector sync.Pool drops what it holds at random, so there
// are no allocations to count.

package validator_test

import (
	"context"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestHitAllocatesNothing(t *testing.T) {
	iss := issuertest.New(t)
	jwt, opaque := newJWT(t, iss), newOpaque(t, iss)
	var told int
	asks := func(c *validator.Config) {
		c.Observer = observe.Observer{Accepted: true, Event: func(_ context.Context, e *observe.Event) {
			if e.Kind == observe.Accepted && e.Client.Text == issuertest.ClientID {
				told++
			}
		}}
	}
	watchedJWT, watchedOpaque := newJWT(t, iss, asks), newOpaque(t, iss, asks)
	for name, tc := range map[string]struct {
		v   *validator.Validator
		raw string
	}{
		"JWT":    {jwt, iss.Token(issuertest.Claims{Scope: "a b"})},
		"opaque": {opaque, iss.Opaque(issuertest.Claims{Scope: "a b"})},

		"JWT, with an observer that asks":    {watchedJWT, iss.Token(issuertest.Claims{Scope: "a b"})},
		"opaque, with an observer that asks": {watchedOpaque, iss.Opaque(issuertest.Claims{Scope: "a b"})},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			request := validator.Request{Scheme: "Bearer", Token: tc.raw, Method: "GET", URL: "https://api.example.com/orders", Route: "GET /orders", Source: "192.0.2.1"}
			demand := validator.Demand{Audience: []string{issuertest.Audience}}
			told = 0
			verify := func() {
				if _, err := tc.v.Verify(ctx, tc.raw); err != nil {
					t.Fatal(err)
				}
				if _, err := tc.v.VerifyRequest(ctx, &request, &demand); err != nil {
					t.Fatal(err)
				}
			}
			verify()
			if n := testing.AllocsPerRun(1000, verify); n != 0 {
				t.Errorf("a hit allocates %v times", n)
			}
			if wanted := strings.Contains(name, "asks"); (told == 2004) != wanted || (told > 0) != wanted {
				t.Errorf("told of %d accepted requests", told)
			}
		})
	}
}
