package connectauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// Rules holds the rule of each procedure, by its path: "/orders.v1.Orders/List".
type Rules map[string]scopes.Rule

// Config is what else the procedures of a server ask, and how calls are refused. The zero
// Config is httpauth's.
type Config struct {
	_ [0]func()

	// HTTP is httpauth's configuration. Its ErrorHandler has no place here: refusals are
	// in the form of each protocol. Its DangerouslyReportOnly lets calls of procedures
	// through that are in no list, too, and streams end then by revocation alone.
	HTTP httpauth.Config

	// Gates are the procedures that ask for more than a rule, or for less, by path as in
	// Rules: a fresh word of the issuer, a policy, bound tokens. A procedure is in one of
	// Rules, Gates and Public.
	Gates map[string]httpauth.Gate

	// Public are procedures that anybody may call, by path. Nothing that comes with such
	// a call is looked at. Health and reflection are
	//
	//	/grpc.health.v1.Health/Check
	//	/grpc.health.v1.Health/Watch
	//	/grpc.reflection.v1.ServerReflection/ServerReflectionInfo
	//	/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo
	//
	// Reflection tells everybody what can be called here.
	Public []string
}

// Auth protects a server with one validator. It is made with New and safe for concurrent
// use.
type Auth struct {
	validator  *validator.Validator
	inner      *httpauth.Middleware
	procedures map[string]*procedure // those of linked descriptors, too
	unlisted   *procedure            // all that nothing is known of
	errors     *connect.ErrorWriter
	late       late
}

// procedure is one of the lists', compiled.
type procedure struct {
	name  string
	route *httpauth.Route // nil for a public one
	unary bool            // as a descriptor says
}

// New makes the gate of a server whose tokens v validates. A nil cfg stands for the zero
// Config. It panics where httpauth.New does, and, with all faults of the lists at once, if
// a name is no path of a procedure, a rule lets nobody in or a gate cannot be, if a
// procedure is in two lists, and if HTTP.ErrorHandler is set.
func New(v *validator.Validator, rules Rules, cfg *Config) *Auth {
	if cfg == nil {
		cfg = new(Config)
	}
	a := &Auth{validator: v, procedures: make(map[string]*procedure), errors: connect.NewErrorWriter(), late: make(late, mostLate)}
	if fault := caught(func() { a.inner = httpauth.New(v, &cfg.HTTP) }); fault != nil {
		panic("connectauth: " + fault.Error())
	}
	faults := a.list(rules, cfg)
	if cfg.HTTP.ErrorHandler != nil {
		faults = append(faults, errors.New("Config.HTTP.ErrorHandler is set, wanted none: clients read refusals in the form of their protocol"))
	}
	if len(faults) > 0 {
		panic(fmt.Sprintf("connectauth: New: %v", errors.Join(faults...)))
	}
	a.shut(cfg.HTTP.DangerouslyReportOnly)
	return a
}

// errUnlisted is why a procedure lets nobody in that is in no list.
var errUnlisted = errors.New("the procedure has no rule (Rules, Config.Gates, Config.Public)")

// shut compiles what is in no list. Events name the procedures that a descriptor knows
// which is linked into the program (protoregistry.GlobalFiles): of paths that a client made
// up there is no end.
func (a *Auth) shut(reportOnly bool) {
	gate := httpauth.Gate{Rule: scopes.AnyToken(), Policy: func(context.Context, *validator.Token) error { return errUnlisted }}
	if reportOnly {
		gate = httpauth.Gate{} // a policy is never loosened
	}
	route := a.inner.Compile(gate)
	a.unlisted = &procedure{route: route}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for s := range file.Services().Len() {
			methods := file.Services().Get(s).Methods()
			for n := range methods.Len() {
				method := methods.Get(n)
				name := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
				if a.procedures[name] == nil {
					a.procedures[name] = &procedure{name, route, isUnary(method)}
				}
			}
		}
		return true
	})
}

// list compiles what each list says, and returns every fault.
func (a *Auth) list(rules Rules, cfg *Config) (faults []error) {
	add := func(in, name string, compile func() (*httpauth.Route, error)) {
		route, err := compile()
		switch {
		case !path.MatchString(name):
			err = fmt.Errorf("%s holds %q, wanted the path of a procedure, such as /orders.v1.Orders/List", in, name)
		case a.procedures[name] != nil:
			err = fmt.Errorf("%s holds %s a second time, wanted it once in one of Rules, Config.Gates and Config.Public", in, name)
		case err != nil:
			err = fmt.Errorf("%s[%q]: %w", in, name, err)
		}
		if err != nil {
			faults = append(faults, err)
			return
		}
		a.procedures[name] = &procedure{name, route, unary(name)}
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

// path is the full name of a service and the method, of the letters that names in .proto
// files have.
var path = regexp.MustCompile(`^/[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*/[A-Za-z0-9_]+$`)

// unary reports whether a descriptor that is linked into the program says so of a
// procedure.
func unary(name string) bool {
	service, method, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + method))
	descriptor, ok := found.(protoreflect.MethodDescriptor)
	return err == nil && ok && isUnary(descriptor)
}

func isUnary(method protoreflect.MethodDescriptor) bool {
	return !method.IsStreamingClient() && !method.IsStreamingServer()
}

// compile makes a route of a gate that somebody wrote down, who means to let somebody in.
// What httpauth panics with is a fault.
func (a *Auth) compile(g httpauth.Gate) (route *httpauth.Route, err error) {
	all, err := scopes.Of(g.Rule.Names()...)
	if err != nil || !g.Rule.Allows(all) { // a rule that is zero, or made of nothing
		return nil, errors.New(`the rule lets nobody in, wanted one such as scopes.All("orders:read") or scopes.AnyToken(), or no entry for a procedure that nobody may call`)
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

// Protect is the gate before next, the handlers of all procedures. What is no procedure,
// such as the metadata of the API or a probe, stands beside it, and what changes a path
// (http.StripPrefix) or answers CORS preflights before it.
func (a *Auth) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := a.procedure(r)
		if p.route == nil {
			next.ServeHTTP(w, r)
			return
		}
		admitted, failure := p.route.Admit(w.Header(), r, p.name)
		if failure != nil {
			a.refuse(w, r, failure)
			return
		}
		protocol := protocolOf(r)
		token := validator.FromContext(admitted.Context())
		c := &call{Context: admitted.Context(), request: admitted, name: p.name, out: writer{to: w, framed: protocol != unaryProtocol, header: w.Header().Clone()}}
		admitted = admitted.WithContext(c)
		switch {
		case token == nil:
			next.ServeHTTP(&c.out, admitted)
			a.finish(&c.out, admitted, protocol)
		case protocol == unaryProtocol || p.unary:
			a.unary(&c.out, admitted, c, next, p.route, token)
			a.finish(&c.out, admitted, protocol)
		default:
			a.stream(&c.out, admitted, next, p.route, token, protocol)
		}
	})
}

// procedure is what a request calls. Its path counts as it was sent: RawPath is set where
// that is not the plain form of Path.
func (a *Auth) procedure(r *http.Request) *procedure {
	if p := a.procedures[r.URL.Path]; p != nil && r.URL.RawPath == "" {
		return p
	}
	return a.unlisted
}

// Routes lists the procedures that Rules and Config.Gates say something about, with the
// path as the pattern.
func (a *Auth) Routes() []httpauth.RouteInfo { return a.inner.Routes() }

// MountMetadata has mux, which stands beside what Protect guards, serve the metadata of
// this API (RFC 9728); see httpauth.Middleware.MountMetadata.
func (a *Auth) MountMetadata(mux httpauth.Mux) { a.inner.MountMetadata(mux) }
