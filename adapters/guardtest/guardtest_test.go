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
	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/guardtest"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	goleak.VerifyTestMain(m)
}

// recorder keeps what AllGuarded reports.
type recorder struct{ reports []string }

func (*recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.reports = append(r.reports, fmt.Sprintf(format, args...))
}

// route is one route of a fixture API.
type route struct {
	method, path string
	gate         *httpauth.Gate // nil for a route past the gate
	plainly      bool           // registered in the framework's own way, and not through Handle
}

// framework builds a fixture API of routes.
type framework struct {
	name  string
	param string // a path with a parameter
	build func(v *validator.Validator, cfg *httpauth.Config, routes []route) guardtest.App
}

// ok is every handler. It has nothing at /missing, and sends clients from /moved
// elsewhere.
func ok(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/missing":
		http.NotFound(w, r)
		return
	case "/moved":
		http.Redirect(w, r, "/orders", http.StatusFound)
		return
	}
	_, _ = fmt.Fprint(w, "ok")
}

func onHTTP(mux httpauth.Mux, auth *httpauth.Middleware, routes []route) {
	for _, r := range routes {
		pattern := strings.TrimSpace(r.method + " " + r.path)
		switch {
		case r.gate == nil:
			mux.Handle(pattern, http.HandlerFunc(ok))
		case r.plainly:
			mux.Handle(pattern, auth.Gate(*r.gate)(http.HandlerFunc(ok)))
		default:
			auth.HandleGate(mux, pattern, *r.gate, http.HandlerFunc(ok))
		}
	}
}

var frameworks = []framework{
	{"net/http", "/orders/{id}", func(v *validator.Validator, cfg *httpauth.Config, routes []route) guardtest.App {
		mux, auth := http.NewServeMux(), httpauth.New(v, cfg)
		onHTTP(mux, auth, routes)
		return guardtest.App{Handler: mux, Routes: auth.Routes(), Close: v.Close}
	}},
	{"chi", "/orders/{id:[0-9]{4}}", func(v *validator.Validator, cfg *httpauth.Config, routes []route) guardtest.App {
		mux, auth := chi.NewRouter(), httpauth.New(v, cfg)
		onHTTP(mux, auth, routes)
		return guardtest.App{Handler: mux, Routes: auth.Routes(), Close: v.Close}
	}},
	{"Echo", "/orders/:id", func(v *validator.Validator, cfg *httpauth.Config, routes []route) guardtest.App {
		e, auth := echo.New(), echoauth.New(v, cfg)
		handler := echo.WrapHandler(http.HandlerFunc(ok))
		for _, r := range routes {
			switch {
			case r.gate == nil:
				e.Add(r.method, r.path, handler)
			case r.plainly:
				e.Add(r.method, r.path, handler, auth.Gate(*r.gate))
			default:
				auth.HandleGate(e, r.method, r.path, *r.gate, handler)
			}
		}
		return guardtest.App{Handler: e, Routes: auth.Routes(), Close: v.Close}
	}},
	{"Gin", "/orders/:id", func(v *validator.Validator, cfg *httpauth.Config, routes []route) guardtest.App {
		engine, auth := gin.New(), ginauth.New(v, cfg)
		for _, r := range routes {
			switch {
			case r.gate == nil:
				engine.Handle(r.method, r.path, gin.WrapF(ok))
			case r.plainly:
				engine.Handle(r.method, r.path, auth.Gate(*r.gate), gin.WrapF(ok))
			default:
				auth.HandleGate(engine, r.method, r.path, *r.gate, gin.WrapF(ok))
			}
		}
		return guardtest.App{Handler: http.HandlerFunc(engine.ServeHTTP), Router: engine, Routes: auth.Routes(), Close: v.Close}
	}},
}

func gate(rule scopes.Rule) *httpauth.Gate { return &httpauth.Gate{Rule: rule} }

var (
	read, write = scopes.All("orders:read"), scopes.All("orders:write")
	never       = func(context.Context, *validator.Token) error { return errors.New("no") }
)

// fixture is an API without holes, and what its author wrote down.
func fixture(f framework) (routes []route, want guardtest.Want, options []guardtest.Option) {
	routes = []route{
		{"GET", "/orders", gate(read), false},
		{"POST", "/orders", gate(write), true},
		{"GET", f.param, gate(scopes.AllOf(read, scopes.Any("a", "b"))), false},
		{"PUT", f.param, &httpauth.Gate{Rule: write, Policy: never}, false},
		{"GET", "/mine", gate(scopes.AnyToken()), false},
		{"GET", "/catalogue", &httpauth.Gate{Rule: read, Optional: true}, false},
		{"GET", "/new", &httpauth.Gate{Rule: read, DangerouslyReportOnly: true}, false},
		{"GET", "/nobody", gate(scopes.Rule{}), false},
		{"GET", "/healthz", nil, false},
	}
	want = guardtest.Want{
		"GET /orders": read, "POST /orders": write, "GET " + f.param: scopes.AllOf(read, scopes.Any("a", "b")), "PUT " + f.param: write,
		"GET /mine": scopes.AnyToken(), "GET /catalogue": read, "GET /nobody": {},
	}
	return routes, want, []guardtest.Option{guardtest.Public("GET /healthz"), guardtest.Optional("GET /catalogue"), guardtest.ReportOnly("GET /new")}
}

// reports are what AllGuarded finds in an API of routes.
func reports(t *testing.T, f framework, cfg *httpauth.Config, routes []route, want guardtest.Want, options ...guardtest.Option) []string {
	t.Helper()
	var r recorder
	guardtest.AllGuarded(&r, func(issuer, audience string) guardtest.App {
		return f.build(newValidator(t, issuer, audience), cfg, routes)
	}, want, options...)
	return r.reports
}

func newValidator(t *testing.T, issuer, audience string) *validator.Validator {
	t.Helper()
	v, err := validator.New(validator.Config{
		Issuers:  []validator.Issuer{{URL: issuer, Audience: []string{audience}}},
		Observer: observe.Observer{Event: func(context.Context, *observe.Event) {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestGoodAPI(t *testing.T) {
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			routes, want, options := fixture(f)
			if found := reports(t, f, nil, routes, want, options...); found != nil {
				t.Errorf("reported %q", found)
			}
		})
	}
}

// TestHoles: one hole in a good API, and it is found, and nothing else. Gin has no
// shadows: TestGinHasNoShadows.
func TestHoles(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(f framework, routes []route) []route
		only  string // framework; "" for all
		says  []string
	}{
		"unguarded": {func(f framework, routes []route) []route { routes[0].gate = nil; return routes }, "",
			[]string{"GET /orders", "open: 200 without a token, 200 with a bad one", "past the gate"}},
		"unguarded, with a parameter": {func(f framework, routes []route) []route { routes[2].gate = nil; return routes }, "",
			[]string{"GET /orders/", "open"}},
		"optional":    {func(f framework, routes []route) []route { routes[0].gate.Optional = true; return routes }, "", []string{"GET /orders", "optional"}},
		"report-only": {func(f framework, routes []route) []route { routes[0].gate.DangerouslyReportOnly = true; return routes }, "", []string{"GET /orders", "report-only"}},
		"report-only, registered plainly": {func(f framework, routes []route) []route { routes[1].gate.DangerouslyReportOnly = true; return routes }, "",
			[]string{"POST /orders", "report-only"}},
		"another rule":  {func(f framework, routes []route) []route { routes[0].gate.Rule = write; return routes }, "", []string{"GET /orders", "another rule"}},
		"a looser rule": {func(f framework, routes []route) []route { routes[0].gate.Rule = scopes.AnyToken(); return routes }, "", []string{"GET /orders", "another rule"}},
		"a looser rule, registered plainly": {func(f framework, routes []route) []route {
			routes[1].gate.Rule = scopes.Any("orders:write", "orders:read")
			return routes
		}, "", []string{"POST /orders", "another rule"}},
		"an alternative that nobody wrote down": {func(f framework, routes []route) []route {
			routes[0].gate.Rule = scopes.Any("orders:read", "admin")
			return routes
		}, "", []string{"GET /orders", `["admin"]`}},
		"one scope less":  {func(f framework, routes []route) []route { routes[2].gate.Rule = read; return routes }, "", []string{"another rule"}},
		"a stricter rule": {func(f framework, routes []route) []route { routes[4].gate.Rule = read; return routes }, "", []string{"GET /mine", "refuses"}},
		"a rule behind a policy": {func(f framework, routes []route) []route { routes[3].gate.Rule = scopes.AnyToken(); return routes }, "",
			[]string{"PUT /orders/", "403 to every token", "Claims"}},
		"for nobody": {func(f framework, routes []route) []route { routes[0].gate.Rule = scopes.Rule{}; return routes }, "", []string{"GET /orders", "refuses"}},
		"missing": {func(f framework, routes []route) []route { return append(routes[:4:4], routes[5:]...) }, "",
			[]string{"GET /mine", "404", "no such route"}},
		"in no list": {func(f framework, routes []route) []route {
			return append(routes, route{"GET", "/debug", gate(read), false})
		}, "",
			[]string{"GET /debug", "neither in Want"}},
		"past the gate, in no list": {func(f framework, routes []route) []route { return append(routes, route{"GET", "/debug", nil, false}) }, "-net/http",
			[]string{"GET /debug", "neither in Want"}},
		"the same path with a slash": {func(f framework, routes []route) []route {
			return append(routes, route{"GET", "/orders/", nil, false})
		}, "", []string{"GET /orders/ is", "neither in Want"}},
		"the same path with a slash, optional": {func(f framework, routes []route) []route {
			return append(routes, route{"GET", "/orders/", &httpauth.Gate{Rule: read, Optional: true}, false})
		}, "", []string{"GET /orders/ is", "neither in Want"}},
		"the same path with a slash, registered plainly": {func(f framework, routes []route) []route {
			return append(routes, route{"GET", "/orders/", &httpauth.Gate{Rule: read, Optional: true}, true})
		}, "", []string{"GET /orders/ is", "neither in Want"}},
		"the same path with another method": {func(f framework, routes []route) []route {
			return append(routes, route{"DELETE", "/orders", nil, false})
		}, "", []string{"DELETE /orders is", "neither in Want"}},
		"shadowed by a later one": {func(f framework, routes []route) []route { return append(routes, route{"GET", "/orders", nil, false}) }, "chi Echo",
			[]string{"GET /orders", "open"}},
		"shadowed by a later one, with a rule": {func(f framework, routes []route) []route {
			return append(routes, route{"GET", "/orders", gate(read), false})
		}, "chi Echo", []string{"GET /orders", "registered twice"}},
		"shadowed by one that is more special": {func(f framework, routes []route) []route {
			routes[0].method = ""
			return append(routes, route{"GET", "/orders", gate(read), true})
		}, "net/http", []string{"/orders", "shadow"}},
	} {
		for _, f := range frameworks {
			if tc.only != "" && strings.Contains(tc.only, f.name) == strings.HasPrefix(tc.only, "-") {
				continue
			}
			t.Run(f.name+"/"+name, func(t *testing.T) {
				routes, want, options := fixture(f)
				routes = tc.spoil(f, routes)
				if routes[0].method == "" {
					want["/orders"] = want["GET /orders"]
					delete(want, "GET /orders")
				}
				found := reports(t, f, nil, routes, want, options...)
				if len(found) != 1 {
					t.Fatalf("reported %q, wanted one report", found)
				}
				for _, part := range tc.says {
					if !strings.Contains(found[0], part) {
						t.Errorf("%q does not say %q", found[0], part)
					}
				}
			})
		}
	}
}

// TestProcessWideReportOnly opens all routes at once.
func TestProcessWideReportOnly(t *testing.T) {
	for _, f := range frameworks {
		routes, want, options := fixture(f)
		found := reports(t, f, &httpauth.Config{DangerouslyReportOnly: true}, routes, want, options...)
		if len(found) != 6 { // those of Want, without the one that has a policy
			t.Errorf("%s: reported %q", f.name, found)
		}
	}
}

// TestWrongApp: the API under test does not trust the issuer it was given, or is
// none.
func TestWrongApp(t *testing.T) {
	for name, build := range map[string]func(issuer, audience string) guardtest.App{
		"another audience": func(issuer, _ string) guardtest.App {
			return frameworks[0].build(newValidator(t, issuer, "another"), nil, []route{{"GET", "/orders", gate(read), false}})
		},
		"another issuer": func(_, audience string) guardtest.App {
			return frameworks[0].build(newValidator(t, "https://id.example.com", audience), nil, []route{{"GET", "/orders", gate(read), false}})
		},
		"no handler": func(string, string) guardtest.App { return guardtest.App{} },
	} {
		var r recorder
		guardtest.AllGuarded(&r, build, guardtest.Want{"GET /orders": read})
		if len(r.reports) != 1 {
			t.Errorf("%s: reported %q", name, r.reports)
		}
	}
}

// TestOptions: tokens elsewhere, claims for a policy, paths of one's own, a
// handler that panics, groups, methods that are all meant.
func TestOptions(t *testing.T) {
	inField := &httpauth.Config{Credentials: func(r *http.Request) (scheme, token string, err error) {
		if token = r.Header.Get("X-Token"); token != "" {
			scheme = "Bearer"
		}
		return scheme, token, nil
	}}
	ofTenant := func(_ context.Context, token *validator.Token) error {
		if token.Subject() != "tenant-7" {
			return errors.New("no")
		}
		return nil
	}
	send := guardtest.Send(func(r *http.Request, token string) { r.Header.Set("X-Token", token) })
	for _, f := range frameworks {
		routes := []route{{"GET", f.param, &httpauth.Gate{Rule: read, Policy: ofTenant}, false}}
		pattern := "GET " + f.param
		found := reports(t, f, inField, routes, guardtest.Want{pattern: read}, send,
			guardtest.Claims(issuertest.Claims{Subject: "tenant-7"}), guardtest.Path(pattern, "/orders/1234"))
		if found != nil {
			t.Errorf("%s: reported %q", f.name, found)
		}
	}

	var r recorder
	guardtest.AllGuarded(&r, func(issuer, audience string) guardtest.App {
		v := newValidator(t, issuer, audience)
		auth, router := httpauth.New(v, nil), chi.NewRouter()
		router.Route("/orders", func(orders chi.Router) {
			orders.Use(auth.Require(read))
			auth.Handle(orders, "GET /", scopes.AnyToken(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no database here") }))
			orders.Mount("/items", func() http.Handler {
				items := chi.NewRouter()
				items.With(auth.Require(write)).Handle("/*", http.HandlerFunc(ok))
				return items
			}())
		})
		return guardtest.App{Handler: router, Routes: auth.Routes(), Close: v.Close}
	}, guardtest.Want{"GET /orders": read, "/orders/items/*": scopes.AllOf(read, write)})
	if r.reports != nil {
		t.Errorf("nested chi: reported %q", r.reports)
	}

	r.reports = nil
	guardtest.AllGuarded(&r, func(issuer, audience string) guardtest.App {
		v := newValidator(t, issuer, audience)
		auth, engine := ginauth.New(v, nil), gin.New()
		onEcho, e := echoauth.New(v, nil), echo.New()
		auth.Handle(engine.Group("/v1"), "GET", "/orders/", read, gin.WrapF(ok))
		onEcho.Handle(e.Group("/v2", onEcho.Require(read)), "GET", "/orders", write, echo.WrapHandler(http.HandlerFunc(ok)))
		mux := http.NewServeMux()
		mux.Handle("/v1/", engine)
		mux.Handle("/v2/", e)
		return guardtest.App{Handler: mux, Router: e, Routes: append(auth.Routes(), onEcho.Routes()...), Close: v.Close}
	}, guardtest.Want{"GET /v1/orders/": read, "GET /v2/orders": scopes.AllOf(read, write)})
	if r.reports != nil {
		t.Errorf("groups: reported %q", r.reports)
	}
}
