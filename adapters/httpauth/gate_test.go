package httpauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// observed makes a validator whose refusals end up in the list.
func observed(t testing.TB, iss *issuertest.Issuer) (*validator.Validator, *[]string) {
	t.Helper()
	var texts []string
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		Observer: observe.Observer{Event: func(_ context.Context, e *observe.Event) {
			if e.Kind == observe.Refused {
				texts = append(texts, e.Check+" "+e.Err.Error())
			}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v, &texts
}

func get(api http.Handler, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w
}

// TestReasons: what a policy, Deny and Credentials say is told to the observer
// once, and to no client.
func TestReasons(t *testing.T) {
	const secret = "the contract of tenant 4711 has ended"
	reason := errors.New(secret)
	iss := issuertest.New(t)
	v, texts := observed(t, iss)
	auth := httpauth.New(v, nil)
	for name, tc := range map[string]struct {
		api   http.Handler
		check string
	}{
		"RequireThat": {auth.RequireThat(scopes.AnyToken(), func(context.Context, *validator.Token) error { return reason })(nil), "policy "},
		"Deny":        {auth.Require(scopes.AnyToken())(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { auth.Deny(w, r, reason) })), "policy "},
		"an outage": {auth.RequireThat(scopes.AnyToken(), func(context.Context, *validator.Token) error {
			return fmt.Errorf("%w: %w", reason, validator.ErrUnavailable)
		})(nil), "unavailable "},
		"Credentials": {httpauth.New(v, &httpauth.Config{Credentials: func(*http.Request) (string, string, error) {
			return "", "", reason
		}}).Require(scopes.AnyToken())(nil), "request "},
	} {
		t.Run(name, func(t *testing.T) {
			*texts = nil
			w := get(tc.api, iss.Token(issuertest.Claims{}))
			if strings.Contains(w.Body.String()+fmt.Sprint(w.Header()), "4711") {
				t.Errorf("a client reads %v %s", w.Header(), w.Body)
			}
			if len(*texts) != 1 || !strings.HasPrefix((*texts)[0], tc.check) || !strings.Contains((*texts)[0], secret) {
				t.Errorf("the observer was told %q", *texts)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		*texts = nil
		w := get(auth.Require(scopes.AnyToken())(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { auth.Deny(w, r, nil) })), iss.Token(issuertest.Claims{}))
		if w.Code != http.StatusForbidden || len(*texts) != 1 {
			t.Errorf("status %d, observer %q", w.Code, *texts)
		}
	})
}

// TestPolicyOfAGoneClient: a policy whose request has ended cannot tell.
func TestPolicyOfAGoneClient(t *testing.T) {
	iss := issuertest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	api := httpauth.New(newValidator(t, iss), nil).RequireThat(scopes.AnyToken(), func(context.Context, *validator.Token) error {
		cancel()
		return errors.New("a driver's own error")
	})(nil)
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{}))
	w := httptest.NewRecorder()
	if api.ServeHTTP(w, r); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, %v", w.Code, w.Header())
	}
}

// TestFailureKnowsTheToken that a 403 is about, and shows no more of it than a
// Token shows of itself.
func TestFailureKnowsTheToken(t *testing.T) {
	iss := issuertest.New(t)
	var failure *httpauth.Failure
	auth := httpauth.New(newValidator(t, iss), &httpauth.Config{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) {
		failure = f
		f.Respond(w)
	}})
	claims := issuertest.Claims{ClientID: "billing", Extra: map[string]any{"email": "ada@example.com"}}
	orders := auth.Require(scopes.All("orders:read"))(nil)
	for name, tc := range map[string]struct {
		api   http.Handler
		token string
		knows bool
	}{
		"a scope": {orders, iss.Token(claims), true},
		"a policy": {auth.RequireThat(scopes.AnyToken(), func(context.Context, *validator.Token) error { return errors.New("no") })(nil),
			iss.Token(claims), true},
		"Deny":        {auth.Require(scopes.AnyToken())(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { auth.Deny(w, r, nil) })), iss.Token(claims), true},
		"a bad token": {orders, iss.Bad(issuertest.Expired, claims), false},
		"no token":    {orders, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			get(tc.api, tc.token)
			if knows := failure.Token != nil; knows != tc.knows || knows && failure.Token.ClientID() != "billing" {
				t.Fatalf("the failure knows %v", failure.Token)
			}
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("refused", "failure", failure, "token", failure.Token)
			text, err := json.Marshal(failure)
			if err != nil {
				t.Fatal(err)
			}
			printed := fmt.Sprintf("%v %+v %#v", failure, *failure, failure.Token)
			for where, shown := range map[string]string{"log": log.String(), "JSON": string(text), "fmt": printed} {
				if strings.Contains(shown, "ada@") || tc.token != "" && strings.Contains(shown, tc.token[len(tc.token)-20:]) {
					t.Errorf("%s shows %s", where, shown)
				}
			}
			if bytes.Contains(text, []byte("billing")) {
				t.Errorf("JSON shows %s", text)
			}
		})
	}
}

// TestReportOnlyWarns at start, or at the first request to an open route if that
// is sooner, and once a minute while such requests come, of however many routes and
// requests there are.
func TestReportOnlyWarns(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	t.Cleanup(func() { slog.SetDefault(before) })
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		v, err := validator.New(validator.Config{
			Issuers:  []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
			Observer: observe.Observer{Event: func(context.Context, *observe.Event) {}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		empty := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		auth := httpauth.New(v, nil)
		guarded := auth.Require(scopes.AnyToken())(empty)
		open := auth.DangerouslyReportOnly(scopes.AnyToken())(empty)
		_ = auth.DangerouslyReportOnly(scopes.All("orders:read"))(empty)

		get(guarded, "")
		if log.Len() != 0 {
			t.Errorf("a guarded route warns: %s", &log)
		}
		for range 100 {
			get(open, "")
		}
		time.Sleep(59 * time.Second)
		get(open, "")
		time.Sleep(time.Second)
		get(open, "")
		time.Sleep(time.Hour)
		synctest.Wait()
		get(guarded, "")
		const line = `level=WARN msg="m2mguard: DangerouslyReportOnly: routes refuse nobody" routes=2 let_through=`
		if diff := cmp.Diff(line+"1\n"+line+"101\n", log.String()); diff != "" {
			t.Error(diff)
		}

		log.Reset()
		idle := httpauth.New(v, &httpauth.Config{DangerouslyReportOnly: true})
		for range 3 {
			_ = idle.Require(scopes.All("orders:read"))(empty)
		}
		if n := v.Stats().OpenRoutes; n != 5 {
			t.Errorf("%d open routes by Stats, wanted 5", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if diff := cmp.Diff(strings.Replace(line, "routes=2", "routes=3", 1)+"0\n", log.String()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestUsedScopes: the observer is told which of the rule's scopes a token has.
func TestUsedScopes(t *testing.T) {
	iss := issuertest.New(t)
	var used [][]string
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		Observer: observe.Observer{Accepted: true, Event: func(_ context.Context, e *observe.Event) {
			if e.Kind == observe.Accepted {
				used = append(used, e.Used)
			}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	rule := scopes.AllOf(scopes.All("orders:read"), scopes.Any("eu", "us"))
	api := httpauth.New(v, nil).Require(rule)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	get(api, iss.Token(issuertest.Claims{Scope: "us orders:read other"}))
	if diff := cmp.Diff([][]string{{"orders:read", "us"}}, used); diff != "" {
		t.Error(diff)
	}
}

// TestRefusedInReportOnly: the observer is told what would have been refused.
func TestRefusedInReportOnly(t *testing.T) {
	slogged := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(slogged) })
	iss := issuertest.New(t)
	v, texts := observed(t, iss)
	api := httpauth.New(v, nil).DangerouslyReportOnly(scopes.All("orders:read"))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, token := range []string{"", "a b", iss.Bad(issuertest.Expired, issuertest.Claims{}), iss.Token(issuertest.Claims{})} {
		get(api, token)
	}
	var told []string
	for _, text := range *texts {
		check, _, _ := strings.Cut(text, " ")
		told = append(told, check)
	}
	if diff := cmp.Diff([]string{"missing", "request", "exp", "scope"}, told); diff != "" {
		t.Error(diff)
	}
}

// TestGatesThatExcludeEachOther are refused where they are written.
func TestGatesThatExcludeEachOther(t *testing.T) {
	auth := httpauth.New(newValidator(t, issuertest.New(t)), nil)
	pass := func(context.Context, *validator.Token) error { return nil }
	list, err := revocation.New(revocation.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	listed, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: "https://id.example.com", Audience: []string{"orders"}}}, Revocations: list})
	if err != nil {
		t.Fatal(err)
	}
	defer listed.Close()
	byKeys := httpauth.New(listed, nil)
	byKeys.Gate(httpauth.Gate{Stale: revocation.StaleRefuse})
	for name, build := range map[string]func(){
		"report-only and a policy": func() { auth.Gate(httpauth.Gate{DangerouslyReportOnly: true, Policy: pass}) },
		"report-only and bound":    func() { auth.Gate(httpauth.Gate{DangerouslyReportOnly: true, Bound: true}) },
		"report-only and fresh":    func() { auth.Gate(httpauth.Gate{DangerouslyReportOnly: true, MaxAge: new(time.Duration)}) },
		"no stale policy":          func() { byKeys.Gate(httpauth.Gate{Stale: 99}) },
		"none for all":             func() { httpauth.New(listed, &httpauth.Config{Stale: 99}) },
		"stale without a list":     func() { auth.Gate(httpauth.Gate{Stale: revocation.StaleGoOn}) },
		"nobody to ask":            func() { byKeys.Gate(httpauth.Gate{Stale: revocation.StaleAskIssuer}) },
		"no policy":                func() { auth.RequireThat(scopes.AnyToken(), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "httpauth: ") {
					t.Errorf("panicked with %s", p)
				}
			}()
			build()
			t.Error("no panic")
		})
	}
}

// TestRoutes lists what was registered through Handle and HandleGate.
func TestRoutes(t *testing.T) {
	auth := httpauth.New(newValidator(t, issuertest.New(t)), nil)
	pass := func(context.Context, *validator.Token) error { return nil }
	mux, handler, rule := http.NewServeMux(), http.NotFoundHandler(), scopes.All("orders:read")
	auth.Handle(mux, "GET /orders", rule, handler)
	for pattern, g := range map[string]httpauth.Gate{
		"GET /a": {Rule: rule, Policy: pass, Bound: true},
		"GET /b": {Optional: true, Rule: scopes.Any("b", "a")},
		"GET /c": {DangerouslyReportOnly: true},
		"/d":     {},
	} {
		auth.HandleGate(mux, pattern, g, handler)
	}
	mux.Handle("GET /other", auth.Require(rule)(handler))
	want := []httpauth.RouteInfo{
		{Pattern: "/d", Kind: "required"},
		{Pattern: "GET /a", Kind: "policy, bound", Scope: "orders:read"},
		{Pattern: "GET /b", Kind: "optional", Scope: "b"},
		{Pattern: "GET /c", Kind: "report-only"},
		{Pattern: "GET /orders", Kind: "required", Scope: "orders:read"},
	}
	byPattern := cmpopts.SortSlices(func(a, b httpauth.RouteInfo) bool { return a.Pattern < b.Pattern })
	if diff := cmp.Diff(want, auth.Routes(), byPattern, cmpopts.IgnoreFields(httpauth.RouteInfo{}, "Rule")); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(auth.Routes()[0])
	if err != nil || string(text) != `{"pattern":"GET /orders","kind":"required","scopes":[["orders:read"]]}` {
		t.Errorf("as JSON it is %s, %v", text, err)
	}
	if got := get(mux, ""); got.Code != http.StatusUnauthorized {
		t.Errorf("GET /orders is answered with %d", got.Code)
	}
}
