//go:build interop

package interop_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator"
)

// jwtIssuer is an issuer of JWTs, proven by its keys.
func jwtIssuer(s *server) validator.Issuer {
	return validator.Issuer{URL: s.issuer, Audience: []string{audience}}
}

// bothIssuer is an issuer of JWTs, proven by its keys, and of opaque tokens,
// which it is asked about.
func bothIssuer(s *server) validator.Issuer {
	issuer := jwtIssuer(s)
	issuer.Keys, issuer.Introspection = keysOf(s), asBasic(s)
	return issuer
}

func one(i validator.Issuer) validator.Config {
	return validator.Config{Issuers: []validator.Issuer{i}}
}

func TestEveryAlgorithm(t *testing.T) {
	var grants []grant
	for _, alg := range algorithms {
		grants = append(grants, grant{readScope, jwt(alg)})
	}
	fromNode := shared.openidClient(t, "basic", grants...)

	issuer := jwtIssuer(shared)
	issuer.Profile = validator.RFC9068()
	issuer.Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	apis := newAPIs(t, one(issuer))
	for i, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			fromGo := shared.token(t, grants[i])
			expect(t, "from clientcredentials", apis, read, fromGo, allowed("basic", readScope))
			expect(t, "seen before", apis, read, fromGo, allowed("basic", readScope))
			expect(t, "from openid-client", apis, read, fromNode[i], allowed("basic", readScope))
		})
	}
}

func TestAlgorithmsByDefault(t *testing.T) {
	apis := newAPIs(t, one(jwtIssuer(shared)))
	for _, alg := range algorithms {
		want := refused(validator.CheckAlgorithm)
		switch alg {
		case "RS256", "PS256", "ES256", "EdDSA", "Ed25519":
			want = allowed("basic", readScope)
		}
		expect(t, alg, apis, read, shared.token(t, grant{readScope, jwt(alg)}), want)
	}
}

func TestForgedJWT(t *testing.T) {
	apis := newAPIs(t, one(jwtIssuer(shared)))
	mine := shared.token(t, grant{readScope, jwt("RS256")})
	other := shared.token(t, grant{bothScope, jwt("RS256")})
	expect(t, "as issued", apis, read, mine, allowed("basic", readScope))

	signature := mine[strings.LastIndexByte(mine, '.'):]
	forged := other[:strings.LastIndexByte(other, '.')] + signature
	expect(t, "the signature of another token", apis, write, forged, refused(validator.CheckSignature))
	expect(t, "the real one", apis, write, other, allowed("basic", bothScope))
}

// clock is the real one, put ahead.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func TestExpired(t *testing.T) {
	const ttl = 60 * time.Second
	issuer := bothIssuer(shared)
	for name, resource := range map[string]string{
		"JWT":    resource("ttl", "60", "alg", "ES256"),
		"opaque": resource("ttl", "60"),
	} {
		t.Run(name, func(t *testing.T) {
			clock := new(clock)
			cfg := one(issuer)
			cfg.Now = clock.now
			apis := newAPIs(t, cfg)
			token := shared.token(t, grant{readScope, resource})
			expect(t, "new", apis, read, token, allowed("basic", readScope))
			clock.ahead.Store(int64(ttl + 15*time.Second))
			expect(t, "within the clock skew", apis, read, token, allowed("basic", readScope))
			clock.ahead.Store(int64(ttl + validator.DefaultClockSkew + time.Second))
			expect(t, "past it", apis, read, token, refused(validator.CheckExpiry))

			first := shared.token(t, grant{readScope, resource})
			expect(t, "past it and never seen", apis, read, first, refused(validator.CheckExpiry))
		})
	}
}

// TestExpiredForTheServer is about a token that our clock, with its skew, would
// still accept.
func TestExpiredForTheServer(t *testing.T) {
	issuer := bothIssuer(shared)
	apis := newAPIs(t, one(issuer))
	token := shared.token(t, grant{readScope, resource("ttl", "1")})
	eventually(t, "after a second", apis, remove, token, refused(validator.CheckActive))
	expect(t, "after that", apis, read, token, refused(validator.CheckActive))
}

func TestWrongAudience(t *testing.T) {
	issuer := bothIssuer(shared)
	apis := newAPIs(t, one(issuer))
	for name, resource := range map[string]string{
		"JWT":                     resource("aud", "https://stock.example.com", "alg", "PS256"),
		"opaque":                  resource("aud", "https://stock.example.com"),
		"opaque, for no audience": "",
	} {
		token := shared.token(t, grant{readScope, resource})
		want := refused(validator.CheckAudience)
		if resource == "" {
			want = refusedWith(validator.CheckAudience, "The access token does not name the API that it is meant for.")
		}
		expect(t, name, apis, read, token, want)
		expect(t, name+", again", apis, read, token, want)
	}

	issuer.DangerouslyAcceptMissingAudience = true
	lenient := newAPIs(t, one(issuer))
	token := shared.token(t, grant{Scope: readScope})
	expect(t, "no audience, and none demanded", lenient, read, token, allowed("basic", readScope))
	foreign := shared.token(t, grant{readScope, resource("aud", "https://stock.example.com")})
	expect(t, "another audience, and none demanded", lenient, read, foreign, refused(validator.CheckAudience))
}

func TestInsufficientScope(t *testing.T) {
	issuer := bothIssuer(shared)
	apis := newAPIs(t, one(issuer))
	for name, resource := range map[string]string{"JWT": jwt("ES256"), "opaque": opaque} {
		reader := shared.token(t, grant{readScope, resource})
		expect(t, name, apis, read, reader, allowed("basic", readScope))
		expect(t, name, apis, write, reader, refused(validator.CheckScope, "orders:write"))
		writer := shared.token(t, grant{bothScope, resource})
		expect(t, name, apis, write, writer, allowed("basic", bothScope))
		nobody := shared.token(t, grant{Resource: resource})
		expect(t, name+" without scope", apis, read, nobody, refused(validator.CheckScope, "orders:read"))
	}
}

// TestOtherIssuer has two servers with a key of the same kid.
func TestOtherIssuer(t *testing.T) {
	other := ownServer(t, options{})
	apis := newAPIs(t, one(jwtIssuer(shared)))
	foreign := other.token(t, grant{readScope, jwt("RS256")})
	expect(t, "not configured", apis, read, foreign, refused(validator.CheckIssuer))

	both := newAPIs(t, validator.Config{Issuers: []validator.Issuer{jwtIssuer(shared), jwtIssuer(other)}})
	expect(t, "the one", both, read, shared.token(t, grant{readScope, jwt("RS256")}), allowed("basic", readScope))
	expect(t, "the other", both, read, foreign, allowed("basic", readScope))
}
