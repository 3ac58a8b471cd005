package siege_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// The answers of an API, as kind names them.
const (
	ok             = "200"
	unauthorized   = "401 unauthorized"
	invalidToken   = "401 invalid_token"
	invalidRequest = "400 invalid_request"
	throttled      = "429 too_many_requests"
	unavailable    = "503 temporarily_unavailable"
)

const scope = "orders:read"

// api is a whole API: net/http with one protected route.
type api struct {
	t       testing.TB
	v       *validator.Validator
	handler http.Handler
	events  *events
	url     string       // once it listens
	client  *http.Client // keeps connections, so that floods do not run out of ports
}

// build makes an API that is called in process, by call.
func build(t testing.TB, cfg validator.Config) *api {
	t.Helper()
	a := &api{t: t, events: new(events)}
	if cfg.Observer.Event == nil {
		cfg.Observer.Event = a.events.observe
	}
	v, err := validator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	a.v = v
	mux := http.NewServeMux()
	mux.Handle("GET /orders", httpauth.New(v, nil).Require(scopes.All(scope))(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, validator.FromContext(r.Context()).ClientID())
		})))
	a.handler = mux
	return a
}

// listen makes an API on a socket.
func listen(t testing.TB, cfg validator.Config) *api {
	t.Helper()
	a := build(t, cfg)
	server := httptest.NewServer(a.handler)
	t.Cleanup(server.Close)
	a.url = server.URL
	transport := &http.Transport{MaxIdleConnsPerHost: 1000}
	t.Cleanup(transport.CloseIdleConnections)
	a.client = &http.Client{Transport: transport, Timeout: patience}
	return a
}

// get sends a request with a token over the socket and names the answer.
func (a *api) get(token string) string {
	r, err := http.NewRequest(http.MethodGet, a.url+"/orders", nil)
	if err != nil {
		return err.Error()
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := a.client.Do(r)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return kind(resp.StatusCode, resp.Header, string(body))
}

// call sends a request with a token to the handler itself and names the answer.
func (a *api) call(token string) string { return a.callWith("Bearer " + token) }

// callWith is call with any number of Authorization fields.
func (a *api) callWith(authorization ...string) string {
	r, err := http.NewRequest(http.MethodGet, "/orders", nil)
	if err != nil {
		return err.Error()
	}
	r.Header["Authorization"] = authorization
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return kind(w.Code, w.Header(), w.Body.String())
}

// want fails unless the answer over the socket is the one named.
func (a *api) want(token, answer string) {
	a.t.Helper()
	if got := a.get(token); got != answer {
		a.t.Errorf("answered %s, wanted %s", got, answer)
	}
}

// become waits for an answer. Meanwhile it takes the others that are named.
func (a *api) become(token, answer string, meanwhile ...string) {
	a.t.Helper()
	until(a.t, "the answer "+answer, func() bool {
		got := a.get(token)
		for _, other := range meanwhile {
			if got == other {
				return false
			}
		}
		if got != answer {
			a.t.Fatalf("answered %s, wanted %s", got, answer)
		}
		return true
	})
}

// kind names an answer: its status and error code, if all else about it is as
// documented too, or what is wrong with it.
func kind(status int, header http.Header, body string) string {
	if status == http.StatusOK {
		return ok
	}
	code, found := between(body, `{"error":"`, `","error_description":"`, "\"}\n")
	if !found || header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
		return fmt.Sprintf("%d of another form: %v %q", status, header, body)
	}
	name := strconv.Itoa(status) + " " + code
	challenges := header.Values("WWW-Authenticate")
	switch {
	case status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests:
		if after, err := strconv.Atoi(header.Get("Retry-After")); err == nil && after >= 1 && challenges == nil {
			return name
		}
	case len(challenges) != 1:
	case name == unauthorized: // RFC 6750 §3.1 has no code for it
		if challenges[0] == `Bearer realm="api"` {
			return name
		}
	default:
		if named, found := between(challenges[0], `Bearer realm="api", error="`, `", error_description="`, `"`); found && named == code {
			return name
		}
	}
	return fmt.Sprintf("%s with header %v", name, header)
}

// between returns the word between begin and then, if a sentence and end follow,
// and nothing in them needs escaping.
func between(text, begin, then, end string) (word string, found bool) {
	text, begins := strings.CutPrefix(text, begin)
	text, ends := strings.CutSuffix(text, end)
	word, sentence, both := strings.Cut(text, then)
	return word, begins && ends && both && word != "" && sentence != "" && !strings.ContainsAny(word+sentence, "\"\\")
}

// trusting is a Config for one issuer's tokens.
func trusting(issuer validator.Issuer) validator.Config {
	issuer.Audience = []string{issuertest.Audience}
	return validator.Config{Issuers: []validator.Issuer{issuer}}
}

// byKeys is a Config for an issuer's JWTs, with the default HTTP client.
func byKeys(iss *issuertest.Issuer, keys jwks.Config) validator.Config {
	return trusting(validator.Issuer{URL: iss.URL(), Keys: &keys})
}

// byAsking is a Config for introspection of every token, with the default HTTP
// client.
func byAsking(iss *issuertest.Issuer, ask introspection.Config) validator.Config {
	return trusting(validator.Issuer{URL: iss.URL(), Introspection: asked(iss, ask)})
}

func asked(iss *issuertest.Issuer, ask introspection.Config) *introspection.Config {
	if ask.Endpoint == "" {
		ask.Endpoint = iss.IntrospectionURL()
	}
	ask.Auth = introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret))
	return &ask
}

// quick are knobs of milliseconds.
func quick() jwks.Config {
	return jwks.Config{
		RefreshInterval:  20 * time.Millisecond,
		MinFetchInterval: 5 * time.Millisecond,
		MaxStale:         time.Hour,
		RequestTimeout:   250 * time.Millisecond,
	}
}
