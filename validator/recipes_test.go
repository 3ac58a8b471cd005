package validator_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// These are the tests that issuertest's documentation tells users how to write:
// each sets what it names and nothing else, and sleeps in a bubble.

func TestRecipeForRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		v := newJWT(t, iss, func(c *validator.Config) { c.Issuers[0].Keys.MinFetchInterval = time.Millisecond })
		for range 5 {
			wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
			iss.Rotate()
			time.Sleep(time.Millisecond)
		}
	})
}

func TestRecipeForRetirement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		v := newJWT(t, iss, func(c *validator.Config) {
			c.Issuers[0].Keys = &jwks.Config{HTTPClient: iss.Client(), MinFetchInterval: time.Millisecond, RefreshInterval: time.Millisecond}
		})
		old := iss.Token(issuertest.Claims{})
		wantOutcome(t, "ok")(v.Verify(t.Context(), old))
		iss.Rotate()
		iss.Retire()
		time.Sleep(2 * time.Millisecond)
		wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
		wantOutcome(t, "key")(v.Verify(t.Context(), old))
	})
}

func TestRecipeForRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		v := newJWT(t, iss, func(c *validator.Config) { c.Issuers[0].Keys.MinFetchInterval = time.Millisecond })
		iss.SetFault(issuertest.JWKS, issuertest.ServerError())
		wantOutcome(t, "unavailable")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
		iss.ClearFaults()
		time.Sleep(time.Millisecond)
		wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))

		asked := newOpaque(t, iss)
		iss.SetFault(issuertest.Introspection, issuertest.ServerError())
		for range 3 {
			wantOutcome(t, "unavailable")(asked.Verify(t.Context(), iss.Opaque(issuertest.Claims{})))
		}
		iss.ClearFaults()
		time.Sleep(100 * time.Millisecond)
		wantOutcome(t, "ok")(asked.Verify(t.Context(), iss.Opaque(issuertest.Claims{})))
	})
}

func TestRecipeForRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		v := newOpaque(t, iss, func(c *validator.Config) { c.Issuers[0].Introspection.PositiveLifetime = -1 })
		raw := iss.Opaque(issuertest.Claims{})
		wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
		iss.Revoke(raw)
		wantOutcome(t, "active")(v.Verify(t.Context(), raw))
	})
}
