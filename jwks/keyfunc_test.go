package jwks_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/m2mguard/m2mguard/jwks"
)

// header makes a token as golang-jwt hands it to a Keyfunc.
func header(alg string, kid any) *jwt.Token {
	h := map[string]any{"alg": alg}
	if kid != nil {
		h["kid"] = kid
	}
	return &jwt.Token{Header: h, Method: jwt.GetSigningMethod(alg)}
}

func TestKeyfunc(t *testing.T) {
	ed1, rsa1, bound, ec1, ec2 := ed("ed"), rsaKey("rsa"), rsaBits("bound", 3072).with("alg", "PS256"), ec("ec1", elliptic.P256()), ec("ec2", elliptic.P256())
	s, err := jwks.New(jwks.Config{Set: set(ed1, rsa1, bound, ec1, ec2), Algorithms: []string{"RS256", "PS256", "ES256", "EdDSA"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cases := map[string]struct {
		token *jwt.Token
		want  key // nil: an error
	}{
		"Ed25519":                      {header("EdDSA", "ed"), ed1},
		"RSA":                          {header("RS256", "rsa"), rsa1},
		"RSA without alg serves PS":    {header("PS256", "rsa"), rsa1},
		"RSA bound to its alg":         {header("PS256", "bound"), bound},
		"EC":                           {header("ES256", "ec2"), ec2},
		"no kid, one fits":             {header("EdDSA", nil), ed1},
		"no kid, several fit":          {header("ES256", nil), nil},
		"alg that is not accepted":     {header("RS384", "rsa"), nil},
		"alg of another key":           {header("RS256", "bound"), nil},
		"family of another key":        {header("RS256", "ed"), nil},
		"HMAC with a public key":       {header("HS256", "rsa"), nil},
		"HMAC without kid":             {header("HS256", nil), nil},
		"none":                         {header("none", "rsa"), nil},
		"unknown kid":                  {header("EdDSA", "other"), nil},
		"kid that is not a string":     {header("EdDSA", 1), nil},
		"kid that is an array":         {header("EdDSA", []string{"ed"}), nil},
		"no alg":                       {&jwt.Token{Header: map[string]any{"kid": "ed"}}, nil},
		"alg that is not a string":     {&jwt.Token{Header: map[string]any{"kid": "ed", "alg": 1}}, nil},
		"no header":                    {&jwt.Token{}, nil},
		"no token":                     {nil, nil},
		"kid of a key for another use": {header("ES256", "ed"), nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := s.Keyfunc(c.token)
			if c.want == nil {
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
			k, err := s.Lookup(t.Context(), c.want["kid"].(string), true, c.token.Header["alg"].(string))
			if err != nil {
				t.Fatal(err)
			}
			if !k.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(got) {
				t.Error("got another key")
			}
		})
	}
}

// The errors of jwt.Parse tell an outage from a bad token.
func TestKeyfuncErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix()})
		token.Header["kid"] = "a"
		raw, err := token.SignedString(private)
		if err != nil {
			t.Fatal(err)
		}
		iss := &issuer{}
		s := open(t, iss, jwks.Config{})
		parse := func(ctx context.Context) error {
			_, err := jwt.Parse(raw, s.KeyfuncContext(ctx), jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithExpirationRequired())
			return err
		}

		if err := parse(t.Context()); !errors.Is(err, jwks.ErrUnavailable) || errors.Is(err, jwks.ErrKeyNotFound) {
			t.Errorf("issuer down: %v", err)
		}
		elapse(time.Minute)
		iss.keys(ed("b"))
		if err := parse(t.Context()); !errors.Is(err, jwks.ErrKeyNotFound) || errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("no such key: %v", err)
		}
		elapse(time.Minute)
		iss.serve(slowly(time.Second, answer(set(key{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": b64(public)}))))
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
