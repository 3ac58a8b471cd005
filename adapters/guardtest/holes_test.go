package guardtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/guardtest"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

var (
	onEcho = echo.WrapHandler(http.HandlerFunc(ok))
	onGin  = func(c *gin.Context) { c.String(http.StatusOK, "ok") }
)

// withEcho, withGin, withChi and withMux are APIs with one good route and what fill
// adds.
func withEcho(v *validator.Validator, fill func(*echo.Echo, *echoauth.Middleware)) guardtest.App {
	e, auth := echo.New(), echoauth.New(v, nil)
	auth.Handle(e, "GET", "/orders", read, onEcho)
	fill(e, auth)
	return guardtest.App{Handler: e, Routes: auth.Routes()}
}

func withGin(v *validator.Validator, fill func(*gin.Engine, *ginauth.Middleware)) guardtest.App {
	e, auth := gin.New(), ginauth.New(v, nil)
	auth.Handle(e, "GET", "/orders", read, onGin)
	fill(e, auth)
	return guardtest.App{Handler: e, Routes: auth.Routes()}
}

func withChi(v *validator.Validator, fill func(chi.Router, *httpauth.Middleware)) guardtest.App {
	e, auth := chi.NewRouter(), httpauth.New(v, nil)
	auth.Handle(e, "GET /orders", read, http.HandlerFunc(ok))
	fill(e, auth)
	return guardtest.App{Handler: e, Routes: auth.Routes()}
}

func withMux(v *validator.Validator, fill func(*http.ServeMux, *httpauth.Middleware)) guardtest.App {
	e, auth := http.NewServeMux(), httpauth.New(v, nil)
	auth.Handle(e, "GET /orders", read, http.HandlerFunc(ok))
	fill(e, auth)
	return guardtest.App{Handler: e, Routes: auth.Routes()}
}

// guarded are the reports about an API that wants its one good route, and more.
func guarded(t *testing.T, app func(*validator.Validator) guardtest.App, more guardtest.Want, options ...guardtest.Option) []string {
	t.Helper()
	want := guardtest.Want{"GET /orders": read}
	for pattern, rule := range more {
		want[pattern] = rule
	}
	var r recorder
	guardtest.AllGuarded(&r, func(issuer, audience string) guardtest.App {
		v := newValidator(t, issuer, audience)
		a := app(v)
		a.Close = v.Close
		return a
	}, want, options...)
	return r.reports
}

// TestHosts: what Echo has for a host is listed with it.
func TestHosts(t *testing.T) {
	app := func(gates ...echo.MiddlewareFunc) func(*validator.Validator) guardtest.App {
		return func(v *validator.Validator) guardtest.App {
			return withEcho(v, func(e *echo.Echo, auth *echoauth.Middleware) {
				admin := e.Host("admin.example.com", gates...)
				auth.Handle(admin, "GET", "/orders", write, onEcho)
				admin.GET("/users", onEcho)
			})
		}
	}
	const orders, users = "GET admin.example.com/orders", "GET admin.example.com/users"
	says(t, guarded(t, app(), guardtest.Want{orders: write}), users+" is registered, and neither")
	says(t, guarded(t, app(), guardtest.Want{orders: write, users: read}), users+": GET /users is open")
	says(t, guarded(t, app(), guardtest.Want{orders: write}, guardtest.Public(users)))
}

// listing is the list of Echo v5's router, which stands for all methods by a name of its
// own, and has its router in its Router.
type listing []struct{ Method, Path string }

func (l listing) Routes() listing { return l }

type echoOfV5 struct{ listing }

func (e echoOfV5) Router() interface{ Routes() listing } { return e.listing }
func (echoOfV5) Routes(_ int)                            {}

// TestAnyMethod: a route of Echo v5's for all methods is one without a method.
func TestAnyMethod(t *testing.T) {
	app := func(past bool) func(*validator.Validator) guardtest.App {
		return func(v *validator.Validator) guardtest.App {
			mux, auth := http.NewServeMux(), httpauth.New(v, nil)
			auth.Handle(mux, "/orders", read, http.HandlerFunc(ok))
			list := listing{{"echo_route_any", "/orders"}}
			if past {
				mux.HandleFunc("/users", ok)
				list = append(list, listing{{"echo_route_any", "/users"}}...)
			}
			return guardtest.App{Handler: http.HandlerFunc(mux.ServeHTTP), Router: echoOfV5{list}, Routes: auth.Routes()}
		}
	}
	check := func(past bool, want guardtest.Want) []string {
		var r recorder
		guardtest.AllGuarded(&r, func(issuer, audience string) guardtest.App {
			v := newValidator(t, issuer, audience)
			a := app(past)(v)
			a.Close = v.Close
			return a
		}, want)
		return r.reports
	}
	says(t, check(false, guardtest.Want{"/orders": read}))
	says(t, check(true, guardtest.Want{"/orders": read}), "/users is registered, and neither")
	var open []string
	for _, method := range []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"} {
		open = append(open, method+" /users is open")
	}
	says(t, check(true, guardtest.Want{"/orders": read, "/users": read}), open...)
}

// TestGateBehindHandler: a gate that comes last in Gin comes too late.
func TestGateBehindHandler(t *testing.T) {
	for name, tc := range map[string]struct {
		fill func(*gin.Engine, *ginauth.Middleware)
		says []string
	}{
		"first": {func(e *gin.Engine, auth *ginauth.Middleware) { e.DELETE("/orders/:id", auth.Require(read), onGin) }, nil},
		"last": {func(e *gin.Engine, auth *ginauth.Middleware) {
			e.DELETE("/orders/:id", func(c *gin.Context) { c.Status(http.StatusNoContent) }, auth.Require(read))
		}, []string{"DELETE /orders/:id has the gate as its last handler"}},
		"last, by Handle": {func(e *gin.Engine, auth *ginauth.Middleware) {
			auth.Handle(e.Group("", func(c *gin.Context) { c.Status(http.StatusNoContent) }), "DELETE", "/orders/:id", read)
		}, []string{"DELETE /orders/:id has the gate as its last handler"}},
	} {
		t.Run(name, func(t *testing.T) {
			app := func(v *validator.Validator) guardtest.App { return withGin(v, tc.fill) }
			says(t, guarded(t, app, guardtest.Want{"DELETE /orders/:id": read}), tc.says...)
		})
	}
}

// TestNowhere: what takes paths without a route is no way past the gate, and is
// listed as "/*" where that is meant.
func TestNowhere(t *testing.T) {
	refuse := func(auth *httpauth.Middleware) http.HandlerFunc {
		return auth.Require(read)(http.HandlerFunc(ok)).ServeHTTP
	}
	for name, tc := range map[string]struct {
		app    func(*validator.Validator) guardtest.App
		listed string
		good   bool
	}{
		"Echo": {func(v *validator.Validator) guardtest.App {
			return withEcho(v, func(e *echo.Echo, _ *echoauth.Middleware) { e.RouteNotFound("/*", onEcho) })
		}, "/*", false},
		"Echo, below a prefix": {func(v *validator.Validator) guardtest.App {
			return withEcho(v, func(e *echo.Echo, _ *echoauth.Middleware) { e.Group("/v1").RouteNotFound("/*", onEcho) })
		}, "/v1/*", false},
		"Echo, of a host": {func(v *validator.Validator) guardtest.App {
			return withEcho(v, func(e *echo.Echo, _ *echoauth.Middleware) { e.Host("admin.example.com").RouteNotFound("/*", onEcho) })
		}, "admin.example.com/*", false},
		"Echo, guarded groups": {func(v *validator.Validator) guardtest.App {
			return withEcho(v, func(e *echo.Echo, auth *echoauth.Middleware) {
				e.Group("/v1", auth.Require(read))
				e.Group("/v2", func(next echo.HandlerFunc) echo.HandlerFunc { return next })
				e.RouteNotFound("/*", onEcho, auth.Require(read))
			})
		}, "", true},
		"Gin": {func(v *validator.Validator) guardtest.App {
			return withGin(v, func(e *gin.Engine, _ *ginauth.Middleware) { e.NoRoute(onGin) })
		}, "/*", false},
		"Gin, guarded": {func(v *validator.Validator) guardtest.App {
			return withGin(v, func(e *gin.Engine, auth *ginauth.Middleware) { e.NoRoute(auth.Require(read), onGin) })
		}, "", true},
		"chi": {func(v *validator.Validator) guardtest.App {
			return withChi(v, func(e chi.Router, _ *httpauth.Middleware) { e.NotFound(ok) })
		}, "/*", false},
		"chi, guarded": {func(v *validator.Validator) guardtest.App {
			return withChi(v, func(e chi.Router, auth *httpauth.Middleware) { e.NotFound(refuse(auth)) })
		}, "", true},
		"chi, only what is posted": {func(v *validator.Validator) guardtest.App {
			return withChi(v, func(e chi.Router, _ *httpauth.Middleware) {
				e.NotFound(func(w http.ResponseWriter, r *http.Request) {
					if r.Method != http.MethodPost {
						http.NotFound(w, r)
					}
				})
			})
		}, "POST /*", false},
		"chi, a login page": {func(v *validator.Validator) guardtest.App {
			return withChi(v, func(e chi.Router, _ *httpauth.Middleware) {
				e.NotFound(http.RedirectHandler("/login", http.StatusFound).ServeHTTP)
			})
		}, "", true},
		"http.ServeMux": {func(v *validator.Validator) guardtest.App {
			return withMux(v, func(e *http.ServeMux, _ *httpauth.Middleware) { e.HandleFunc("/", ok) })
		}, "/", false},
		"http.ServeMux, with a name": {func(v *validator.Validator) guardtest.App {
			return withMux(v, func(e *http.ServeMux, _ *httpauth.Middleware) { e.HandleFunc("/{page...}", ok) })
		}, "/{page...}", false},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.good {
				says(t, guarded(t, tc.app, nil))
				return
			}
			says(t, guarded(t, tc.app, nil), "asks/what/no/route/takes is answered with 200 without a token")
			says(t, guarded(t, tc.app, nil, guardtest.Public(tc.listed)))
		})
	}
	// What Gin has for all paths has a name, and is listed by it.
	says(t, guarded(t, func(v *validator.Validator) guardtest.App {
		return withGin(v, func(e *gin.Engine, _ *ginauth.Middleware) { e.POST("/*page", onGin) })
	}, nil, guardtest.Public("POST /*page")))
}

// TestShadowsBySample: a parameter's value may be another route's name.
func TestShadowsBySample(t *testing.T) {
	for name, tc := range map[string]struct {
		app           func(*validator.Validator) guardtest.App
		hidden, other string
		path          string
	}{
		"Echo": {func(v *validator.Validator) guardtest.App {
			return withEcho(v, func(e *echo.Echo, auth *echoauth.Middleware) {
				e.GET("/files/:name", onEcho)
				e.GET("/files/guardtest", onEcho, auth.Require(read))
			})
		}, "GET /files/:name", "GET /files/guardtest", "/files/1"},
		"Gin": {func(v *validator.Validator) guardtest.App {
			return withGin(v, func(e *gin.Engine, auth *ginauth.Middleware) {
				e.GET("/files/:name", onGin)
				e.GET("/files/guardtest", auth.Require(read), onGin)
			})
		}, "GET /files/:name", "GET /files/guardtest", "/files/1"},
		"chi": {func(v *validator.Validator) guardtest.App {
			return withChi(v, func(e chi.Router, auth *httpauth.Middleware) {
				e.Get("/files/{name}", ok)
				e.With(auth.Require(read)).Get("/files/{name:[a-z]+}", ok)
			})
		}, "GET /files/{name}", "GET /files/{name:[a-z]+}", "/files/1"},
		"http.ServeMux": {func(v *validator.Validator) guardtest.App {
			return withMux(v, func(e *http.ServeMux, auth *httpauth.Middleware) {
				e.HandleFunc("GET /files/{name}", ok)
				auth.Handle(e, "GET /files/guardtest", read, http.HandlerFunc(ok))
			})
		}, "GET /files/{name}", "GET /files/guardtest", "/files/1"},
	} {
		t.Run(name, func(t *testing.T) {
			want := guardtest.Want{tc.hidden: read, tc.other: read}
			says(t, guarded(t, tc.app, want), "answered by "+tc.other+", which shadows it: guardtest.Path")
			says(t, guarded(t, tc.app, want, guardtest.Path(tc.hidden, tc.path)), tc.hidden+": GET "+tc.path+" is open")
		})
	}
}

// TestRulesThatAreAlike: what tells two rules apart though single scopes, and all
// but one, do not.
func TestRulesThatAreAlike(t *testing.T) {
	ab, cd, ac := scopes.All("a", "b"), scopes.All("c", "d"), scopes.All("a", "c")
	var many []string
	for i := range 12 {
		many = append(many, fmt.Sprintf("s%02d", i))
	}
	for name, tc := range map[string]struct {
		want, actual scopes.Rule
		plainly      bool
		says         []string
	}{
		"the same":                   {scopes.AnyOf(ab, cd), scopes.AnyOf(cd, ab), false, nil},
		"the same, in another order": {scopes.Any("a", "b"), scopes.Any("b", "a"), true, nil},
		"an alternative more":        {scopes.AnyOf(ab, cd), scopes.AnyOf(ab, cd, ac), false, []string{`200 to a token with the scopes ["a" "c" "orders:read"]`}},
		"an alternative more, of two, among many": {scopes.AnyOf(ab, scopes.All(many...)), scopes.AnyOf(ab, scopes.All(many...), scopes.All("a", "s03")), false,
			[]string{"200 to a token with the scopes"}},
		"an alternative less":            {scopes.AnyOf(ab, cd, ac), scopes.AnyOf(ab, cd), false, []string{`refuses a token with the scopes ["a" "c"]`}},
		"a first alternative by Require": {read, scopes.Any("legacy", "orders:read"), true, []string{`200 to a token with the scopes ["legacy"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			app := func(v *validator.Validator) guardtest.App {
				return withMux(v, func(e *http.ServeMux, auth *httpauth.Middleware) {
					if tc.plainly {
						e.Handle("GET /items", auth.Require(tc.actual)(http.HandlerFunc(ok)))
						return
					}
					auth.Handle(e, "GET /items", tc.actual, http.HandlerFunc(ok))
				})
			}
			says(t, guarded(t, app, guardtest.Want{"GET /items": tc.want}), tc.says...)
		})
	}
}

// TestAnswersWithNumbers: a policy that refuses everybody hides the rule, also if no
// answer is like another.
func TestAnswersWithNumbers(t *testing.T) {
	app := func(rule scopes.Rule, policy func(context.Context, *validator.Token) error) func(*validator.Validator) guardtest.App {
		return func(v *validator.Validator) guardtest.App {
			n, e := 0, http.NewServeMux()
			auth := httpauth.New(v, &httpauth.Config{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) {
				n++
				w.WriteHeader(f.Status)
				_, _ = fmt.Fprintf(w, `{"type":"about:blank","instance":"/requests/%d"}`, n)
			}})
			auth.HandleGate(e, "GET /orders", httpauth.Gate{Rule: rule, Policy: policy}, http.HandlerFunc(ok))
			return guardtest.App{Handler: e, Routes: auth.Routes()}
		}
	}
	says(t, guarded(t, app(scopes.AnyToken(), never), nil), "answers 403 to every token")
	says(t, guarded(t, app(read, never), nil)) // the gate's challenges tell its rule
	says(t, guarded(t, app(read, func(context.Context, *validator.Token) error { return nil }), nil))
	says(t, guarded(t, app(read, func(_ context.Context, token *validator.Token) error {
		if token.Scopes().Contains("orders:read") {
			return nil
		}
		return errors.New("no")
	}), nil))
}

// TestRouters: an API whose routes nobody can know is reported.
func TestRouters(t *testing.T) {
	open := func(e *echo.Echo, _ *echoauth.Middleware) { e.GET("/debug", onEcho) }
	for name, tc := range map[string]struct {
		app  func(*validator.Validator) guardtest.App
		says []string
	}{
		"in a wrapper, and named": {func(v *validator.Validator) guardtest.App {
			a := withEcho(v, open)
			a.Router, a.Handler = a.Handler, http.HandlerFunc(a.Handler.ServeHTTP)
			return a
		}, []string{"GET /debug is registered"}},
		"several": {func(v *validator.Validator) guardtest.App {
			a := withEcho(v, open)
			g, mux := gin.New(), http.NewServeMux()
			g.GET("/v2/debug", onGin)
			mux.Handle("/", a.Handler)
			mux.Handle("/v2/", g)
			a.Router, a.Handler = []any{a.Handler, g, mux}, mux
			return a
		}, []string{"GET /debug is registered", "GET /v2/debug is registered"}},
		"several, one of them within chi's": {func(v *validator.Validator) guardtest.App {
			router, auth := chi.NewRouter(), httpauth.New(v, nil)
			router.Route("/v1", func(r chi.Router) { auth.Handle(r, "GET /orders", read, http.HandlerFunc(ok)) })
			a := withMux(v, func(e *http.ServeMux, auth *httpauth.Middleware) {
				auth.HandleGate(e, "GET /debug", httpauth.Gate{Optional: true}, http.HandlerFunc(ok))
				e.Handle("/v1/", router)
			})
			a.Router, a.Routes = []any{router, a.Handler}, append(a.Routes, auth.Routes()...)
			return a
		}, []string{"GET /debug is registered", "GET /v1/orders is registered"}},
		"several, one of them unknown": {func(v *validator.Validator) guardtest.App {
			a := withEcho(v, func(*echo.Echo, *echoauth.Middleware) {})
			a.Router = []any{a.Handler, nil}
			return a
		}, []string{"the routes of a []interface {} are not known"}},
		"of another kind, with a list": {func(v *validator.Validator) guardtest.App {
			a := withMux(v, func(e *http.ServeMux, _ *httpauth.Middleware) { e.HandleFunc("GET /debug", ok) })
			a.Router = list{{"GET", "/orders"}, {"GET", "/debug"}}
			return a
		}, []string{"GET /debug is registered"}},
		"a method that is none": {func(v *validator.Validator) guardtest.App {
			return withEcho(v, func(e *echo.Echo, _ *echoauth.Middleware) { e.Add("get", "/debug", onEcho) })
		}, []string{"get /debug is registered"}},
	} {
		t.Run(name, func(t *testing.T) { says(t, guarded(t, tc.app, nil), tc.says...) })
	}
}

// TestNothingIsKnown: what asks nothing must not look like a test that passed.
func TestNothingIsKnown(t *testing.T) {
	for want, handler := range map[string]http.Handler{
		"no route is known": http.NewServeMux(),
		"the routes of a http.HandlerFunc are not known": http.StripPrefix("/v1", http.NewServeMux()),
	} {
		var r recorder
		guardtest.AllGuarded(&r, func(string, string) guardtest.App { return guardtest.App{Handler: handler} }, nil)
		says(t, r.reports, want)
	}
}

// list is what a router of another kind can be made to say.
type list []struct{ Method, Path string }

func (l list) Routes() []struct{ Method, Path string } { return l }

// TestStripPrefix: what stands below a prefix is known by its whole path.
func TestStripPrefix(t *testing.T) {
	app := func(v *validator.Validator) guardtest.App {
		below, auth := http.NewServeMux(), httpauth.New(v, nil)
		auth.Handle(below, "GET /orders", read, http.HandlerFunc(ok))
		auth.HandleGate(below, "GET /admin", httpauth.Gate{Rule: read, Optional: true}, http.HandlerFunc(ok))
		a := withMux(v, func(e *http.ServeMux, _ *httpauth.Middleware) { e.Handle("/v1/", http.StripPrefix("/v1", below)) })
		for _, route := range auth.Routes() {
			method, path, _ := strings.Cut(route.Pattern, " ")
			route.Pattern = method + " /v1" + path
			a.Routes = append(a.Routes, route)
		}
		return a
	}
	says(t, guarded(t, app, guardtest.Want{"GET /v1/orders": read}), "GET /v1/admin is registered")
	says(t, guarded(t, app, guardtest.Want{"/v1/orders": read, "GET /v1/admin": read}), "GET /v1/admin answers 200 without a token")
	says(t, guarded(t, app, guardtest.Want{"/v1/orders": read, "GET /v1/admin": read}, guardtest.Optional("GET /v1/admin")))
}
