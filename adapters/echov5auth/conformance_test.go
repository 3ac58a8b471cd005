package echov5auth_test

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/labstack/echo/v5"

	"github.com/m2mguard/m2mguard/adapters/echov5auth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/internal/trials/conformance"
	"github.com/m2mguard/m2mguard/validator"
)

var _ conformance.Middleware[echo.MiddlewareFunc] = (*echov5auth.Middleware)(nil)

// TestConformance: the answers are those of all adapters, byte for byte.
func TestConformance(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP1": false, "HTTP2": true} {
		t.Run(name, func(t *testing.T) { conformance.Run(t, driver{conformance.OverHTTP{HTTP2: http2}}) })
	}
}

type driver struct{ over conformance.OverHTTP }

func (driver) Can(*conformance.Request) bool { return true }

func (d driver) Serve(t testing.TB, s *conformance.Setup) conformance.API {
	var cfg httpauth.Config
	if s.PublicURL != "" {
		cfg.PublicURL = []string{s.PublicURL}
	}
	auth, e := echov5auth.New(s.Validator, &cfg), echo.New()
	for _, route := range s.Routes {
		handler := said
		if route.Gate == conformance.Deny {
			handler = denying(auth)
		}
		chain := conformance.Chain(auth, route)
		if route.Group == nil {
			e.Any(route.Path(), handler, chain...)
			continue
		}
		group := e.Group("/" + string(route.Gate))
		group.Use(chain[0])
		group.Any(route.Path()[len(route.Gate)+1:], handler, chain[1:]...)
	}
	if slices.ContainsFunc(e.Router().Routes(), func(r echo.RouteInfo) bool { return r.Path == "/require/group/write" }) {
		return d.over.Serve(t, s, e)
	}
	t.Fatal("there is no route in a group")
	return nil
}

func said(c *echo.Context) error {
	if echov5auth.Token(c) != validator.FromContext(c.Request().Context()) {
		return errors.New("the context holds another token")
	}
	_, err := io.WriteString(c.Response(), conformance.Said(c.Request().Context()))
	return err
}

func denying(auth *echov5auth.Middleware) echo.HandlerFunc {
	return func(c *echo.Context) error {
		if err := conformance.Decide(c.Request().Context(), echov5auth.Token(c)); err != nil {
			return auth.Deny(c, err)
		}
		return said(c)
	}
}
