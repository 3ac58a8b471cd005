package httpauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
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

	// Source names who seems to call. Where tokens that were not seen before, and proofs
	// of possession, wait for their turn (to be verified, or for introspection), turns are
	// fair by source, and one that has more waiting than its share gets 429. It decides
	// nothing else, so a name that a client can choose lets nobody in; but it lets
	// that client take others' turns. Default: the host of r.RemoteAddr, which is
	// right where clients connect themselves. Behind a proxy that is the proxy, and
	// all clients are one source: take the address that the proxy adds, as
	//
	//	func(r *http.Request) string { return r.Header.Get("X-Real-Ip") }
	//
	// where the proxy overwrites that field. It is called for each request and should
	// be quick.
	Source func(r *http.Request) string

	// Credentials finds the credentials of a request where they are not in the
	// Authorization field: in a field that a gateway renames, a WebSocket
	// subprotocol, a signed cookie. It returns the scheme, which must be "Bearer", or
	// "DPoP" where the validator's Config.DPoP is set, in any case, and the token, which
	// passes the same checks as one from the field. An Authorization field beside what it found is 400, unless it holds
	// the same; two empty strings mean that there are none, and then a token in the
	// Authorization field is not taken either: a function that allows both reads
	// both:
	//
	//	func(r *http.Request) (scheme, token string, err error) {
	//		if t := r.Header.Get("X-Access-Token"); t != "" {
	//			return "Bearer", t, nil
	//		}
	//		return "", "", nil
	//	}
	//
	// An error is 400, or 503 if it matches validator.ErrUnavailable or is the
	// end of a context; its text goes to the observer and must hold no credential.
	// Deny calls the function again.
	//
	// Browsers send cookies by themselves, also with a request that another site
	// wrote. An API that takes tokens from cookies must defend itself against that
	// (CSRF): http.CrossOriginProtection before this middleware, and cookies that
	// are Secure, HttpOnly and SameSite. A WebSocket's handshake is not covered by
	// CORS either: check its Origin.
	//
	// Default: the Authorization field (RFC 6750 §2.1).
	Credentials func(r *http.Request) (scheme, token string, err error)

	// DangerouslyIgnoreAuthorization has an Authorization field beside what
	// Credentials finds, or in its place, count for nothing, for gateways that need
	// that field for themselves (Cloudflare Access, Google IAP). What is lost: where a
	// proxy goes by the Authorization field, it and this API may take one request for
	// two different clients'. It needs Credentials.
	DangerouslyIgnoreAuthorization bool

	// ClientCertificate finds the DER of the client's certificate where a proxy ends
	// TLS and hands it on; package forwarded has functions that read what proxies
	// write. It is asked once for each request, and nil is for none. An error matters
	// to a token that is bound to a certificate (RFC 8705 §3): such a request is 401,
	// or 503 if the error matches validator.ErrUnavailable; what it says goes to the
	// observer. Where it is set, a certificate of the connection itself does not count.
	//
	// Default: the one of the TLS connection, if the server asks for it
	// (tls.Config.ClientAuth; tls.RequestClientCert is enough).
	ClientCertificate func(r *http.Request) (der []byte, err error)

	// PublicURL is what clients call this API by: scheme and host, such as
	// "https://api.example.com", or several. It, and never what a request says, is what
	// a proof of possession must be for (RFC 9449 §4.3), so validator.Config.DPoP needs
	// it; a request's own URL is it and the path of the request line, escaped as sent.
	// Of several, the request's Host chooses, and one that names none is 421. With it,
	// challenges name the route's scopes and the address of the API's metadata (RFC
	// 9728 §5.1), which [Middleware.MountMetadata] serves. It is https, or http on a
	// loopback host. Default none.
	PublicURL []string

	// PublicPathPrefix is the path that a proxy cuts off before requests come here,
	// such as "/orders". Default none.
	PublicPathPrefix string

	// Metadata is what else the metadata of this API says.
	Metadata Metadata

	// Audience narrows Issuer.Audience for the routes of this middleware: their
	// tokens must name one of these as well, and a token without aud never passes.
	// So several APIs share one validator and one cache of keys. Gate.Audience does
	// so for one route. Default: what the issuer's configuration accepts.
	Audience []string

	// Stale is what happens at the routes of this middleware while the validator's
	// Config.Revocations has not heard of its feed for too long; Gate.Stale says so for
	// one route. It needs Config.Revocations, and StaleAskIssuer an issuer that has
	// Introspection. Default: as the list is configured.
	Stale revocation.WhenStale

	// DangerouslyReportOnly makes all routes of this middleware report what they
	// would refuse, and let it through, as [Middleware.DangerouslyReportOnly] does
	// for one. It never loosens RequireFresh, RequireThat and RequireBound.
	DangerouslyReportOnly bool

	// ErrorHandler answers refused requests in place of the default rendering,
	// in every adapter. The failure's header fields (challenge, DPoP-Nonce, Retry-After,
	// Cache-Control) are set on w already and may be changed; the status and the
	// body are ErrorHandler's to write, from f or with f.Respond, which leaves
	// changed fields as they are. The protected handler does not run, whatever
	// ErrorHandler does.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, f *Failure)
}

// Middleware protects routes with one validator. It is made with New and safe
// for concurrent use.
type Middleware struct {
	validator         *validator.Validator
	realm             string
	source            func(*http.Request) string
	credentials       func(*http.Request) (scheme, token string, err error) // nil for the Authorization field
	elsewhere         bool                                                  // and that field counts for nothing
	clientCertificate func(*http.Request) ([]byte, error)                   // nil for the connection's own
	audience          []string
	stale             revocation.WhenStale
	accepts           validator.Accepts
	urls              publicURLs
	metadata          Metadata
	reportOnly        bool
	errorHandler      func(http.ResponseWriter, *http.Request, *Failure) // nil for the default
	answers           answers                                            // for what is the same on each route
	open              openRoutes
	registry          registry
}

// New makes the middleware for v. A nil cfg stands for the zero Config. Like
// http.ServeMux.Handle, New panics if it is called wrongly: with a nil v, one
// that validator.New did not make, a realm that no challenge can hold, an
// empty name or an empty list in Config.Audience, a Stale that is no policy or cannot be, a wrong
// PublicURL, or none where the validator checks proofs of possession.
func New(v *validator.Validator, cfg *Config) *Middleware {
	if v == nil {
		panic("httpauth: New: the validator is nil")
	}
	if err := v.CanVerifyFresh(); errors.Is(err, validator.ErrUnavailable) {
		panic(fmt.Sprintf("httpauth: New: %v", err))
	}
	m := &Middleware{validator: v, realm: DefaultRealm, source: peer, accepts: v.Accepts()}
	if cfg != nil {
		if cfg.Source != nil {
			m.source = cfg.Source
		}
		m.credentials, m.elsewhere, m.errorHandler = cfg.Credentials, cfg.DangerouslyIgnoreAuthorization, cfg.ErrorHandler
		m.clientCertificate = cfg.ClientCertificate
		m.urls, m.metadata = newPublicURLs(cfg.PublicURL, cfg.PublicPathPrefix, cfg.Metadata.Path), cfg.Metadata
		m.metadata.Scopes = slices.Clone(cfg.Metadata.Scopes)
		m.audience, m.stale, m.reportOnly = slices.Clone(cfg.Audience), cfg.Stale, cfg.DangerouslyReportOnly
		if cfg.Realm != "" {
			m.realm = cfg.Realm
		}
	}
	if !quotable(m.realm) {
		panic(fmt.Sprintf("httpauth: New: Config.Realm is %q, wanted printable ASCII without %q and %q", m.realm, '"', '\\'))
	}
	if m.accepts.ProofAlgorithms != nil && len(m.urls.bases) == 0 {
		panic("httpauth: New: Config.PublicURL is empty, and the validator's Config.DPoP is set: wanted what clients call this API by, which a proof is held against")
	}
	for _, scope := range m.metadata.Scopes {
		if !scopes.Valid(scope) {
			panic(fmt.Sprintf("httpauth: New: Config.Metadata.Scopes holds %q, which is no scope (RFC 6749 §3.3)", scope))
		}
	}
	if m.audience != nil {
		checkAudience("New: Config", m.audience)
	}
	checkStale("New: Config", m.stale, m.accepts)
	if m.elsewhere && m.credentials == nil {
		panic("httpauth: New: Config.DangerouslyIgnoreAuthorization is set without Credentials, wanted the function that finds tokens elsewhere")
	}
	return m
}

// checkAudience panics if nobody could pass, or whoever's audience is empty.
func checkAudience(where string, names []string) {
	if len(names) == 0 || slices.Contains(names, "") {
		panic(fmt.Sprintf("httpauth: %s.Audience is %q, wanted names that tokens hold, or nil", where, names))
	}
}

// checkStale panics for what is no policy, which would refuse everybody, and for one
// that comes to nothing, or to StaleRefuse.
func checkStale(where string, s revocation.WhenStale, a validator.Accepts) {
	switch {
	case !s.Valid():
		panic(fmt.Sprintf("httpauth: %s.Stale is %d, wanted StaleGoOn, StaleUnready (the same for a route), StaleRefuse, StaleAskIssuer or none", where, s))
	case s != revocation.StaleByConfig && !a.Revocations:
		panic(fmt.Sprintf("httpauth: %s.Stale is set, and the validator has no Config.Revocations, wanted both or none", where))
	case s == revocation.StaleAskIssuer && !a.Introspection:
		panic(fmt.Sprintf("httpauth: %s.Stale is StaleAskIssuer, and no issuer has Introspection, wanted one that has, or StaleRefuse, which does the same", where))
	}
}

// Require returns a middleware that lets a request through to the handler if it
// carries a good token whose scopes satisfy rule, with the proof that a bound one needs,
// and puts the token into the request's context (validator.FromContext). A zero rule lets nobody in.
func (m *Middleware) Require(rule scopes.Rule) func(http.Handler) http.Handler {
	return m.Gate(Gate{Rule: rule})
}

// RequireFresh is Require for what must not wait for a cache to run out: the
// issuer must have called the token active no longer than maxAge ago, and zero
// asks it now, at every request (validator.VerifyFresh). It panics if a
// configured issuer has no Introspection to ask, or if maxAge is negative.
func (m *Middleware) RequireFresh(maxAge time.Duration, rule scopes.Rule) func(http.Handler) http.Handler {
	return m.Gate(Gate{Rule: rule, MaxAge: &maxAge})
}

// RequireThat is Require with a decision of the API's own after the rule, about
// tenant or plan. policy sees the token and what the request's context holds: what a
// middleware before this one put there, and chi.URLParamFromCtx. Where a path value
// or data decides, such as ownership, a handler uses [Middleware.Deny]. If policy returns an error, the answer is 403 with
// access_denied and one constant sentence, and no challenge, because no other
// scope would help; if that error matches validator.ErrUnavailable or a context
// has ended, 503. What the error says goes to the observer, never to the client.
// It panics if policy is nil.
func (m *Middleware) RequireThat(rule scopes.Rule, policy func(context.Context, *validator.Token) error) func(http.Handler) http.Handler {
	return m.Gate(GateThat(rule, policy))
}

// GateThat is the gate of RequireThat, for adapters of other frameworks. It panics if
// policy is nil, which a Gate's own field takes for none.
func GateThat(rule scopes.Rule, policy func(context.Context, *validator.Token) error) Gate {
	if policy == nil {
		panic("httpauth: RequireThat: the policy is nil, wanted a function, or Require")
	}
	return Gate{Rule: rule, Policy: policy}
}

// RequireBound is Require for tokens that are bound to their sender and come
// with its proof: bearer tokens are refused.
func (m *Middleware) RequireBound(rule scopes.Rule) func(http.Handler) http.Handler {
	return m.Gate(Gate{Rule: rule, Bound: true})
}

// RequireLive is Require for what lasts: the request's context ends with the token, when
// that expires or is revoked, or its key is withdrawn, and when the validator is closed
// (validator.Live), and context.Cause is an *validator.Error then. A handler of an event
// stream or a long poll returns when its context is done; one of a WebSocket closes the
// connection, by context.AfterFunc, since its reads wait for no context.
func (m *Middleware) RequireLive(rule scopes.Rule) func(http.Handler) http.Handler {
	return m.Gate(Gate{Rule: rule, Live: true})
}

// Optional is Require for routes that strangers may use as well: a request
// without any credentials reaches the handler without a token. Where an
// Authorization field is sent, of whatever scheme, or Config.Credentials finds
// something or fails, the request is judged as by Require.
func (m *Middleware) Optional(rule scopes.Rule) func(http.Handler) http.Handler {
	return m.Gate(Gate{Rule: rule, Optional: true})
}

// DangerouslyReportOnly protects nothing: what Require would refuse is reported
// to the observer and let through, with its token if that is a good one that
// lacks a scope, else without. It is for rolling scopes out. A token that
// validator.Config.Revocations holds something against is refused all the same: whoever
// revokes a client wants it to stop. While such requests
// come, a line at level Warn to slog.Default says, at the first of them and then
// once a minute, how many routes are open and what they let through.
func (m *Middleware) DangerouslyReportOnly(rule scopes.Rule) func(http.Handler) http.Handler {
	return m.Gate(Gate{Rule: rule, DangerouslyReportOnly: true})
}

// Gate is Require for what several of the other functions ask at once.
func (m *Middleware) Gate(g Gate) func(http.Handler) http.Handler { return m.Compile(g).Protect }

// peer is the host of the connection's other end.
func peer(r *http.Request) string {
	addr := r.RemoteAddr
	if end := strings.LastIndexByte(addr, ':'); end >= 0 {
		addr = addr[:end]
	}
	return strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
}
