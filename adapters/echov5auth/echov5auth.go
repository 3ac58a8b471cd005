// Package echov5auth lets the requests of an Echo API through that carry a good
// access token with the right scopes (RFC 6750). It is package httpauth in the
// terms of Echo v5.4 and later: same checks, same answers. Package echoauth is for
// Echo v4.
//
//	auth := echov5auth.New(v, nil)
//	e.GET("/orders", listOrders, auth.Require(scopes.All("orders:read")))
//
// A refused request takes Echo's own error path: the middleware returns an
// [*Error], and Echo's HTTPErrorHandler writes it, the default one as httpauth
// does; the challenge is on the response already. With httpauth.Config.ErrorHandler
// set, that function answers instead, and Echo sees no error. Deny does the same.
//
// For guardtest, App.Handler is the *echo.Echo, or App.Router where other handlers
// stand before it.
package echov5auth

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v5"

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
// through to the handler if it carries a good token whose scopes satisfy
// rule. The token is then in the request's context. A zero rule lets nobody in.
func (m *Middleware) Require(rule scopes.Rule) echo.MiddlewareFunc {
	return m.Gate(httpauth.Gate{Rule: rule})
}

// RequireFresh is Require for what must not wait for a cache to run out; see
// httpauth.Middleware.RequireFresh.
func (m *Middleware) RequireFresh(maxAge time.Duration, rule scopes.Rule) echo.MiddlewareFunc {
	return m.Gate(httpauth.Gate{Rule: rule, MaxAge: &maxAge})
}

// RequireThat is Require with a decision of the API's own after the rule; see
// httpauth.Middleware.RequireThat.
func (m *Middleware) RequireThat(rule scopes.Rule, policy func(context.Context, *validator.Token) error) echo.MiddlewareFunc {
	return m.Gate(httpauth.GateThat(rule, policy))
}

// RequireBound is Require for bound tokens only; see
// httpauth.Middleware.RequireBound.
func (m *Middleware) RequireBound(rule scopes.Rule) echo.MiddlewareFunc {
	return m.Gate(httpauth.Gate{Rule: rule, Bound: true})
}

// RequireLive is Require for what lasts: the request's context ends with its token; see
// httpauth.Middleware.RequireLive.
func (m *Middleware) RequireLive(rule scopes.Rule) echo.MiddlewareFunc {
	return m.Gate(httpauth.Gate{Rule: rule, Live: true})
}

// Optional is Require for routes that strangers may use as well; see
// httpauth.Middleware.Optional.
func (m *Middleware) Optional(rule scopes.Rule) echo.MiddlewareFunc {
	return m.Gate(httpauth.Gate{Rule: rule, Optional: true})
}

// DangerouslyReportOnly protects nothing, and reports what Require would refuse;
// see httpauth.Middleware.DangerouslyReportOnly.
func (m *Middleware) DangerouslyReportOnly(rule scopes.Rule) echo.MiddlewareFunc {
	return m.Gate(httpauth.Gate{Rule: rule, DangerouslyReportOnly: true})
}

// Gate is Require for what several of the other functions ask at once.
func (m *Middleware) Gate(g httpauth.Gate) echo.MiddlewareFunc {
	return m.protect(m.inner.Compile(g))
}

// Router is an *echo.Echo or an *echo.Group.
type Router interface {
	Add(method, path string, handler echo.HandlerFunc, middleware ...echo.MiddlewareFunc) echo.RouteInfo
}

// Handle registers handler behind Require(rule), which comes before the other
// middleware, and remembers the route for Routes.
func (m *Middleware) Handle(router Router, method, path string, rule scopes.Rule, handler echo.HandlerFunc, middleware ...echo.MiddlewareFunc) echo.RouteInfo {
	return m.HandleGate(router, method, path, httpauth.Gate{Rule: rule}, handler, middleware...)
}

// HandleGate is Handle for a route that asks for more, or for less.
func (m *Middleware) HandleGate(router Router, method, path string, g httpauth.Gate, handler echo.HandlerFunc, middleware ...echo.MiddlewareFunc) echo.RouteInfo {
	route := m.inner.Compile(g)
	added := router.Add(method, path, handler, append([]echo.MiddlewareFunc{m.protect(route)}, middleware...)...)
	if method != echo.RouteAny {
		route.Remember(added.Method + " " + added.Path)
	} else {
		route.Remember(added.Path) // of all methods, as guardtest has it
	}
	return added
}

// Routes lists what was registered through Handle and HandleGate, by method and
// whole path.
func (m *Middleware) Routes() []httpauth.RouteInfo { return m.inner.Routes() }

// MountMetadata serves the metadata of this API (RFC 9728) on router, which should be
// the outermost one; see httpauth.Middleware.MountMetadata.
func (m *Middleware) MountMetadata(router Router) {
	router.Add(http.MethodGet, m.inner.MetadataPath(), echo.WrapHandler(m.inner.MetadataHandler()))
}

// Deny refuses a request from within its handler, which returns what Deny
// returns; see httpauth.Middleware.Deny.
//
//	return auth.Deny(c, errors.New("the order is another tenant's"))
func (m *Middleware) Deny(c *echo.Context, reason error) error {
	return m.answer(c, m.inner.Denial(c.Request(), httpauth.PatternOf(c.Request().Method, c.Path()), reason))
}

func (m *Middleware) protect(route *httpauth.Route) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			admitted, failure := route.Admit(c.Response().Header(), c.Request(), httpauth.PatternOf(c.Request().Method, c.Path()))
			if failure != nil {
				return m.answer(c, failure)
			}
			if r := c.Request(); r != admitted {
				defer func() {
					if r.MultipartForm == nil { // whose files net/http removes when r has been answered
						r.MultipartForm = admitted.MultipartForm
					}
				}()
			}
			c.SetRequest(admitted)
			return next(c)
		}
	}
}

// answer takes a failure to Echo's error path, or to Config.ErrorHandler.
func (m *Middleware) answer(c *echo.Context, failure *httpauth.Failure) error {
	if m.ownRendering {
		m.inner.Fail(c.Response(), c.Request(), failure)
		return nil
	}
	failure.SetHeader(c.Response().Header())
	return &Error{failure}
}

// Token returns the token that the request was let in with, or nil if the
// handler is not behind Require, or Optional or DangerouslyReportOnly let it in
// without one.
func Token(c *echo.Context) *validator.Token {
	return validator.FromContext(c.Request().Context())
}
