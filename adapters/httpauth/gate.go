package httpauth

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// Gate is what a route asks of its requests. Each field is one of Middleware's
// functions; the zero Gate lets nobody in.
type Gate struct {
	_ [0]func()

	Rule   scopes.Rule                                   // Require
	MaxAge *time.Duration                                // RequireFresh; nil for what caches hold
	Policy func(context.Context, *validator.Token) error // RequireThat; nil for none
	Bound  bool                                          // RequireBound
	Live   bool                                          // RequireLive

	Audience []string             // in the place of Config.Audience, if not nil
	Stale    revocation.WhenStale // in the place of Config.Stale, if not StaleByConfig

	Optional bool // a request without any credentials passes, without a token

	// DangerouslyReportOnly refuses nobody but whose token was revoked. It goes with none
	// of MaxAge, Policy and Bound.
	DangerouslyReportOnly bool
}

// strict gates are for routes that DangerouslyReportOnly must not open.
func (g *Gate) strict() bool { return g.MaxAge != nil || g.Policy != nil || g.Bound }

// kind is what g is called in a list of routes.
func (g *Gate) kind() string {
	var words []string
	for _, part := range []struct {
		is   bool
		name string
	}{
		{g.Optional, "optional"}, {g.MaxAge != nil, "fresh"}, {g.Policy != nil, "policy"}, {g.Bound, "bound"}, {g.Live, "live"},
		{g.DangerouslyReportOnly, "report-only"},
	} {
		if part.is {
			words = append(words, part.name)
		}
	}
	if words == nil {
		return "required"
	}
	return strings.Join(words, ", ")
}

// Compile makes a Route of a gate, for adapters of other frameworks. It panics
// where RequireFresh does, if g asks for what excludes each other, and if its
// Audience is empty or holds an empty name, or its Stale is no policy or cannot be.
func (m *Middleware) Compile(g Gate) *Route {
	if g.DangerouslyReportOnly && g.strict() {
		panic("httpauth: Gate: DangerouslyReportOnly is set beside MaxAge, Policy or Bound, which it never loosens: wanted one of them")
	}
	g.DangerouslyReportOnly = g.DangerouslyReportOnly || m.reportOnly && !g.strict()
	if g.Audience != nil {
		checkAudience("Gate", g.Audience)
	} else {
		g.Audience = m.audience
	}
	checkStale("Gate", g.Stale, m.accepts)
	g.Stale = cmp.Or(g.Stale, m.stale)
	rt := &Route{
		middleware:   m,
		gate:         g,
		scopes:       g.Rule.Names(),
		missingScope: newAnswer(m.realm, validator.NewError(validator.CheckScope), g.Rule.Needs()),
		demand:       validator.Demand{Audience: slices.Clone(g.Audience), Bound: g.Bound, Stale: g.Stale, More: true},
	}
	if g.MaxAge != nil {
		maxAge := *g.MaxAge
		if maxAge < 0 {
			panic(fmt.Sprintf("httpauth: RequireFresh: maxAge is %v, wanted 0 or more", maxAge))
		}
		if err := m.validator.CanVerifyFresh(); err != nil {
			panic(fmt.Sprintf("httpauth: RequireFresh: %v", err))
		}
		rt.demand.MaxAge = &maxAge
	}
	if g.DangerouslyReportOnly {
		m.open.opened()
		m.validator.ReportOpen()
	}
	return rt
}

// Route is one gate, compiled. It is safe for concurrent use.
type Route struct {
	middleware   *Middleware
	gate         Gate
	scopes       []string // that its rule names
	missingScope *answer
	demand       validator.Demand
}

func (rt *Route) check(ctx context.Context, host string, shown *validator.Request, refusal *validator.Error) (validator.Accepted, *Failure) {
	accepted, failure := rt.judge(ctx, host, shown, refusal)
	if !rt.gate.DangerouslyReportOnly || failure != nil && failure.Err.Check() == validator.CheckRevoked {
		return accepted, failure
	}
	rt.middleware.open.passed(failure != nil)
	if failure != nil { // accepted has a good token that lacks a scope, or none
		accepted.Nonce = failure.Nonce
	}
	return accepted, nil
}

// Admit decides whether r may pass, and writes no answer, for an adapter: in h, the
// answer's header, it sets what has to be said whatever the handler does. Where the
// failure is not nil, the handler must not run, and the answer is made with
// Middleware.Fail. Else the request that it returns is the one to go on with, and
// carries the token that this gate let in, or none through Optional or
// DangerouslyReportOnly, whatever gates before it let in. The pattern is for the observer:
// the route as Routes lists it, where the framework knows it; see PatternOf.
func (rt *Route) Admit(h http.Header, r *http.Request, pattern string) (*http.Request, *Failure) {
	m := rt.middleware
	shown, refusal := m.request(r, pattern)
	ctx, accepted, failure := rt.pass(r.Context(), r.Host, shown, refusal)
	if failure != nil {
		return nil, failure
	}
	if accepted.Nonce != "" {
		h["Dpop-Nonce"], h["Cache-Control"] = []string{accepted.Nonce}, []string{"no-store"}
	}
	ctx = m.withCertificate(ctx, shown)
	if ctx == r.Context() {
		return r, nil
	}
	return r.WithContext(ctx), nil
}

// pass is the way through for every protocol. The host is what the request says that it
// is for, which chooses among Config.PublicURL and decides nothing.
func (rt *Route) pass(ctx context.Context, host string, shown *validator.Request, refusal *validator.Error) (context.Context, validator.Accepted, *Failure) {
	accepted, failure := rt.check(ctx, host, shown, refusal)
	if failure != nil {
		return nil, accepted, failure
	}
	if accepted.Token != nil || validator.FromContext(ctx) != nil {
		ctx = accepted.NewContext(ctx)
	}
	if rt.gate.Live && accepted.Token != nil {
		ctx, _ = rt.middleware.validator.Live(ctx, accepted.Token) // which ends with the request
	}
	return ctx, accepted, nil
}

// judge makes the decision of a gate that is not report-only.
func (rt *Route) judge(ctx context.Context, host string, shown *validator.Request, refusal *validator.Error) (validator.Accepted, *Failure) {
	m := rt.middleware
	if rt.gate.Optional && (refusal == errNothing || refusal == errNotFound) {
		return validator.Accepted{}, nil
	}
	shown.Scopes = rt.scopes
	shown.ReportOnly = rt.gate.DangerouslyReportOnly
	if refusal != nil {
		m.validator.ReportRefusal(ctx, shown, nil, refusal)
		return validator.Accepted{}, rt.failure(host, shown, refusal, validator.Accepted{})
	}
	accepted, err := m.validator.VerifyRequest(ctx, shown, &rt.demand)
	if err != nil {
		return accepted, rt.failure(host, shown, err.(*validator.Error), accepted) // as VerifyRequest promises, which has reported it
	}
	refuse := func(e *validator.Error) (validator.Accepted, *Failure) {
		m.validator.ReportRefusal(ctx, shown, accepted.Token, e)
		return accepted, rt.failure(host, shown, e, accepted)
	}
	if err := accepted.Token.Check(rt.gate.Rule); err != nil {
		return refuse(err.(*validator.Error)) // as Token.Check promises
	}
	if rt.gate.Policy != nil {
		if err := rt.gate.Policy(ctx, accepted.Token); err != nil {
			return refuse(own(ctx, errPolicy, err))
		}
	}
	m.validator.ReportAccepted(ctx, shown, accepted)
	return accepted, nil
}

// request is what r shows to the validator, and why it holds no token to verify.
func (m *Middleware) request(r *http.Request, pattern string) (*validator.Request, *validator.Error) {
	scheme, token, refusal := m.token(r)
	shown := &validator.Request{Scheme: scheme, Token: token, Method: r.Method, Route: pattern, Source: m.source(r)}
	if shown.Certificate, shown.CertificateErr = m.certificate(r); shown.CertificateErr != nil {
		shown.Certificate = nil
	}
	if refusal == nil && m.accepts.ProofAlgorithms != nil && strings.EqualFold(scheme, "DPoP") {
		shown.Proofs = r.Header["Dpop"] // net/http's own spelling
		shown.URL, refusal = m.urls.of(r)
	}
	return shown, refusal
}

// PatternOf is a pattern in the form that Routes lists: with its method, which some
// routers leave out. Of methods that a client made up there is no end, so those are
// left out here.
func PatternOf(method, pattern string) string {
	if pattern == "" || strings.Contains(pattern, " ") || !slices.Contains(methods, method) {
		return pattern
	}
	return method + " " + pattern
}

// methods are those of RFC 9110 §9.1 and RFC 5789.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace,
}

// Protect is the way through in net/http.
func (rt *Route) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admitted, failure := rt.Admit(w.Header(), r, PatternOf(r.Method, r.Pattern))
		if failure != nil {
			rt.middleware.Fail(w, r, failure)
			return
		}
		if admitted != r {
			defer func() {
				if r.MultipartForm == nil { // whose files net/http removes when r has been answered
					r.MultipartForm = admitted.MultipartForm
				}
			}()
		}
		next.ServeHTTP(w, admitted)
	})
}
