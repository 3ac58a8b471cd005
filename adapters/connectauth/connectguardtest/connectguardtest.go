// Package connectguardtest is one test that finds the procedures of a Connect server that
// are open by mistake: handlers beside the gate, public, optional or report-only procedures
// that are not meant so, and rules other than somebody wrote down. It is package guardtest
// for Connect.
//
//	func TestAllGuarded(t *testing.T) {
//		connectguardtest.AllGuarded(t, func(issuer, audience string) connectguardtest.App {
//			v, handler := newServer(issuer, audience) // your own function
//			return connectguardtest.App{
//				Handler:  handler,
//				Services: []protoreflect.ServiceDescriptor{ordersv1.File_orders_v1_orders_proto.Services().ByName("Orders")},
//				Close:    v.Close,
//			}
//		}, connectauth.Rules{
//			"/orders.v1.Orders/List":   scopes.All("orders:read"),
//			"/orders.v1.Orders/Create": scopes.All("orders:write"),
//		})
//	}
//
// Every procedure of every service is asked in memory, without a token, with a bad one, and
// with good ones whose scopes satisfy its rule or do not; and one that no service has. A
// procedure that is in no list is reported, also if it refuses everybody: a rule that lets
// nobody in (scopes.Rule{}) says that this is meant. Nobody can list what an http.Handler
// serves: a service that is not among App.Services is asked nothing.
//
// Its message does not come, so a unary procedure's own code does not run, nor that of one
// that streams its answer alone; what reads a stream begins to.
package connectguardtest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/m2mguard/m2mguard/adapters/connectauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// App is an API under test. It trusts the issuer, and has the audience, for which it was
// built.
type App struct {
	_ [0]func()

	// Handler answers calls, as the server has it.
	Handler http.Handler
	// Services are all that Handler serves.
	Services []protoreflect.ServiceDescriptor
	// Close, if not nil, is called at the end.
	Close func()
}

// TB is the part of testing.TB that AllGuarded needs.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Option says what is meant to be otherwise.
type Option func(*run)

// Public lists procedures that anybody may call, by path.
func Public(procedures ...string) Option { return func(r *run) { list(r.public, procedures) } }

// Optional lists procedures with a rule that a call without credentials passes, too.
func Optional(procedures ...string) Option { return func(r *run) { list(r.optional, procedures) } }

// ReportOnly lists procedures that refuse nobody yet. One beside the gate cannot be told
// from them.
func ReportOnly(procedures ...string) Option { return func(r *run) { list(r.reportOnly, procedures) } }

// Claims are what good tokens hold beside scopes, for an API whose own policy asks for
// more. Audience, if set, takes the place of the one that the app is built for.
func Claims(c issuertest.Claims) Option { return func(r *run) { r.claims = c } }

func list(in map[string]bool, procedures []string) {
	for _, p := range procedures {
		in[p] = true
	}
}

// run is one call of AllGuarded.
type run struct {
	TB
	iss      *issuertest.Issuer
	handler  http.Handler
	streams  map[string]bool // by procedure, of all that the services have
	want     connectauth.Rules
	universe []string          // every scope that any rule mentions
	tokens   map[string]string // by scope
	claims   issuertest.Claims

	public, optional, reportOnly map[string]bool
}

// AllGuarded starts an issuer, has app built for it and for an audience, and reports each
// procedure that is not guarded as want and the options say.
func AllGuarded(t TB, app func(issuer, audience string) App, want connectauth.Rules, options ...Option) {
	t.Helper()
	iss, err := issuertest.Start()
	if err != nil {
		t.Errorf("connectguardtest: the issuer does not start: %v", err)
		return
	}
	defer iss.Close()
	r := &run{
		TB: t, iss: iss, want: want, tokens: make(map[string]string), streams: make(map[string]bool),
		public: make(map[string]bool), optional: make(map[string]bool), reportOnly: make(map[string]bool),
	}
	for _, option := range options {
		option(r)
	}
	a := app(iss.URL(), issuertest.Audience)
	if a.Close != nil {
		defer a.Close()
	}
	if a.Handler == nil || len(a.Services) == 0 {
		t.Errorf("connectguardtest: App.Handler is nil, or App.Services is empty, wanted the API and all its services")
		return
	}
	r.handler = a.Handler
	for _, service := range a.Services {
		for n := range service.Methods().Len() {
			method := service.Methods().Get(n)
			r.streams[fmt.Sprintf("/%s/%s", service.FullName(), method.Name())] = method.IsStreamingClient() || method.IsStreamingServer()
		}
	}
	for _, rule := range want {
		r.universe = append(r.universe, rule.Names()...)
	}
	slices.Sort(r.universe)
	r.universe = slices.Compact(r.universe)
	r.all()
}

// nowhere is a procedure of no service.
const nowhere = "/connectguardtest.v1.Nowhere/Ask"

// all asks every procedure.
func (r *run) all() {
	r.Helper()
	for _, name := range slices.Sorted(maps.Keys(r.streams)) {
		rule, guarded := r.want[name]
		switch lists := r.listsWith(name); {
		case lists == 0:
			r.unlisted(name)
		case lists > 1:
			r.Errorf("connectguardtest: %s is in %d of the test's Rules, Public and ReportOnly, wanted one", name, lists)
		case guarded:
			r.ask(name, rule)
		default:
			r.open(name)
		}
	}
	for _, in := range []map[string]bool{r.public, r.optional, r.reportOnly} {
		for _, name := range slices.Sorted(maps.Keys(in)) {
			r.missing(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.want)) {
		r.missing(name)
	}
	for _, name := range slices.Sorted(maps.Keys(r.optional)) {
		if _, guarded := r.want[name]; !guarded {
			r.Errorf("connectguardtest: %s is listed as Optional, and is not in the test's Rules: wanted its rule, or Public", name)
		}
	}
	if got := r.send(nowhere, ""); !got.refused() && !got.absent() {
		r.Errorf("connectguardtest: a procedure that no service has is served without a token: %s: wanted everything behind Auth.Protect", got)
	}
}

func (r *run) listsWith(name string) (n int) {
	if _, guarded := r.want[name]; guarded {
		n++
	}
	for _, in := range []map[string]bool{r.public, r.reportOnly} {
		if in[name] {
			n++
		}
	}
	return n
}

func (r *run) missing(name string) {
	r.Helper()
	if _, there := r.streams[name]; !there {
		r.Errorf("connectguardtest: %s: there is no such procedure in App.Services", name)
	}
}

// unlisted asks a procedure that nobody wrote down.
func (r *run) unlisted(name string) {
	r.Helper()
	if got := r.send(name, ""); !got.refused() && !got.absent() {
		r.Errorf("connectguardtest: %s is open, and in no list: %s without a token: wanted it behind Auth.Protect and a rule, or Public", name, got)
		return
	}
	r.Errorf("connectguardtest: %s is in no list, wanted its rule in the test's Rules, one that lets nobody in (scopes.Rule{}) if that is meant, or Public", name)
}

// open asks a procedure of Public or ReportOnly.
func (r *run) open(name string) {
	r.Helper()
	if got := r.send(name, ""); got.refused() {
		r.Errorf("connectguardtest: %s is listed as Public or ReportOnly, and answers %s without a token: it belongs in the test's Rules", name, got)
	}
}

// ask asks a procedure of the test's Rules in all ways.
func (r *run) ask(name string, rule scopes.Rule) {
	r.Helper()
	none, bad := r.send(name, ""), r.send(name, r.iss.Bad(issuertest.Tampered, r.with(rule.Names())))
	switch {
	case !bad.refused():
		r.Errorf("connectguardtest: %s is open: %s without a token, %s with a bad one, wanted unauthenticated: it is beside Auth.Protect, public or report-only, or not served at all", name, none, bad)
		return
	case r.optional[name] && none.refused():
		r.Errorf("connectguardtest: %s is listed as Optional, and answers %s without a token", name, none)
		return
	case !r.optional[name] && !none.refused():
		r.Errorf("connectguardtest: %s answers %s without a token, wanted unauthenticated: it is optional, and not listed as such", name, none)
		return
	}
	r.compareRules(name, rule)
}
