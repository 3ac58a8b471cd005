package contender

import (
	"context"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func goJOSE(f *fixture.Fixture) (*Contender, error) {
	keys := new(jose.JSONWebKeySet)
	if err := json.Unmarshal(f.JWKS, keys); err != nil {
		return nil, err
	}
	algorithms := []jose.SignatureAlgorithm{jose.SignatureAlgorithm(f.Algorithm)}
	expected := jwt.Expected{Issuer: f.URL(), AnyAudience: jwt.Audience{issuertest.Audience}}
	type claims struct {
		jwt.Claims
		Scope    string `json:"scope"`
		ClientID string `json:"client_id"`
	}
	return &Contender{
		Name:    "go-jose",
		Modules: []string{"github.com/go-jose/go-jose/v4"},
		Setup:   "jwt.ParseSigned with one algorithm, Claims with a key set in memory into one struct, then ValidateWithLeeway.",
		Allows: func(_ context.Context, raw string) error {
			token, err := jwt.ParseSigned(raw, algorithms)
			if err != nil {
				return err
			}
			var c claims
			if err := token.Claims(keys, &c); err != nil {
				return err
			}
			if c.Expiry == nil {
				return errExpired
			}
			if err := c.ValidateWithLeeway(expected, skew); err != nil {
				return err
			}
			return granted(c.Scope)
		},
		Close: nothing,
	}, nil
}
