package contender

import (
	"context"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// golangClaims are what golang-jwt decodes into.
type golangClaims struct {
	jwt.RegisteredClaims
	Scope    string `json:"scope"`
	ClientID string `json:"client_id"`
}

// golangParser is what is shared by all requests.
func golangParser(f *fixture.Fixture) (*jwt.Parser, keyfunc.Keyfunc, error) {
	keys, err := keyfunc.NewJWKSetJSON(f.JWKS)
	return jwt.NewParser(
		jwt.WithValidMethods([]string{f.Algorithm}),
		jwt.WithIssuer(f.URL()),
		jwt.WithAudience(issuertest.Audience),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(skew),
	), keys, err
}

func golangJWT(f *fixture.Fixture) (*Contender, error) {
	parser, keys, err := golangParser(f)
	if err != nil {
		return nil, err
	}
	return &Contender{
		Name:    "golang-jwt + keyfunc",
		Modules: []string{"github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3"},
		Setup:   "One shared jwt.Parser with method, issuer, audience and required expiry; claims into a struct; keyfunc over a key set in memory, which costs less than its HTTP storage.",
		Allows: func(_ context.Context, raw string) error {
			var c golangClaims
			if _, err := parser.ParseWithClaims(raw, &c, keys.Keyfunc); err != nil {
				return err
			}
			return granted(c.Scope)
		},
		Close: nothing,
	}, nil
}

// EchoJWT is Echo's own middleware for JWTs, over the same parser: its default one checks
// neither issuer nor audience.
func EchoJWT(f *fixture.Fixture) (echo.MiddlewareFunc, error) {
	parser, keys, err := golangParser(f)
	if err != nil {
		return nil, err
	}
	return echojwt.Config{ParseTokenFunc: func(_ echo.Context, raw string) (any, error) {
		var c golangClaims
		token, err := parser.ParseWithClaims(raw, &c, keys.Keyfunc)
		if err != nil {
			return nil, err
		}
		return token, granted(c.Scope)
	}}.ToMiddleware()
}
