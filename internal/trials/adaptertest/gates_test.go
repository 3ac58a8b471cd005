package adaptertest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// gates are what an adapter makes of each of its functions: middleware of its
// framework, of type M.
type gates[M any] interface {
	Require(scopes.Rule) M
	RequireFresh(time.Duration, scopes.Rule) M
	RequireThat(scopes.Rule, func(context.Context, *validator.Token) error) M
	RequireBound(scopes.Rule) M
	Optional(scopes.Rule) M
	DangerouslyReportOnly(scopes.Rule) M
}

var (
	_ gates[func(http.Handler) http.Handler] = (*httpauth.Middleware)(nil)
	_ gates[echo.MiddlewareFunc]             = (*echoauth.Middleware)(nil)
	_ gates[gin.HandlerFunc]                 = (*ginauth.Middleware)(nil)
)

// gated are the paths behind each gate, all with the same rule.
func gated[M any](auth gates[M]) map[string]M {
	rule := scopes.All("orders:read")
	return map[string]M{
		"/require":  auth.Require(rule),
		"/fresh":    auth.RequireFresh(0, rule),
		"/that":     auth.RequireThat(rule, decide),
		"/bound":    auth.RequireBound(rule),
		"/optional": auth.Optional(rule),
		"/report":   auth.DangerouslyReportOnly(rule),
	}
}

// decide is a policy that lets the bundled client in and one that may do
// anything, and has a secret reason to refuse others.
func decide(ctx context.Context, token *validator.Token) error {
	switch token.ClientID() {
	case "denied":
		return errors.New("a reason that nobody else may read")
	case "undecided":
		return fmt.Errorf("the plan cannot be had: %w", validator.ErrUnavailable)
	case "late":
		return fmt.Errorf("the plan cannot be had: %w", context.DeadlineExceeded)
	case "no scope":
		return token.Check(scopes.All("admin"))
	}
	return nil
}

// who is what runs behind the gates. It says whose token it got, if any.
func who(w http.ResponseWriter, r *http.Request) {
	if token := validator.FromContext(r.Context()); token != nil {
		_, _ = fmt.Fprint(w, token.ClientID())
		return
	}
	_, _ = fmt.Fprint(w, "nobody")
}

// gatehouses have each gate before the same handler, in each framework. /deny is
// behind Require, and asks decide before the handler.
var gatehouses = []struct {
	name string
	api  func(v *validator.Validator, cfg *httpauth.Config, handler http.HandlerFunc) http.Handler
}{
	{"net/http", func(v *validator.Validator, cfg *httpauth.Config, handler http.HandlerFunc) http.Handler {
		mux := http.NewServeMux()
		onHTTP(httpauth.New(v, cfg), mux, handler)
		return mux
	}},
	{"chi", func(v *validator.Validator, cfg *httpauth.Config, handler http.HandlerFunc) http.Handler {
		router := chi.NewRouter()
		onHTTP(httpauth.New(v, cfg), router, handler)
		return router
	}},
	{"Echo", func(v *validator.Validator, cfg *httpauth.Config, handler http.HandlerFunc) http.Handler {
		auth, e := echoauth.New(v, cfg), echo.New()
		last := func(c echo.Context) error {
			handler(c.Response(), c.Request())
			return nil
		}
		for path, gate := range gated(auth) {
			e.Any(path, last, gate)
		}
		e.Any("/deny", func(c echo.Context) error {
			if err := decide(c.Request().Context(), echoauth.Token(c)); err != nil {
				return auth.Deny(c, err)
			}
			return last(c)
		}, auth.Require(scopes.All("orders:read")))
		return e
	}},
	{"Gin", func(v *validator.Validator, cfg *httpauth.Config, handler http.HandlerFunc) http.Handler {
		auth, engine := ginauth.New(v, cfg), gin.New()
		last := func(c *gin.Context) { handler(c.Writer, c.Request) }
		for path, gate := range gated(auth) {
			engine.Any(path, gate, last)
		}
		engine.Any("/deny", auth.Require(scopes.All("orders:read")), func(c *gin.Context) {
			if err := decide(c.Request.Context(), ginauth.Token(c)); err != nil {
				auth.Deny(c, err) // aborts, so that last does not run
			}
		}, last)
		return engine
	}},
}

// onHTTP fills a router of net/http's kind.
func onHTTP(auth *httpauth.Middleware, mux httpauth.Mux, handler http.HandlerFunc) {
	for path, gate := range gated(auth) {
		mux.Handle(path, gate(handler))
	}
	mux.Handle("/deny", auth.Require(scopes.All("orders:read"))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := decide(r.Context(), validator.FromContext(r.Context())); err != nil {
			auth.Deny(w, r, err)
			return
		}
		handler(w, r)
	})))
}

func passed(client string) answer {
	return answer{Status: 200, ContentType: "text/plain; charset=utf-8", Body: client}
}

var (
	accessDenied = answer{
		Status: 403, ContentType: "application/json", CacheControl: "no-store",
		Body: `{"error":"access_denied","error_description":"This API does not let the client of the access token do this."}` + "\n",
	}
	bound = invalidToken("This request needs an access token that is bound to its sender.")
)

// gateRows are requests, and what each gate answers.
func gateRows(iss *issuertest.Issuer) map[string]struct {
	authorization []string
	want          map[string]answer // by path; "" is for those that are not named
} {
	type row = struct {
		authorization []string
		want          map[string]answer
	}
	of := func(client string) []string {
		return bearer(iss.Opaque(issuertest.Claims{ClientID: client, Scope: "orders:read"}))
	}
	refused := func(a answer) map[string]answer { return map[string]answer{"": a, "/report": passed("nobody")} }
	decided := func(client string, a answer) map[string]answer {
		return map[string]answer{"": passed(client), "/that": a, "/deny": a, "/bound": bound}
	}
	scopeless := insufficientScope("orders:read")
	return map[string]row{
		"nothing":        {nil, map[string]answer{"": unauthorized, "/optional": passed("nobody"), "/report": passed("nobody")}},
		"an empty field": {[]string{""}, refused(unauthorized)},
		"another scheme": {[]string{"Basic dTpw"}, refused(unauthorized)},
		"no token":       {[]string{"Bearer"}, refused(badRequest)},
		"malformed":      {[]string{"Bearer a b"}, refused(badRequest)},
		"repeated":       {[]string{"Bearer a", "Bearer a"}, refused(badRequest)},
		"a bad token":    {bearer(iss.Bad(issuertest.Tampered, issuertest.Claims{Scope: "orders:read"})), refused(invalidToken("The signature of the access token is not valid."))},
		"an inactive one": {bearer(iss.BadOpaque(issuertest.Revoked, issuertest.Claims{Scope: "orders:read"})),
			refused(invalidToken("The access token is not active."))},
		"no scope": {bearer(iss.Opaque(issuertest.Claims{})),
			map[string]answer{"": scopeless, "/bound": bound, "/report": passed(issuertest.ClientID)}},
		"good":                      {of(issuertest.ClientID), decided(issuertest.ClientID, passed(issuertest.ClientID))},
		"denied":                    {of("denied"), decided("denied", accessDenied)},
		"undecided":                 {of("undecided"), decided("undecided", unavailable)},
		"late":                      {of("late"), decided("late", unavailable)},
		"no scope, says the policy": {of("no scope"), decided("no scope", accessDenied)},
	}
}

// TestGates: each gate answers the same in each framework.
func TestGates(t *testing.T) {
	iss := issuertest.New(t)
	rows := gateRows(iss)
	for _, f := range gatehouses {
		server := httptest.NewServer(f.api(newValidator(t, both(iss)), nil, who))
		t.Cleanup(server.Close)
		for name, r := range rows {
			for _, path := range []string{"/require", "/fresh", "/that", "/bound", "/optional", "/report", "/deny"} {
				t.Run(f.name+path+"/"+name, func(t *testing.T) {
					want, named := r.want[path]
					if !named {
						want = r.want[""]
					}
					got, header := ask(t, server, http.MethodGet, path, nil, r.authorization)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Error(diff)
					}
					if (header.Get("Retry-After") != "") != (want.Status == 503) {
						t.Errorf("Retry-After %q", header.Get("Retry-After"))
					}
				})
			}
		}
	}
}

// TestProcessWideReportOnly opens Require and Optional, and never what asks for
// more.
func TestProcessWideReportOnly(t *testing.T) {
	iss := issuertest.New(t)
	for _, f := range gatehouses {
		t.Run(f.name, func(t *testing.T) {
			server := httptest.NewServer(f.api(newValidator(t, both(iss)), &httpauth.Config{DangerouslyReportOnly: true}, who))
			t.Cleanup(server.Close)
			for path, want := range map[string]answer{
				"/require": passed("nobody"), "/optional": passed("nobody"), "/report": passed("nobody"),
				"/fresh": unauthorized, "/that": unauthorized, "/bound": unauthorized,
			} {
				got, _ := ask(t, server, http.MethodGet, path, nil, nil)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: %s", path, diff)
				}
			}
			denied, _ := ask(t, server, http.MethodGet, "/deny", nil, bearer(iss.Opaque(issuertest.Claims{ClientID: "denied"})))
			if diff := cmp.Diff(accessDenied, denied); diff != "" {
				t.Errorf("Deny: %s", diff)
			}
		})
	}
}
