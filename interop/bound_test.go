//go:build interop

package interop_test

import (
	"testing"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/validator"
)

// A token that is bound to its sender must not pass as a bearer token: whoever
// stole it lacks the key.

func TestDPoPBound(t *testing.T) {
	issuer := bothIssuer(shared)
	apis := newAPIs(t, one(issuer))
	tokens := shared.openidClient(t, "dpop-bound", grant{readScope, jwt("ES256")}, grant{readScope, opaque})
	expect(t, "JWT", apis, read, tokens[0], refused(validator.CheckBinding))
	expect(t, "opaque", apis, read, tokens[1], refused(validator.CheckBinding))
	expect(t, "opaque", apis, remove, tokens[1], refused(validator.CheckBinding))
}

func TestCertificateBound(t *testing.T) {
	s := tlsServer(t)
	plain := tlsClient(t, nil)
	issuer := jwtIssuer(s)
	issuer.Keys = keysOf(s)
	issuer.Keys.HTTPClient = plain
	issuer.Introspection = &introspection.Config{
		Issuer: s.issuer, Auth: introspection.ClientSecretBasic("basic", introspection.Secret(secret)), HTTPClient: plain,
	}
	apis := newAPIs(t, one(issuer))
	presents := tlsClient(t, clientCertificate)
	for name, resource := range map[string]string{"JWT": jwt("RS256"), "opaque": opaque} {
		bound := s.tokenOf(t, "mtls-bound", presents, grant{readScope, resource})
		expect(t, name, apis, read, bound, refused(validator.CheckBinding))
		bearer := s.tokenOf(t, "basic", plain, grant{readScope, resource})
		expect(t, name+", not bound", apis, read, bearer, allowed("basic", readScope))
	}
}
