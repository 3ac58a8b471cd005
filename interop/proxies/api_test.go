//go:build interop

package proxies_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth/forwarded"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// api is the orders API behind a proxy, and what it saw.
type api struct {
	front
	trust   forwarded.Trust
	unknown bool // its server has no ConnContext

	mu      sync.Mutex
	reached int    // requests
	reason  string // why the last one was refused; "" if it was not
	remote  string // RemoteAddr of the last one, as the guard saw it
}

var rule = scopes.All("orders:read")

const (
	// secretField and secret are what one of the proxies shows its API.
	secretField = "X-Proxy-Secret"
	secret      = "correct-horse-battery-staple"
)

// loopback is where proxies connect from. Strangers use another of its addresses.
var loopback = netip.MustParsePrefix("127.0.0.1/32")

// newAPIs starts an API for each adapter, each middleware before it that changes
// RemoteAddr, and each way to know a proxy.
func newAPIs(t *testing.T, p *product, iss *issuertest.Issuer) []*api {
	t.Helper()
	bare := func(h http.Handler) http.Handler { return h }
	//lint:ignore SA1019 what it does wrong is what is tried here
	realIP := middleware.RealIP
	peers := forwarded.Peers(loopback)
	var apis []*api
	for _, a := range []struct {
		name    string
		trust   forwarded.Trust
		before  func(http.Handler) http.Handler
		handler func(*validator.Validator, *httpauth.Config) http.Handler
	}{
		{"net/http", peers, bare, netHTTP},
		{"Echo", peers, bare, echoFramework},
		{"Gin", peers, bare, ginFramework},
		{"chi's RealIP", peers, realIP, netHTTP},
		{"ProxyHeaders", peers, proxyHeaders, netHTTP},
		{"a Unix socket", forwarded.UnixSocket(), realIP, netHTTP},
		{"a secret", forwarded.Secret(secretField, secret), bare, netHTTP},
		{"no ConnContext", peers, bare, netHTTP},
	} {
		made := &api{trust: a.trust, unknown: a.name == "no ConnContext"}
		made.Name, made.Unix = a.name, a.name == "a Unix socket"
		if a.name == "a secret" {
			made.Secret = secret
		}
		guarded := a.handler(newValidator(t, iss, made), &httpauth.Config{ClientCertificate: p.read(a.trust)})
		made.serve(t, made.count(a.before(made.look(guarded))))
		apis = append(apis, made)
	}
	return apis
}

// newValidator makes one that tells an API of its refusals.
func newValidator(t *testing.T, iss *issuertest.Issuer, a *api) *validator.Validator {
	t.Helper()
	v, err := validator.New(validator.Config{
		Issuers:  []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		Observer: observe.Observer{Event: a.event},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// serve starts the API's own server, which the proxy connects to.
func (a *api) serve(t *testing.T, h http.Handler) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	if a.Unix {
		folder, err := os.MkdirTemp("", "api-") // the names of sockets are short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(folder) })
		a.API = filepath.Join(folder, "api")
		listener, err := net.Listen("unix", a.API)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{folder, a.API} { // Apache connects as another user than root
			if err := os.Chmod(name, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		_ = s.Listener.Close()
		s.Listener = listener
	} else {
		a.API = s.Listener.Addr().String()
	}
	if !a.unknown && a.Secret == "" {
		s.Config.ConnContext = forwarded.ConnContext
	}
	s.Start()
	t.Cleanup(s.Close)
}

// count notes that a request has come, before anything else does.
func (a *api) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.reached++
		a.reason, a.remote = "", ""
		a.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// look notes what the guard is about to see.
func (a *api) look(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.remote = r.RemoteAddr
		a.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (a *api) event(_ context.Context, e *observe.Event) {
	if e.Check == "" || e.Err == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reason = e.Err.Error()
}

// saw returns how many requests have come, and why the last was refused.
func (a *api) saw() (reached int, reason, remote string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reached, a.reason, a.remote
}

// adapters make the API of a validator.
var adapters = map[string]func(*validator.Validator, *httpauth.Config) http.Handler{
	"net/http": netHTTP, "Echo": echoFramework, "Gin": ginFramework,
}

func netHTTP(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/orders", httpauth.New(v, cfg).Require(rule)(http.HandlerFunc(orders)))
	return mux
}

func echoFramework(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	e := echo.New()
	e.Any("/orders", echo.WrapHandler(http.HandlerFunc(orders)), echoauth.New(v, cfg).Require(rule))
	return e
}

func ginFramework(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	g := gin.New()
	g.Any("/orders", ginauth.New(v, cfg).Require(rule), gin.WrapF(orders))
	return g
}

// orders answers with what it knows of its client, and with no secret.
func orders(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(secretField) == secret {
		http.Error(w, "the handler sees the proxy's secret", http.StatusInternalServerError)
		return
	}
	_, _ = w.Write([]byte("orders for " + validator.FromContext(r.Context()).ClientID()))
}

// proxyHeaders believes what gorilla/handlers' ProxyHeaders does: the client's
// address, scheme and host are whatever the request says that they are.
func proxyHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ", ")
		if first == "" {
			first = r.Header.Get("X-Real-IP")
		}
		if first != "" {
			r.RemoteAddr = first
		}
		if scheme := r.Header.Get("X-Forwarded-Proto"); scheme != "" {
			r.URL.Scheme = strings.ToLower(scheme)
		}
		if host := r.Header.Get("X-Forwarded-Host"); host != "" {
			r.Host = host
		}
		next.ServeHTTP(w, r)
	})
}
