package contender

import (
	"context"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func jwxParse(f *fixture.Fixture) (*Contender, error) {
	keys, err := jwk.Parse(f.JWKS)
	if err != nil {
		return nil, err
	}
	options := []jwt.ParseOption{
		jwt.WithKeySet(keys),
		jwt.WithIssuer(f.URL()),
		jwt.WithAudience(issuertest.Audience),
		jwt.WithRequiredClaim(jwt.ExpirationKey),
		jwt.WithAcceptableSkew(skew),
	}
	return &Contender{
		Name:    "jwx jwt.Parse",
		Modules: []string{"github.com/lestrrat-go/jwx/v2"},
		Setup:   "jwt.Parse with a key set in memory whose keys name their algorithm, issuer, audience and required expiry; options made once.",
		Allows: func(_ context.Context, raw string) error {
			token, err := jwt.ParseString(raw, options...)
			if err != nil {
				return err
			}
			scope, _ := token.Get("scope")
			text, _ := scope.(string)
			return granted(text)
		},
		Close: nothing,
	}, nil
}
