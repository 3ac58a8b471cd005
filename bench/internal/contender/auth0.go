package contender

import (
	"context"
	"net/http"
	"net/url"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	jwtgrpc "github.com/auth0/go-jwt-middleware/v3/integrations/grpc"
	"github.com/auth0/go-jwt-middleware/v3/jwks"
	"github.com/auth0/go-jwt-middleware/v3/validator"
	"google.golang.org/grpc"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// auth0Claims are read beside the registered ones. Their validation is where
// the documentation looks at scopes.
type auth0Claims struct {
	Scope    string `json:"scope"`
	ClientID string `json:"client_id"`
}

// Validate is part of validator.CustomClaims.
func (c *auth0Claims) Validate(context.Context) error { return granted(c.Scope) }

func newAuth0(f *fixture.Fixture) (*validator.Validator, error) {
	issuer, err := url.Parse(f.URL())
	if err != nil {
		return nil, err
	}
	keys, err := jwks.NewCachingProvider(jwks.WithIssuerURL(issuer))
	if err != nil {
		return nil, err
	}
	return validator.New(
		validator.WithKeyFunc(keys.KeyFunc),
		validator.WithAlgorithm(validator.SignatureAlgorithm(f.Algorithm)),
		validator.WithIssuer(f.URL()),
		validator.WithAudience(issuertest.Audience),
		validator.WithAllowedClockSkew(skew),
		validator.WithCustomClaims(func() *auth0Claims { return new(auth0Claims) }),
	)
}

// Auth0 is its name.
const Auth0 = "auth0 go-jwt-middleware"

func auth0(f *fixture.Fixture) (*Contender, error) {
	v, err := newAuth0(f)
	if err != nil {
		return nil, err
	}
	return &Contender{
		Name:    Auth0,
		Modules: []string{"github.com/auth0/go-jwt-middleware/v3", "github.com/lestrrat-go/jwx/v3"},
		Setup:   "validator.New with CachingProvider by discovery, one algorithm, issuer, audience and custom claims for the scope.",
		Allows: func(ctx context.Context, raw string) error {
			_, err := v.ValidateToken(ctx, raw)
			return err
		},
		Close: nothing,
	}, nil
}

// Auth0Middleware is the middleware that the library is named after, for whole
// requests.
func Auth0Middleware(f *fixture.Fixture) (func(http.Handler) http.Handler, error) {
	v, err := newAuth0(f)
	if err != nil {
		return nil, err
	}
	m, err := jwtmiddleware.New(jwtmiddleware.WithValidator(v))
	if err != nil {
		return nil, err
	}
	return m.CheckJWT, nil
}

// Auth0Interceptor is its interceptor for unary calls of gRPC.
func Auth0Interceptor(f *fixture.Fixture) (grpc.UnaryServerInterceptor, error) {
	v, err := newAuth0(f)
	if err != nil {
		return nil, err
	}
	i, err := jwtgrpc.New(jwtgrpc.WithValidator(v))
	if err != nil {
		return nil, err
	}
	return i.UnaryServerInterceptor(), nil
}
