//go:build interop

package interop_test

import (
	"context"
	"crypto"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
)

// keyNames are the fixture keys of the client "assertion".
type keyNames []string

var assertionKeys = keyNames{"rsa-2048-a", "p256-a", "p384", "p521", "ed25519-a"}

func (names keyNames) public() []jsontext.Value {
	var keys []jsontext.Value
	for _, name := range names {
		keys = append(keys, testdata.PublicKey(name))
	}
	return keys
}

// oidc-provider takes no bearer token for client authentication, so that
// introspection.BearerToken has no test here.

func TestClientSecret(t *testing.T) {
	token := shared.token(t, grant{readScope, opaque})
	for name, auth := range map[string]introspection.ClientAuth{
		"client_secret_basic": introspection.ClientSecretBasic("basic", introspection.Secret(secret)),
		"client_secret_post":  introspection.ClientSecretPost("post", introspection.Secret(secret)),
	} {
		t.Run(name, func(t *testing.T) {
			apis := newAPIs(t, one(opaqueIssuer(shared, &introspection.Config{Issuer: shared.issuer, Auth: auth})))
			expect(t, "right", apis, read, token, allowed("basic", readScope))
		})
	}
	for name, auth := range map[string]introspection.ClientAuth{
		"client_secret_basic": introspection.ClientSecretBasic("basic", introspection.Secret("wrong")),
		"client_secret_post":  introspection.ClientSecretPost("post", introspection.Secret("wrong")),
		"unknown client":      introspection.ClientSecretBasic("nobody", introspection.Secret(secret)),
	} {
		t.Run(name+", wrong", func(t *testing.T) {
			apis := newAPIs(t, one(opaqueIssuer(shared, &introspection.Config{Issuer: shared.issuer, Auth: auth})))
			expect(t, "wrong", apis, read, token, unavailable)
		})
	}
}

// TestSecretRotates has the source of the secret learn of a new one while the
// API runs.
func TestSecretRotates(t *testing.T) {
	var current atomic.Value
	current.Store("not the secret any more")
	source := func(context.Context) (string, error) { return current.Load().(string), nil }
	apis := newAPIs(t, one(opaqueIssuer(shared, &introspection.Config{
		Issuer: shared.issuer,
		Auth:   introspection.ClientSecretBasic("basic", source),
	})))
	token := shared.token(t, grant{readScope, opaque})
	expect(t, "the old secret", apis, read, token, unavailable)
	current.Store(secret)
	expect(t, "the new secret", apis, read, token, allowed("basic", readScope))
}

func TestPrivateKeyJWT(t *testing.T) {
	token := shared.token(t, grant{readScope, opaque})
	sign := func(t *testing.T, key crypto.Signer, keyID, alg string) introspection.ClientAuth {
		signer, err := validator.NewAssertionSigner("assertion", key, keyID, alg)
		if err != nil {
			t.Fatal(err)
		}
		return introspection.PrivateKeyJWT("assertion", signer)
	}
	for _, c := range []struct{ key, alg string }{
		{"rsa-2048-a", "RS256"}, {"rsa-2048-a", "RS384"}, {"rsa-2048-a", "RS512"},
		{"rsa-2048-a", "PS256"}, {"rsa-2048-a", "PS384"}, {"rsa-2048-a", "PS512"},
		{"p256-a", "ES256"}, {"p384", "ES384"}, {"p521", "ES512"}, {"ed25519-a", "EdDSA"},
	} {
		t.Run(c.alg, func(t *testing.T) {
			auth := sign(t, testdata.PrivateKey(c.key), c.key, c.alg)
			discovered := newAPIs(t, one(opaqueIssuer(shared, &introspection.Config{Issuer: shared.issuer, Auth: auth})))
			expect(t, "for the issuer", discovered, read, token, allowed("basic", readScope))
			expect(t, "a second assertion", discovered, remove, token, allowed("basic", readScope))
		})
	}
	t.Run("for the endpoint", func(t *testing.T) {
		apis := newAPIs(t, one(opaqueIssuer(shared, &introspection.Config{
			Endpoint: shared.issuer + "/token/introspection",
			Auth:     sign(t, testdata.PrivateKey("p256-a"), "", "ES256"),
		})))
		expect(t, "without kid", apis, read, token, allowed("basic", readScope))
	})
	t.Run("another key", func(t *testing.T) {
		auth := sign(t, testdata.PrivateKey("p256-b"), "p256-a", "ES256")
		apis := newAPIs(t, one(opaqueIssuer(shared, &introspection.Config{Issuer: shared.issuer, Auth: auth})))
		expect(t, "under the name of ours", apis, read, token, unavailable)
	})
}

func TestClientCertificate(t *testing.T) {
	s := tlsServer(t)
	plain := tlsClient(t, nil)
	noRoots := &http.Client{Transport: &http.Transport{}}
	token := s.tokenOf(t, "basic", plain, grant{readScope, opaque})
	for _, c := range []struct {
		name, client string
		presents     *http.Client
		want         answer
	}{
		{"tls_client_auth", "tls", tlsClient(t, clientCertificate), allowed("basic", readScope)},
		{"tls_client_auth with another name", "tls", tlsClient(t, otherCertificate), unavailable},
		{"tls_client_auth with a certificate from nowhere", "tls", tlsClient(t, otherSelfSigned), unavailable},
		{"tls_client_auth without a certificate", "tls", plain, unavailable},
		{"self_signed_tls_client_auth", "self-signed", tlsClient(t, selfSigned), allowed("basic", readScope)},
		{"self_signed_tls_client_auth with another one", "self-signed", tlsClient(t, otherSelfSigned), unavailable},
		{"self_signed_tls_client_auth without a certificate", "self-signed", plain, unavailable},
		{"a server that our roots do not know", "tls", noRoots, unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			apis := newAPIs(t, one(opaqueIssuer(s, &introspection.Config{
				Issuer: s.issuer, Auth: introspection.TLSClientAuth(c.client), HTTPClient: c.presents,
			})))
			expect(t, "opaque", apis, read, token, c.want)
		})
	}
	t.Run("keys and introspection by the same client", func(t *testing.T) {
		issuer := opaqueIssuer(s, &introspection.Config{
			Issuer: s.issuer, Auth: introspection.TLSClientAuth("tls"), HTTPClient: tlsClient(t, clientCertificate),
		})
		issuer.Keys = keysOf(s)
		issuer.Keys.HTTPClient = plain
		apis := newAPIs(t, one(issuer))
		expect(t, "JWT", apis, read, s.tokenOf(t, "basic", plain, grant{readScope, jwt("RS256")}), allowed("basic", readScope))
		expect(t, "opaque", apis, remove, token, allowed("basic", readScope))
	})
}
