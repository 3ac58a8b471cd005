//go:build interop

package interop_test

import (
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/validator"
)

// asBasic introspects as the client "basic".
func asBasic(s *server) *introspection.Config {
	return &introspection.Config{
		Issuer: s.issuer,
		Auth:   introspection.ClientSecretBasic("basic", introspection.Secret(secret)),
	}
}

// opaqueIssuer is an issuer that is asked about every token.
func opaqueIssuer(s *server, cfg *introspection.Config) validator.Issuer {
	return validator.Issuer{URL: s.issuer, Audience: []string{audience}, Introspection: cfg}
}

func TestOpaque(t *testing.T) {
	apis := newAPIs(t, one(opaqueIssuer(shared, asBasic(shared))))
	fromGo := shared.token(t, grant{bothScope, opaque})
	fromNode := shared.openidClient(t, "basic", grant{readScope, opaque})[0]
	expect(t, "from clientcredentials", apis, read, fromGo, allowed("basic", bothScope))
	expect(t, "seen before", apis, write, fromGo, allowed("basic", bothScope))
	expect(t, "asked again", apis, remove, fromGo, allowed("basic", bothScope))
	expect(t, "from openid-client", apis, read, fromNode, allowed("basic", readScope))
	expect(t, "made up", apis, read, "made-up-and-never-issued-by-anybody-at-all", refused(validator.CheckActive))
}

func TestRevoked(t *testing.T) {
	apis := newAPIs(t, one(opaqueIssuer(shared, asBasic(shared))))
	token := shared.token(t, grant{readScope, opaque})
	bystander := shared.token(t, grant{readScope, opaque})
	expect(t, "before", apis, read, token, allowed("basic", readScope))
	expect(t, "before", apis, remove, token, allowed("basic", readScope))
	expect(t, "before", apis, read, bystander, allowed("basic", readScope))

	shared.revoke(t, token)
	expect(t, "revoked, from the cache", apis, read, token, allowed("basic", readScope))
	expect(t, "revoked, asked at once", apis, remove, token, refused(validator.CheckActive))
	expect(t, "revoked, and known to be", apis, read, token, refused(validator.CheckActive))
	expect(t, "not revoked", apis, read, bystander, allowed("basic", readScope))

	neverSeen := shared.token(t, grant{readScope, opaque})
	shared.revoke(t, neverSeen)
	expect(t, "revoked before it was seen", apis, read, neverSeen, refused(validator.CheckActive))
}

// TestRevokedOnPlainRoute has nobody ask freshly: the lifetime of the cached
// answer ends the token.
func TestRevokedOnPlainRoute(t *testing.T) {
	cfg := asBasic(shared)
	cfg.PositiveLifetime = 500 * time.Millisecond
	apis := newAPIs(t, one(opaqueIssuer(shared, cfg)))
	token := shared.token(t, grant{readScope, opaque})
	expect(t, "before", apis, read, token, allowed("basic", readScope))
	shared.revoke(t, token)
	eventually(t, "after the lifetime", apis, read, token, refused(validator.CheckActive))
}

// TestJWTByIntrospection is about a server that answers 400
// unsupported_token_type when it is asked about a JWT: that says nothing about
// the token, and nothing about other tokens.
func TestJWTByIntrospection(t *testing.T) {
	token := shared.token(t, grant{readScope, jwt("ES256")})

	issuer := bothIssuer(shared)
	both := newAPIs(t, one(issuer))
	expect(t, "by its signature", both, read, token, allowed("basic", readScope))
	const moreThanAnOutageNeeds = 5
	for range moreThanAnOutageNeeds {
		expect(t, "by its signature and the server's word", both, remove, token, unavailable)
	}
	expect(t, "by its signature, after that", both, read, token, allowed("basic", readScope))
	expect(t, "an opaque token, after that", both, remove, shared.token(t, grant{readScope, opaque}), allowed("basic", readScope))

	asked := newAPIs(t, one(opaqueIssuer(shared, asBasic(shared))))
	expect(t, "by the server's word alone", asked, read, token, unavailable)
	expect(t, "an opaque token, after that", asked, read, shared.token(t, grant{readScope, opaque}), allowed("basic", readScope))
}

// signedIssuer is an opaqueIssuer whose answers are signed with alg for client
// (RFC 9701).
func signedIssuer(s *server, client, alg string) validator.Issuer {
	if alg == "Ed25519" {
		alg = "EdDSA" // the same signatures under two names (RFC 9864)
	}
	issuer := opaqueIssuer(s, &introspection.Config{
		Issuer: s.issuer,
		Auth:   introspection.ClientSecretBasic(client, introspection.Secret(secret)),
	})
	issuer.Algorithms, issuer.SignedAnswersFor = []string{alg}, client
	return issuer
}

func TestSignedAnswers(t *testing.T) {
	token := shared.token(t, grant{readScope, opaque})
	revoked := shared.token(t, grant{readScope, opaque})
	shared.revoke(t, revoked)
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			apis := newAPIs(t, one(signedIssuer(shared, "signed-"+alg, alg)))
			expect(t, "active", apis, read, token, allowed("basic", readScope))
			expect(t, "active, asked at once", apis, remove, token, allowed("basic", readScope))
			expect(t, "revoked", apis, read, revoked, refused(validator.CheckActive))
		})
	}
	t.Run("and JWTs by the same keys", func(t *testing.T) {
		issuer := signedIssuer(shared, "signed-PS256", "PS256")
		issuer.Keys = keysOf(shared)
		apis := newAPIs(t, one(issuer))
		expect(t, "JWT", apis, read, shared.token(t, grant{readScope, jwt("PS256")}), allowed("basic", readScope))
		expect(t, "opaque", apis, read, token, allowed("basic", readScope))
	})
	t.Run("for another client", func(t *testing.T) {
		issuer := signedIssuer(shared, "signed-RS256", "RS256")
		issuer.SignedAnswersFor = "signed-PS256"
		expect(t, "active", newAPIs(t, one(issuer)), read, token, unavailable)
	})
	t.Run("with an algorithm that is not accepted", func(t *testing.T) {
		expect(t, "active", newAPIs(t, one(signedIssuer(shared, "signed-RS256", "PS256"))), read, token, unavailable)
	})
}

// TestPlainAnswers has a server that cannot sign its answers, and an API that
// wants them signed.
func TestPlainAnswers(t *testing.T) {
	s := ownServer(t, options{PlainAnswers: true})
	token := s.token(t, grant{readScope, opaque})
	expect(t, "wanted", newAPIs(t, one(opaqueIssuer(s, asBasic(s)))), read, token, allowed("basic", readScope))
	expect(t, "not wanted", newAPIs(t, one(signedIssuer(s, "basic", "RS256"))), read, token, unavailable)
}
