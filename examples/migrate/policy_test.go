package migrate_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/examples/migrate"
	"github.com/m2mguard/m2mguard/examples/migrate/fromechojwt"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestCustomClaims: what the claims' own check says no to was 401 and is 403.
func TestCustomClaims(t *testing.T) {
	iss := issuertest.New(t)
	token := iss.Token(issuertest.Claims{Scope: "orders:read"})
	for i, want := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		l := []library{old[2], newer[1]}[i]
		api, err := l.start(t.Context(), iss)
		if err != nil {
			t.Fatal(err)
		}
		if w := call(api, token); w.Code != want {
			t.Errorf("%s: %d, %q, wanted %d", l.name, w.Code, w.Body, want)
		}
	}
}

// TestIgnored: with echo-jwt a bad token can pass as a stranger, behind Optional it is refused.
func TestIgnored(t *testing.T) {
	iss := issuertest.New(t)
	v, err := migrate.Trust(iss.URL(), issuertest.Audience)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for name, tc := range map[string]struct {
		optional echo.MiddlewareFunc
		status   int
	}{
		"before": {echojwt.WithConfig(echojwt.Config{
			SigningKey: []byte("a secret"), ContinueOnIgnoredError: true, ErrorHandler: func(echo.Context, error) error { return nil },
		}), http.StatusOK},
		"after": {echoauth.New(v, nil).Optional(rule), http.StatusUnauthorized},
	} {
		e := echo.New()
		e.GET("/orders", func(c echo.Context) error { return c.NoContent(http.StatusOK) }, tc.optional)
		if w := call(e, iss.Bad(issuertest.Expired, good(nil))); w.Code != tc.status {
			t.Errorf("%s: %d, wanted %d", name, w.Code, tc.status)
		}
	}
}

// TestUse: echo-jwt in Use keeps out who asks for a route that nobody thought of, or for
// none at all. So does AnyToken in its place; a rule with its route says nothing of others.
func TestUse(t *testing.T) {
	iss := issuertest.New(t)
	v, err := migrate.Trust(iss.URL(), issuertest.Audience)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	before, err := fromechojwt.Before(t.Context(), iss.JWKSURL())
	if err != nil {
		t.Fatal(err)
	}
	auth := echoauth.New(v, nil)
	shut := echo.New()
	shut.Use(auth.Require(scopes.AnyToken()))
	shut.GET("/orders", func(c echo.Context) error { return c.NoContent(http.StatusOK) }, auth.Require(rule))
	for name, tc := range map[string]struct {
		api  http.Handler
		want int
	}{
		"before": {before, http.StatusUnauthorized}, "after": {fromechojwt.After(v), http.StatusNotFound}, "with AnyToken": {shut, http.StatusUnauthorized},
	} {
		w := httptest.NewRecorder()
		if tc.api.ServeHTTP(w, httptest.NewRequest("GET", "/prices", http.NoBody)); w.Code != tc.want {
			t.Errorf("%s: %d, wanted %d", name, w.Code, tc.want)
		}
		if w := call(tc.api, iss.Token(good(nil))); w.Code != http.StatusOK {
			t.Errorf("%s: %d, %q", name, w.Code, w.Body)
		}
		if w := call(tc.api, iss.Token(issuertest.Claims{Scope: "profile"})); w.Code != http.StatusForbidden {
			t.Errorf("%s, without the scope: %d, %q", name, w.Code, w.Body)
		}
	}
}

// TestLog: none of the old libraries writes a line about a refused token, and ours says why.
func TestLog(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	for _, l := range append(slices.Clone(old), newer...) {
		iss := issuertest.New(t)
		api := start(t, l, iss)
		var log lines
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil))) // which package log writes to as well
		if w := api(bad(issuertest.Expired)); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", l.name, w.Code)
		}
		ours := slices.ContainsFunc(newer, func(n library) bool { return n.name == l.name })
		if text := log.String(); ours != strings.Contains(text, "level=WARN msg=\"m2mguard: token refused\" check=exp") || !ours && text != "" {
			t.Errorf("%s wrote %q", l.name, text)
		}
	}
}
