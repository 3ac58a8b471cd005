//go:build interop

package interop_test

import (
	"crypto/tls"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/validator"
)

// startAsking starts an API that asks for client certificates, whoever issued them.
func startAsking(s *httptest.Server) {
	s.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{serverCertificate.der}, PrivateKey: serverCertificate.key}},
		ClientAuth:   tls.RequestClientCert,
	}
	s.StartTLS()
}

// tlsIssuer is a server of tlsServer, asked by a client without a certificate.
func tlsIssuer(t *testing.T, s *server) validator.Issuer {
	plain := tlsClient(t, nil)
	issuer := jwtIssuer(s)
	issuer.Keys = keysOf(s)
	issuer.Keys.HTTPClient = plain
	issuer.Introspection = &introspection.Config{
		Issuer: s.issuer, Auth: introspection.ClientSecretBasic("basic", introspection.Secret(secret)), HTTPClient: plain,
	}
	return issuer
}

// presenting is what Node's client needs to present a certificate.
func presenting(c *certificate) *tlsOptions {
	return &tlsOptions{Key: c.keyPEM(), Cert: c.certificatePEM(), CA: authority.certificatePEM()}
}

// TestCertificateClients has real clients get through with the certificate that their
// tokens are bound to, and nobody else.
func TestCertificateClients(t *testing.T) {
	s := tlsServer(t)
	l := startLibraries(t)
	apis := boundAPIs(t, tlsIssuer(t, s), true, startAsking)
	none, other := tlsClient(t, nil), tlsClient(t, otherCertificate)
	for _, library := range []string{"oauth4webapi", "openid-client"} {
		for _, by := range []struct {
			client, secret string
			certificate    *certificate
		}{
			{"mtls-bound", secret, clientCertificate},
			{"mtls-bound", secret, selfSigned},
			{"self-signed-bound", "", selfSigned},
		} {
			client := l.connect(t, account{Library: library, Issuer: s.issuer, ID: by.client, Secret: by.secret, TLS: presenting(by.certificate)})
			right := tlsClient(t, by.certificate)
			for kind, resource := range boundKinds {
				token := client.token(t, "Bearer", grant{bothScope, resource})
				elsewhere := client.token(t, "Bearer", grant{bothScope, withAudience(resource)})
				for _, a := range apis {
					check := func(what string, want, got verdict) {
						t.Helper()
						wantVerdict(t, fmt.Sprintf("%s, %s, %s, %s: %s", library, by.client, kind, a.name, what), want, got)
					}
					h := handled{Client: by.client, Scope: bothScope}
					for range 3 {
						check("with its certificate", through(1, h), client.ask(t, a, token, read, "/orders", ""))
					}
					if kind == "opaque" {
						check("fresh", through(1, h), client.ask(t, a, token, remove, "/orders", ""))
					}
					for _, target := range oddTargets {
						h.Target = target
						check(target, through(1, h), client.ask(t, a, token, read, target, ""))
					}
					h.Target, h.Body = "", `{"item":"lamp"}`
					check("a body", through(1, h), client.ask(t, a, token, write, "/orders", h.Body))
					h.Body = ""

					taken := client.take(t, a, token, read, "/orders")
					check("without one", refusal("Bearer", "invalid_token"), taken.sent(t, none, a, read, "/orders"))
					check("with another", refusal("Bearer", "invalid_token"), taken.sent(t, other, a, read, "/orders"))
					check("with it, by somebody who has its key", through(1, h), taken.sent(t, right, a, read, "/orders"))
					check("without one, after that", refusal("Bearer", "invalid_token"), taken.sent(t, none, a, remove, "/orders"))
					check("for another API", refusal("Bearer", "invalid_token"), client.ask(t, a, elsewhere, read, "/orders", ""))
					check("as DPoP", refusal("DPoP", "invalid_token"), stolen{Authorization: "DPoP " + token}.sent(t, right, a, read, "/orders"))
				}
			}
		}
	}
}

// TestCertificateLooksAlike has another certificate of the same name.
func TestCertificateLooksAlike(t *testing.T) {
	s := tlsServer(t)
	l := startLibraries(t)
	apis := boundAPIs(t, tlsIssuer(t, s), false, startAsking)
	client := l.connect(t, account{Library: "oauth4webapi", Issuer: s.issuer, ID: "mtls-bound", Secret: secret, TLS: presenting(clientCertificate)})
	token := client.token(t, "Bearer", grant{readScope, jwt("RS256")})
	thief := l.connect(t, account{Library: "oauth4webapi", Issuer: s.issuer, ID: "mtls-bound", Secret: secret, TLS: presenting(otherSelfSigned)})
	for _, a := range apis {
		wantVerdict(t, a.name, through(1, handled{Client: "mtls-bound", Scope: readScope}), client.ask(t, a, token, read, "/orders", ""))
		wantVerdict(t, a.name+", another of its name", refusal("Bearer", "invalid_token"), thief.ask(t, a, token, read, "/orders", ""))
	}
}

// TestClientReadsMetadata has oauth4webapi read challenges, and the metadata that
// they point at (RFC 9728).
func TestClientReadsMetadata(t *testing.T) {
	l := startLibraries(t)
	client := l.connect(t, proving(shared, "oauth4webapi", "ES256"))
	elsewhere := client.token(t, "DPoP", grant{readScope, withAudience(opaque)})
	for _, a := range boundAPIs(t, bothIssuer(shared), false, (*httptest.Server).Start) {
		type challenge struct {
			Scheme   string `json:"scheme"`
			Error    string `json:"error"`
			Scope    string `json:"scope"`
			Metadata string `json:"resource_metadata"`
			Algs     string `json:"algs"`
		}
		type metadata struct {
			Resource   string   `json:"resource"`
			Servers    []string `json:"authorization_servers"`
			Algorithms []string `json:"dpop_signing_alg_values_supported"`
		}
		var got struct {
			Challenges []challenge `json:"challenges"`
			Metadata   metadata    `json:"metadata"`
		}
		tallyOf(t).Add(1)
		l.do(t, order{Command: "discover", Session: client.number, Token: elsewhere, URL: a.url + "/orders"}, &got)
		where := a.url + "/.well-known/oauth-protected-resource"
		all := "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519"
		want := []challenge{
			{Scheme: "dpop", Error: "invalid_token", Scope: readScope, Metadata: where, Algs: all},
			{Scheme: "bearer", Scope: readScope, Metadata: where},
		}
		if diff := cmp.Diff(want, got.Challenges); diff != "" {
			t.Errorf("%s: challenges (-want +got):\n%s", a.name, diff)
		}
		if diff := cmp.Diff(metadata{Resource: a.url, Servers: []string{shared.issuer}, Algorithms: algorithms}, got.Metadata); diff != "" {
			t.Errorf("%s: metadata (-want +got):\n%s", a.name, diff)
		}
	}
}
