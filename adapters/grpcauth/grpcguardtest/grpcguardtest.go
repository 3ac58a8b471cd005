// Package grpcguardtest is one test that finds the methods of a gRPC server that are open
// by mistake: a server without the interceptors, or with one of the two, public, optional
// or report-only methods that are not meant so, and rules other than somebody wrote down.
// It is package guardtest for gRPC.
//
//	func TestAllGuarded(t *testing.T) {
//		grpcguardtest.AllGuarded(t, func(issuer, audience string) grpcguardtest.App {
//			v, s := newServer(issuer, audience) // your own function
//			return grpcguardtest.App{Server: s, Close: v.Close}
//		}, grpcauth.Rules{
//			"/orders.v1.Orders/List":   scopes.All("orders:read"),
//			"/orders.v1.Orders/Create": scopes.All("orders:write"),
//		}, grpcguardtest.Public("/grpc.health.v1.Health/Check"))
//	}
//
// Every method of every registered service is asked over a connection in memory, without a
// token, with a bad one, and with good ones whose scopes satisfy its rule or do not; and a
// service that nobody registered, which a grpc.UnknownServiceHandler would serve. A method
// that is in no list is reported, also if it refuses everybody: a rule that lets nobody in
// (scopes.Rule{}) says that this is meant.
//
// The call's message is empty. The handlers run, so the API under test is one that a test
// may write to, and a handler that panics ends the test program, as it does a server,
// unless an interceptor recovers.
package grpcguardtest

import (
	"context"
	"maps"
	"net"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/m2mguard/m2mguard/adapters/grpcauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// App is an API under test. It trusts the issuer, and has the audience, for which it was
// built.
type App struct {
	_ [0]func()

	// Server has all its services registered, and does not serve yet. It is stopped at the
	// end.
	Server *grpc.Server
	// Dial is how a client connects to Server, if that has grpc.Creds. Default: without TLS.
	Dial []grpc.DialOption
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

// Public lists methods that anybody may call, by full name.
func Public(methods ...string) Option { return func(r *run) { list(r.public, methods) } }

// Optional lists methods with a rule that a call without credentials passes, too.
func Optional(methods ...string) Option { return func(r *run) { list(r.optional, methods) } }

// ReportOnly lists methods that refuse nobody yet. One without an interceptor cannot be
// told from them.
func ReportOnly(methods ...string) Option { return func(r *run) { list(r.reportOnly, methods) } }

// Claims are what good tokens hold beside scopes, for an API whose own policy asks for
// more. Audience, if set, takes the place of the one that the app is built for.
func Claims(c issuertest.Claims) Option { return func(r *run) { r.claims = c } }

func list(in map[string]bool, methods []string) {
	for _, m := range methods {
		in[m] = true
	}
}

// run is one call of AllGuarded.
type run struct {
	TB
	iss      *issuertest.Issuer
	conn     *grpc.ClientConn
	want     grpcauth.Rules
	universe []string          // every scope that any rule mentions
	tokens   map[string]string // by scope
	claims   issuertest.Claims

	public, optional, reportOnly map[string]bool
}

// AllGuarded starts an issuer, has app built for it and for an audience, and reports each
// method that is not guarded as want and the options say.
func AllGuarded(t TB, app func(issuer, audience string) App, want grpcauth.Rules, options ...Option) {
	t.Helper()
	iss, err := issuertest.Start()
	if err != nil {
		t.Errorf("grpcguardtest: the issuer does not start: %v", err)
		return
	}
	defer iss.Close()
	r := &run{
		TB: t, iss: iss, want: want, tokens: make(map[string]string),
		public: make(map[string]bool), optional: make(map[string]bool), reportOnly: make(map[string]bool),
	}
	for _, option := range options {
		option(r)
	}
	a := app(iss.URL(), issuertest.Audience)
	if a.Close != nil {
		defer a.Close()
	}
	if a.Server == nil {
		t.Errorf("grpcguardtest: App.Server is nil, wanted the API")
		return
	}
	listener := bufconn.Listen(1 << 16)
	served := make(chan error, 1)
	go func() { served <- a.Server.Serve(listener) }()
	defer func() { <-served }()
	defer a.Server.Stop()
	dial := append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})),
	}, a.Dial...)
	if r.conn, err = grpc.NewClient("passthrough:///grpcguardtest", dial...); err != nil {
		t.Errorf("grpcguardtest: App.Dial: %v", err)
		return
	}
	defer func() { _ = r.conn.Close() }()
	for _, rule := range want {
		r.universe = append(r.universe, rule.Names()...)
	}
	slices.Sort(r.universe)
	r.universe = slices.Compact(r.universe)
	r.all(methodsOf(a.Server))
}

// methodsOf are the full names of all methods that a server has.
func methodsOf(s *grpc.Server) (names []string) {
	for service, info := range s.GetServiceInfo() {
		for _, m := range info.Methods {
			names = append(names, "/"+service+"/"+m.Name)
		}
	}
	slices.Sort(names)
	return names
}

// nowhere is a method of no server.
const nowhere = "/grpcguardtest.v1.Nowhere/Ask"

// all asks every method.
func (r *run) all(registered []string) {
	r.Helper()
	if len(registered) == 0 {
		r.Errorf("grpcguardtest: the server has no methods: register them before AllGuarded asks")
	}
	for _, name := range registered {
		rule, guarded := r.want[name]
		switch lists := r.listsWith(name); {
		case lists == 0:
			r.unlisted(name)
		case lists > 1:
			r.Errorf("grpcguardtest: %s is in %d of the test's Rules, Public and ReportOnly, wanted one", name, lists)
		case guarded:
			r.ask(name, rule)
		default:
			r.open(name)
		}
	}
	for _, lists := range []map[string]bool{r.public, r.optional, r.reportOnly} {
		for _, name := range slices.Sorted(maps.Keys(lists)) {
			r.missing(registered, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.want)) {
		r.missing(registered, name)
	}
	for _, name := range slices.Sorted(maps.Keys(r.optional)) {
		if _, guarded := r.want[name]; !guarded {
			r.Errorf("grpcguardtest: %s is listed as Optional, and is not in the test's Rules: wanted its rule, or Public", name)
		}
	}
	if got := r.send(nowhere, ""); !got.refused() && !got.unimplemented() {
		r.Errorf("grpcguardtest: a service that nobody registered is served without a token: the server has a grpc.UnknownServiceHandler and not both of Auth.ServerOptions")
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

func (r *run) missing(registered []string, name string) {
	r.Helper()
	if !slices.Contains(registered, name) {
		r.Errorf("grpcguardtest: %s: there is no such method", name)
	}
}

// unlisted asks a method that nobody wrote down.
func (r *run) unlisted(name string) {
	r.Helper()
	if got := r.send(name, ""); !got.refused() {
		r.Errorf("grpcguardtest: %s is open, and in no list: %s without a token: wanted both interceptors of Auth.ServerOptions and a rule, or Public", name, got)
		return
	}
	r.Errorf("grpcguardtest: %s is in no list, wanted its rule in the test's Rules, one that lets nobody in (scopes.Rule{}) if that is meant, or Public", name)
}

// open asks a method of Public or ReportOnly.
func (r *run) open(name string) {
	r.Helper()
	if got := r.send(name, ""); got.refused() {
		r.Errorf("grpcguardtest: %s is listed as Public or ReportOnly, and answers %s without a token: it belongs in the test's Rules", name, got)
	}
}

// ask asks a method of the test's Rules in all ways.
func (r *run) ask(name string, rule scopes.Rule) {
	r.Helper()
	none, bad := r.send(name, ""), r.send(name, r.iss.Bad(issuertest.Tampered, r.with(rule.Names())))
	switch {
	case !bad.refused():
		r.Errorf("grpcguardtest: %s is open: %s without a token, %s with a bad one, wanted UNAUTHENTICATED: the server lacks one of Auth.ServerOptions, or it is public or report-only", name, none, bad)
		return
	case r.optional[name] && none.refused():
		r.Errorf("grpcguardtest: %s is listed as Optional, and answers %s without a token", name, none)
		return
	case !r.optional[name] && !none.refused():
		r.Errorf("grpcguardtest: %s answers %s without a token, wanted UNAUTHENTICATED: it is optional, and not listed as such", name, none)
		return
	}
	r.compareRules(name, rule)
}
