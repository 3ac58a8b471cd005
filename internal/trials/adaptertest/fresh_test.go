package adaptertest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// freshAPIs have GET /orders, which is plain, and DELETE /orders, which asks the
// issuer each time.
var freshAPIs = []struct {
	name string
	api  func(v *validator.Validator, maxAge time.Duration) http.Handler
}{
	{"net/http", func(v *validator.Validator, maxAge time.Duration) http.Handler {
		auth, mux := httpauth.New(v, nil), http.NewServeMux()
		mux.Handle("GET /orders", auth.Require(freshRule)(http.HandlerFunc(serve)))
		mux.Handle("DELETE /orders", auth.RequireFresh(maxAge, freshRule)(http.HandlerFunc(serve)))
		return mux
	}},
	{"chi", func(v *validator.Validator, maxAge time.Duration) http.Handler {
		auth, router := httpauth.New(v, nil), chi.NewRouter()
		router.With(auth.Require(freshRule)).Get("/orders", serve)
		router.With(auth.RequireFresh(maxAge, freshRule)).Delete("/orders", serve)
		return router
	}},
	{"Echo", func(v *validator.Validator, maxAge time.Duration) http.Handler {
		auth, e := echoauth.New(v, nil), echo.New()
		handler := func(c echo.Context) error {
			serve(c.Response(), c.Request())
			return nil
		}
		e.GET("/orders", handler, auth.Require(freshRule))
		e.DELETE("/orders", handler, auth.RequireFresh(maxAge, freshRule))
		return e
	}},
	{"Gin", func(v *validator.Validator, maxAge time.Duration) http.Handler {
		auth, engine := ginauth.New(v, nil), gin.New()
		handler := func(c *gin.Context) { serve(c.Writer, c.Request) }
		engine.GET("/orders", auth.Require(freshRule), handler)
		engine.DELETE("/orders", auth.RequireFresh(maxAge, freshRule), handler)
		return engine
	}},
}

var freshRule = scopes.All("orders:read")

// both proves JWTs by keys and opaque tokens by introspection.
func both(iss *issuertest.Issuer) validator.Issuer {
	return validator.Issuer{
		URL:      iss.URL(),
		Audience: []string{issuertest.Audience},
		Keys:     &jwks.Config{},
		Introspection: &introspection.Config{
			Auth: introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret)),
		},
	}
}

func TestRequireFresh(t *testing.T) {
	const description = "The access token is not active."
	for _, f := range freshAPIs {
		t.Run(f.name, func(t *testing.T) {
			iss := issuertest.New(t)
			server := httptest.NewServer(f.api(newValidator(t, both(iss)), 0))
			t.Cleanup(server.Close)
			for _, tc := range []struct {
				name  string
				token string
				after answer // of the plain route, when the issuer has said no
			}{
				{"opaque", iss.Opaque(issuertest.Claims{Scope: "orders:read"}), invalidToken(description)},
				// A JWT is proven by its signature alone on the plain route.
				{"JWT", iss.Token(issuertest.Claims{Scope: "orders:read"}), letIn("orders:read")},
			} {
				t.Run(tc.name, func(t *testing.T) {
					step := func(method string, want answer) {
						t.Helper()
						got, _ := ask(t, server, method, "/orders", nil, bearer(tc.token))
						if diff := cmp.Diff(want, got); diff != "" {
							t.Errorf("%s: %s", method, diff)
						}
					}
					step(http.MethodGet, letIn("orders:read"))
					step(http.MethodDelete, letIn("orders:read"))
					iss.Revoke(tc.token)
					step(http.MethodGet, letIn("orders:read")) // from the cache
					step(http.MethodDelete, invalidToken(description))
					step(http.MethodGet, tc.after)
				})
			}
			// The other rules stand: scopes, and what is missing altogether.
			for _, r := range []struct {
				authorization []string
				want          answer
			}{
				{authorization: bearer(iss.Opaque(issuertest.Claims{})), want: insufficientScope("orders:read")},
				{authorization: nil, want: unauthorized},
			} {
				got, _ := ask(t, server, http.MethodDelete, "/orders", nil, r.authorization)
				if diff := cmp.Diff(r.want, got); diff != "" {
					t.Error(diff)
				}
			}
			// Each request asked, and a failure to ask is no answer.
			before := iss.Requests(issuertest.Introspection)
			good := bearer(iss.Opaque(issuertest.Claims{Scope: "orders:read"}))
			for range 3 {
				ask(t, server, http.MethodDelete, "/orders", nil, good)
			}
			if n := iss.Requests(issuertest.Introspection) - before; n != 3 {
				t.Errorf("3 requests asked %d times", n)
			}
			iss.SetFault(issuertest.Introspection, issuertest.ServerError())
			got, _ := ask(t, server, http.MethodDelete, "/orders", nil, good)
			if diff := cmp.Diff(unavailable, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRequireFreshNeedsIntrospection: the fault shows where the route is
// registered.
func TestRequireFreshNeedsIntrospection(t *testing.T) {
	iss := issuertest.New(t)
	keysOnly, asking := newValidator(t, modes[0].issuer(iss)), newValidator(t, both(iss))
	for _, f := range freshAPIs {
		for name, build := range map[string]func(){
			"no introspection": func() { f.api(keysOnly, 0) },
			"negative age":     func() { f.api(asking, -1) },
		} {
			t.Run(f.name+"/"+name, func(t *testing.T) {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				build()
			})
		}
	}
}
