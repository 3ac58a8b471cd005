package keyfunc_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
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

// published is a set of test keys, each bound to an alg unless that is empty.
func published(t *testing.T, algorithms map[string]string) []byte {
	t.Helper()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	for name, alg := range algorithms {
		var key map[string]any
		if err := json.Unmarshal(testdata.PublicKey(name), &key); err != nil {
			t.Fatal(err)
		}
		if delete(key, "alg"); alg != "" {
			key["alg"] = alg
		}
		set.Keys = append(set.Keys, key)
	}
	text, err := json.Marshal(set)
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
		Set:        published(t, map[string]string{"ed25519-a": "", "rsa-2048-a": "", "rsa-3072": "PS256", "p256-a": "", "p256-b": ""}),
		Algorithms: []string{"RS256", "PS256", "ES256", "EdDSA"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	for name, c := range map[string]struct {
		token *jwt.Token
		want  string // the test key; empty: an error
	}{
		"Ed25519":                      {header("EdDSA", "ed25519-a"), "ed25519-a"},
		"RSA":                          {header("RS256", "rsa-2048-a"), "rsa-2048-a"},
		"RSA without alg serves PS":    {header("PS256", "rsa-2048-a"), "rsa-2048-a"},
		"RSA bound to its alg":         {header("PS256", "rsa-3072"), "rsa-3072"},
		"EC":                           {header("ES256", "p256-b"), "p256-b"},
		"no kid, one fits":             {header("EdDSA", nil), "ed25519-a"},
		"no kid, several fit":          {header("ES256", nil), ""},
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
			if several, ok := got.(jwt.VerificationKeySet); ok {
				if len(several.Keys) != 1 {
					t.Fatalf("got %d keys", len(several.Keys))
				}
				got = several.Keys[0]
			}
			if want := testdata.PrivateKey(c.want).Public(); !want.(interface{ Equal(crypto.PublicKey) bool }).Equal(got) {
				t.Error("got another key")
			}
		})
	}
}

func TestNoKeySet(t *testing.T) {
	if got, err := keyfunc.New(t.Context(), nil)(header("EdDSA", "ed25519-a")); got != nil || err == nil {
		t.Errorf("got %v, %v, wanted an error", got, err)
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
		iss.SetJWKS(published(t, map[string]string{"ed25519-b": ""}), nil)
		if err := parse(t.Context()); !errors.Is(err, jwks.ErrKeyNotFound) || errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("no such key: %v", err)
		}
		elapse(time.Minute)
		raw = iss.SignWith("ed25519-a", []byte(`{"alg":"EdDSA","kid":"ed25519-a"}`), []byte(`{"exp":4102444800}`), "EdDSA")
		iss.SetJWKS(published(t, map[string]string{"ed25519-a": ""}), nil)
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
