package mcpauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestSlowBodies: a tool runs for a token that is still good when the last byte of its
// call has come, with the fields that name it and without.
func TestSlowBodies(t *testing.T) {
	for _, version := range []string{newest, older} {
		for _, revoked := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				all, err := revocation.New(revocation.Config{})
				if err != nil {
					t.Fatal(err)
				}
				defer all.Close()
				all.Current(time.Now())
				v, err := validator.New(validator.Config{Revocations: all, Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{public}, Keys: &jwks.Config{HTTPClient: iss.Client()}}}})
				if err != nil {
					t.Fatal(err)
				}
				defer v.Close()
				auth := mcpauth.New(v, mcpauth.Rules{Tools: map[string]scopes.Rule{"delete_all": scopes.AnyToken()}}, &mcpauth.Config{PublicURL: []string{public}})
				ran := false
				api := auth.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true }))
				h, text := request(version, "tools/call", map[string]any{"name": "delete_all"})
				h.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{ClientID: "compromised", Audience: []string{public}}))
				body, client := io.Pipe()
				r := httptest.NewRequest("POST", public, body)
				r.Header = h
				go func() {
					_, _ = io.WriteString(client, text[:len(text)-1])
					if revoked {
						record, err := all.Record(revocation.Block(revocation.Client(iss.URL(), "compromised")), 1)
						if err == nil {
							err = all.Merge(record)
						}
						if err != nil {
							t.Error(err)
						}
					}
					time.Sleep(2 * time.Second)
					_, _ = io.WriteString(client, text[len(text)-1:])
					_ = client.Close()
				}()
				w := httptest.NewRecorder()
				api.ServeHTTP(w, r)
				said := w.Header().Get("WWW-Authenticate")
				if ran == revoked || revoked && (w.Code != 401 || !strings.Contains(said, "invalid_token") || !strings.Contains(said, "resource_metadata")) {
					t.Errorf("%s, revoked: %v: it ran: %v; %d %s", version, revoked, ran, w.Code, said)
				}
			})
		}
	}
}
