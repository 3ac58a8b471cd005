// Package adapters_test runs the catalogue of hostile tokens and requests
// through the three adapters.
package adapters_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/internal/trials/hostile"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	goleak.VerifyTestMain(m)
}

// The routes of every API: one needs hostile.Scope, one any token at all.
const (
	scoped = "/scoped"
	open   = "/any"
)

// needs is what the scoped route needs.
var needs = scopes.All(hostile.Scope)

// apis are the same API under each adapter, with one validator.
func apis(v *validator.Validator) map[string]http.Handler {
	onHTTP, onEcho, onGin := httpauth.New(v, nil), echoauth.New(v, nil), ginauth.New(v, nil)
	mux, e, g := http.NewServeMux(), echo.New(), gin.New()
	for path, rule := range map[string]scopes.Rule{scoped: needs, open: scopes.AnyToken()} {
		mux.Handle(path, onHTTP.Require(rule)(http.HandlerFunc(grants)))
		e.Any(path, echo.WrapHandler(http.HandlerFunc(grants)), onEcho.Require(rule))
		g.Any(path, onGin.Require(rule), gin.WrapF(grants))
	}
	return map[string]http.Handler{"net/http": mux, "Echo": e, "Gin": g}
}

// grants is the protected handler: it says what the token may do.
func grants(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprint(w, validator.FromContext(r.Context()).Scopes())
}

// newValidator is a validator under one of the catalogue's configurations.
func newValidator(t testing.TB, c *hostile.Catalogue, config hostile.Config) *validator.Validator {
	t.Helper()
	iss := validator.Issuer{
		URL:      c.Issuer.URL(),
		Audience: []string{issuertest.Audience},
		// However slow the machine, made-up kids cause the burst of two and no more.
		Keys: &jwks.Config{HTTPClient: c.Issuer.Client(), MinFetchInterval: time.Hour},
	}
	ask := &introspection.Config{
		Endpoint:   c.Issuer.IntrospectionURL(),
		Auth:       introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret)),
		HTTPClient: c.Issuer.Client(),
	}
	switch config {
	case hostile.Every:
		iss.Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	case hostile.Strict:
		iss.Profile = validator.RFC9068()
	case hostile.Introspected:
		iss.Keys, iss.Introspection = nil, ask
	case hostile.Both:
		iss.Introspection = ask
	}
	v, err := validator.New(validator.Config{
		Issuers:       []validator.Issuer{iss},
		ClockSkew:     hostile.ClockSkew,
		MaxTokenBytes: hostile.MaxTokenBytes,
		Now:           hostile.Now,
		Observer:      observe.Observer{Event: func(context.Context, *observe.Event) {}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// answer is what a client gets.
type answer struct {
	Status     int
	Challenge  string
	RetryAfter bool // there, and a number of seconds
	Content    string
	Body       string
}

func ask(api http.Handler, r *http.Request) answer {
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	h := w.Header()
	retryAfter, _ := strconv.Atoi(h.Get("Retry-After"))
	content, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return answer{w.Code, strings.Join(h.Values("WWW-Authenticate"), "\n"), retryAfter > 0, content, w.Body.String()}
}

// sentences are what a check may say beside its usual sentence, from the source.
var sentences = sync.OnceValue(func() map[validator.Check][]string {
	constants, err := os.ReadFile("../validator/errors.go")
	if err != nil {
		panic(err)
	}
	source, err := os.ReadFile("../validator/flaw.go")
	if err != nil {
		panic(err)
	}
	all := make(map[validator.Check][]string)
	for _, c := range regexp.MustCompile(`(Check\w+) +Check += "(\w+)"`).FindAllStringSubmatch(string(constants), -1) {
		for _, s := range regexp.MustCompile(`\{`+c[1]+`, \w+\}: +\{Err\w+, "([^"]*)"`).FindAllStringSubmatch(string(source), -1) {
			all[validator.Check(c[2])] = append(all[validator.Check(c[2])], s[1])
		}
	}
	return all
})

// refusal is the answer to what the check refuses, with the sentence of it that
// got says, or its usual one. It is made of constants, so an answer that equals
// it repeats nothing of the request, and its challenge is as well formed as this
// one.
func refusal(check validator.Check, got answer) answer {
	e := validator.NewError(check)
	said := e.Description()
	for _, sentence := range sentences()[check] {
		if strings.Contains(got.Body, `"`+sentence+`"`) {
			said = sentence
		}
	}
	a := answer{Content: "application/json", Challenge: `Bearer realm="api"`}
	code := e.Code()
	switch {
	case errors.Is(e, validator.ErrMissingToken):
		a.Status, code = http.StatusUnauthorized, "unauthorized"
	case errors.Is(e, validator.ErrUnavailable):
		a.Status, code = http.StatusServiceUnavailable, "temporarily_unavailable"
		a.Challenge, a.RetryAfter = "", true
	case errors.Is(e, validator.ErrInvalidRequest):
		a.Status = http.StatusBadRequest
	case errors.Is(e, validator.ErrInsufficientScope):
		a.Status = http.StatusForbidden
	default:
		a.Status = http.StatusUnauthorized
	}
	if e.Code() != "" {
		a.Challenge += fmt.Sprintf(`, error="%s", error_description="%s"`, e.Code(), said)
	}
	if check == validator.CheckScope {
		a.Challenge += fmt.Sprintf(`, scope="%s"`, needs.Needs())
	}
	a.Body = fmt.Sprintf(`{"error":"%s","error_description":"%s"}`+"\n", code, said)
	return a
}

// expect is the answer to a case, in the words of what was got.
func expect(want, scopes string, got answer) answer {
	if want != "" {
		return refusal(validator.Check(want), got)
	}
	return answer{Status: http.StatusOK, Body: scopes}
}

// diff compares all of a refusal, and of an acceptance what frameworks agree on.
func diff(want, got answer) string {
	if want.Status == http.StatusOK {
		got.Content = ""
	}
	return cmp.Diff(want, got)
}

func TestHostile(t *testing.T) {
	c := hostile.New(t)
	t.Run("tokens", func(t *testing.T) { testTokens(t, c) })
	t.Run("requests", func(t *testing.T) { testRequests(t, c) })
	t.Run("over a socket", func(t *testing.T) { testOverSocket(t, c) })
	if n := c.CanaryRequests(); n != 0 {
		t.Errorf("%d requests to a URL out of a token", n)
	}
}

// testTokens sends every token of the catalogue, in process, to the three
// adapters.
func testTokens(t *testing.T, c *hostile.Catalogue) {
	for _, config := range []hostile.Config{hostile.Plain, hostile.Every, hostile.Strict, hostile.Introspected, hostile.Both} {
		t.Run(string(config), func(t *testing.T) {
			all := apis(newValidator(t, c, config))
			for _, tc := range c.Cases {
				if tc.Config != config {
					continue
				}
				if config == hostile.Introspected || config == hostile.Both {
					// Failures of the endpoint in a row would shut the way to it.
					all = apis(newValidator(t, c, config))
				}
				path := scoped
				if tc.Want == "" && !strings.Contains(tc.Scopes, hostile.Scope) {
					path = open
				}
				for adapter, api := range all {
					r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
					r.Header["Authorization"] = []string{"Bearer " + tc.Token}
					got := ask(api, r)
					if d := diff(expect(tc.Want, tc.Scopes, got), got); d != "" {
						t.Errorf("%s: %s (%s):\n%s", adapter, tc.Name, tc.Cite, d)
					}
				}
			}
		})
	}
}

// testRequests does the same with what surrounds a token.
func testRequests(t *testing.T, c *hostile.Catalogue) {
	all := apis(newValidator(t, c, hostile.Plain))
	for _, tc := range c.Requests {
		for adapter, api := range all {
			method, body := http.MethodGet, strings.NewReader(tc.Form)
			if tc.Form != "" {
				method = http.MethodPost
			}
			r := httptest.NewRequestWithContext(t.Context(), method, scoped+"?"+tc.Query, body)
			for name, values := range tc.Header {
				r.Header[name] = values
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			got := ask(api, r)
			if d := diff(expect(tc.Want, hostile.Scope, got), got); d != "" {
				t.Errorf("%s: %s (%s):\n%s", adapter, tc.Name, tc.Cite, d)
			}
		}
	}
}
