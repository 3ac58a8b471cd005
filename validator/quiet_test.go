package validator_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestNoNewsIsNotLogged: in a user's test, and at an API's start, nobody reads
// about keys that are as they should be.
func TestNoNewsIsNotLogged(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	for name, algorithms := range map[string][]string{"default": nil, "RS256, as most presets": {"RS256"}, "EdDSA": {"EdDSA"}} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
			iss := issuertest.New(t)
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}, Algorithms: algorithms}}})
			if err != nil {
				t.Fatal(err)
			}
			claims := issuertest.Claims{}
			if algorithms != nil {
				claims.Algorithm = algorithms[0]
			}
			wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(claims)))
			v.Close()
			if log.Len() > 0 {
				t.Errorf("logged: %s", &log)
			}
		})
	}
}
