//go:build interop

package interop_test

import (
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/providers"
)

func springToken(t *testing.T, s *server, client, scope string) string {
	t.Helper()
	return clientCredentials(t, s.issuer+"/oauth2/token", client, browser, grant{Scope: scope})
}

// springKeys is the key set, discovered.
func springKeys() *jwks.Config { return &jwks.Config{RequestTimeout: replyTime} }

// asSpringAPI introspects as the client "orders".
func asSpringAPI() *introspection.Config {
	return &introspection.Config{
		Auth:           introspection.ClientSecretBasic("orders", introspection.Secret(secret)),
		RequestTimeout: replyTime,
	}
}

// springIssuer is an issuer of JWTs. Spring writes no typ into them, and names the
// client in sub alone, so that Token.ClientID is empty.
func springIssuer(s *server) validator.Issuer {
	issuer := jwtIssuer(s)
	issuer.Keys = springKeys()
	return issuer
}

func TestSpringTokens(t *testing.T) {
	s := aSpring(t)
	apis := newAPIs(t, one(springIssuer(s)))
	reader, writer := springToken(t, s, "warehouse", readScope), springToken(t, s, "warehouse", bothScope)
	expect(t, "JWT", apis, read, reader, allowed("", readScope))
	expect(t, "JWT, seen before", apis, read, reader, allowed("", readScope))
	expect(t, "JWT", apis, write, reader, refused(validator.CheckScope, "orders:write"))
	expect(t, "JWT", apis, write, writer, allowed("", bothScope))
	expect(t, "JWT without scope", apis, read, springToken(t, s, "warehouse", ""), refused(validator.CheckScope, "orders:read"))
	expect(t, "from openid-client", apis, read, openidClient(t, s.issuer, "warehouse", grant{Scope: readScope})[0], allowed("", readScope))
	expect(t, "aud as Spring writes it", apis, read, springToken(t, s, "no-audience", readScope), refused(validator.CheckAudience))
	expect(t, "another audience", apis, read, springToken(t, s, "elsewhere", readScope), refused(validator.CheckAudience))
	forged := writer[:strings.LastIndexByte(writer, '.')] + reader[strings.LastIndexByte(reader, '.'):]
	expect(t, "the signature of another token", apis, write, forged, refused(validator.CheckSignature))
}

// TestSpringRFC9068: with a typ and client_id, which the server is told to write,
// its tokens are what RFC 9068 asks for.
func TestSpringRFC9068(t *testing.T) {
	s := aSpring(t)
	strict := providers.RFC9068(s.issuer, audience)
	strict.Keys = springKeys()
	apis := newAPIs(t, one(strict))
	plain, full := springToken(t, s, "warehouse", readScope), springToken(t, s, "at-jwt", readScope)
	expect(t, "with both", apis, read, full, allowed("at-jwt", readScope))
	expect(t, "with neither", apis, read, plain,
		refusedWith(validator.CheckType, "The token does not say of which type it is."))

	listed := springIssuer(s)
	listed.Clients = []string{"at-jwt", "warehouse"}
	apis = newAPIs(t, one(listed))
	expect(t, "a client of the list", apis, read, full, allowed("at-jwt", readScope))
	expect(t, "a client that the token does not name", apis, read, plain,
		refusedWith(validator.CheckClient, "The access token does not name the client that it was issued to."))
}

func TestSpringOpaque(t *testing.T) {
	s := aSpring(t)
	issuer := opaqueIssuer(s, asSpringAPI())
	apis := newAPIs(t, one(issuer))
	token, bystander := springToken(t, s, "opaque", readScope), springToken(t, s, "opaque", bothScope)
	expect(t, "opaque", apis, read, token, allowed("opaque", readScope))
	expect(t, "opaque, asked again", apis, remove, token, allowed("opaque", readScope))
	expect(t, "opaque", apis, write, token, refused(validator.CheckScope, "orders:write"))
	expect(t, "opaque", apis, write, bystander, allowed("opaque", bothScope))
	expect(t, "JWT", apis, read, springToken(t, s, "warehouse", readScope), allowed("warehouse", readScope))
	expect(t, "another audience", apis, read, springToken(t, s, "elsewhere-opaque", readScope), refused(validator.CheckAudience))
	expect(t, "made up", apis, read, "made-up-and-never-issued-by-anybody-at-all", refused(validator.CheckActive))

	revokeAt(t, s.issuer+"/oauth2/revoke", "opaque", token)
	expect(t, "revoked, asked at once", apis, remove, token, refused(validator.CheckActive))
	expect(t, "not revoked", apis, remove, bystander, allowed("opaque", bothScope))

	for name, c := range map[string]struct {
		auth introspection.ClientAuth
		want answer
	}{
		"client_secret_post":         {introspection.ClientSecretPost("orders", introspection.Secret(secret)), allowed("opaque", bothScope)},
		"client_secret_basic, wrong": {introspection.ClientSecretBasic("orders", introspection.Secret("wrong")), unavailable},
		"client_secret_post, wrong":  {introspection.ClientSecretPost("orders", introspection.Secret("wrong")), unavailable},
		"unknown client":             {introspection.ClientSecretBasic("nobody", introspection.Secret(secret)), unavailable},
	} {
		issuer.Introspection = &introspection.Config{Auth: c.auth, RequestTimeout: replyTime}
		expect(t, name, newAPIs(t, one(issuer)), read, bystander, c.want)
	}
}

func TestSpringFresh(t *testing.T) {
	s := aSpring(t)
	issuer := springIssuer(s)
	issuer.Introspection = asSpringAPI()
	apis := newAPIs(t, one(issuer))
	for _, client := range []string{"warehouse", "at-jwt"} {
		named := client
		if client == "warehouse" {
			named = "" // by the JWT, which the answer confirms
		}
		token := springToken(t, s, client, readScope)
		expect(t, client, apis, remove, token, allowed(named, readScope))
		revokeAt(t, s.issuer+"/oauth2/revoke", client, token)
		expect(t, client+", revoked, by its signature", apis, read, token, allowed(named, readScope))
		expect(t, client+", revoked, asked at once", apis, remove, token, refused(validator.CheckActive))
	}
	expect(t, "opaque, beside JWTs", apis, read, springToken(t, s, "opaque", readScope), allowed("opaque", readScope))
}

func TestSpringRotation(t *testing.T) {
	s := aSpring(t)
	apis := newAPIs(t, one(springIssuer(s)))
	newToken := func() string { return springToken(t, s, "warehouse", readScope) }
	first := newToken()
	expect(t, "first key", apis, read, first, allowed("", readScope))
	s.do(t, command{Command: "rotate", KeepOld: true})
	second := newToken()
	expect(t, "second key, at once", apis, read, second, allowed("", readScope))
	expect(t, "first key, still published", apis, read, first, allowed("", readScope))
	s.do(t, command{Command: "rotate"})
	expect(t, "third key, at once", apis, read, newToken(), allowed("", readScope))
	expect(t, "first key, gone", apis, read, first, refused(validator.CheckKey))
	expect(t, "second key, gone", apis, read, second, refused(validator.CheckKey))
}
