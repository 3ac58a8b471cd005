package serve_test

import (
	"net/http/httptest"
	"testing"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestIdentityInGo: an API in Go verifies who calls by this library, as docs/gateway.md
// has it.
func TestIdentityInGo(t *testing.T) {
	iss := issuertest.New(t)
	g := run(t, file(iss, ""), "127.0.0.1:0", nil)
	w := httptest.NewRecorder()
	g.set.Gateway.ServeHTTP(w, question("/orders", map[string][]string{"Authorization": {"Bearer " + iss.Token(issuertest.Claims{Scope: "orders:read"})}}))
	said := w.Header().Get("X-Auth-Identity")
	for audience, good := range map[string]bool{"https://api.example.com": true, "https://other.example.com": false} {
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{
			URL: "m2mguard", Audience: []string{audience},
			Keys: &jwks.Config{URL: g.admin + "/.well-known/jwks.json"},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		token, err := v.Verify(t.Context(), said)
		if good != (err == nil) || good && (token.ClientID() != issuertest.ClientID || token.Scopes().String() != "orders:read") {
			t.Errorf("%s: %v, %v", audience, token, err)
		}
		v.Close()
	}
}
