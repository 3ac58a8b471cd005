package validator_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestRotatedKeyPassesAtOnce with the default settings, although the set was
// fetched only just before, and so does the key after it.
func TestRotatedKeyPassesAtOnce(t *testing.T) {
	for range 20 {
		iss := issuertest.New(t)
		v := newMany(t, validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}})
		old := iss.Token(issuertest.Claims{})
		wantOutcome(t, "ok")(v.Verify(t.Context(), old))
		for range 2 {
			iss.Rotate()
			wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
		}
		wantOutcome(t, "ok")(v.Verify(t.Context(), old)) // published until Retire
		wantRequests(t, iss, issuertest.JWKS, 3)
	}
}

// TestIdleSetAndAHangingIssuer is the first request after a quiet hour, to an
// issuer that takes it and never answers: it waits a second and passes by the
// keys that are known, and the next ones do not wait.
func TestIdleSetAndAHangingIssuer(t *testing.T) {
	for name, tc := range map[string]struct{ configured, want time.Duration }{"default": {0, time.Second}, "configured": {time.Minute, 5 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				v := newJWT(t, iss, func(c *validator.Config) { c.Issuers[0].Keys.RefreshWait = tc.configured })
				seen := iss.Token(issuertest.Claims{ExpiresIn: 24 * time.Hour})
				wantOutcome(t, "ok")(v.Verify(t.Context(), seen))
				elapse(time.Hour)
				iss.SetFault(issuertest.JWKS, issuertest.Slow(100*time.Hour))
				fetched := iss.Requests(issuertest.JWKS)
				for _, tc := range []struct {
					raw  string
					want time.Duration
				}{{seen, tc.want}, {iss.Token(issuertest.Claims{}), 0}, {seen, 0}} {
					start := time.Now()
					wantOutcome(t, "ok")(v.Verify(t.Context(), tc.raw))
					if waited := time.Since(start); waited != tc.want {
						t.Errorf("waited %v, wanted %v", waited, tc.want)
					}
				}
				wantRequests(t, iss, issuertest.JWKS, fetched+1) // as before its use, by whoever came first
			})
		})
	}
}
