//go:build interop

package interop_test

import (
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

func TestDiscovery(t *testing.T) {
	const path = "/tenants/orders"
	for name, o := range map[string]options{
		"OpenID Connect Discovery, issuer with a path": {Metadata: []string{"openid-configuration"}, Path: path},
		"RFC 8414, issuer with a path":                 {Metadata: []string{"oauth-authorization-server"}, Path: path},
		"RFC 8414":                                     {Metadata: []string{"oauth-authorization-server"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := ownServer(t, o)
			issuer := bothIssuer(s)
			issuer.Introspection.Issuer = "" // the validator fills it in
			issuer.Keys = &jwks.Config{}
			apis := newAPIs(t, one(issuer))
			expect(t, "keys", apis, read, s.token(t, grant{readScope, jwt("ES256")}), allowed("basic", readScope))
			expect(t, "introspection", apis, read, s.token(t, grant{readScope, opaque}), allowed("basic", readScope))
		})
	}
}

// TestNoDiscovery has a server without metadata, and is told where all is.
func TestNoDiscovery(t *testing.T) {
	s := ownServer(t, options{Metadata: []string{}, Path: "/tenants/orders"})
	token, opaqueToken := s.token(t, grant{readScope, jwt("ES256")}), s.token(t, grant{readScope, opaque})
	issuer := bothIssuer(s)
	apis := newAPIs(t, one(issuer))
	expect(t, "keys", apis, read, token, unavailable)
	expect(t, "introspection", apis, read, opaqueToken, unavailable)

	issuer.Keys = &jwks.Config{URL: s.issuer + "/jwks"}
	issuer.Introspection = &introspection.Config{
		Endpoint: s.issuer + "/token/introspection",
		Auth:     introspection.ClientSecretBasic("basic", introspection.Secret(secret)),
	}
	apis = newAPIs(t, one(issuer))
	expect(t, "keys by URL", apis, read, token, allowed("basic", readScope))
	expect(t, "introspection by endpoint", apis, read, opaqueToken, allowed("basic", readScope))
}

// TestOtherName reaches the server under a name that is not its issuer
// identifier: what it says of itself does not match (RFC 8414 §3.3).
func TestOtherName(t *testing.T) {
	issuer := jwtIssuer(shared)
	issuer.URL = strings.Replace(shared.issuer, "127.0.0.1", "localhost", 1)
	apis := newAPIs(t, one(issuer))
	expect(t, "iss", apis, read, shared.token(t, grant{readScope, jwt("ES256")}), refused(validator.CheckIssuer))

	issuer = opaqueIssuer(shared, asBasic(shared))
	issuer.URL = strings.Replace(shared.issuer, "127.0.0.1", "localhost", 1)
	issuer.Introspection.Issuer = issuer.URL
	apis = newAPIs(t, one(issuer))
	expect(t, "metadata", apis, read, shared.token(t, grant{readScope, opaque}), unavailable)
}
