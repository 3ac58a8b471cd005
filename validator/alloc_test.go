//go:build !race

// Under the race detector sync.Pool drops what it holds at random, so there
// are no allocations to count.

package validator_test

import (
	"testing"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestHitAllocatesNothing(t *testing.T) {
	iss := issuertest.New(t)
	jwt, opaque := newJWT(t, iss), newOpaque(t, iss)
	for name, tc := range map[string]struct {
		v   *validator.Validator
		raw string
	}{
		"JWT":    {jwt, iss.Token(issuertest.Claims{Scope: "a b"})},
		"opaque": {opaque, iss.Opaque(issuertest.Claims{Scope: "a b"})},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			verify := func() {
				if _, err := tc.v.Verify(ctx, tc.raw); err != nil {
					t.Fatal(err)
				}
			}
			verify()
			if n := testing.AllocsPerRun(1000, verify); n != 0 {
				t.Errorf("a hit allocates %v times", n)
			}
		})
	}
}
