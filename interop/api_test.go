//go:build interop

package interop_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// The routes of the API are told apart by method.
const (
	read   = http.MethodGet    // needs orders:read
	write  = http.MethodPost   // needs orders:write
	remove = http.MethodDelete // needs orders:read, and the issuer's word that the token is active
)

var (
	readRule  = scopes.All("orders:read")
	writeRule = scopes.All("orders:write")
)

// api is the orders API behind one adapter, with a validator of its own.
type api struct {
	name      string
	url       string
	validator *validator.Validator
	journal   *journal
	requests  atomic.Int64 // that came
}

// newAPIs starts the API behind each adapter.
func newAPIs(t *testing.T, cfg validator.Config) []*api {
	t.Helper()
	return startAPIs(t, cfg, (*httptest.Server).Start, func(string) *httpauth.Config { return nil })
}

// startAPIs is newAPIs with a way to start a server, and what the adapter is to know
// of the server at a URL.
func startAPIs(t *testing.T, cfg validator.Config, start func(*httptest.Server), adapter func(url string) *httpauth.Config) []*api {
	t.Helper()
	var apis []*api
	for name, newHandler := range map[string]func(*validator.Validator, *httpauth.Config) http.Handler{
		"net/http": netHTTP, "Echo": echoFramework, "Gin": ginFramework,
	} {
		a := &api{name: name, journal: new(journal)}
		cfg := cfg
		cfg.Observer = observe.Observer{Event: a.journal.add}
		v, err := validator.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var h http.Handler
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.requests.Add(1)
			h.ServeHTTP(w, r)
		}))
		start(s)
		h = newHandler(v, adapter(s.URL))
		t.Cleanup(func() {
			s.Close()
			v.Close()
			a.journal.check(t)
		})
		a.url, a.validator = s.URL, v
		apis = append(apis, a)
	}
	return apis
}

func netHTTP(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	auth := httpauth.New(v, cfg)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.MarshalWrite(w, seen(validator.FromContext(r.Context()), r))
	})
	mux := http.NewServeMux()
	if cfg != nil && cfg.PublicURL != nil {
		auth.MountMetadata(mux)
	}
	mux.Handle(read+" /orders/", auth.Require(readRule)(h))
	mux.Handle(read+" /orders", auth.Require(readRule)(h))
	mux.Handle(write+" /orders", auth.Require(writeRule)(h))
	if v.CanVerifyFresh() == nil {
		mux.Handle(remove+" /orders", auth.RequireFresh(0, readRule)(h))
	}
	return mux
}

func echoFramework(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	auth := echoauth.New(v, cfg)
	h := func(c echo.Context) error { return c.JSON(http.StatusOK, seen(echoauth.Token(c), c.Request())) }
	e := echo.New()
	if cfg != nil && cfg.PublicURL != nil {
		auth.MountMetadata(e)
	}
	e.GET("/orders/*", h, auth.Require(readRule))
	e.GET("/orders", h, auth.Require(readRule))
	e.POST("/orders", h, auth.Require(writeRule))
	if v.CanVerifyFresh() == nil {
		e.DELETE("/orders", h, auth.RequireFresh(0, readRule))
	}
	return e
}

func ginFramework(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	auth := ginauth.New(v, cfg)
	h := func(c *gin.Context) { c.JSON(http.StatusOK, seen(ginauth.Token(c), c.Request)) }
	g := gin.New()
	if cfg != nil && cfg.PublicURL != nil {
		auth.MountMetadata(g)
	}
	g.GET("/orders/*rest", auth.Require(readRule), h)
	g.GET("/orders", auth.Require(readRule), h)
	g.POST("/orders", auth.Require(writeRule), h)
	if v.CanVerifyFresh() == nil {
		g.DELETE("/orders", auth.RequireFresh(0, readRule), h)
	}
	return g
}

// handled is what the handlers saw of a token and its request.
type handled struct {
	Client string `json:"client"`
	Scope  string `json:"scope"`
	Target string `json:"target,omitzero"` // of the request line, if it is not /orders
	Body   string `json:"body,omitzero"`
}

func seen(token *validator.Token, r *http.Request) handled {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	h := handled{Client: token.ClientID(), Scope: token.Scopes().String(), Body: string(body)}
	if r.RequestURI != "/orders" {
		h.Target = r.RequestURI
	}
	return h
}

// answer is what the API said.
type answer struct {
	Status      int
	Challenge   string
	RetryAfter  bool
	Error       string  `json:"error"`
	Description string  `json:"error_description"`
	Handled     handled `json:",embed"`
}

// allowed is the answer to a request that reached the handler.
func allowed(client, scope string) answer {
	return answer{Status: http.StatusOK, Handled: handled{Client: client, Scope: scope}}
}

// refused is the answer to a token that fails check. needs is the scope of the
// route, for CheckScope.
func refused(check validator.Check, needs ...string) answer {
	return refusedWith(check, validator.NewError(check).Description(), needs...)
}

// refusedWith is refused for what has a sentence of its own.
func refusedWith(check validator.Check, description string, needs ...string) answer {
	a := answer{Status: http.StatusUnauthorized, Error: validator.NewError(check).Code(), Description: description}
	switch check {
	case validator.CheckUnavailable:
		a.Status, a.RetryAfter, a.Error = http.StatusServiceUnavailable, true, "temporarily_unavailable"
		return a
	case validator.CheckScope:
		a.Status = http.StatusForbidden
	}
	a.Challenge = fmt.Sprintf(`Bearer realm="api", error=%q, error_description=%q`, a.Error, a.Description)
	for _, scope := range needs {
		a.Challenge += fmt.Sprintf(`, scope=%q`, scope)
	}
	return a
}

var unavailable = refused(validator.CheckUnavailable)

// ask sends a token to a route.
func (a *api) ask(t *testing.T, route, token string) answer {
	t.Helper()
	a.journal.sent(token)
	req, err := http.NewRequestWithContext(t.Context(), route, a.url+"/orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got := answer{
		Status:     res.StatusCode,
		Challenge:  res.Header.Get("WWW-Authenticate"),
		RetryAfter: res.Header.Get("Retry-After") != "",
	}
	if err := json.UnmarshalRead(res.Body, &got); err != nil {
		t.Fatalf("status %d: %v", res.StatusCode, err)
	}
	return got
}

// expect asks each API and compares the answer.
func expect(t *testing.T, what string, apis []*api, route, token string, want answer) {
	t.Helper()
	for _, a := range apis {
		tallyOf(t).Add(1)
		if diff := cmp.Diff(want, a.ask(t, route, token)); diff != "" {
			t.Errorf("%s: %s: %s (-want +got):\n%s", a.name, what, route, diff)
		}
	}
}

// eventually asks each API until the answer is the wanted one.
func eventually(t *testing.T, what string, apis []*api, route, token string, want answer) {
	t.Helper()
	const patience, pause = time.Minute, 20 * time.Millisecond
	deadline := time.Now().Add(patience)
	for _, a := range apis {
		tallyOf(t).Add(1)
		for {
			diff := cmp.Diff(want, a.ask(t, route, token))
			if diff == "" {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("%s: %s: %s (-want +got):\n%s", a.name, what, route, diff)
				break
			}
			<-time.After(pause)
		}
	}
}

// journal keeps what an operator would read, and what must not be there.
type journal struct {
	mu      sync.Mutex
	text    strings.Builder
	secrets map[string]bool
}

func (j *journal) add(_ context.Context, e *observe.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	fmt.Fprintf(&j.text, "%+v\n", *e)
}

// sent notes an opaque token, or the signature of a JWT.
func (j *journal) sent(token string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.secrets == nil {
		j.secrets = map[string]bool{secret: true}
	}
	j.secrets[token[strings.LastIndexByte(token, '.')+1:]] = true
}

// check insists that it holds no token and no secret, and shows it if the
// test failed.
func (j *journal) check(t *testing.T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for s := range j.secrets {
		if strings.Contains(j.text.String(), s) {
			t.Error("an event holds a token or the client secret")
		}
	}
	if t.Failed() {
		t.Log(j.text.String())
	}
}
