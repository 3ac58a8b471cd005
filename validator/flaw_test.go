package validator_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestFlawsHaveTheirOwnWords: what is absent, what is malformed and what is wrong
// are mended in different places, so a client and an operator read which it is. A
// client whose token has no exp must not be told to fetch another of its kind.
func TestFlawsHaveTheirOwnWords(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	null := json.RawMessage("null")
	change := func(name string, value any) string {
		claims := goodClaims(iss, noon)
		claims[name] = value
		return signed(iss, claims)
	}
	head := func(name string, value any) string {
		members := map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA"), "typ": "at+jwt"}
		members[name] = value
		return iss.Sign(object(members), object(goodClaims(iss, noon)), "EdDSA")
	}
	good := change("x", 1)
	v := newJWT(t, iss, func(c *validator.Config) {
		c.Now = func() time.Time { return noon }
		c.Issuers[0].Profile = validator.RFC9068()
		c.Issuers[0].Profile.Match = map[string][]string{"tid": {"acme"}}
		c.Issuers[0].Clients = []string{goodClaims(iss, noon)["client_id"].(string)}
	})
	plain := newJWT(t, iss, func(c *validator.Config) { c.Now = func() time.Time { return noon } })
	type words struct{ check, client, operator string } // operator: part of the log's
	for _, tc := range []struct {
		name string
		v    *validator.Validator
		raw  string
		want words
	}{
		{"expired", plain, change("exp", noon.Add(-time.Hour).Unix()), words{"exp", "The access token has expired.", "fetch a new token"}},
		{"no exp", plain, change("exp", nil), words{"exp", "The access token does not say when it expires.", "no exp claim"}},
		{"exp is null", plain, change("exp", null), words{"exp", "The expiry time of the access token is malformed.", "exp is null"}},
		{"exp is a string", plain, change("exp", "4102444800"), words{"exp", "The expiry time of the access token is malformed.", "RFC 7519 §4.1.4"}},
		{"exp beyond all times", plain, change("exp", 1e15), words{"exp", "The expiry time of the access token is malformed.", "NumericDate"}},
		{"not yet", plain, change("nbf", noon.Add(time.Hour).Unix()), words{"nbf", "The access token is not valid yet.", "not before"}},
		{"nbf is a string", plain, change("nbf", "0"), words{"nbf", "The start time of the access token is malformed.", "RFC 7519 §4.1.5"}},
		{"nbf is negative", plain, change("nbf", -1), words{"nbf", "The start time of the access token is malformed.", "NumericDate"}},
		{"iat is a string", plain, change("iat", "0"), words{"iat", "The issue time of the access token is malformed.", "RFC 7519 §4.1.6"}},
		{"another issuer", plain, change("iss", "https://other.example.com"), words{"iss", "The access token is from an issuer that this API does not trust.", "other.example.com"}},
		{"no iss", plain, change("iss", nil), words{"iss", "The access token does not name its issuer.", "the token has no iss"}},
		{"iss is null", plain, change("iss", null), words{"iss", "The access token does not name its issuer.", "no iss"}},
		{"iss is empty", plain, change("iss", ""), words{"iss", "The access token does not name its issuer.", "iss is empty, which is not absent"}},
		{"iss is a list", plain, change("iss", []string{iss.URL()}), words{"iss", "The issuer that the access token names is malformed.", "RFC 7519 §4.1.1"}},
		{"another audience", plain, change("aud", "x"), words{"aud", "The access token is meant for another API.", `got ["x"]`}},
		{"no aud", plain, change("aud", nil), words{"aud", "The access token does not name the API that it is meant for.", "names none"}},
		{"aud is null", plain, change("aud", null), words{"aud", "The access token does not name the API that it is meant for.", "names none"}},
		{"aud is empty", plain, change("aud", []string{}), words{"aud", "The access token does not name the API that it is meant for.", "names none"}},
		{"aud is a number", plain, change("aud", 7), words{"aud", "The audience of the access token is malformed.", "RFC 7519 §4.1.3"}},
		{"another type", v, head("typ", "JWT"), words{"typ", "The token is not an access token of the type that this API accepts.", `got ["JWT"]`}},
		{"no typ", v, head("typ", nil), words{"typ", "The token does not say of which type it is.", "no typ"}},
		{"another alg", plain, head("alg", "RS512"), words{"alg", "The access token is signed with an algorithm that this API does not accept.", `got ["RS512"]`}},
		{"no alg", plain, head("alg", nil), words{"alg", "The access token does not name the algorithm that it is signed with.", `no "alg" string`}},
		{"a made-up kid", plain, head("kid", "made-up"), words{"key", "The access token is signed with a key that its issuer does not publish.", "made-up"}},
		{"a bad signature", plain, good[:len(good)-8] + "AAAAAAAA", words{"signature", "The signature of the access token is not valid.", "does not verify"}},
		{"no signature", plain, good[:strings.LastIndexByte(good, '.')+1], words{"signature", "The access token is not signed.", "does not verify"}},
		{"no jti, which is required", v, change("jti", nil), words{"claims", "The access token lacks a claim that this API needs.", `wanted ["jti"]`}},
		{"jti is null, which is required", v, change("jti", null), words{"claims", "The access token lacks a claim that this API needs.", `wanted ["jti"]`}},
		{"no claim to match", v, good, words{"claims", "The access token lacks a claim that this API needs.", "tid is missing"}},
		{"another value than the one to match", v, change("tid", "x"), words{"claims", "A claim of the access token has another value than this API needs.", "another value"}},
		{"sub is a number", plain, change("sub", 7), words{"claims", "A claim of the access token is malformed.", "claim sub is not a string"}},
		{"scope is a number", plain, change("scope", 7), words{"claims", "A claim of the access token is malformed.", "claim scope, which grants scopes"}},
		{"act is null", plain, change("act", null), words{"claims", "A claim of the access token is malformed.", "claim act is null"}},
		{"four parts", plain, good + ".x", words{"shape", "The access token is malformed.", "JOSE header"}},
		{"opaque", plain, "opaque", words{"shape", "The access token is not of a kind that this API accepts.", "no JWT"}},
		{"encrypted", plain, b64(`{"alg":"dir","enc":"A128GCM"}`) + "..aXY.Y2lwaGVy.dGFn", words{"shape", "The access token is encrypted, and this API cannot read it.", "encrypted"}},
	} {
		_, err := tc.v.Verify(t.Context(), tc.raw)
		e, ok := err.(*validator.Error)
		if !ok {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		checkError(t, e)
		if got := (words{string(e.Check()), e.Description(), tc.want.operator}); got != tc.want || !strings.Contains(e.Error(), tc.want.operator) {
			t.Errorf("%s: %+v and %v, wanted %+v", tc.name, got, e, tc.want)
		}
		if tc.name != "expired" && (strings.Contains(e.Description(), "has expired") || strings.Contains(e.Error(), "fetch a new token")) {
			t.Errorf("%s: the client is told to fetch a new token: %v", tc.name, e)
		}
	}
	// A client without an id, and a list of clients.
	claims := goodClaims(iss, noon)
	delete(claims, "client_id")
	listed := newJWT(t, iss, func(c *validator.Config) {
		c.Now = func() time.Time { return noon }
		c.Issuers[0].Clients = []string{"billing"}
	})
	_, err := listed.Verify(t.Context(), signed(iss, claims))
	if said := err.(*validator.Error).Description(); said != "The access token does not name the client that it was issued to." {
		t.Errorf("no client: %q", said)
	}
}

// TestNullIsAbsent in a JWT and in an answer; whatever requires what is absent
// still fails.
func TestNullIsAbsent(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	null := json.RawMessage("null")
	missingOK := func(c *validator.Config) {
		c.Now = func() time.Time { return noon }
		c.Issuers[0].DangerouslyAcceptMissingAudience = true
	}
	jwt, asked := newJWT(t, iss, missingOK), newOpaque(t, iss, missingOK)
	strict := newJWT(t, iss, missingOK, func(c *validator.Config) { c.Issuers[0].Profile = validator.RFC9068() })
	clients := newOpaque(t, iss, missingOK, func(c *validator.Config) { c.Issuers[0].Clients = []string{"svc"} })
	answer := func(name string, value any) string {
		members := goodClaims(iss, noon)
		members["active"], members[name] = true, value
		iss.SetFault(issuertest.Introspection, issuertest.Respond(200, nil, string(object(members))))
		return "opaque-" + name
	}
	claims := func(name string, value any) string {
		members := goodClaims(iss, noon)
		members[name] = value
		return signed(iss, members)
	}
	for _, tc := range []struct{ name, jwt, answer, strict string }{
		{"nbf", "ok", "ok", "ok"}, {"iat", "ok", "ok", "claims"}, {"sub", "ok", "ok", "claims"}, {"aud", "ok", "ok", "claims"},
		{"scope", "ok", "ok", "ok"}, {"scp", "ok", "ok", "ok"}, {"roles", "ok", "ok", "ok"}, {"jti", "ok", "ok", "claims"},
		{"client_id", "ok", "ok", "claims"}, {"azp", "ok", "ok", "ok"}, {"appid", "ok", "ok", "ok"}, {"cid", "ok", "ok", "ok"},
		{"iss", "iss", "ok", "iss"}, {"username", "ok", "ok", "ok"},

		{"exp", "exp", "unavailable", "exp"}, {"cnf", "cnf", "cnf", "cnf"}, {"act", "claims", "claims", "claims"},
		{"authorization_details", "claims", "claims", "claims"}, {"token_use", "claims", "claims", "claims"}, {"active", "ok", "unavailable", "ok"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantOutcome(t, tc.jwt)(jwt.Verify(t.Context(), claims(tc.name, null)))
			wantOutcome(t, tc.strict)(strict.Verify(t.Context(), claims(tc.name, null)))
			wantOutcome(t, tc.answer)(asked.Verify(t.Context(), answer(tc.name, null)))
		})
	}
	_, err := clients.Verify(t.Context(), answer("client_id", null))
	wantCheck(t, err, validator.ErrInvalidToken, validator.CheckClient)

	for _, text := range []string{`{"scope":null,"scope":"admin"`, `{"scope":"admin","scope":null`, `{"nbf":null,"nbf":null`, `{"aud":null,"aud":"x"`} {
		rest := "," + string(object(goodClaims(iss, noon)))[1:]
		header := object(map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA")})
		wantOutcome(t, "json")(jwt.Verify(t.Context(), iss.Sign(header, []byte(text+rest), "EdDSA")))
		iss.SetFault(issuertest.Introspection, issuertest.Respond(200, nil, text+`,"active":true}`))
		wantOutcome(t, "unavailable")(asked.Verify(t.Context(), "opaque-twice"))
	}
	for _, header := range []string{`"typ":null`, `"alg":null`, `"crit":null`, `"b64":null`, `"kid":null,"kid":"x"`, `"kid":"x","kid":null`} {
		raw := iss.Sign([]byte(`{"alg":"EdDSA",`+header+`}`), object(goodClaims(iss, noon)), "EdDSA")
		if got := outcome(jwt.Verify(t.Context(), raw)); got != "json" && got != "crit" {
			t.Errorf("%s: %s", header, got)
		}
	}
	wantOutcome(t, "ok")(jwt.Verify(t.Context(), iss.Sign([]byte(`{"alg":"EdDSA","kid":null}`), object(goodClaims(iss, noon)), "EdDSA")))
}
