//go:build !race

// Under the race detector sync.Pool drops what it holds at random, so there
// are no allocations to count.

package telemetry_test

import (
	"testing"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/telemetry"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestHitAllocatesNothing, timed or not, counted by scope or not.
func TestHitAllocatesNothing(t *testing.T) {
	for name, cfg := range map[string]telemetry.Config{
		"by default": {}, "each hit": {SampleHits: 1}, "scopes": {ScopeUse: true, MaxClients: 10},
	} {
		t.Run(name, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			p := newProbe(t, cfg)
			v := p.newValidator(iss, func(c *validator.Config) { c.Issuers[0].Keys = &jwks.Config{HTTPClient: iss.Client()} })
			r := &validator.Request{Scheme: "Bearer", Token: iss.Token(issuertest.Claims{Scope: "a b"}), Route: "GET /orders", Scopes: []string{"a", "b"}}
			verify := func() {
				if _, err := v.VerifyRequest(t.Context(), r, nil); err != nil {
					t.Fatal(err)
				}
			}
			verify()
			if n := testing.AllocsPerRun(5000, verify); n != 0 {
				t.Errorf("a hit allocates %v times", n)
			}
		})
	}
}
