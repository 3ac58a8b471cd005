// Package ginauth lets the requests of a Gin API through that carry a good
// access token with the right scopes (RFC 6750). It is package httpauth in Gin's
// terms: same checks, same answers.
//
//	auth := ginauth.New(v, nil)
//	r.GET("/orders", auth.Require(scopes.All("orders:read")), listOrders)
//
// A refused request is aborted, its *validator.Error is added to c.Errors for
// logging middleware, and the answer is written at once; Deny does the same.
package ginauth

import (
	"context"
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
// through to the handlers after it if it carries a good token whose
// scopes satisfy rule. The token is then in the request's context. A zero rule
// lets nobody in.
func (m *Middleware) Require(rule scopes.Rule) gin.HandlerFunc {
	return m.Gate(httpauth.Gate{Rule: rule})
}

// RequireFresh is Require for what must not wait for a cache to run out; see
// httpauth.Middleware.RequireFresh.
func (m *Middleware) RequireFresh(maxAge time.Duration, rule scopes.Rule) gin.HandlerFunc {
	return m.Gate(httpauth.Gate{Rule: rule, MaxAge: &maxAge})
}

// RequireThat is Require with a decision of the API's own after the rule; see
// httpauth.Middleware.RequireThat. The policy's context is the request's.
func (m *Middleware) RequireThat(rule scopes.Rule, policy func(context.Context, *validator.Token) error) gin.HandlerFunc {
	return m.Gate(httpauth.GateThat(rule, policy))
}

// RequireBound is Require for bound tokens only; see
// httpauth.Middleware.RequireBound.
func (m *Middleware) RequireBound(rule scopes.Rule) gin.HandlerFunc {
	return m.Gate(httpauth.Gate{Rule: rule, Bound: true})
}

// RequireLive is Require for what lasts: the request's context ends with its token; see
// httpauth.Middleware.RequireLive.
func (m *Middleware) RequireLive(rule scopes.Rule) gin.HandlerFunc {
	return m.Gate(httpauth.Gate{Rule: rule, Live: true})
}

// Optional is Require for routes that strangers may use as well; see
// httpauth.Middleware.Optional.
func (m *Middleware) Optional(rule scopes.Rule) gin.HandlerFunc {
	return m.Gate(httpauth.Gate{Rule: rule, Optional: true})
}

// DangerouslyReportOnly protects nothing, and reports what Require would refuse;
// see httpauth.Middleware.DangerouslyReportOnly.
func (m *Middleware) DangerouslyReportOnly(rule scopes.Rule) gin.HandlerFunc {
	return m.Gate(httpauth.Gate{Rule: rule, DangerouslyReportOnly: true})
}

// Gate is Require for what several of the other functions ask at once.
func (m *Middleware) Gate(g httpauth.Gate) gin.HandlerFunc { return m.protect(m.inner.Compile(g)) }

// Handle registers handlers on an engine or a group behind Require(rule), and
// remembers the route for Routes.
func (m *Middleware) Handle(router gin.IRouter, method, path string, rule scopes.Rule, handlers ...gin.HandlerFunc) {
	m.HandleGate(router, method, path, httpauth.Gate{Rule: rule}, handlers...)
}

// HandleGate is Handle for a route that asks for more, or for less.
func (m *Middleware) HandleGate(router gin.IRouter, method, path string, g httpauth.Gate, handlers ...gin.HandlerFunc) {
	route := m.inner.Compile(g)
	router.Handle(method, path, append([]gin.HandlerFunc{m.protect(route)}, handlers...)...)
	route.Remember(method + " " + router.Group(path).BasePath()) // the whole path, as Gin joins it
}

// Routes lists what was registered through Handle and HandleGate, by method and
// whole path.
func (m *Middleware) Routes() []httpauth.RouteInfo { return m.inner.Routes() }

// MountMetadata serves the metadata of this API (RFC 9728) on router, which should be
// the engine itself; see httpauth.Middleware.MountMetadata.
func (m *Middleware) MountMetadata(router gin.IRouter) {
	router.GET(m.inner.MetadataPath(), gin.WrapH(m.inner.MetadataHandler()))
}

// Deny refuses a request from within its handler, which writes nothing before
// and after; see httpauth.Middleware.Deny. It aborts, and adds the error to
// c.Errors.
func (m *Middleware) Deny(c *gin.Context, reason error) {
	c.Abort()
	answered := false
	defer func() { neverEmpty(c, answered) }()
	m.answer(c, m.inner.Denial(c.Request, httpauth.PatternOf(c.Request.Method, c.FullPath()), reason))
	answered = true
}

func (m *Middleware) protect(route *httpauth.Route) gin.HandlerFunc {
	return func(c *gin.Context) {
		// Gin goes on with the next handler when this function has ended, also
		// when it ended in a panic that a middleware before it recovered from.
		passed, answered := false, false
		defer func() {
			if passed {
				return
			}
			c.Abort()
			neverEmpty(c, answered)
		}()
		admitted, failure := route.Admit(c.Writer.Header(), c.Request, httpauth.PatternOf(c.Request.Method, c.FullPath()))
		if failure != nil {
			m.answer(c, failure)
			answered = true
			return
		}
		passed = true
		if r := c.Request; r != admitted {
			defer func() {
				if r.MultipartForm == nil { // whose files net/http removes when r has been answered
					r.MultipartForm = admitted.MultipartForm
				}
			}()
			c.Request = admitted
			c.Next()
		}
	}
}

// neverEmpty is for a panic that a middleware recovers from and writes no answer:
// Gin's would be an empty 200.
func neverEmpty(c *gin.Context, answered bool) {
	if !answered && !c.Writer.Written() {
		c.Status(http.StatusInternalServerError)
	}
}

// answer writes a refusal, and adds its error to c.Errors.
func (m *Middleware) answer(c *gin.Context, failure *httpauth.Failure) {
	_ = c.Error(failure.Err) // returns its argument, wrapped
	m.inner.Fail(c.Writer, c.Request, failure)
}

// Token returns the token that the request was let in with, or nil if the
// handler is not behind Require, or Optional or DangerouslyReportOnly let it in
// without one. A *gin.Context itself does not carry it: validator.FromContext needs
// the request's context.
func Token(c *gin.Context) *validator.Token {
	return validator.FromContext(c.Request.Context())
}
