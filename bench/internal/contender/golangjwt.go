package contender

import (
	"context"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func golangJWT(f *fixture.Fixture) (*Contender, error) {
	keys, err := keyfunc.NewJWKSetJSON(f.JWKS)
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{f.Algorithm}),
		jwt.WithIssuer(f.URL()),
		jwt.WithAudience(issuertest.Audience),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(skew),
	)
	type claims struct {
		jwt.RegisteredClaims
		Scope    string `json:"scope"`
		ClientID string `json:"client_id"`
	}
	return &Contender{
		Name:    "golang-jwt + keyfunc",
		Modules: []string{"github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3"},
		Setup:   "One shared jwt.Parser with method, issuer, audience and required expiry; claims into a struct; keyfunc over a key set in memory, which costs less than its HTTP storage.",
		Allows: func(_ context.Context, raw string) error {
			var c claims
			if _, err := parser.ParseWithClaims(raw, &c, keys.Keyfunc); err != nil {
				return err
			}
			return granted(c.Scope)
		},
		Close: nothing,
	}, nil
}
