// Package fromauth0 is an API that leaves auth0/go-jwt-middleware, version 3.
package fromauth0

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	"github.com/auth0/go-jwt-middleware/v3/jwks"
	"github.com/auth0/go-jwt-middleware/v3/validator"
)

type claims struct {
	Scope string `json:"scope"`
}

func (c *claims) Validate(context.Context) error { return nil }

// Before is the API as it was.
func Before(issuer, audience string) (http.Handler, error) {
	issuerURL, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}

	keys, err := jwks.NewCachingProvider(jwks.WithIssuerURL(issuerURL))
	if err != nil {
		return nil, err
	}
	v, err := validator.New(
		validator.WithKeyFunc(keys.KeyFunc),
		validator.WithAlgorithm(validator.RS256),
		validator.WithIssuer(issuer),
		validator.WithAudience(audience),
		validator.WithCustomClaims(func() *claims { return new(claims) }),
	)
	if err != nil {
		return nil, err
	}
	m, err := jwtmiddleware.New(jwtmiddleware.WithValidator(v))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", m.CheckJWT(http.HandlerFunc(listOrders)))
	return mux, nil
}

func listOrders(w http.ResponseWriter, r *http.Request) {
	token := jwtmiddleware.MustGetClaims[*validator.ValidatedClaims](r.Context())
	if !slices.Contains(strings.Fields(token.CustomClaims.(*claims).Scope), "orders:read") {
		http.Error(w, "insufficient scope", http.StatusForbidden)
		return
	}
	fmt.Fprintf(w, "orders of %s", token.RegisteredClaims.Subject)
}
