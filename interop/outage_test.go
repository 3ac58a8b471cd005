//go:build interop

package interop_test

import (
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// keysOf is the key set of s. A rotation may follow the last one at once.
func keysOf(s *server) *jwks.Config {
	return &jwks.Config{Issuer: s.issuer, MinFetchInterval: time.Millisecond}
}

func TestRotatedKeys(t *testing.T) {
	s := ownServer(t, options{})
	issuer := jwtIssuer(s)
	issuer.Keys = keysOf(s)
	apis := newAPIs(t, one(issuer))
	newToken := func() string { return s.token(t, grant{readScope, jwt("ES256")}) }
	rsa := s.token(t, grant{readScope, jwt("RS256")})

	first := newToken()
	expect(t, "first key", apis, read, first, allowed("basic", readScope))
	expect(t, "a key that stays", apis, read, rsa, allowed("basic", readScope))

	s.do(t, command{Command: "rotate", KeyID: "second", KeepOld: true})
	second := newToken()
	expect(t, "second key, at once", apis, read, second, allowed("basic", readScope))
	expect(t, "first key, still published", apis, read, first, allowed("basic", readScope))

	s.do(t, command{Command: "rotate", KeyID: "third"})
	third := newToken()
	expect(t, "third key, at once", apis, read, third, allowed("basic", readScope))
	expect(t, "first key, gone", apis, read, first, refused(validator.CheckKey))
	expect(t, "second key, gone", apis, read, second, refused(validator.CheckKey))
	expect(t, "a key that stays", apis, read, rsa, allowed("basic", readScope))
}

// TestReplacedKey is about a server that keeps the kid and changes the key. A
// bad signature causes no fetch, so the next refresh brings it.
func TestReplacedKey(t *testing.T) {
	s := ownServer(t, options{})
	issuer := jwtIssuer(s)
	issuer.Keys = keysOf(s)
	issuer.Keys.RefreshInterval = 100 * time.Millisecond
	apis := newAPIs(t, one(issuer))

	old := s.token(t, grant{readScope, jwt("ES256")})
	expect(t, "first key", apis, read, old, allowed("basic", readScope))
	s.do(t, command{Command: "rotate", KeyID: "first"})
	eventually(t, "another first key", apis, read, s.token(t, grant{readScope, jwt("ES256")}), allowed("basic", readScope))
	expect(t, "the first key that is gone", apis, read, old, refused(validator.CheckSignature))
}

func TestOutage(t *testing.T) {
	s := ownServer(t, options{})
	issuer := bothIssuer(s)
	apis := newAPIs(t, one(issuer))

	seenJWT, newJWT := s.token(t, grant{readScope, jwt("ES256")}), s.token(t, grant{bothScope, jwt("RS256")})
	seenOpaque, newOpaque := s.token(t, grant{readScope, opaque}), s.token(t, grant{bothScope, opaque})
	expect(t, "before", apis, read, seenJWT, allowed("basic", readScope))
	expect(t, "before", apis, read, seenOpaque, allowed("basic", readScope))
	s.do(t, command{Command: "rotate", KeyID: "second", KeepOld: true})
	unknownKey := s.token(t, grant{readScope, jwt("ES256")})

	s.do(t, command{Command: "pause"})
	expect(t, "a JWT seen before", apis, read, seenJWT, allowed("basic", readScope))
	expect(t, "a new JWT with a known key", apis, write, newJWT, allowed("basic", bothScope))
	expect(t, "a JWT with an unknown key", apis, read, unknownKey, unavailable)
	expect(t, "an opaque token seen before", apis, read, seenOpaque, allowed("basic", readScope))
	expect(t, "an opaque token seen before", apis, remove, seenOpaque, unavailable)
	expect(t, "a new opaque token", apis, read, newOpaque, unavailable)

	late := newAPIs(t, one(issuer)) // an API starts while its issuer is down
	expect(t, "a JWT", late, read, seenJWT, unavailable)
	expect(t, "an opaque token", late, read, seenOpaque, unavailable)
	for _, a := range late {
		tallyOf(t).Add(1)
		if err := a.validator.Ready(t.Context()); err == nil {
			t.Errorf("%s: ready without keys", a.name)
		}
	}

	s.do(t, command{Command: "resume"})
	for name, apis := range map[string][]*api{"up before": apis, "started meanwhile": late} {
		eventually(t, name+": a JWT with a key unknown then", apis, read, unknownKey, allowed("basic", readScope))
		eventually(t, name+": an opaque token new then", apis, read, newOpaque, allowed("basic", bothScope))
		expect(t, name+": a JWT", apis, read, seenJWT, allowed("basic", readScope))
		expect(t, name+": an opaque token", apis, remove, seenOpaque, allowed("basic", readScope))
		for _, a := range apis {
			tallyOf(t).Add(1)
			if err := a.validator.Ready(t.Context()); err != nil {
				t.Errorf("%s: %s: %v", name, a.name, err)
			}
		}
	}
}
