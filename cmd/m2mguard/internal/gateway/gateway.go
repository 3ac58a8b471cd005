package gateway

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/validator"
)

// Config is what a Gateway is made of.
type Config struct {
	Validator *validator.Validator
	// HTTP is how requests are read and refused. Its Source and ErrorHandler are the
	// gateway's own; without its ClientCertificate there is none, whatever certificate the
	// proxy itself shows.
	HTTP httpauth.Config

	Proxy  string // one of Proxies
	Prefix string // the path that Envoy writes before the original's

	// From lists the networks that the proxy asks from, and Secrets what it shows in the
	// field X-Auth-Secret: one of both is needed, unless Unix says that only the proxy
	// can connect.
	From    []netip.Prefix
	Secrets []string
	Unix    bool

	Routes []Route

	// JWT is how the API behind learns who calls; nil for plain header fields.
	JWT *Signed

	Log    *slog.Logger     // one line for each refusal; nil for none
	LogAll bool             // and for each request that is let through
	Now    func() time.Time // nil for time.Now
}

// Route is who may do what.
type Route struct {
	// Pattern is a method, a blank and a path, or a path for all methods, as
	// http.ServeMux takes them; without a host.
	Pattern string
	Gate    httpauth.Gate
	// Public lets requests through without looking at their credentials.
	Public bool
}

// Gateway answers a proxy's questions. It is safe for concurrent use.
type Gateway struct {
	auth     *httpauth.Middleware
	mux      *http.ServeMux
	nowhere  *route // for what no route names
	proxy    *Proxy
	prefix   string
	from     []netip.Prefix
	secrets  [][sha256.Size]byte
	unix     bool
	public   []string // HTTP.PublicURL
	open     []string // patterns of public routes
	identity identity
	signed   *signed // the same, or nil
	log      *slog.Logger
	logAll   bool
	now      func() time.Time
}

// route is a Route, compiled.
type route struct {
	gate    *httpauth.Route // nil for a public one
	pattern string
}

// ServeHTTP is for http.ServeMux, which finds routes and never serves one here.
func (*route) ServeHTTP(http.ResponseWriter, *http.Request) {}

// New makes a gateway, or tells every fault of its configuration.
func New(c Config) (*Gateway, error) {
	g := &Gateway{from: c.From, unix: c.Unix, log: c.Log, logAll: c.LogAll, now: c.Now, prefix: c.Prefix, public: c.HTTP.PublicURL}
	if g.now == nil {
		g.now = time.Now
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if g.proxy = proxies[c.Proxy]; g.proxy == nil {
		fault("serve.proxy is %s, wanted one of %s", Shown(c.Proxy), strings.Join(Proxies(), ", "))
	} else if c.Prefix != "" && g.proxy.target != "" {
		fault("serve.prefix is set, which is for envoy alone: %s says the original path in %s", c.Proxy, g.proxy.target)
	} else if c.Prefix != "" && !isPrefix(c.Prefix) {
		fault("serve.prefix is %s, wanted what envoy has as path_prefix: a path that begins with a slash and does not end in one, without escapes, such as /auth", Shown(c.Prefix))
	}
	if len(c.From) == 0 && len(c.Secrets) == 0 && !c.Unix {
		fault("serve.from is empty, so nobody is trusted to ask: set it to the networks of the proxy, or serve.secrets to what it shows in %s, or serve.listen to a Unix socket", fieldSecret)
	}
	for _, s := range c.Secrets {
		if len(s) < leastSecret {
			fault("serve.secrets holds one of %d bytes, wanted at least %d", len(s), leastSecret)
		}
		g.secrets = append(g.secrets, sha256.Sum256([]byte(s)))
	}
	faults = append(faults, g.compile(c)...)
	if c.JWT != nil {
		var err error
		if g.signed, err = newSigned(*c.JWT, g.now); err != nil {
			faults = append(faults, err)
		}
		g.identity = g.signed
	} else {
		g.identity = headers{}
	}
	return g, errors.Join(faults...)
}

// compile makes the routes. What httpauth and ServeMux panic with is a fault here.
func (g *Gateway) compile(c Config) (faults []error) {
	attempt := func(of string, f func()) {
		defer func() {
			if value := recover(); value != nil {
				faults = append(faults, fmt.Errorf("%s: %s", of, shownLess(fmt.Sprint(value))))
			}
		}()
		f()
	}
	if c.HTTP.Source == nil && g.proxy != nil {
		c.HTTP.Source = g.proxy.caller
	}
	attempt("api", func() { g.auth = httpauth.New(c.Validator, &c.HTTP) })
	g.mux = http.NewServeMux()
	if g.auth == nil {
		return faults
	}
	g.nowhere = &route{gate: g.auth.Compile(httpauth.Gate{}), pattern: "no route"}
	if len(c.Routes) == 0 {
		faults = append(faults, errors.New("serve.routes is empty: each request would be refused"))
	}
	for _, r := range c.Routes {
		of := "serve.routes." + Shown(r.Pattern)
		if err := checkPattern(r.Pattern); err != nil {
			faults = append(faults, fmt.Errorf("%s %w", of, err))
			continue
		}
		attempt(of, func() {
			compiled := &route{pattern: r.Pattern}
			if !r.Public {
				compiled.gate = g.auth.Compile(r.Gate)
				compiled.gate.Remember(r.Pattern)
			}
			g.mux.Handle(r.Pattern, compiled)
			if r.Public {
				g.open = append(g.open, r.Pattern)
			}
		})
	}
	return faults
}

// isPrefix reports whether every reader takes it for the path that it is.
func isPrefix(prefix string) bool {
	path, err := readPath(prefix)
	return err == nil && path == prefix && !strings.HasSuffix(prefix, "/")
}

// longestShown is how long a text of the configuration may be that a fault shows, in
// bytes: names and patterns are shorter, and tokens longer.
const longestShown = 80

// Shown is a text of the configuration as a fault shows it.
func Shown(text string) string {
	if len(text) > longestShown {
		return "[a long text]"
	}
	return fmt.Sprintf("%q", text)
}

// longWord is what may be a token that somebody pasted.
var longWord = regexp.MustCompile(`[^\s"'/]{60,}`)

// registered is what http.ServeMux says of where in this program it was called.
var registered = regexp.MustCompile(` \(registered at [^()]*\)`)

// shownLess is what a library says of a text of the configuration, in one line.
func shownLess(text string) string {
	text = strings.ReplaceAll(registered.ReplaceAllString(text, ""), "\n", " ")
	return longWord.ReplaceAllString(text, "[a long text]")
}

// checkPattern looks at what http.ServeMux would take for something else.
func checkPattern(pattern string) error {
	_, path, found := strings.Cut(pattern, " ")
	if !found {
		path = pattern
	}
	switch path = strings.TrimLeft(path, " \t"); {
	case !strings.HasPrefix(path, "/"):
		return errors.New("has a path that does not begin with a slash, wanted a method and a path, such as GET /orders/{id}")
	case strings.ContainsAny(path, "%;\\"):
		return errors.New("holds an escape, a semicolon or a backslash: patterns are written without escapes")
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if strings.HasSuffix(segment, ".") && !strings.HasSuffix(segment, "...}") {
			return errors.New("has a segment that ends in a dot, which no request may have")
		}
	}
	return nil
}

// Routes lists the routes that are not public.
func (g *Gateway) Routes() []httpauth.RouteInfo { return g.auth.Routes() }

// Public lists the patterns of the routes that everybody may use.
func (g *Gateway) Public() []string { return g.open }

// KeySet is the key set (RFC 7517) that identities are verified with, or nil for plain
// header fields.
func (g *Gateway) KeySet() []byte {
	if g.signed == nil {
		return nil
	}
	return g.signed.set
}

// Metadata serves what the API says of itself (RFC 9728), for the proxy to hand on.
func (g *Gateway) Metadata() http.Handler {
	if len(g.public) == 0 {
		return http.NotFoundHandler()
	}
	return g.auth.MetadataHandler()
}

// ServeHTTP answers whether the request that r asks about may go on: 200 with every
// identity field, or what its client is to be answered.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.trusts(r) {
		g.refuse(w, r, "", http.StatusForbidden, "access_denied", "This address asks for nobody.", errStranger)
		return
	}
	method, target, err := g.proxy.original(r, g.prefix)
	if err != nil {
		g.refuse(w, r, "", http.StatusForbidden, "access_denied", "The proxy before this API is not configured rightly.", err)
		return
	}
	if name := confusing(r.Header); name != "" {
		g.refuse(w, r, "", http.StatusBadRequest, "invalid_request", "The request has a field that may be taken for another one, or for another request.", errField)
		return
	}
	path, err := readPath(target)
	if err != nil {
		g.refuse(w, r, "", http.StatusBadRequest, "invalid_request", "The path of the request can be read in more than one way.", err)
		return
	}
	original := *r
	original.Method, original.RequestURI = method, target
	original.URL = &url.URL{Path: path}
	original.TLS = nil // the proxy's own certificate is none of its client's
	original.Body, original.ContentLength, original.TransferEncoding = http.NoBody, 0, nil
	g.decide(w, &original)
}

// decide answers about a request as its client wrote it.
func (g *Gateway) decide(w http.ResponseWriter, r *http.Request) {
	at := g.find(r)
	if at == nil {
		g.refuse(w, r, "", http.StatusBadRequest, "invalid_request", "The path of the request can be read in more than one way.", errSlash)
		return
	}
	var token *validator.Token
	if at.gate != nil {
		admitted, failure := at.gate.Admit(w.Header(), r, httpauth.PatternOf(r.Method, at.pattern))
		if failure != nil {
			g.fail(w, r, at, failure)
			return
		}
		token = validator.FromContext(admitted.Context())
	}
	for _, name := range identityFields {
		w.Header()[name] = nothing
	}
	if token != nil {
		if err := g.identity.write(w.Header(), token); err != nil {
			g.refuse(w, r, at.pattern, http.StatusForbidden, "access_denied", "The API behind cannot be told who calls.", err)
			return
		}
	}
	if g.logAll {
		g.log.LogAttrs(r.Context(), slog.LevelInfo, "let through", append(g.about(r, at.pattern), slog.Any("token", token))...)
	}
	w.WriteHeader(http.StatusOK)
}

// fail answers with a failure, in the statuses that the proxy hands on.
func (g *Gateway) fail(w http.ResponseWriter, r *http.Request, at *route, f *httpauth.Failure) {
	wanted := f.Status
	g.log.LogAttrs(r.Context(), slog.LevelInfo, "refused", append(g.about(r, at.pattern), slog.Int("status", wanted), slog.String("check", string(f.Err.Check())))...)
	f.Status = g.answers(w, wanted)
	f.Respond(w)
}

// refuse answers what is refused before there are credentials to look at.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, pattern string, status int, code, sentence string, why error) {
	g.log.LogAttrs(r.Context(), slog.LevelWarn, "refused", append(g.about(r, pattern), slog.Int("status", status), slog.String("why", why.Error()))...)
	f := &httpauth.Failure{Status: g.answers(w, status), Body: httpauth.Body{Error: code, Description: sentence}}
	f.Respond(w)
}

// answers is the status to answer with where wanted is meant. It takes back what a
// refused request got of an identity.
func (g *Gateway) answers(w http.ResponseWriter, wanted int) int {
	for _, name := range identityFields {
		delete(w.Header(), name)
	}
	status := g.proxy.status(wanted)
	if g.proxy.passes != nil {
		w.Header()[statusField] = []string{fmt.Sprint(wanted)}
	}
	return status
}

// about is what the access log has of a request: nothing of its path or header that may
// be a secret.
func (g *Gateway) about(r *http.Request, pattern string) []slog.Attr {
	method := r.Method
	if !slices.Contains(methods, method) {
		method = "another"
	}
	return []slog.Attr{slog.String("method", method), slog.String("route", pattern)}
}

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace,
}
