package connectauth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestEndIsTheNextAnswer: the end of a stream is, to the byte, what the next call gets: its
// challenge is of the host that was called, and of the scheme that the token came by.
func TestEndIsTheNextAnswer(t *testing.T) {
	const one, two = "https://one.example.com", "https://two.example.com"
	ofGateway := func(r *http.Request) (string, string, error) { return "DPoP", r.Header.Get("X-Token"), nil }
	for name, tc := range map[string]struct {
		http    httpauth.Config
		proves  bool
		field   string
		scheme  string
		contain string
	}{
		"one name":                {httpauth.Config{PublicURL: []string{two}}, false, "Authorization", "Bearer ", two + "/.well-known"},
		"two names":               {httpauth.Config{PublicURL: []string{one, two}}, false, "Authorization", "Bearer ", two + "/.well-known"},
		"DPoP":                    {httpauth.Config{PublicURL: []string{two}}, true, "Authorization", "DPoP ", "DPoP realm"},
		"DPoP, another field":     {httpauth.Config{PublicURL: []string{two}, Credentials: ofGateway}, true, "X-Token", "", "DPoP realm"},
		"DPoP, another, two URLs": {httpauth.Config{PublicURL: []string{one, two}, Credentials: ofGateway}, true, "X-Token", "", two + "/.well-known"},
	} {
		t.Run(name, func(t *testing.T) {
			iss := issuertest.New(t)
			list, err := revocation.New(revocation.Config{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(list.Close)
			list.Current(time.Now())
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			claims := issuertest.Claims{ClientID: "c", Scope: "orders:read"}
			v := newValidator(t, iss, func(c *validator.Config) {
				c.Revocations = list
				if tc.proves {
					c.DPoP, claims.JWKThumbprint = &dpop.Config{}, issuertest.Thumbprint(key.Public())
				}
			})
			token := iss.Token(claims)
			auth := connectauth.New(v, connectauth.Rules{watch: readRule}, &connectauth.Config{HTTP: tc.http})
			ask := func(handler http.HandlerFunc) string {
				r := httptest.NewRequestWithContext(t.Context(), "POST", two+watch, bytes.NewReader(frame("{}")))
				r.Header.Set("Content-Type", "application/connect+json")
				r.Header.Set(tc.field, tc.scheme+token)
				if tc.proves {
					r.Header.Set("DPoP", issuertest.Proof(key, issuertest.ProofClaims{Method: "POST", URL: two + watch, Token: token}))
				}
				w := httptest.NewRecorder()
				auth.Protect(handler).ServeHTTP(w, r)
				return w.Body.String()
			}
			end := ask(func(_ http.ResponseWriter, r *http.Request) {
				r.Header.Del(tc.field) // which is the handler's own
				record, err := list.Record(revocation.Block(revocation.Client(iss.URL(), "c")), 1)
				if err == nil {
					err = list.Merge(record)
				}
				if err != nil {
					t.Error(err)
				}
				<-r.Context().Done()
			})
			next := ask(func(http.ResponseWriter, *http.Request) { t.Error("the token was revoked") })
			if end != next || !strings.Contains(end, tc.contain) || !strings.Contains(end, "was revoked") {
				t.Errorf("the stream ended with\n%q, the next call got\n%q, wanted %s in both", end, next, tc.contain)
			}
		})
	}
}
