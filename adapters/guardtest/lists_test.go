package guardtest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/guardtest"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator"
)

// says reports whether the reports are as many as parts, and each holds its own.
func says(t *testing.T, reports []string, parts ...string) {
	t.Helper()
	if len(reports) != len(parts) {
		t.Fatalf("reported %q, wanted %d", reports, len(parts))
	}
	for i, part := range parts {
		if !strings.Contains(reports[i], part) {
			t.Errorf("%q does not say %q", reports[i], part)
		}
	}
}

// everyMethod are APIs with a route for all methods, of which one may be open.
var everyMethod = []struct {
	name  string
	build func(v *validator.Validator, open string) guardtest.App
}{
	{"net/http", func(v *validator.Validator, open string) guardtest.App {
		auth, mux := httpauth.New(v, nil), http.NewServeMux()
		mux.Handle("/orders", auth.Require(read)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ok(w, r) })))
		api := http.Handler(mux)
		if open != "" { // which the ServeMux does not know
			api = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == open && r.URL.Path == "/orders" {
					ok(w, r)
					return
				}
				mux.ServeHTTP(w, r)
			})
		}
		return guardtest.App{Handler: api, Router: mux, Close: v.Close}
	}},
	{"chi", func(v *validator.Validator, open string) guardtest.App {
		auth, router := httpauth.New(v, nil), chi.NewRouter()
		router.With(auth.Require(read)).HandleFunc("/orders", ok)
		if open != "" {
			router.MethodFunc(open, "/orders", ok)
		}
		return guardtest.App{Handler: router, Close: v.Close}
	}},
	{"Echo", func(v *validator.Validator, open string) guardtest.App {
		auth, e := echoauth.New(v, nil), echo.New()
		handler := echo.WrapHandler(http.HandlerFunc(ok))
		e.Any("/orders", handler, auth.Require(read))
		if open != "" {
			e.Add(open, "/orders", handler)
		}
		return guardtest.App{Handler: e, Close: v.Close}
	}},
	{"Gin", func(v *validator.Validator, open string) guardtest.App {
		auth, engine := ginauth.New(v, nil), gin.New()
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", open} {
			switch method {
			case "":
			case open:
				if !slices.ContainsFunc(engine.Routes(), func(route gin.RouteInfo) bool { return route.Method == open }) {
					engine.Handle(method, "/orders", gin.WrapF(ok))
				}
			default:
				engine.Handle(method, "/orders", auth.Require(read), gin.WrapF(ok))
			}
		}
		return guardtest.App{Handler: engine, Close: v.Close}
	}},
}

// TestEveryMethod: a route of Want without a method is guarded for each method,
// also for those that the router knows alone.
func TestEveryMethod(t *testing.T) {
	chi.RegisterMethod("PURGE")
	for _, f := range everyMethod {
		for _, open := range []string{"", "GET", "HEAD", "POST", "OPTIONS", "TRACE", "CONNECT", "PURGE"} {
			if open == "PURGE" && f.name == "net/http" {
				continue // nobody can know of it
			}
			t.Run(f.name+"/"+open, func(t *testing.T) {
				app := func(issuer, audience string) guardtest.App {
					return f.build(newValidator(t, issuer, audience), open)
				}
				var r recorder
				guardtest.AllGuarded(&r, app, guardtest.Want{"/orders": read})
				if open == "" {
					says(t, r.reports)
					return
				}
				says(t, r.reports, "/orders: "+open+" /orders is open")
				if hint := strings.Contains(r.reports[0], "preflight"); hint != (open == "OPTIONS") {
					t.Errorf("%q speaks of a preflight: %v", r.reports[0], hint)
				}
				// What is meant is listed.
				r.reports = nil
				guardtest.AllGuarded(&r, app, guardtest.Want{"/orders": read}, guardtest.Public(open+" /orders"))
				says(t, r.reports)
				// What is listed by itself has a rule of its own.
				r.reports = nil
				guardtest.AllGuarded(&r, app, guardtest.Want{"/orders": read, open + " /orders": read})
				says(t, r.reports, open+" /orders is open")
			})
		}
	}
}

// TestSomeMethods: a route of Want without a method need not be there for each of
// them, and must be for one.
func TestSomeMethods(t *testing.T) {
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			routes := []route{{"GET", "/orders", gate(read), true}, {"POST", "/orders", gate(read), true}, {"GET", "/other", gate(read), true}}
			says(t, reports(t, f, nil, routes, guardtest.Want{"/orders": read, "/other": read}))
			says(t, reports(t, f, nil, routes, guardtest.Want{"/orders": read, "/other": read, "/nowhere": read}), "/nowhere")
		})
	}
}

// TestAnotherSlashAlone: a router that sends clients to the path with another slash
// has no such route.
func TestAnotherSlashAlone(t *testing.T) {
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			found := reports(t, f, nil, []route{{"GET", "/orders/", gate(read), false}}, guardtest.Want{"GET /orders": read})
			says(t, found, "GET /orders/ is registered, and neither", "there is no such route")
		})
	}
}

// TestOptionsThatAreWrong: an option hides no hole, and one that concerns nothing is
// a mistake.
func TestOptionsThatAreWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		add    []route
		option guardtest.Option
		says   []string
	}{
		"Public, and in Want":                 {nil, guardtest.Public("GET /orders"), []string{"GET /orders is listed as Public, and is in Want"}},
		"ReportOnly, and in Want":             {nil, guardtest.ReportOnly("GET /mine"), []string{"GET /mine is listed as ReportOnly, and is in Want", "GET /mine is listed as ReportOnly, and answers 401"}},
		"Public, and ReportOnly":              {nil, guardtest.Public("GET /new"), []string{"GET /new is listed as Public, and is in Want or ReportOnly"}},
		"Public, and nowhere":                 {nil, guardtest.Public("GET /nowhere"), []string{"GET /nowhere is listed as Public, and there is no such route"}},
		"Public, and another method":          {nil, guardtest.Public("POST /healthz"), []string{"POST /healthz is listed as Public"}},
		"Public, and another slash":           {nil, guardtest.Public("GET /healthz/"), []string{"GET /healthz/ is listed as Public"}},
		"Public, with a redirect":             {[]route{{"GET", "/moved", nil, false}}, guardtest.Public("GET /moved"), nil},
		"Public, with a handler's 404":        {[]route{{"GET", "/missing", nil, false}}, guardtest.Public("GET /missing"), nil},
		"ReportOnly, and nowhere":             {nil, guardtest.ReportOnly("GET /nowhere"), []string{"GET /nowhere is listed as ReportOnly, and there is no such route"}},
		"ReportOnly, and required":            {[]route{{"GET", "/strict", gate(read), false}}, guardtest.ReportOnly("GET /strict"), []string{"GET /strict is listed as ReportOnly, and answers 401"}},
		"ReportOnly, and required, plainly":   {[]route{{"GET", "/strict", gate(read), true}}, guardtest.ReportOnly("GET /strict"), []string{"GET /strict is listed as ReportOnly, and answers 401"}},
		"ReportOnly, with a handler's 404":    {[]route{{"GET", "/missing", &httpauth.Gate{Rule: read, DangerouslyReportOnly: true}, false}}, guardtest.ReportOnly("GET /missing"), nil},
		"Optional, and nowhere":               {nil, guardtest.Optional("GET /nowhere"), []string{"GET /nowhere is listed as Optional, and is not in Want"}},
		"Optional, and required":              {nil, guardtest.Optional("GET /orders"), []string{"GET /orders answers 401 without a token: it is listed as Optional"}},
		"a Path of nothing":                   {nil, guardtest.Path("GET /typo", "/orders"), []string{"GET /typo has a Path"}},
		"a Path of a route":                   {nil, guardtest.Path("GET /orders", "/orders"), nil},
		"a Path of a route that only reports": {nil, guardtest.Path("GET /new", "/new"), nil},
	} {
		for _, f := range frameworks {
			t.Run(f.name+"/"+name, func(t *testing.T) {
				routes, want, options := fixture(f)
				says(t, reports(t, f, nil, append(routes, tc.add...), want, append(options, tc.option)...), tc.says...)
			})
		}
	}
	// Public beside Want hides nothing.
	for _, f := range frameworks {
		for _, option := range []guardtest.Option{guardtest.Public("GET /orders"), guardtest.ReportOnly("GET /orders")} {
			found := reports(t, f, nil, []route{{"GET", "/orders", nil, false}}, guardtest.Want{"GET /orders": read}, option)
			says(t, found, "GET /orders is listed as", "GET /orders is open")
		}
	}
}

// TestRouterBehindHandlers: where nobody lists routes, an option's pattern is asked.
func TestRouterBehindHandlers(t *testing.T) {
	app := func(issuer, audience string) guardtest.App {
		v := newValidator(t, issuer, audience)
		built := frameworks[0].build(v, nil, []route{{"GET", "/orders", gate(read), true}, {"GET", "/healthz", nil, true}, {"GET", "/moved", nil, true}, {"GET", "/new", &httpauth.Gate{DangerouslyReportOnly: true}, true}})
		mux := built.Handler
		built.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(w, r) })
		return built
	}
	var r recorder
	want := guardtest.Want{"GET /orders": read}
	guardtest.AllGuarded(&r, app, want, guardtest.Public("GET /healthz", "GET /moved"), guardtest.ReportOnly("GET /new"))
	says(t, r.reports)
	guardtest.AllGuarded(&r, app, want, guardtest.Public("GET /nowhere"), guardtest.ReportOnly("GET /nobody"))
	says(t, r.reports, "GET /nowhere is listed as Public", "GET /nobody is listed as ReportOnly")
}

// TestNestedChi: what is at the root of a router below another one is one route by
// two names, either of which will do; both are asked.
func TestNestedChi(t *testing.T) {
	app := func(fill func(router, orders chi.Router, auth *httpauth.Middleware)) func(issuer, audience string) guardtest.App {
		return func(issuer, audience string) guardtest.App {
			v := newValidator(t, issuer, audience)
			router := chi.NewRouter()
			router.Route("/orders", func(orders chi.Router) {
				fill(router, orders, httpauth.New(v, nil))
			})
			return guardtest.App{Handler: router, Close: v.Close}
		}
	}
	guarded := func(_, orders chi.Router, auth *httpauth.Middleware) { orders.With(auth.Require(read)).Get("/", ok) }
	for name, tc := range map[string]struct {
		fill func(router, orders chi.Router, auth *httpauth.Middleware)
		want string
		says []string
	}{
		"without the slash": {guarded, "GET /orders", nil},
		"with the slash":    {guarded, "GET /orders/", nil},
		"all methods": {func(_, orders chi.Router, auth *httpauth.Middleware) {
			orders.With(auth.Require(read)).HandleFunc("/", ok)
		}, "/orders", nil},
		"some methods": {func(_, orders chi.Router, auth *httpauth.Middleware) {
			orders.With(auth.Require(read)).Get("/", ok)
			orders.With(auth.Require(read)).Post("/", ok)
		}, "/orders", nil},
		"open": {func(_, orders chi.Router, _ *httpauth.Middleware) { orders.Get("/", ok) }, "GET /orders",
			[]string{"GET /orders is open", "GET /orders: GET /orders/ is open"}},
		"another path with a slash": {func(r, orders chi.Router, auth *httpauth.Middleware) {
			guarded(r, orders, auth)
			orders.With(auth.Optional(read)).Get("/items/", ok)
			orders.With(auth.Require(read)).Get("/items", ok)
		}, "GET /orders", []string{"GET /orders/items is registered", "GET /orders/items/ is registered"}},
	} {
		t.Run(name, func(t *testing.T) {
			var r recorder
			guardtest.AllGuarded(&r, app(tc.fill), guardtest.Want{tc.want: read})
			says(t, r.reports, tc.says...)
		})
	}
	for want, part := range map[string]string{"GET /orders": "GET /orders is open", "GET /orders/": "GET /orders is registered, and neither"} {
		var r recorder
		guardtest.AllGuarded(&r, func(issuer, audience string) guardtest.App {
			v := newValidator(t, issuer, audience)
			router := chi.NewRouter()
			router.Route("/orders", func(orders chi.Router) { guarded(router, orders, httpauth.New(v, nil)) })
			router.Get("/orders", ok) // takes one of the names away
			return guardtest.App{Handler: router, Close: v.Close}
		}, guardtest.Want{want: read})
		if len(r.reports) == 0 || !strings.Contains(r.reports[0], part) {
			t.Errorf("%s: reported %q", want, r.reports)
		}
	}
}

// TestShadowsOnServeMux: a request that another listed pattern answers says nothing
// of the route that it is about.
func TestShadowsOnServeMux(t *testing.T) {
	routes := []route{{"GET", "/orders/{id}", gate(read), true}, {"GET", "/orders/guardtest", gate(read), true}}
	want := guardtest.Want{"GET /orders/{id}": read, "GET /orders/guardtest": read}
	says(t, reports(t, frameworks[0], nil, routes, want), "guardtest.Path")
	says(t, reports(t, frameworks[0], nil, routes, want, guardtest.Path("GET /orders/{id}", "/orders/1")))

	routes = []route{{"GET", "/orders", gate(read), true}, {"", "/{page...}", nil, true}}
	want = guardtest.Want{"GET /orders": read, "GET /items": read} // nobody registered the second one
	says(t, reports(t, frameworks[0], nil, routes, want, guardtest.Public("/{page...}")), "GET /items is answered by /{page...}")

	// HEAD is GET's, and listed by itself it is asked.
	routes = []route{{"GET", "/orders", gate(read), true}, {"POST", "/orders", gate(write), true}}
	says(t, reports(t, frameworks[0], nil, routes, guardtest.Want{"/orders": write, "GET /orders": read}))
	says(t, reports(t, frameworks[0], nil, routes, guardtest.Want{"POST /orders": write, "GET /orders": read, "HEAD /orders": write}),
		`HEAD /orders refuses a token with the scopes ["orders:write"]`)
}

// TestRoutersBelowServeMux: what is mounted beside a route is no other route.
func TestRoutersBelowServeMux(t *testing.T) {
	for name, tc := range map[string]struct {
		gate func(*httpauth.Middleware) func(http.Handler) http.Handler
		says []string
	}{
		"guarded": {func(auth *httpauth.Middleware) func(http.Handler) http.Handler { return auth.Require(read) }, nil},
		"open": {func(*httpauth.Middleware) func(http.Handler) http.Handler {
			return func(next http.Handler) http.Handler { return next }
		}, []string{"/orders/ is registered", "GET /orders/{id}: GET /orders/guardtest is open"}},
	} {
		t.Run(name, func(t *testing.T) {
			var r recorder
			guardtest.AllGuarded(&r, func(issuer, audience string) guardtest.App {
				v := newValidator(t, issuer, audience)
				auth, mux, below := httpauth.New(v, nil), http.NewServeMux(), chi.NewRouter()
				auth.Handle(mux, "GET /orders", read, http.HandlerFunc(ok))
				below.With(tc.gate(auth)).Get("/orders/", ok)
				below.With(tc.gate(auth)).Get("/orders/{id}", ok)
				mux.Handle("/orders/", below)
				return guardtest.App{Handler: mux, Routes: auth.Routes(), Close: v.Close}
			}, guardtest.Want{"GET /orders": read, "GET /orders/{id}": read})
			says(t, r.reports, tc.says...)
		})
	}
}

// TestGinHasNoShadows: Gin refuses at once what elsewhere shadows a route, and so
// TestHoles has no such rows for it. One that is more special is another path, and
// its own entry in the list of routes.
func TestGinHasNoShadows(t *testing.T) {
	for _, later := range []string{"/orders", "/tenants/:other", "/tenants/*all"} {
		panics := func() (message any) {
			defer func() { message = recover() }()
			engine := gin.New()
			engine.GET("/orders", gin.WrapF(ok))
			engine.GET("/tenants/:tenant", gin.WrapF(ok))
			engine.GET(later, gin.WrapF(ok))
			return nil
		}()
		if text := fmt.Sprint(panics); !strings.Contains(text, "conflicts with") && !strings.Contains(text, "already registered") {
			t.Errorf("%s: Gin took it: %s", later, text)
		}
	}
	f := frameworks[3]
	found := reports(t, f, nil, []route{{"GET", "/orders/:id", gate(read), false}, {"GET", "/orders/guardtest", nil, false}},
		guardtest.Want{"GET /orders/:id": read})
	if len(found) != 2 || !strings.Contains(found[0], "GET /orders/guardtest is registered") {
		t.Errorf("reported %q", found)
	}
}
