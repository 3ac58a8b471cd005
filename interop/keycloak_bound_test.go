//go:build interop

package interop_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// TestKeycloakDPoP has clients whose tokens must be bound, and one that may choose.
func TestKeycloakDPoP(t *testing.T) {
	k := aKeycloak(t)
	l := startLibraries(t)
	for way, issuer := range map[string]validator.Issuer{"by signature": k.preset(), "by introspection": k.asked(k.asOrders())} {
		apis := boundAPIs(t, issuer, true, (*httptest.Server).Start)
		for _, library := range proofLibraries {
			for _, id := range []string{"dpop-bound", "warehouse"} {
				a := account{Library: library, Issuer: k.issuer(), ID: id, Secret: secret, Alg: "ES256"}
				client, thief := l.connect(t, a), l.connect(t, a)
				token := client.token(t, "DPoP", grant{Scope: bothScope})
				thief.token(t, "DPoP", grant{Scope: bothScope})
				for _, a := range apis {
					check := func(what string, want, got verdict) {
						t.Helper()
						wantVerdict(t, strings.Join([]string{way, library, id, a.name, what}, ", "), want, got)
					}
					h := handled{Client: id, Scope: writeAlso}
					check("told a nonce", through(2, h), client.ask(t, a, token, read, "/orders", ""))
					check("second", through(1, h), client.ask(t, a, token, read, "/orders", ""))
					h.Target = "/orders/a%2Fb~c?page=2"
					check("third", through(1, h), client.ask(t, a, token, read, h.Target, ""))
					h.Target, h.Body = "", `{"item":"lamp"}`
					check("a body", through(1, h), client.ask(t, a, token, write, "/orders", h.Body))
					h.Body = ""

					taken := client.take(t, a, token, read, "/orders")
					check("as the client sends it", through(1, h), taken.sent(t, browser, a, read, "/orders"))
					check("again", refusal("DPoP", "invalid_dpop_proof"), taken.sent(t, browser, a, read, "/orders"))
					check("as a bearer token", refusal("DPoP", "invalid_token"), stolen{Authorization: "Bearer " + token}.sent(t, browser, a, read, "/orders"))
					check("another key", refusal("DPoP", "invalid_token"), thief.ask(t, a, token, read, "/orders", ""))
				}
			}
		}
	}
}

// TestKeycloakRequiresProofs is about the client's switch "require DPoP bound tokens".
func TestKeycloakRequiresProofs(t *testing.T) {
	k := aKeycloak(t)
	cfg := clientcredentials.Config{
		ClientID: "dpop-bound", ClientSecret: secret, TokenURL: k.endpoint("token"), AuthStyle: oauth2.AuthStyleInHeader,
	}
	tallyOf(t).Add(1)
	_, err := cfg.Token(context.WithValue(t.Context(), oauth2.HTTPClient, browser))
	if err == nil || !strings.Contains(err.Error(), "DPoP") {
		t.Errorf("a token without a proof: %v, wanted an error about DPoP", err)
	}
}

// TestKeycloakCertificate has a client whose tokens are bound to the certificate of its
// connection to the token endpoint.
func TestKeycloakCertificate(t *testing.T) {
	k := aKeycloak(t)
	l := startLibraries(t)
	plain, other := tlsClient(t, nil), tlsClient(t, otherCertificate)
	signed := providers.Keycloak(k.secureBase, realm, "orders")
	signed.Keys.RequestTimeout, signed.Keys.HTTPClient = keycloakReply, plain
	asked := signed
	asked.Keys, asked.Introspection = nil, k.asOrders()
	asked.Introspection.HTTPClient = plain
	for way, issuer := range map[string]validator.Issuer{"by signature": signed, "by introspection": asked} {
		apis := boundAPIs(t, issuer, false, startAsking)
		for _, library := range []string{"oauth4webapi", "openid-client"} {
			client := l.connect(t, account{
				Library: library, Issuer: k.secureIssuer(), ID: "mtls-bound", Secret: secret, TLS: presenting(clientCertificate),
			})
			token := client.token(t, "Bearer", grant{Scope: bothScope})
			for _, a := range apis {
				check := func(what string, want, got verdict) {
					t.Helper()
					wantVerdict(t, strings.Join([]string{way, library, a.name, what}, ", "), want, got)
				}
				h := handled{Client: "mtls-bound", Scope: writeAlso}
				for range 3 {
					check("with its certificate", through(1, h), client.ask(t, a, token, read, "/orders", ""))
				}
				taken := client.take(t, a, token, read, "/orders")
				check("without one", refusal("Bearer", "invalid_token"), taken.sent(t, plain, a, read, "/orders"))
				check("with another", refusal("Bearer", "invalid_token"), taken.sent(t, other, a, read, "/orders"))
				check("as DPoP", refusal("DPoP", "invalid_token"), stolen{Authorization: "DPoP " + token}.sent(t, plain, a, read, "/orders"))
			}
		}
	}
}
