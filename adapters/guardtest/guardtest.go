// Package guardtest is one test that finds the routes of an API that are open by
// mistake: registered past the gate, shadowed by another route, optional or
// report-only without being meant so, or behind another rule than the one that
// somebody wrote down.
//
//	func TestAllGuarded(t *testing.T) {
//		guardtest.AllGuarded(t, func(issuer, audience string) guardtest.App {
//			v, auth, mux := newAPI(issuer, audience) // your own function
//			return guardtest.App{Handler: mux, Routes: auth.Routes(), Close: v.Close}
//		}, guardtest.Want{
//			"GET /orders":      scopes.All("orders:read"),
//			"POST /orders":     scopes.All("orders:write"),
//			"GET /orders/{id}": scopes.All("orders:read"),
//		}, guardtest.Public("GET /healthz"))
//	}
//
// Each route of Want is asked without a token, with a bad one, with one without
// scopes, and with scopes that satisfy its rule and scopes that do not. One of
// ReportOnly is asked once, without a token, and must not answer 401. Nothing is
// asked of a Public one that is known to be there. The handlers run, so the API
// under test is one that a test may write to.
//
// What routes there are is known from the router (Echo, Gin and chi list theirs)
// and from the Routes of the middleware, which remembers what was registered
// through its Handle; each must be in Want, Public or ReportOnly, letter by letter:
// "GET /orders/" is another route than "GET /orders". Only what is at the root of a
// router of chi's below another one is listed by either name, as chi serves it, and
// asked by both.
//
// An http.ServeMux lists nothing. Beside each route that is listed, it is searched
// for the same path with other methods and with another slash at the end; a route
// elsewhere that was registered there in another way, and is in no list, is asked
// nothing. An API of which no route is known at all is reported.
//
// A path that nobody has made a route for is asked, too. What takes it (Gin's
// NoRoute, chi's NotFound, Echo's RouteNotFound) answers 401, 404, 405 or a
// redirect, unless it is listed as "/*", or below a prefix of Echo's as "/v1/*".
//
// Rules are compared by answers, over the scopes that are known: from Want, from the
// Routes of the middleware, and from challenges. A second alternative with a scope
// that is named nowhere else can be seen only where Handle registered the route.
//
// What an option says must be true, too: a route that is in Want and also Public or
// ReportOnly, an Optional one that answers 401, and a pattern that matches nothing
// are reported.
package guardtest

import (
	"maps"
	"net/http"
	"slices"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// App is an API under test. It trusts the issuer, and has the audience, for
// which it was built.
type App struct {
	_ [0]func()

	// Handler answers requests.
	Handler http.Handler
	// Router is where the routes are, if that is not Handler itself: an *echo.Echo,
	// a *gin.Engine, a chi.Router or an *http.ServeMux behind other handlers, or a
	// []any of several. For a router of another kind, a value with a method Routes that
	// lists structs with the fields Method and Path will do. Behind a handler that
	// hides it, routes are not known, and those alone are asked which are written down.
	Router any
	// Routes is what the middleware remembers: auth.Routes(), or those of several in
	// a row. Where a router is mounted below a prefix (http.StripPrefix), add the
	// prefix to each Pattern. Routers mounted within chi's need no care.
	Routes []httpauth.RouteInfo
	// Close, if not nil, is called at the end.
	Close func()
}

// Want holds the rule of each route that must be guarded, by its method and path
// as the router has it: "GET /orders/{id}" for http.ServeMux and chi, "GET
// /orders/:id" for Echo and Gin, and "GET admin.example.com/orders" where a router
// is for a host. Without a method it stands for all methods that no list names by
// themselves: those of RFC 9110, PATCH, and what the router lists for that path. A
// CORS preflight that is meant to pass is listed as Public("OPTIONS /orders"). Where
// a group and a route have a rule each, the rule is both together (scopes.AllOf).
type Want map[string]scopes.Rule

// TB is the part of testing.TB that AllGuarded needs.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Option says what is meant to be otherwise.
type Option func(*run)

// Public lists routes that anybody may use, by method and path as in Want. They are
// asked once, without a token, if neither the router nor the middleware says that
// they are there. "/*" is a handler for what no route takes.
func Public(patterns ...string) Option { return func(r *run) { r.list(r.public, patterns) } }

// Optional lists routes of Want that a request without credentials passes, too.
func Optional(patterns ...string) Option { return func(r *run) { r.list(r.optional, patterns) } }

// ReportOnly lists routes that refuse nobody yet. One that stands past the gate
// cannot be told from them.
func ReportOnly(patterns ...string) Option { return func(r *run) { r.list(r.reportOnly, patterns) } }

// Path is the path to ask for a route whose parameters take special values. By
// default each is "guardtest", or something that fits its regular expression.
func Path(pattern, path string) Option { return func(r *run) { r.paths[pattern] = path } }

// Claims are what good tokens hold beside scopes, for an API whose own policy asks
// for more. Audience, if set, takes the place of the one that the app is built for:
// name both where a route narrows it (httpauth.Config.Audience).
func Claims(c issuertest.Claims) Option { return func(r *run) { r.claims = c } }

// Send puts a token on a request, for an API with Config.Credentials. By default
// it goes into the Authorization field. It may look at r.URL.Path where routes differ.
func Send(put func(r *http.Request, token string)) Option { return func(r *run) { r.put = put } }

// AllGuarded starts an issuer, has app built for it and for an audience, and
// reports each route that is not guarded as want and the options say.
func AllGuarded(t TB, app func(issuer, audience string) App, want Want, options ...Option) {
	t.Helper()
	iss, err := issuertest.Start()
	if err != nil {
		t.Errorf("guardtest: the issuer does not start: %v", err)
		return
	}
	defer iss.Close()
	r := &run{
		TB: t, iss: iss, want: want, tokens: make(map[string]string), paths: make(map[string]string),
		public: make(map[string]bool), optional: make(map[string]bool), reportOnly: make(map[string]bool),
		put: func(r *http.Request, token string) { r.Header.Set("Authorization", "Bearer "+token) },
	}
	for _, option := range options {
		option(r)
	}
	r.app = app(iss.URL(), issuertest.Audience)
	if r.app.Close != nil {
		defer r.app.Close()
	}
	if r.app.Handler == nil {
		t.Errorf("guardtest: App.Handler is nil, wanted the API")
		return
	}
	r.named = r.app.Router != nil
	if !r.named {
		r.app.Router = r.app.Handler
	}
	r.universe = r.names()
	routers, several := r.app.Router.([]any)
	if !several {
		routers = []any{r.app.Router}
	}
	r.listed = listedIn(routers)
	for _, router := range routers {
		if mux, ok := router.(*http.ServeMux); ok && r.mux == nil {
			r.mux = mux
		}
	}
	r.compareLists()
	r.checkOptions()
	r.askNowhere()
	for _, pattern := range slices.Sorted(maps.Keys(want)) {
		r.ask(pattern)
	}
	for _, pattern := range slices.Sorted(maps.Keys(r.reportOnly)) {
		r.askOpen(pattern)
	}
}

// run is one call of AllGuarded.
type run struct {
	TB
	iss      *issuertest.Issuer
	app      App
	named    bool           // App.Router was set
	listed   *routes        // of the routers
	mux      *http.ServeMux // the first of them that is one, or nil
	want     Want
	universe []string          // every scope that any rule mentions
	tokens   map[string]string // by scope
	claims   issuertest.Claims
	put      func(*http.Request, string)
	paths    map[string]string

	public, optional, reportOnly map[string]bool
}

func (r *run) list(in map[string]bool, patterns []string) {
	for _, pattern := range patterns {
		in[pattern] = true
	}
}

// names collects what scopes there are.
func (r *run) names() []string {
	var names []string
	for _, rule := range r.want {
		names = append(names, rule.Names()...)
	}
	for _, route := range r.app.Routes {
		names = append(names, route.Rule.Names()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
