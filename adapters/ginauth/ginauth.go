// Package ginauth lets the requests of a Gin API through that carry a good
// bearer token with the right scopes (RFC 6750). It is package httpauth in Gin's
// terms: same checks, same answers.
//
//	auth := ginauth.New(v, nil)
//	r.GET("/orders", auth.Require(scopes.All("orders:read")), listOrders)
//
// A refused request is aborted, its *validator.Error is added to c.Errors for
// logging middleware, and the answer is written at once.
package ginauth

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// Middleware protects routes with one validator. It is made with New and safe
// for concurrent use.
type Middleware struct {
	inner *httpauth.Middleware
}

// New makes the middleware for v. A nil cfg stands for the zero Config. It
// panics like httpauth.New.
func New(v *validator.Validator, cfg *httpauth.Config) *Middleware {
	return &Middleware{inner: httpauth.New(v, cfg)}
}

// Require returns a middleware, for a route or a group, that lets a request
// through to the handlers after it if it carries a good bearer token whose
// scopes satisfy rule. The token is then in the request's context. A zero rule
// lets nobody in.
func (m *Middleware) Require(rule scopes.Rule) gin.HandlerFunc {
	return protect(m.inner.Route(rule))
}

// RequireFresh is Require for what must not wait for a cache to run out; see
// httpauth.Middleware.RequireFresh.
func (m *Middleware) RequireFresh(maxAge time.Duration, rule scopes.Rule) gin.HandlerFunc {
	return protect(m.inner.FreshRoute(maxAge, rule))
}

func protect(route *httpauth.Route) gin.HandlerFunc {
	return func(c *gin.Context) {
		// Gin goes on with the next handler when this function has ended, also
		// when it ended in a panic that a middleware before it recovered from; and
		// where that one writes no answer, Gin's is an empty 200.
		passed, answered := false, false
		defer func() {
			if passed {
				return
			}
			c.Abort()
			if !answered && !c.Writer.Written() {
				c.Status(http.StatusInternalServerError)
			}
		}()
		token, failure := route.Check(c.Request)
		if failure != nil {
			_ = c.Error(failure.Err) // returns its argument, wrapped
			route.Fail(c.Writer, c.Request, failure)
			answered = true
			return
		}
		c.Request = c.Request.WithContext(validator.NewContext(c.Request.Context(), token))
		passed = true
	}
}

// Token returns the token that the request was let in with, or nil if the
// handler is not behind Require. A *gin.Context itself does not carry it:
// validator.FromContext needs the request's context.
func Token(c *gin.Context) *validator.Token {
	return validator.FromContext(c.Request.Context())
}
