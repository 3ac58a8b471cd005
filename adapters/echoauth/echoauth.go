// Package echoauth lets the requests of an Echo API through that carry a good
// bearer token with the right scopes (RFC 6750). It is package httpauth in
// Echo's terms: same checks, same answers.
//
//	auth := echoauth.New(v, nil)
//	e.GET("/orders", listOrders, auth.Require(scopes.All("orders:read")))
//
// A refused request takes Echo's own error path: the middleware returns an
// *echo.HTTPError, and Echo's HTTPErrorHandler writes it. Its Message is an
// httpauth.Body, its Internal the *validator.Error; the challenge is on the
// response already. With httpauth.Config.ErrorHandler set, that function
// answers instead, and Echo sees no error.
package echoauth

import (
	"time"

	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// Middleware protects routes with one validator. It is made with New and safe
// for concurrent use.
type Middleware struct {
	inner        *httpauth.Middleware
	ownRendering bool // Config.ErrorHandler is set
}

// New makes the middleware for v. A nil cfg stands for the zero Config. It
// panics like httpauth.New.
func New(v *validator.Validator, cfg *httpauth.Config) *Middleware {
	return &Middleware{
		inner:        httpauth.New(v, cfg),
		ownRendering: cfg != nil && cfg.ErrorHandler != nil,
	}
}

// Require returns a middleware, for a route or a group, that lets a request
// through to the handler if it carries a good bearer token whose scopes satisfy
// rule. The token is then in the request's context. A zero rule lets nobody in.
func (m *Middleware) Require(rule scopes.Rule) echo.MiddlewareFunc {
	return m.protect(m.inner.Route(rule))
}

// RequireFresh is Require for what must not wait for a cache to run out; see
// httpauth.Middleware.RequireFresh.
func (m *Middleware) RequireFresh(maxAge time.Duration, rule scopes.Rule) echo.MiddlewareFunc {
	return m.protect(m.inner.FreshRoute(maxAge, rule))
}

func (m *Middleware) protect(route *httpauth.Route) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			token, failure := route.Check(r)
			if failure == nil {
				c.SetRequest(r.WithContext(validator.NewContext(r.Context(), token)))
				return next(c)
			}
			if m.ownRendering {
				route.Fail(c.Response(), r, failure)
				return nil
			}
			failure.SetHeader(c.Response().Header())
			return &echo.HTTPError{Code: failure.Status, Message: failure.Body, Internal: failure.Err}
		}
	}
}

// Token returns the token that the request was let in with, or nil if the
// handler is not behind Require.
func Token(c echo.Context) *validator.Token {
	return validator.FromContext(c.Request().Context())
}
