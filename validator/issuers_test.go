package validator_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// published is a key set that holds test keys under other kids.
func published(t *testing.T, byKID map[string]string) []byte {
	t.Helper()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	for kid, name := range byKID {
		var key map[string]any
		if err := json.Unmarshal(testdata.PublicKey(name), &key); err != nil {
			t.Fatal(err)
		}
		key["kid"] = kid
		set.Keys = append(set.Keys, key)
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// byKey is a token of iss that a test key signed under a kid.
func byKey(iss *issuertest.Issuer, key, kid string, claims map[string]any) string {
	return iss.SignWith(key, object(map[string]any{"alg": "EdDSA", "kid": kid, "typ": "JWT"}), object(claims), "EdDSA")
}

// newMany is a validator of several issuers.
func newMany(t *testing.T, issuers ...validator.Issuer) *validator.Validator {
	t.Helper()
	v, err := validator.New(validator.Config{Issuers: issuers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func keysOf(iss *issuertest.Issuer) validator.Issuer {
	return validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}, Keys: &jwks.Config{HTTPClient: iss.Client()}}
}

func answersOf(iss *issuertest.Issuer) validator.Issuer {
	return validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}, Introspection: introspectionAt(iss)}
}

func bothOf(iss *issuertest.Issuer) validator.Issuer {
	both := keysOf(iss)
	both.Introspection = introspectionAt(iss)
	return both
}

// asked counts the requests to an issuer's endpoints.
func asked(iss *issuertest.Issuer) int {
	return iss.Requests(issuertest.Discovery) + iss.Requests(issuertest.JWKS) + iss.Requests(issuertest.Introspection)
}

func TestTwoIssuersWithTheSameKeyID(t *testing.T) {
	a, b := issuertest.New(t), issuertest.New(t)
	a.SetJWKS(published(t, map[string]string{"shared": "ed25519-a"}), nil)
	b.SetJWKS(published(t, map[string]string{"shared": "ed25519-b"}), nil)
	v := newMany(t, keysOf(a), keysOf(b))
	now := time.Now()

	wantOutcome(t, "ok")(v.Verify(t.Context(), byKey(a, "ed25519-a", "shared", goodClaims(a, now))))
	if n := asked(b); n != 0 {
		t.Errorf("a token of one issuer caused %d requests to the other", n)
	}
	wantOutcome(t, "ok")(v.Verify(t.Context(), byKey(b, "ed25519-b", "shared", goodClaims(b, now))))
	// Each issuer's key, under the kid that both have, for the other's iss.
	wantOutcome(t, "signature")(v.Verify(t.Context(), byKey(a, "ed25519-a", "shared", goodClaims(b, now))))
	wantOutcome(t, "signature")(v.Verify(t.Context(), byKey(b, "ed25519-b", "shared", goodClaims(a, now))))
	for _, iss := range []*issuertest.Issuer{a, b} {
		wantRequests(t, iss, issuertest.JWKS, 1)
	}
}

func TestEachIssuerHasItsOwnRules(t *testing.T) {
	a, b := issuertest.New(t), issuertest.New(t)
	first, second := keysOf(a), keysOf(b)
	first.Audience, first.Algorithms = []string{"https://a.example.test"}, []string{"ES256"}
	second.Audience, second.Profile = []string{"https://b.example.test"}, validator.RFC9068()
	v := newMany(t, first, second)

	forA := issuertest.Claims{Audience: first.Audience, Algorithm: "ES256", Type: "JWT"}
	forB := issuertest.Claims{Audience: second.Audience}
	token, err := v.Verify(t.Context(), a.Token(forA))
	if err != nil || token.Issuer() != a.URL() {
		t.Errorf("first issuer: %v, %v", token, err)
	}
	token, err = v.Verify(t.Context(), b.Token(forB))
	if err != nil || token.Issuer() != b.URL() {
		t.Errorf("second issuer: %v, %v", token, err)
	}
	wantOutcome(t, "aud")(v.Verify(t.Context(), a.Token(issuertest.Claims{Audience: second.Audience, Algorithm: "ES256"})))
	wantOutcome(t, "aud")(v.Verify(t.Context(), b.Token(issuertest.Claims{Audience: first.Audience})))
	wantOutcome(t, "alg")(v.Verify(t.Context(), a.Token(issuertest.Claims{Audience: first.Audience})))
	wantOutcome(t, "typ")(v.Verify(t.Context(), b.Token(issuertest.Claims{Audience: second.Audience, Type: "JWT"})))
}

// TestUnknownIssuer fails if an iss that is not configured, near misses
// included, causes a request to anybody, itself included.
func TestUnknownIssuer(t *testing.T) {
	known, alsoKnown, stranger := issuertest.New(t), issuertest.New(t), issuertest.New(t)
	v := newMany(t, keysOf(known), bothOf(alsoKnown))
	for _, iss := range []string{
		stranger.URL(), known.URL() + "/", known.URL() + "/a", known.URL()[:len(known.URL())-1], "HTTP" + known.URL()[4:],
		known.URL() + "?", known.URL() + "#", " " + known.URL(), known.URL() + "\x00", "https" + known.URL()[4:], "*", "null", "",
	} {
		claims := goodClaims(stranger, time.Now())
		claims["iss"] = iss
		wantOutcome(t, "iss")(v.Verify(t.Context(), signed(stranger, claims)))
	}
	claims := goodClaims(stranger, time.Now())
	claims["iss"] = nil
	wantOutcome(t, "iss")(v.Verify(t.Context(), signed(stranger, claims)))
	for _, iss := range []*issuertest.Issuer{known, alsoKnown, stranger} {
		if n := asked(iss); n != 0 {
			t.Errorf("%d requests to %s, wanted none", n, iss.URL())
		}
	}
}

func TestBothProofs(t *testing.T) {
	iss := issuertest.New(t)
	v := newMany(t, bothOf(iss))

	wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Opaque(issuertest.Claims{})))
	wantRequests(t, iss, issuertest.Introspection, 1)
	wantRequests(t, iss, issuertest.JWKS, 0)
	wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
	wantRequests(t, iss, issuertest.Introspection, 1)
	wantRequests(t, iss, issuertest.JWKS, 1)

	// Whatever is wrong with a JWT, introspection is no second chance.
	for _, bad := range issuertest.Bads() {
		if _, err := v.Verify(t.Context(), iss.Bad(bad, issuertest.Claims{})); err == nil {
			t.Errorf("%v: passed", bad)
		}
	}
	wantRequests(t, iss, issuertest.Introspection, 1)

	// Dots do not make a JWT.
	for _, opaque := range []string{"a.b.c", "..", "ory_at_x.y", "a.b.c.d.e", "MTIz.eyJhIjoxfQ.c2ln"} {
		before := iss.Requests(issuertest.Introspection)
		wantOutcome(t, "active")(v.Verify(t.Context(), opaque))
		wantRequests(t, iss, issuertest.Introspection, before+1)
	}
}

// TestNeitherProofStandsInForTheOther takes one proof away and shows that its
// tokens get 503, though the other one could be asked.
func TestNeitherProofStandsInForTheOther(t *testing.T) {
	iss := issuertest.New(t)
	v := newMany(t, bothOf(iss))
	iss.SetFault(issuertest.JWKS, issuertest.ServerError())
	wantOutcome(t, "unavailable")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
	wantRequests(t, iss, issuertest.Introspection, 0)

	fetches := iss.Requests(issuertest.JWKS)
	iss.SetFault(issuertest.Introspection, issuertest.ServerError())
	wantOutcome(t, "unavailable")(v.Verify(t.Context(), iss.Opaque(issuertest.Claims{})))
	wantRequests(t, iss, issuertest.JWKS, fetches)
}

func TestIntrospectionOnly(t *testing.T) {
	iss := issuertest.New(t)
	v := newMany(t, answersOf(iss))
	wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Opaque(issuertest.Claims{})))
	raw := iss.Token(issuertest.Claims{})
	wantOutcome(t, "ok")(v.Verify(t.Context(), raw)) // asked about, like any token
	wantOutcome(t, "active")(v.Verify(t.Context(), iss.Bad(issuertest.Tampered, issuertest.Claims{})))
	wantRequests(t, iss, issuertest.Introspection, 3)
	wantRequests(t, iss, issuertest.JWKS, 0)
	wantRequests(t, iss, issuertest.Discovery, 0)
}

func TestKeysOnly(t *testing.T) {
	iss := issuertest.New(t)
	v := newMany(t, keysOf(iss))
	for _, opaque := range []string{iss.Opaque(issuertest.Claims{}), "a.b.c", "eyJhbGciOiJub25lIn0.e30", "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d"} {
		wantOutcome(t, "shape")(v.Verify(t.Context(), opaque))
	}
	if n := asked(iss); n != 0 {
		t.Errorf("%d requests for opaque tokens, wanted none", n)
	}
}

// TestOneIntrospectsAndOneHasKeys shows that a token is shown only to the
// issuer that it may be of.
func TestOneIntrospectsAndOneHasKeys(t *testing.T) {
	keys, answers := issuertest.New(t), issuertest.New(t)
	v := newMany(t, keysOf(keys), answersOf(answers))
	wantOutcome(t, "ok")(v.Verify(t.Context(), keys.Token(issuertest.Claims{})))
	wantRequests(t, answers, issuertest.Introspection, 0)
	wantOutcome(t, "ok")(v.Verify(t.Context(), answers.Opaque(issuertest.Claims{})))
	wantOutcome(t, "ok")(v.Verify(t.Context(), answers.Token(issuertest.Claims{})))
	wantRequests(t, answers, issuertest.Introspection, 2)
	wantRequests(t, answers, issuertest.JWKS, 0)
	wantRequests(t, keys, issuertest.Introspection, 0)

	// What is no token's text is sent to nobody.
	wantOutcome(t, "request")(v.Verify(t.Context(), answers.Token(issuertest.Claims{})+"!"))
	wantRequests(t, answers, issuertest.Introspection, 2)

	// An answer that names another issuer, though that one is configured, too.
	wantOutcome(t, "iss")(v.Verify(t.Context(), answers.Opaque(issuertest.Claims{Issuer: keys.URL()})))
}
