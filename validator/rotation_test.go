package validator_test

import (
	"testing"

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
