// Package fromauth0v2 is an API that leaves auth0/go-jwt-middleware, version 2.
package fromauth0v2

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v2"
	"github.com/auth0/go-jwt-middleware/v2/jwks"
	"github.com/auth0/go-jwt-middleware/v2/validator"
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

	keys := jwks.NewCachingProvider(issuerURL, 5*time.Minute)
	v, err := validator.New(keys.KeyFunc, validator.RS256, issuer, []string{audience},
		validator.WithCustomClaims(func() validator.CustomClaims { return new(claims) }))
	if err != nil {
		return nil, err
	}
	m := jwtmiddleware.New(v.ValidateToken)
	mux := http.NewServeMux()
	mux.Handle("GET /orders", m.CheckJWT(http.HandlerFunc(listOrders)))
	return mux, nil
}

func listOrders(w http.ResponseWriter, r *http.Request) {
	token := r.Context().Value(jwtmiddleware.ContextKey{}).(*validator.ValidatedClaims)
	if !slices.Contains(strings.Fields(token.CustomClaims.(*claims).Scope), "orders:read") {
		http.Error(w, "insufficient scope", http.StatusForbidden)
		return
	}
	fmt.Fprintf(w, "orders of %s", token.RegisteredClaims.Subject)
}
