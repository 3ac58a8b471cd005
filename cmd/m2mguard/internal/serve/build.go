package serve

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth/forwarded"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/gateway"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// Builder makes sets of a file, again and again.
type Builder struct {
	Log      *slog.Logger
	Observer observe.Observer // beside the log
	Offline  bool             // connects to nobody: what is made is looked at, and serves nothing

	mu      sync.Mutex
	key     crypto.Signer // of identities, where the file names none
	replays *dpop.Memory  // of proofs, where instances share none
	listen  *string       // what the first file says: the listener stays while the program runs
}

// errMissing is a file's that is for other commands.
var errMissing = errors.New("serve is missing: it says which proxy asks, and what the routes are")

// Build makes a set, or tells all faults that the file as such does not have. The set
// closes the file.
func (b *Builder) Build(f *config.File) (*Set, error) {
	if f.Serve == nil {
		return nil, errMissing
	}
	c, faults := b.draft(f)
	if err := unreachable(f, c.Routes); err != nil {
		faults = append(faults, err)
	}
	b.remember(f.DPoP)
	f.Observer = observe.Join(validator.LogEvents(b.Log), b.Observer)
	if !b.Offline {
		f.Follow()
		f.Observe(f.Observer)
	}
	unwatch := func() {}
	if f.Revocations != nil {
		unwatch = f.Observer.Offer(f.Revocations)
	}
	v, err := validator.New(f.Config)
	if err != nil {
		unwatch()
		return nil, errors.Join(append(faults, err)...)
	}
	c.Validator = v
	g, err := gateway.New(c)
	if faults = append(faults, flat(err)...); faults != nil {
		v.Close()
		unwatch()
		return nil, f.Locate(errors.Join(faults...))
	}
	return &Set{Gateway: g, Validator: v, Close: func() { v.Close(); unwatch(); f.Close() }}, nil
}

// draft is what a gateway is made of, but for its validator, and what is wrong with that.
func (b *Builder) draft(f *config.File) (c gateway.Config, faults []error) {
	s := f.Serve
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	c = gateway.Config{
		HTTP:  httpauth.Config{Realm: s.Realm, PublicURL: f.API.PublicURL},
		Proxy: s.Proxy, Prefix: s.Prefix, From: s.From, Unix: b.onSocket(s.Listen),
	}
	fault(checkOptions(s))
	if s.Secrets != nil {
		for _, secret := range s.Secrets() {
			c.Secrets = append(c.Secrets, string(secret))
		}
	}
	var err error
	c.HTTP.ClientCertificate, err = certificate(s, f.API.ClientCertificate)
	fault(err)
	c.Log, c.LogAll, err = b.accessLog(s.AccessLog)
	fault(err)
	c.Routes, err = routes(s)
	fault(err)
	if err != nil && len(c.Routes) == 0 {
		c.Routes = []gateway.Route{{Pattern: "/", Public: true}} // serves nobody: so that none is not reported as missing
	}
	c.JWT, err = b.identity(s.Identity, f.API.PublicURL)
	fault(err)
	return c, faults
}

// accessLog is where decisions are logged, and whether all are.
func (b *Builder) accessLog(which string) (log *slog.Logger, all bool, err error) {
	switch which {
	case "", "refused":
		return b.Log, false, nil
	case "all":
		return b.Log, true, nil
	case "off":
		return nil, false, nil
	}
	return nil, false, fmt.Errorf("serve.accessLog is %s, wanted all, refused or off", gateway.Shown(which))
}

// identity is how the API behind learns who calls; nil for plain fields.
func (b *Builder) identity(i config.Identity, public []string) (*gateway.Signed, error) {
	switch {
	case i.Headers && i.JWT != nil:
		return nil, errors.New("serve.identity names both jwt and headers, wanted one")
	case i.Headers:
		return nil, nil
	case i.JWT == nil:
		i.JWT = &config.IdentityJWT{}
	}
	s := &gateway.Signed{Issuer: i.JWT.Issuer, Audience: i.JWT.Audience, Lifetime: i.JWT.Lifetime}
	if s.Issuer == "" {
		s.Issuer = "m2mguard"
	}
	if s.Audience == "" && len(public) > 0 {
		s.Audience = public[0]
	}
	var read, err error
	if i.JWT.KeyFile != "" {
		if s.Key, read = config.PrivateKey(i.JWT.KeyFile); read != nil {
			read = fmt.Errorf("serve.identity.jwt.keyFile %w", read)
		}
	}
	if s.Key == nil { // also in the place of one that cannot be read, so that that is told once
		s.Key, err = b.ownKey()
	}
	return s, errors.Join(read, err)
}

// onSocket reports whether the program listens on a socket: by the first file, since a
// later one moves no listener.
func (b *Builder) onSocket(listen string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listen == nil {
		b.listen = &listen
	}
	return strings.HasPrefix(*b.listen, socket)
}

// unreachable finds routes that take bound tokens alone, where nobody could show that a
// token is its own.
func unreachable(f *config.File, all []gateway.Route) error {
	if f.DPoP != nil || f.API.ClientCertificate != nil {
		return nil
	}
	var faults []error
	for n, iss := range f.Config.Issuers {
		if iss.Binding == validator.BindingRequired {
			faults = append(faults, fmt.Errorf("issuers[%d].binding takes bound tokens alone, %s", n, closed))
		}
	}
	for _, r := range all {
		if r.Gate.Bound {
			faults = append(faults, fmt.Errorf("serve.routes.%s takes bound tokens alone, %s", gateway.Shown(r.Pattern), closed))
		}
	}
	return errors.Join(faults...)
}

// closed is what is wrong with that.
const closed = "and nobody can show one here: wanted dpop, or api.clientCertificate"

// ownKey is a key of this process, the same for each set.
func (b *Builder) ownKey() (crypto.Signer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.key == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		b.key = key
	}
	return b.key, nil
}

// remember has a set know the proofs that the one before has seen. How many are held is
// the first file's.
func (b *Builder) remember(c *dpop.Config) {
	if c == nil {
		return
	}
	own, inProcess := c.Replays.(*dpop.Memory)
	if !inProcess && c.Replays != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.replays == nil {
		if b.replays = own; own == nil {
			b.replays = dpop.NewMemory(0)
		}
	}
	c.Replays = b.replays
}

// certificate reads the client's certificate as the proxy hands it on. Who may ask is
// decided before, so that whoever does is believed in this, too.
func certificate(s *config.Serve, field *config.ProxyField) (func(*http.Request) ([]byte, error), error) {
	if field == nil {
		return nil, nil // and none of the connection's, which is the proxy's own
	}
	everybody := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	trust := []forwarded.Trust{forwarded.Peers(everybody...), forwarded.UnixSocket()}
	if field.Field == "" && s.Proxy != "traefik" && s.Proxy != "envoy" {
		return nil, errors.New("api.clientCertificate.field is empty, wanted the header field that the proxy writes, such as X-Client-Cert")
	}
	if strings.EqualFold(field.Field, "Client-Cert") {
		return forwarded.ClientCert(trust...), nil
	}
	switch s.Proxy {
	case "nginx":
		return forwarded.NGINX(field.Field, trust...), nil
	case "haproxy":
		return forwarded.HAProxy(field.Field, trust...), nil
	case "apache":
		return forwarded.Apache(field.Field, trust...), nil
	case "caddy":
		return forwarded.Caddy(field.Field, trust...), nil
	case "traefik":
		return forwarded.Traefik(trust...), nil
	case "envoy":
		return forwarded.Envoy(trust...), nil
	}
	return nil, nil // serve.proxy is a fault of its own
}

// routes are those of the file, and of the OpenAPI file that it names.
func routes(s *config.Serve) (all []gateway.Route, err error) {
	var faults []error
	for _, pattern := range slices.Sorted(maps.Keys(s.Routes)) {
		r, err := route(pattern, s.Routes[pattern])
		if err != nil {
			faults = append(faults, fmt.Errorf("serve.routes.%s %w", gateway.Shown(pattern), err))
			continue
		}
		all = append(all, r)
	}
	if s.OpenAPI != "" {
		more, err := fromOpenAPI(s.OpenAPI)
		if err != nil {
			faults = append(faults, err)
		}
		all = append(all, more...)
	}
	return all, errors.Join(faults...)
}

// route is what a rule says.
func route(pattern string, r config.Rule) (gateway.Route, error) {
	for _, name := range slices.Concat(r.Scopes, r.AnyOf) {
		if !scopes.Valid(name) {
			return gateway.Route{}, fmt.Errorf("names the scope %s, which can be none (RFC 6749 §3.3)", gateway.Shown(name))
		}
	}
	var parts []scopes.Rule
	if len(r.Scopes) > 0 {
		parts = append(parts, scopes.All(r.Scopes...))
	}
	if len(r.AnyOf) > 0 {
		parts = append(parts, scopes.Any(r.AnyOf...))
	}
	if r.AnyToken {
		parts = append(parts, scopes.AnyToken())
	}
	switch {
	case r.Public && (parts != nil || r.Optional || r.Bound || r.MaxAge != nil || r.Audience != nil || r.DangerouslyReportOnly):
		return gateway.Route{}, errors.New("is public and asks for something, wanted one of the two")
	case r.Public:
		return gateway.Route{Pattern: pattern, Public: true}, nil
	case r.AnyToken && len(parts) > 1:
		return gateway.Route{}, errors.New("takes any token and names scopes, wanted one of the two")
	case parts == nil:
		return gateway.Route{}, errors.New("says nothing of who may use it, wanted scopes, anyOf, anyToken or public")
	}
	return gateway.Route{Pattern: pattern, Gate: httpauth.Gate{
		Rule: scopes.AllOf(parts...), MaxAge: r.MaxAge, Bound: r.Bound, Audience: r.Audience, Stale: r.Stale,
		Optional: r.Optional, DangerouslyReportOnly: r.DangerouslyReportOnly,
	}}, nil
}
