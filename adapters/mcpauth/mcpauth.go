package mcpauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// DefaultMaxBody is Config.MaxBody unless it is set: as much as the SDK's handler takes
// (mcp.DefaultMaxRequestBodyBytes).
const DefaultMaxBody = 4 << 20

// Config is what a server is called by, and how requests to it are refused.
type Config struct {
	_ [0]func()

	// PublicURL is what clients call this server by: the URL of the MCP endpoint, such as
	// "https://api.example.com/mcp", or several that differ in their host. It is the
	// resource of the metadata that challenges point at (RFC 9728), and proofs of
	// possession must be for it. It is https, or http on a loopback host. Required.
	PublicURL []string

	// Audience is what tokens must name in aud, one of these; the issuer's
	// validator.Issuer.Audience must accept it, too. Default: PublicURL, as RFC 8707 and
	// MCP's authorization page want it, and for one without a path also with a slash at
	// its end, which some clients add.
	Audience []string

	// MaxBody is how long the body of a request may be, in bytes: it is read whole, once
	// its token is known to be good. The SDK's handler has a limit of its own, which
	// counts as well. Default DefaultMaxBody.
	MaxBody int64

	// HTTP is what else package httpauth takes, such as Source, ClientCertificate,
	// Metadata.Scopes and Stale. PublicPathPrefix is the part of PublicURL's path that a
	// proxy cuts off. What is this Config's own stays empty in it: PublicURL, Audience,
	// Metadata.Path; and so do Credentials and DangerouslyIgnoreAuthorization, because
	// MCP has tokens in the Authorization field alone, and DangerouslyReportOnly.
	HTTP httpauth.Config
}

// Middleware protects the handler of one MCP server. It is made with New and safe for
// concurrent use.
type Middleware struct {
	http      *httpauth.Middleware
	validator *validator.Validator
	maxBody   int64
	rules     Rules
	base      *operation
	known     map[key]*operation
	templates []template
	exact     map[string][]scopes.Rule
}

// New makes the middleware for v. Like httpauth.New it panics if it is called wrongly,
// with all faults of rules and cfg at once, and then with what httpauth.New finds.
func New(v *validator.Validator, rules Rules, cfg *Config) *Middleware {
	if cfg == nil {
		cfg = &Config{}
	}
	h, errs := cfg.http()
	templates, more := rules.check()
	if errs = append(errs, more...); len(errs) > 0 {
		panic(fmt.Sprintf("mcpauth: New: %v", errors.Join(errs...)))
	}
	m := &Middleware{
		http:      httpauth.New(v, h),
		validator: v,
		maxBody:   cmp.Or(cfg.MaxBody, DefaultMaxBody),
		rules:     rules.clone(),
		templates: templates,
		exact:     rules.exact(),
	}
	m.compile()
	return m
}

// http is the configuration of the middleware below, and what is wrong with cfg.
func (cfg *Config) http() (*httpauth.Config, []error) {
	h := cfg.HTTP
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf("Config."+format, args...)) }
	for _, field := range []struct {
		set  bool
		name string
	}{
		{h.PublicURL != nil, "PublicURL"}, {h.Audience != nil, "Audience"}, {h.Metadata.Path != "", "Metadata.Path"}, {h.Credentials != nil, "Credentials"},
		{h.DangerouslyIgnoreAuthorization, "DangerouslyIgnoreAuthorization"}, {h.DangerouslyReportOnly, "DangerouslyReportOnly"},
	} {
		if field.set {
			fault("HTTP.%s is set, wanted it empty: see Config.HTTP", field.name)
		}
	}
	if cfg.MaxBody < 0 {
		fault("MaxBody is %d, wanted bytes, or 0 for %d", cfg.MaxBody, DefaultMaxBody)
	}
	if len(cfg.PublicURL) == 0 {
		fault("PublicURL is empty, wanted what clients call this server by, such as https://api.example.com/mcp")
	}
	var audience []string
	prefix := strings.TrimSuffix(h.PublicPathPrefix, "/")
	for n, text := range cfg.PublicURL {
		base, path, ok := splitURL(text)
		rest, within := strings.CutPrefix(path, prefix)
		switch {
		case !ok:
			fault("PublicURL is %s, wanted scheme, host and path alone, such as https://api.example.com/mcp", shownURL(text))
			continue
		case !within || rest != "" && rest[0] != '/':
			fault("PublicURL is %q, and its path does not begin with HTTP.PublicPathPrefix, %q", text, h.PublicPathPrefix)
		case n > 0 && rest != h.Metadata.Path:
			fault("PublicURL is %q, and the path of another one is %q, wanted one path: a server of another path is another resource", text, prefix+h.Metadata.Path)
		}
		h.PublicURL, h.Metadata.Path = append(h.PublicURL, base), rest
		audience = append(audience, base+path)
		if path == "" {
			audience = append(audience, base+"/")
		}
	}
	h.Audience = audience
	if cfg.Audience != nil {
		if h.Audience = slices.Clone(cfg.Audience); len(h.Audience) == 0 || slices.Contains(h.Audience, "") {
			fault("Audience is %q, wanted names that tokens hold, or nil", cfg.Audience)
		}
	}
	return &h, errs
}

// splitURL is a URL up to its path, and that without a slash at its end.
func splitURL(text string) (base, path string, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsAny(text, "?#\"\\ ") {
		return "", "", false
	}
	path = strings.TrimSuffix(u.EscapedPath(), "/")
	if strings.HasSuffix(path, "/") {
		return "", "", false
	}
	return strings.TrimSuffix(strings.TrimSuffix(text, "/"), path), path, true
}

// shownURL quotes what is no public URL, where no password or key can be in it.
func shownURL(text string) string {
	if _, err := url.Parse(text); err != nil || strings.ContainsAny(text, "@?#") {
		return "not shown, because it may hold a password"
	}
	return fmt.Sprintf("%q", text)
}

// MountMetadata has mux serve the metadata of this server (RFC 9728), which clients find
// through challenges, or by PublicURL alone.
func (m *Middleware) MountMetadata(mux httpauth.Mux) { m.http.MountMetadata(mux) }

// MetadataPath is the path of the metadata: a proxy must lead it here.
func (m *Middleware) MetadataPath() string { return m.http.MetadataPath() }

// Routes lists the operations that have a rule, each with what it asks for: methods, what
// is called, got or read by them, and "mcp", which is a request before its body is read, if
// its header does not say more. Events name an operation as it does, by the method alone
// where a name has no entry of its own.
func (m *Middleware) Routes() []httpauth.RouteInfo { return m.http.Routes() }

// operation is what a request does, in so far as rules tell it apart.
type operation struct {
	route *httpauth.Route
	name  string // for events, and of configured words alone
	rule  scopes.Rule
}

// operation compiles one. Each is live: event streams end with their token.
func (m *Middleware) operation(name string, rules ...scopes.Rule) *operation {
	rule := rules[0]
	if len(rules) > 1 {
		rule = scopes.AllOf(rules...)
	}
	return &operation{m.http.Compile(httpauth.Gate{Rule: rule, Live: true}), name, rule}
}

// Protect lets requests through to the MCP server's handler, which is
// mcp.NewStreamableHTTPHandler's. What is between the two must not change a body.
func (m *Middleware) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op := m.announced(r)
		admitted, failure := op.route.Admit(w.Header(), r, op.name)
		if failure != nil {
			m.http.Fail(w, r, failure)
			return
		}
		asked, refused := m.judge(w, admitted)
		if over, ok := errors.AsType[*validator.Error](context.Cause(admitted.Context())); ok { // while its body came
			if _, failure = op.route.Admit(w.Header(), admitted, op.name); failure == nil {
				failure = op.route.Answer(&validator.Request{Scheme: "Bearer"}, over)
			}
			m.http.Fail(w, r, failure)
			return
		}
		if refused != nil {
			m.refuse(w, admitted, refused)
			return
		}
		if asked.op.route != op.route && asked.op.route != m.base.route { // which op includes
			if admitted, failure = asked.op.route.Admit(w.Header(), admitted, asked.op.name); failure != nil {
				m.http.Fail(w, r, failure)
				return
			}
		}
		m.serve(next, w, admitted, asked)
	})
}
