//go:build interop

package interop_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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
}

// newAPIs starts the API behind each adapter.
func newAPIs(t *testing.T, cfg validator.Config) []*api {
	t.Helper()
	var apis []*api
	for name, newHandler := range map[string]func(*validator.Validator) http.Handler{
		"net/http": netHTTP, "Echo": echoFramework, "Gin": ginFramework,
	} {
		cfg, journal := cfg, new(journal)
		cfg.Observer = observe.Observer{Event: journal.add}
		v, err := validator.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewServer(newHandler(v))
		t.Cleanup(func() {
			s.Close()
			v.Close()
			journal.check(t)
		})
		apis = append(apis, &api{name: name, url: s.URL, validator: v, journal: journal})
	}
	return apis
}

func netHTTP(v *validator.Validator) http.Handler {
	auth := httpauth.New(v, nil)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.MarshalWrite(w, claimsOf(validator.FromContext(r.Context())))
	})
	mux := http.NewServeMux()
	mux.Handle(read+" /orders", auth.Require(readRule)(h))
	mux.Handle(write+" /orders", auth.Require(writeRule)(h))
	if v.CanVerifyFresh() == nil {
		mux.Handle(remove+" /orders", auth.RequireFresh(0, readRule)(h))
	}
	return mux
}

func echoFramework(v *validator.Validator) http.Handler {
	auth := echoauth.New(v, nil)
	h := func(c echo.Context) error { return c.JSON(http.StatusOK, claimsOf(echoauth.Token(c))) }
	e := echo.New()
	e.GET("/orders", h, auth.Require(readRule))
	e.POST("/orders", h, auth.Require(writeRule))
	if v.CanVerifyFresh() == nil {
		e.DELETE("/orders", h, auth.RequireFresh(0, readRule))
	}
	return e
}

func ginFramework(v *validator.Validator) http.Handler {
	auth := ginauth.New(v, nil)
	h := func(c *gin.Context) { c.JSON(http.StatusOK, claimsOf(ginauth.Token(c))) }
	g := gin.New()
	g.GET("/orders", auth.Require(readRule), h)
	g.POST("/orders", auth.Require(writeRule), h)
	if v.CanVerifyFresh() == nil {
		g.DELETE("/orders", auth.RequireFresh(0, readRule), h)
	}
	return g
}

// claims is what the handlers saw of the token.
type claims struct {
	Client string `json:"client"`
	Scope  string `json:"scope"`
}

func claimsOf(t *validator.Token) claims {
	return claims{Client: t.ClientID(), Scope: t.Scopes().String()}
}

// answer is what the API said.
type answer struct {
	Status      int
	Challenge   string
	RetryAfter  bool
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Client      string `json:"client"`
	Scope       string `json:"scope"`
}

// allowed is the answer to a request that reached the handler.
func allowed(client, scope string) answer {
	return answer{Status: http.StatusOK, Client: client, Scope: scope}
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
