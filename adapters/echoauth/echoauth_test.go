package echoauth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// What all adapters have in common is tested in internal/trials/adaptertest.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestErrorPath: a refusal reaches the API's own HTTPErrorHandler as an
// *echo.HTTPError, with the challenge set.
func TestErrorPath(t *testing.T) {
	iss := issuertest.New(t)
	auth := echoauth.New(newValidator(t, iss), nil)
	var seen error
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		seen = err
		_ = c.String(http.StatusTeapot, "the API's own")
	}
	e.GET("/orders", unreachable(t), auth.Require(scopes.All("orders:read")))

	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{}))
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)

	failure, ok := errors.AsType[*echo.HTTPError](seen)
	if !ok {
		t.Fatalf("got %T", seen)
	}
	if failure.Code != http.StatusForbidden || !errors.Is(failure, validator.ErrInsufficientScope) {
		t.Errorf("got %v", failure)
	}
	want := httpauth.Body{Error: "insufficient_scope", Description: "The access token lacks a scope that this request needs."}
	if diff := cmp.Diff(want, failure.Message); diff != "" {
		t.Error(diff)
	}
	if w.Code != http.StatusTeapot || w.Body.String() != "the API's own" || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
}

// TestOwnRendering: an ErrorHandler that answers leaves Echo nothing to do.
func TestOwnRendering(t *testing.T) {
	auth := echoauth.New(newValidator(t, issuertest.New(t)), &httpauth.Config{
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) { w.WriteHeader(f.Status) },
	})
	e := echo.New()
	e.HTTPErrorHandler = func(err error, _ echo.Context) { t.Errorf("Echo saw %v", err) }
	e.GET("/orders", unreachable(t), auth.Require(scopes.All("orders:read")))
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/orders", nil))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}
}

// TestTokenWithoutRequire: a handler that nobody protects has no token.
func TestTokenWithoutRequire(t *testing.T) {
	c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder())
	if token := echoauth.Token(c); token != nil {
		t.Errorf("got %v", token)
	}
}

func unreachable(t *testing.T) echo.HandlerFunc {
	return func(echo.Context) error {
		t.Error("the handler ran")
		return nil
	}
}

func newValidator(t testing.TB, iss *issuertest.Issuer) *validator.Validator {
	t.Helper()
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}
