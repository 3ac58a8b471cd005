package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

const (
	// audience is the APIs' name at the issuer: what must be in a token's aud.
	audience = "https://orders.example.test"

	// revocationLimit is how long a revoked opaque token can pass. The default
	// is 30 s; a demonstration should not take that long.
	revocationLimit = time.Second
)

// newValidator is what an API configures: whom it trusts, how it is called, and
// how tokens are proven. Keys serve for JWTs, Introspection for opaque tokens, DPoP
// for those that are bound to their client's key.
func newValidator(issuer string, log *slog.Logger) (*validator.Validator, error) {
	return validator.New(validator.Config{
		Issuers: []validator.Issuer{{
			URL:      issuer,
			Audience: []string{audience},
			Keys:     &jwks.Config{},
			Introspection: &introspection.Config{
				Auth:             introspection.ClientSecretBasic(apiID, introspection.Secret(apiSecret)),
				PositiveLifetime: revocationLimit,
			},
		}},
		DPoP:     &dpop.Config{},
		Observer: validator.LogEvents(log),
	})
}

// greeting is what a client is told that was let in.
type greeting struct {
	Client string `json:"client"`
	Scope  string `json:"scope"`
}

func greet(t *validator.Token) greeting {
	return greeting{Client: t.ClientID(), Scope: t.Scopes().String()}
}

// public says what clients call an API by, which a proof of possession is held against.
func public(url string) *httpauth.Config { return &httpauth.Config{PublicURL: []string{url}} }

// netHTTP is the API on net/http.
func netHTTP(v *validator.Validator, url string) http.Handler {
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(greet(validator.FromContext(r.Context()))) // the client may have gone
	})
	auth := httpauth.New(v, public(url))
	mux := http.NewServeMux()
	mux.Handle("GET /orders", auth.Require(scopes.All("orders:read"))(orders))
	mux.Handle("POST /orders", auth.Require(scopes.All("orders:write"))(orders))
	mux.Handle("DELETE /orders", auth.RequireFresh(0, scopes.All("orders:read"))(orders))
	auth.MountMetadata(mux) // which challenges point at
	return mux
}

// onEcho is the API on Echo.
func onEcho(v *validator.Validator, url string) http.Handler {
	orders := func(c echo.Context) error {
		return c.JSON(http.StatusOK, greet(echoauth.Token(c)))
	}
	auth := echoauth.New(v, public(url))
	e := echo.New()
	e.GET("/orders", orders, auth.Require(scopes.All("orders:read")))
	e.POST("/orders", orders, auth.Require(scopes.All("orders:write")))
	e.DELETE("/orders", orders, auth.RequireFresh(0, scopes.All("orders:read")))
	auth.MountMetadata(e)
	return e
}

// onGin is the API on Gin.
func onGin(v *validator.Validator, url string) http.Handler {
	orders := func(c *gin.Context) {
		c.JSON(http.StatusOK, greet(ginauth.Token(c)))
	}
	auth := ginauth.New(v, public(url))
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/orders", auth.Require(scopes.All("orders:read")), orders)
	r.POST("/orders", auth.Require(scopes.All("orders:write")), orders)
	r.DELETE("/orders", auth.RequireFresh(0, scopes.All("orders:read")), orders)
	auth.MountMetadata(r)
	return r
}
