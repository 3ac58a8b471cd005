package keyfunc_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/jwks/keyfunc"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// k is a test key as a JWK, with members in pairs; a nil value takes one away.
func k(name string, members ...any) map[string]any {
	var key map[string]any
	if err := json.Unmarshal(testdata.PublicKey(name), &key); err != nil {
		panic(err)
	}
	for i := 0; i < len(members); i += 2 {
		if key[members[i].(string)] = members[i+1]; members[i+1] == nil {
			delete(key, members[i].(string))
		}
	}
	return key
}

func published(t *testing.T, keys ...map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// header makes a token as golang-jwt hands it to a Keyfunc.
func header(alg string, kid any) *jwt.Token {
	h := map[string]any{"alg": alg}
	if kid != nil {
		h["kid"] = kid
	}
	return &jwt.Token{Header: h, Method: jwt.GetSigningMethod(alg)}
}

func TestNew(t *testing.T) {
	keys, err := jwks.New(jwks.Config{
		Set: published(t,
			k("ed25519-a"), k("rsa-2048-a"), k("rsa-3072", "alg", "PS256"), k("rsa-2048-b", "kid", nil, "alg", "PS512"),
			k("p256-a", "x5t#S256", "a"), k("p256-b", "x5t", "b")),
		Algorithms: []string{"RS256", "PS256", "PS512", "ES256", "EdDSA"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	for name, c := range map[string]struct {
		token *jwt.Token
		want  string // the test keys; empty: an error
	}{
		"Ed25519":                      {header("EdDSA", "ed25519-a"), "ed25519-a"},
		"RSA":                          {header("RS256", "rsa-2048-a"), "rsa-2048-a"},
		"RSA without alg serves PS":    {header("PS256", "rsa-2048-a"), "rsa-2048-a"},
		"RSA bound to its alg":         {header("PS256", "rsa-3072"), "rsa-3072"},
		"EC":                           {header("ES256", "p256-b"), "p256-b"},
		"no kid, one fits":             {header("EdDSA", nil), "ed25519-a"},
		"no kid, several fit":          {header("ES256", nil), "p256-a p256-b"},
		"kid is null":                  {&jwt.Token{Header: map[string]any{"alg": "EdDSA", "kid": nil}}, "ed25519-a"},
		"x5t":                          {&jwt.Token{Header: map[string]any{"alg": "ES256", "x5t": "b"}}, "p256-b"},
		"x5t#S256":                     {&jwt.Token{Header: map[string]any{"alg": "ES256", "x5t#S256": "a"}}, "p256-a"},
		"unknown kid, one has none":    {header("PS512", "other"), "rsa-2048-b"},
		"alg that is not accepted":     {header("RS384", "rsa-2048-a"), ""},
		"alg of another key":           {header("RS256", "rsa-3072"), ""},
		"family of another key":        {header("RS256", "ed25519-a"), ""},
		"kid of a key for another use": {header("ES256", "ed25519-a"), ""},
		"HMAC with a public key":       {header("HS256", "rsa-2048-a"), ""},
		"HMAC without kid":             {header("HS256", nil), ""},
		"none":                         {header("none", "rsa-2048-a"), ""},
		"unknown kid":                  {header("EdDSA", "other"), ""},
		"kid that is not a string":     {header("EdDSA", 1), ""},
		"kid that is an array":         {header("EdDSA", []string{"ed25519-a"}), ""},
		"no alg":                       {&jwt.Token{Header: map[string]any{"kid": "ed25519-a"}}, ""},
		"alg that is not a string":     {&jwt.Token{Header: map[string]any{"kid": "ed25519-a", "alg": 1}}, ""},
		"no header":                    {&jwt.Token{}, ""},
		"no token":                     {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := keyfunc.New(t.Context(), keys)(c.token)
			if c.want == "" {
				if err == nil {
					t.Errorf("got %T, wanted an error", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			all, several := got.(jwt.VerificationKeySet)
			if !several {
				all.Keys = []jwt.VerificationKey{got}
			}
			want := strings.Fields(c.want)
			if len(all.Keys) != len(want) {
				t.Fatalf("got %d keys, wanted %q", len(all.Keys), want)
			}
			for i, got := range all.Keys {
				if want := testdata.PrivateKey(want[i]).Public(); !want.(interface{ Equal(crypto.PublicKey) bool }).Equal(got) {
					t.Errorf("key %d is another one", i)
				}
			}
		})
	}
}

func TestNoKeySet(t *testing.T) {
	if got, err := keyfunc.New(t.Context(), nil)(header("EdDSA", "ed25519-a")); got != nil || err == nil {
		t.Errorf("got %v, %v, wanted an error", got, err)
	}
}

// golang-jwt tries the keys that a token leaves the choice among.
func TestSeveralKeys(t *testing.T) {
	keys, err := jwks.New(jwks.Config{Set: published(t, k("ed25519-a"), k("ed25519-b"))})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	iss := issuertest.NewInMemory(t)
	for alg, good := range map[string]bool{"EdDSA": true, "RS256": false} {
		key := map[string]string{"EdDSA": "ed25519-b", "RS256": "rsa-2048-a"}[alg]
		raw := iss.SignWith(key, []byte(`{"alg":"`+alg+`"}`), []byte(`{"exp":4102444800}`), alg)
		for _, raw := range []string{raw, raw[:len(raw)-9] + "AAAAAAAAA"} {
			_, err := jwt.Parse(raw, keyfunc.New(t.Context(), keys), jwt.WithExpirationRequired())
			if want := good && !strings.HasSuffix(raw, "AAAAAAAAA"); (err == nil) != want {
				t.Errorf("%s: %v, wanted good %v", raw, err, want)
			}
		}
	}
}

// The errors of jwt.Parse tell an outage from a bad token, and a wait ends with
// its context.
func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		keys, err := jwks.New(jwks.Config{URL: iss.JWKSURL(), HTTPClient: iss.Client()})
		if err != nil {
			t.Fatal(err)
		}
		defer keys.Close()
		raw := iss.Token(issuertest.Claims{Algorithm: "EdDSA"})
		parse := func(ctx context.Context) error {
			_, err := jwt.Parse(raw, keyfunc.New(ctx, keys), jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithExpirationRequired())
			return err
		}

		iss.SetFault(issuertest.JWKS, issuertest.ServerError())
		if err := parse(t.Context()); !errors.Is(err, jwks.ErrUnavailable) || errors.Is(err, jwks.ErrKeyNotFound) {
			t.Errorf("issuer down: %v", err)
		}
		elapse(time.Minute)
		iss.ClearFaults()
		iss.SetJWKS(published(t, k("ed25519-b")), nil)
		if err := parse(t.Context()); !errors.Is(err, jwks.ErrKeyNotFound) || errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("no such key: %v", err)
		}
		elapse(time.Minute)
		raw = iss.SignWith("ed25519-a", []byte(`{"alg":"EdDSA","kid":"ed25519-a"}`), []byte(`{"exp":4102444800}`), "EdDSA")
		iss.SetJWKS(published(t, k("ed25519-a")), nil)
		iss.SetFault(issuertest.JWKS, issuertest.Slow(time.Second))
		hasty, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := parse(hasty); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("gave up: %v", err)
		}
		if err := parse(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// elapse lets fake time pass in a synctest bubble.
func elapse(d time.Duration) { <-time.After(d) }
