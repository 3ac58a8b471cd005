package migrate_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	"github.com/auth0/go-jwt-middleware/v3/validator"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/examples/migrate"
	"github.com/m2mguard/m2mguard/examples/migrate/fromginjwt"
	"github.com/m2mguard/m2mguard/examples/migrate/fromoidc"
	"github.com/m2mguard/m2mguard/scopes"
	m2mvalidator "github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// rule is what the route of all stages asks.
var rule = scopes.All("orders:read")

// orders is its handler on the way, as the page's third step has it: the new token where
// there is one, else the old claims; and before both the check of these that was there.
func orders(client *string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := jwtmiddleware.GetClaims[*validator.ValidatedClaims](r.Context())
		if err == nil && !slices.Contains(strings.Fields(token.CustomClaims.(*claims).Scope), "orders:read") {
			http.Error(w, "insufficient scope", http.StatusForbidden)
			return
		}
		switch {
		case m2mvalidator.FromContext(r.Context()) != nil:
			*client = "new"
		case err == nil:
			*client = "old"
		}
	})
}

type claims struct {
	Scope string `json:"scope"`
}

func (*claims) Validate(context.Context) error { return nil }

// TestStages: a token that only the old library takes passes until the new one is
// enforced, and is in the log from the first stage on; a good one always passes; one
// that both refuse never does, nor one without the scope, and while only reporting it is
// not in the log, which is about whom the new one would lose.
func TestStages(t *testing.T) {
	for list, want := range map[string]struct {
		// A token of another kind, which only the old library takes; one that expired a
		// moment ago, which only the new one does; a good one.
		lax, late, good int
		reported        bool
		client          string // what the handler knows a good token's client by
	}{
		"":                                       {200, 401, 200, false, "old"},
		"GET /orders=report":                     {200, 401, 200, true, "old"},
		"POST /orders=after,GET /orders=enforce": {401, 401, 200, true, "new"},
		"GET /orders=after":                      {401, 200, 200, true, "new"},
	} {
		t.Run(list, func(t *testing.T) {
			stages, err := migrate.ParseStages(list, "GET /orders", "POST /orders")
			if err != nil {
				t.Fatal(err)
			}
			iss := issuertest.New(t)
			var log lines
			auth := httpauth.New(logging(t, iss, &log), nil)
			var client string
			api := stages.Guard(auth, auth0(t, iss), "GET /orders", httpauth.Gate{Rule: rule}, orders(&client))

			lax := good(func(c *issuertest.Claims) { c.Type = "logout+jwt" })
			if w := call(api, iss.Token(lax)); w.Code != want.lax || strings.Contains(log.String(), "check=typ") != want.reported {
				t.Errorf("%d, wanted %d and a report: %v; log: %s", w.Code, want.lax, want.reported, log.String())
			}
			if reportOnly := strings.Contains(log.String(), "report_only=true"); reportOnly != (list == "GET /orders=report") {
				t.Errorf("said to be only reported: %v", reportOnly)
			}
			late := good(func(c *issuertest.Claims) { c.Expiry = time.Now().Add(-10 * time.Second) })
			if w := call(api, iss.Token(late)); w.Code != want.late {
				t.Errorf("a late one: %d, wanted %d", w.Code, want.late)
			}
			if w := call(api, iss.Bad(issuertest.Expired, good(nil))); w.Code != http.StatusUnauthorized {
				t.Errorf("an expired one: %d", w.Code)
			}
			if judged := strings.Contains(log.String(), "check=exp"); judged != (want.client == "new") {
				t.Errorf("an expired one was judged by the new library: %v; log: %s", judged, log.String())
			}
			scopeless := good(func(c *issuertest.Claims) { c.Scope = "profile" })
			if client = ""; call(api, iss.Token(scopeless)).Code != http.StatusForbidden || client != "" {
				t.Errorf("one without the scope is served by %q", client)
			}
			if w := call(api, iss.Token(good(nil))); w.Code != want.good || client != want.client {
				t.Errorf("a good one: %d by %q, wanted %d by %q", w.Code, client, want.good, want.client)
			}
		})
	}
	for list, want := range map[string]string{
		"GET /orders":         `got the stage ""`,
		"GET /orders=reports": `got the stage "reports"`,
		"GET /orders=":        `got the stage ""`,
		"GET /order=enforce":  `got the route "GET /order"`,

		"GET /orders=enforce,GET /orders=report": "GET /orders: stands a second time",
		"GET /orders=after,,GET /orders=after":   "GET /orders: stands a second time",
	} {
		if s, err := migrate.ParseStages(list, "GET /orders"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, wanted %s", list, s, err, want)
		}
	}
}

// TestStagesOfHandlers: what stood in a handler goes the same way, once it is a middleware.
func TestStagesOfHandlers(t *testing.T) {
	iss := issuertest.New(t)
	provider, err := oidc.NewProvider(t.Context(), iss.URL())
	if err != nil {
		t.Fatal(err)
	}
	old := fromoidc.Old(provider.Verifier(&oidc.Config{ClientID: issuertest.Audience}))
	auth := httpauth.New(logging(t, iss, new(lines)), nil)
	for list, want := range map[string]struct {
		lax, late int
		body      string // of a good token's answer
	}{
		"":                    {200, 401, "orders of " + issuertest.ClientID},
		"GET /orders=report":  {200, 401, "orders of " + issuertest.ClientID},
		"GET /orders=enforce": {401, 401, "orders of " + issuertest.ClientID + `, plan ""`},
		"GET /orders=after":   {401, 200, "orders of " + issuertest.ClientID + `, plan ""`},
	} {
		stages, err := migrate.ParseStages(list, "GET /orders")
		if err != nil {
			t.Fatal(err)
		}
		api := stages.Guard(auth, old, "GET /orders", httpauth.Gate{Rule: rule}, http.HandlerFunc(fromoidc.EitherOrders))
		lax := good(func(c *issuertest.Claims) { c.Type = "logout+jwt" })
		late := good(func(c *issuertest.Claims) { c.Expiry = time.Now().Add(-10 * time.Second) })
		scopeless := good(func(c *issuertest.Claims) { c.Scope = "profile" })
		for i, status := range []int{want.lax, want.late, http.StatusForbidden, http.StatusOK} {
			w := call(api, iss.Token([]issuertest.Claims{lax, late, scopeless, good(nil)}[i]))
			if w.Code != status || i == 3 && w.Body.String() != want.body {
				t.Errorf("%q, token %d: %d, %q, wanted %d", list, i, w.Code, w.Body, status)
			}
		}
		for name, change := range map[string]func(*issuertest.Claims){ // scopes that the old check did not see
			"scp":     func(c *issuertest.Claims) { c.Scope, c.Extra["scp"] = "", "orders:read" },
			"a list":  func(c *issuertest.Claims) { c.Scope, c.Extra["scope"] = "", []string{"orders:read"} },
			"a scopE": func(c *issuertest.Claims) { c.Extra["scopE"] = 5 },
		} {
			status := http.StatusForbidden
			if list == "GET /orders=after" {
				status = http.StatusOK
			}
			if w := call(api, iss.Token(good(change))); w.Code != status {
				t.Errorf("%q, %s: %d, %q, wanted %d", list, name, w.Code, w.Body, status)
			}
		}
		w := httptest.NewRecorder()
		if api.ServeHTTP(w, httptest.NewRequest("GET", "/orders", http.NoBody)); w.Code != http.StatusUnauthorized {
			t.Errorf("%q, no token: %d", list, w.Code)
		}
	}
}

// TestReportOfWhatIsStrict: where all requests will have to be fresh, bound, live or of a
// policy, the old library alone decides until that is enforced, and nothing ends early.
func TestReportOfWhatIsStrict(t *testing.T) {
	iss := issuertest.New(t)
	var log lines
	auth, old := httpauth.New(logging(t, iss, &log), nil), auth0(t, iss)
	for name, gate := range map[string]httpauth.Gate{
		"MaxAge": {Rule: rule, MaxAge: new(time.Duration)},
		"Bound":  {Rule: rule, Bound: true},
		"Live":   {Rule: rule, Live: true},
		"Policy": httpauth.GateThat(rule, func(context.Context, *m2mvalidator.Token) error { return errors.New("no") }),
	} {
		var client string
		mayEnd := false
		api := migrate.Stages{"GET /orders": "report"}.Guard(auth, old, "GET /orders", gate, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mayEnd = r.Context().Done() != nil
			orders(&client).ServeHTTP(w, r)
		}))
		if w := call(api, iss.Token(good(nil))); w.Code != http.StatusOK || client != "old" || mayEnd {
			t.Errorf("%s: %d by %q; its request may end early: %v", name, w.Code, client, mayEnd)
		}
	}
}

// TestReportInOtherFrameworks: Echo's and Gin's middlewares stand behind the old ones
// likewise, and no handler gets a token that lacks the scope.
func TestReportInOtherFrameworks(t *testing.T) {
	iss := issuertest.New(t)
	var log lines
	v := logging(t, iss, &log)
	var handed *m2mvalidator.Token
	e := echo.New()
	e.GET("/orders", func(c echo.Context) error {
		handed = echoauth.Token(c)
		return c.NoContent(http.StatusOK)
	}, oldEcho, echoauth.New(v, nil).DangerouslyReportOnly(rule), echo.WrapMiddleware(migrate.Forget))
	r := gin.New()
	r.GET("/orders", oldGin, ginauth.New(v, nil).DangerouslyReportOnly(rule), fromginjwt.Forget, func(c *gin.Context) {
		handed = ginauth.Token(c)
		c.Status(http.StatusOK)
	})
	for name, api := range map[string]http.Handler{"Echo": e, "Gin": r} {
		if w := call(api, iss.Token(good(func(c *issuertest.Claims) { c.Scope = "orders:" + name }))); w.Code != http.StatusOK ||
			w.Header().Get("Old") != "asked" || !strings.Contains(log.String(), "orders:"+name) || handed != nil {
			t.Errorf("%s: %d, %v, handed %v, %s", name, w.Code, w.Header(), handed, log.String())
		}
	}
}

func oldEcho(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Old", "asked")
		return next(c)
	}
}

func oldGin(c *gin.Context) { c.Header("Old", "asked") }

// lines is a log that the validator's own goroutines may write to, too.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// logging is a validator that writes each refusal.
func logging(t *testing.T, iss *issuertest.Issuer, log *lines) *m2mvalidator.Validator {
	t.Helper()
	v, err := m2mvalidator.New(m2mvalidator.Config{
		Issuers:  []m2mvalidator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		Observer: m2mvalidator.LogEvents(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func auth0(t *testing.T, iss *issuertest.Issuer) func(http.Handler) http.Handler {
	t.Helper()
	v, err := validator.New(validator.WithKeyFunc(auth0Keys(t, iss)), validator.WithAlgorithm(validator.RS256),
		validator.WithIssuer(iss.URL()), validator.WithAudience(issuertest.Audience),
		validator.WithCustomClaims(func() *claims { return new(claims) }))
	if err != nil {
		t.Fatal(err)
	}
	m, err := jwtmiddleware.New(jwtmiddleware.WithValidator(v))
	if err != nil {
		t.Fatal(err)
	}
	return m.CheckJWT
}

func call(api http.Handler, token string) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest("GET", "/orders", http.NoBody), httptest.NewRecorder()
	r.Header.Set("Authorization", "Bearer "+token)
	api.ServeHTTP(w, r)
	return w
}
