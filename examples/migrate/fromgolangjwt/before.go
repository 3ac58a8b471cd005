// Package fromgolangjwt is an API that leaves golang-jwt with keyfunc.
package fromgolangjwt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

type claims struct {
	jwt.RegisteredClaims
	Scope  string `json:"scope"`
	Tenant string `json:"tenant"`
}

// Validate is called by the parser.
func (c claims) Validate() error {
	if c.Tenant == "" {
		return errors.New("the token has no tenant")
	}
	return nil
}

// Before is the API as it was.
func Before(ctx context.Context, issuer, keySet, audience string) (http.Handler, error) {
	keys, err := keyfunc.NewDefaultCtx(ctx, []string{keySet})
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		raw, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !found {
			http.Error(w, "no token", http.StatusUnauthorized)
			return
		}
		var token claims
		if _, err := parser.ParseWithClaims(raw, &token, keys.Keyfunc); err != nil {
			http.Error(w, "invalid token", http.StatusUnauthorized)
			return
		}
		if !slices.Contains(strings.Fields(token.Scope), "orders:read") {
			http.Error(w, "insufficient scope", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, "orders of %s", token.Subject)
	})
	return mux, nil
}
