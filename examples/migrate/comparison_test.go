package migrate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/examples/migrate/fromauth0"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestReplays: what docs/comparison.md says of one DPoP proof that is sent twice.
func TestReplays(t *testing.T) {
	iss := issuertest.New(t)
	auth0, err := fromauth0.Before(iss.URL(), issuertest.Audience)
	if err != nil {
		t.Fatal(err)
	}
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		DPoP:    &dpop.Config{},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	auth := httpauth.New(v, &httpauth.Config{PublicURL: []string{"https://api.example.com"}})
	ours := auth.Require(scopes.All("orders:read"))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const url = "https://api.example.com/orders"
	for name, c := range map[string]struct {
		api    http.Handler
		second int
	}{"auth0 v3": {auth0, http.StatusOK}, "m2mguard": {ours, http.StatusUnauthorized}} {
		token := iss.Token(good(func(c *issuertest.Claims) { c.JWKThumbprint = issuertest.Thumbprint(key.Public()) }))
		proof := issuertest.Proof(key, issuertest.ProofClaims{URL: url, Token: token})
		for n, want := range []int{http.StatusOK, c.second} {
			r, w := httptest.NewRequest("GET", url, http.NoBody), httptest.NewRecorder()
			r.Header.Set("Authorization", "DPoP "+token)
			r.Header.Set("DPoP", proof)
			c.api.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s, time %d: %d, wanted %d: %s", name, n+1, w.Code, want, w.Body)
			}
		}
	}
}
