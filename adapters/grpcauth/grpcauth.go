package grpcauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// Rules holds the rule of each method, by its full name: "/orders.v1.Orders/List".
type Rules map[string]scopes.Rule

// Config is what else the methods of a server ask, and how calls are refused. The zero
// Config is httpauth's.
type Config struct {
	_ [0]func()

	// Gates are the methods that ask for more than a rule, or for less, by full name as
	// in Rules: a fresh word of the issuer, a policy, bound tokens. A method is in one of
	// Rules, Gates and Public.
	Gates map[string]httpauth.Gate

	// Public are methods that anybody may call, by full name. Nothing that comes with
	// such a call is looked at. Health and reflection are
	//
	//	/grpc.health.v1.Health/Check
	//	/grpc.health.v1.Health/Watch
	//	/grpc.reflection.v1.ServerReflection/ServerReflectionInfo
	//	/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo
	//
	// Reflection tells everybody what can be called here.
	Public []string

	// Realm names the protected API in challenges. Default httpauth.DefaultRealm.
	Realm string

	// Source names who seems to call, for fair turns; see httpauth.Config.Source. Its
	// context holds the call's peer and metadata. Default: the host of the peer, which
	// behind a proxy is the proxy.
	Source func(ctx context.Context) string

	// ClientCertificate finds the DER of the client's certificate where a proxy ends TLS
	// and hands it on in metadata: a function of httpauth/forwarded, such as
	//
	//	forwarded.Envoy(forwarded.Peers(proxies...))
	//
	// It sees a request with the metadata as its header, and what it takes off that, such
	// as a proxy's secret, no handler sees. Where it is set, a certificate of the connection
	// itself does not count; see httpauth.Config.ClientCertificate for errors.
	//
	// Default: the one of the TLS connection, if the server asks for it
	// (tls.Config.ClientAuth; tls.RequestClientCert is enough).
	ClientCertificate func(r *http.Request) (der []byte, err error)

	// PublicURL is what clients call this API by, scheme and host alone, such as
	// "https://api.example.com": what a proof of possession is held against, with the path
	// of the method. validator.Config.DPoP needs it. With it, challenges name the method's
	// scopes and the address of the API's metadata, which [Auth.MountMetadata] serves. An
	// API that goes by several names has an Auth and a grpc.Server for each, because a call
	// names none that could be believed. Default none.
	PublicURL string

	// Metadata is what else the metadata of this API says.
	Metadata httpauth.Metadata

	// Audience narrows Issuer.Audience; see httpauth.Config.Audience.
	Audience []string

	// Stale is what happens while the validator's Config.Revocations has not heard of its
	// feed for too long; see httpauth.Config.Stale.
	Stale revocation.WhenStale

	// DangerouslyReportOnly makes all methods, also those that are in no list, report what
	// they would refuse, and let it through; see httpauth.Config.DangerouslyReportOnly. A
	// stream is then ended by revocation alone.
	DangerouslyReportOnly bool
}

// Auth protects a server with one validator. It is made with New and safe for concurrent
// use.
type Auth struct {
	validator   *validator.Validator
	inner       *httpauth.Middleware
	methods     map[string]*httpauth.Route // nil for a public one
	unlisted    *httpauth.Route            // of all that no list says anything about
	source      func(context.Context) string
	certificate func(*http.Request) ([]byte, error) // nil for the connection's own
	proofs      bool
	late        late
}

// New makes the gate of a server whose tokens v validates. A nil cfg stands for the zero
// Config. It panics where httpauth.New does, and, with all faults of the lists at once, if
// a name is no full name of a method, a rule is zero or a gate cannot be, and if a method
// is in two lists.
func New(v *validator.Validator, rules Rules, cfg *Config) *Auth {
	if cfg == nil {
		cfg = new(Config)
	}
	inner := &httpauth.Config{
		Realm: cfg.Realm, ClientCertificate: cfg.ClientCertificate, Metadata: cfg.Metadata,
		Audience: cfg.Audience, Stale: cfg.Stale, DangerouslyReportOnly: cfg.DangerouslyReportOnly,
	}
	if cfg.PublicURL != "" {
		inner.PublicURL = []string{cfg.PublicURL}
	}
	a := &Auth{validator: v, methods: make(map[string]*httpauth.Route), source: cfg.Source, certificate: cfg.ClientCertificate, late: make(late, mostLate)}
	if fault := caught(func() { a.inner = httpauth.New(v, inner) }); fault != nil {
		panic("grpcauth: " + fault.Error())
	}
	a.proofs = v.Accepts().ProofAlgorithms != nil
	if a.source == nil {
		a.source = host
	}
	if faults := a.list(rules, cfg); len(faults) > 0 {
		panic(fmt.Sprintf("grpcauth: New: %v", errors.Join(faults...)))
	}
	a.unlisted = a.inner.Compile(shut(cfg.DangerouslyReportOnly))
	return a
}

// errUnlisted is why a method lets nobody in that is in no list.
var errUnlisted = errors.New("the method has no rule (Rules, Config.Gates, Config.Public)")

// shut is the gate of what is in no list.
func shut(reportOnly bool) httpauth.Gate {
	if reportOnly {
		return httpauth.Gate{} // a policy is never loosened
	}
	return httpauth.Gate{Rule: scopes.AnyToken(), Policy: func(context.Context, *validator.Token) error { return errUnlisted }}
}

// list compiles what each list says, and returns every fault.
func (a *Auth) list(rules Rules, cfg *Config) (faults []error) {
	add := func(in, name string, compile func() (*httpauth.Route, error)) {
		route, err := compile()
		_, twice := a.methods[name]
		switch {
		case !fullName.MatchString(name):
			err = fmt.Errorf("%s holds %q, wanted the full name of a method, such as /orders.v1.Orders/List", in, name)
		case twice:
			err = fmt.Errorf("%s holds %s a second time, wanted it once in one of Rules, Config.Gates and Config.Public", in, name)
		case err != nil:
			err = fmt.Errorf("%s[%q]: %w", in, name, err)
		}
		if err != nil {
			faults = append(faults, err)
			return
		}
		a.methods[name] = route
		if route != nil {
			route.Remember(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		add("Rules", name, func() (*httpauth.Route, error) { return a.compile(httpauth.Gate{Rule: rules[name]}) })
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Gates)) {
		add("Config.Gates", name, func() (*httpauth.Route, error) { return a.compile(cfg.Gates[name]) })
	}
	for _, name := range cfg.Public {
		add("Config.Public", name, func() (*httpauth.Route, error) { return nil, nil })
	}
	return faults
}

// fullName is the service with its package, and the method (Path in the gRPC protocol over
// HTTP/2). Names in .proto files have fewer letters.
var fullName = regexp.MustCompile(`^/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/[A-Za-z0-9_.-]+$`)

// compile makes a route of a gate that somebody wrote down, who means to let somebody in.
// What httpauth panics with is a fault.
func (a *Auth) compile(g httpauth.Gate) (route *httpauth.Route, err error) {
	all, err := scopes.Of(g.Rule.Names()...)
	if err != nil || !g.Rule.Allows(all) { // a rule that is zero, or made of nothing
		return nil, errors.New(`the rule lets nobody in, wanted one such as scopes.All("orders:read") or scopes.AnyToken(), or no entry for a method that nobody may call`)
	}
	err = caught(func() { route = a.inner.Compile(g) })
	return route, err
}

// caught runs a function of httpauth's and returns what it panics with as an error.
func caught(run func()) (fault error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case string:
			fault = errors.New(strings.TrimPrefix(p, "httpauth: "))
		default:
			panic(p)
		}
	}()
	run()
	return nil
}

// ServerOptions are both interceptors, after those of other options that are named before:
//
//	s := grpc.NewServer(append(auth.ServerOptions(), grpc.Creds(credentials))...)
//
// A server needs both, because each sees one kind of method alone.
func (a *Auth) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(a.UnaryServerInterceptor), grpc.ChainStreamInterceptor(a.StreamServerInterceptor)}
}

// Routes lists the methods that Rules and Config.Gates say something about, with the
// full name as the pattern.
func (a *Auth) Routes() []httpauth.RouteInfo { return a.inner.Routes() }

// MountMetadata has mux, of an HTTP server that answers at Config.PublicURL, serve the
// metadata of this API (RFC 9728); see httpauth.Middleware.MountMetadata.
func (a *Auth) MountMetadata(mux httpauth.Mux) { a.inner.MountMetadata(mux) }

// method is the route of a full name, or nil if it is public, and whether a list has it.
func (a *Auth) method(name string) (route *httpauth.Route, listed bool) {
	route, listed = a.methods[name]
	if !listed {
		route = a.unlisted
	}
	return route, listed
}
