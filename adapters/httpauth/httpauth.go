package httpauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// DefaultRealm is the realm of a challenge unless Config says otherwise.
const DefaultRealm = "api"

// Config is how requests are refused, the same in every adapter.
type Config struct {
	_ [0]func()

	// Realm names the protected API in challenges (RFC 9110 §11.5). It is
	// printable ASCII without '"' and '\'. Default DefaultRealm.
	Realm string

	// Source names who seems to call. Where tokens that were not seen before wait
	// for their turn (to be verified, or for introspection), turns are fair by
	// source, and one that has more waiting than its share gets 429. It decides
	// nothing else, so a name that a client can choose lets nobody in; but it lets
	// that client take others' turns. Default: the host of r.RemoteAddr, which is
	// right where clients connect themselves. Behind a proxy that is the proxy, and
	// all clients are one source: take the address that the proxy adds, as
	//
	//	func(r *http.Request) string { return r.Header.Get("X-Real-Ip") }
	//
	// where the proxy overwrites that field. It is called for each request with a
	// token and should be quick.
	Source func(r *http.Request) string

	// ErrorHandler answers refused requests in place of the default rendering,
	// in every adapter. The failure's header fields (challenge, Retry-After,
	// Cache-Control) are set on w already and may be changed; the status and the
	// body are ErrorHandler's to write, from f or with f.Respond, which leaves
	// changed fields as they are. The protected handler does not run, whatever
	// ErrorHandler does.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, f *Failure)
}

// Middleware protects routes with one validator. It is made with New and safe
// for concurrent use.
type Middleware struct {
	validator    *validator.Validator
	realm        string
	source       func(*http.Request) string
	errorHandler func(http.ResponseWriter, *http.Request, *Failure) // nil for the default
	answers      sync.Map                                           // answerKey to *answer, for what is the same on each route
}

// New makes the middleware for v. A nil cfg stands for the zero Config. Like
// http.ServeMux.Handle, New panics if it is called wrongly: with a nil v, one
// that validator.New did not make, or a realm that no challenge can hold.
func New(v *validator.Validator, cfg *Config) *Middleware {
	if v == nil {
		panic("httpauth: New: the validator is nil")
	}
	if err := v.CanVerifyFresh(); errors.Is(err, validator.ErrUnavailable) {
		panic(fmt.Sprintf("httpauth: New: %v", err))
	}
	m := &Middleware{validator: v, realm: DefaultRealm, source: peer}
	if cfg != nil {
		if cfg.Source != nil {
			m.source = cfg.Source
		}
		m.errorHandler = cfg.ErrorHandler
		if cfg.Realm != "" {
			m.realm = cfg.Realm
		}
	}
	if !quotable(m.realm) {
		panic(fmt.Sprintf("httpauth: New: Config.Realm is %q, wanted printable ASCII without %q and %q", m.realm, '"', '\\'))
	}
	return m
}

// Require returns a middleware that lets a request through to the handler if it
// carries a good bearer token whose scopes satisfy rule, with the token in the
// request's context (validator.FromContext). A zero rule lets nobody in.
func (m *Middleware) Require(rule scopes.Rule) func(http.Handler) http.Handler {
	return m.Route(rule).protect
}

// RequireFresh is Require for what must not wait for a cache to run out: the
// issuer must have called the token active no longer than maxAge ago, and zero
// asks it now, at every request (validator.VerifyFresh). It panics if a
// configured issuer has no Introspection to ask, or if maxAge is negative.
func (m *Middleware) RequireFresh(maxAge time.Duration, rule scopes.Rule) func(http.Handler) http.Handler {
	return m.FreshRoute(maxAge, rule).protect
}

// Route compiles what Require checks, for adapters of other frameworks.
func (m *Middleware) Route(rule scopes.Rule) *Route {
	missingScope := newAnswer(m.realm, validator.NewError(validator.CheckScope), rule.Needs())
	return &Route{middleware: m, rule: rule, missingScope: missingScope, demand: validator.Demand{More: true}}
}

// FreshRoute compiles what RequireFresh checks, for adapters of other
// frameworks.
func (m *Middleware) FreshRoute(maxAge time.Duration, rule scopes.Rule) *Route {
	if maxAge < 0 {
		panic(fmt.Sprintf("httpauth: RequireFresh: maxAge is %v, wanted 0 or more", maxAge))
	}
	if err := m.validator.CanVerifyFresh(); err != nil {
		panic(fmt.Sprintf("httpauth: RequireFresh: %v", err))
	}
	route := m.Route(rule)
	route.demand.MaxAge = &maxAge
	return route
}

// Route is one rule under protection. It is safe for concurrent use.
type Route struct {
	middleware   *Middleware
	rule         scopes.Rule
	missingScope *answer
	demand       validator.Demand
}

// Check decides whether r may pass and writes nothing. Exactly one of its
// results is nil. On success the caller puts the token into the request's
// context with validator.NewContext; on failure it must not run the handler,
// and answers with Fail.
func (rt *Route) Check(r *http.Request) (*validator.Token, *Failure) {
	m := rt.middleware
	shown, refusal := m.request(r)
	if refusal != nil {
		m.validator.ReportRefusal(r.Context(), &shown, refusal)
		return nil, rt.failure(refusal)
	}
	accepted, err := m.validator.VerifyRequest(r.Context(), &shown, &rt.demand)
	if err != nil {
		return nil, rt.failure(err.(*validator.Error)) // as VerifyRequest promises
	}
	token := accepted.Token
	if err := token.Check(rt.rule); err != nil {
		refusal := err.(*validator.Error) // as Token.Check promises
		m.validator.ReportRefusal(r.Context(), &shown, refusal)
		return nil, rt.failure(refusal)
	}
	m.validator.ReportAccepted(r.Context(), &shown, accepted)
	return token, nil
}

// request is what r shows.
func (m *Middleware) request(r *http.Request) (validator.Request, *validator.Error) {
	shown := validator.Request{Method: r.Method, Route: r.Pattern}
	raw, refusal := bearer(r.Header)
	if refusal == nil {
		shown.Scheme, shown.Token, shown.Source = "Bearer", raw, m.source(r)
	}
	return shown, refusal
}

// Fail answers a request that Check refused: by Config.ErrorHandler, or with
// the default rendering.
func (rt *Route) Fail(w http.ResponseWriter, r *http.Request, f *Failure) {
	if handle := rt.middleware.errorHandler; handle != nil {
		f.prepare(w.Header())
		handle(w, r, f)
		return
	}
	f.Respond(w)
}

// protect is the way through in net/http.
func (rt *Route) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, failure := rt.Check(r)
		if failure != nil {
			rt.Fail(w, r, failure)
			return
		}
		next.ServeHTTP(w, r.WithContext(validator.NewContext(r.Context(), token)))
	})
}

// peer is the host of the connection's other end.
func peer(r *http.Request) string {
	addr := r.RemoteAddr
	if end := strings.LastIndexByte(addr, ':'); end >= 0 {
		addr = addr[:end]
	}
	return strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
}
