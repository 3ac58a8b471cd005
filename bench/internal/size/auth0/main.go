// Command auth0 is the service that auth0's go-jwt-middleware guards.
package main

import (
	"context"
	"errors"
	"log"
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

func (c *claims) Validate(context.Context) error {
	if !slices.Contains(strings.Fields(c.Scope), "orders:read") {
		return errors.New("the scope is not granted")
	}
	return nil
}

func main() {
	issuer, err := url.Parse("https://id.example.com")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := jwks.NewCachingProvider(jwks.WithIssuerURL(issuer))
	if err != nil {
		log.Fatal(err)
	}
	v, err := validator.New(validator.WithKeyFunc(keys.KeyFunc), validator.WithAlgorithm(validator.RS256),
		validator.WithIssuer(issuer.String()), validator.WithAudience("https://orders.example.com"),
		validator.WithCustomClaims(func() *claims { return new(claims) }))
	if err != nil {
		log.Fatal(err)
	}
	m, err := jwtmiddleware.New(jwtmiddleware.WithValidator(v))
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("GET /orders", m.CheckJWT(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"orders":[]}`)) })))
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
