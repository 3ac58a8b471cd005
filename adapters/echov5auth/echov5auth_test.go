package echov5auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v5"
	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/adapters/echov5auth"
	"github.com/m2mguard/m2mguard/adapters/guardtest"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// What all adapters have in common is in TestConformance.

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // DangerouslyReportOnly warns, as it should
	goleak.VerifyTestMain(m)
}

// TestErrorPath: a refusal reaches the API's own HTTPErrorHandler as an *Error, with the
// challenge set, and says nothing to clients that httpauth's answer does not.
func TestErrorPath(t *testing.T) {
	iss := issuertest.New(t)
	auth := echov5auth.New(newValidator(t, iss), nil)
	var seen error
	e := echo.New()
	e.HTTPErrorHandler = func(c *echo.Context, err error) {
		seen = err
		_ = c.String(http.StatusTeapot, "the API's own")
	}
	e.GET("/orders", unreachable(t), auth.Require(scopes.All("orders:read")))
	w := ask(e, iss.Token(issuertest.Claims{}))

	failure, ok := errors.AsType[*echov5auth.Error](seen)
	if !ok {
		t.Fatalf("got %T", seen)
	}
	if echo.StatusCode(seen) != http.StatusForbidden || !errors.Is(seen, validator.ErrInsufficientScope) {
		t.Errorf("got %v", seen)
	}
	want := httpauth.Body{Error: "insufficient_scope", Description: "The access token lacks a scope that this request needs."}
	if diff := cmp.Diff(want, failure.Failure.Body); diff != "" {
		t.Error(diff)
	}
	if text := seen.Error(); text != want.Error+": "+want.Description {
		t.Errorf("the error says %q", text)
	}
	if w.Code != http.StatusTeapot || w.Body.String() != "the API's own" || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
}

// TestExposedErrors: Echo's handlers that expose errors tell nothing more of a refusal.
func TestExposedErrors(t *testing.T) {
	iss := issuertest.New(t)
	auth := echov5auth.New(newValidator(t, iss), nil)
	for name, handler := range map[string]echo.HTTPErrorHandler{
		"default": echo.DefaultHTTPErrorHandler(true), "problem": echo.ProblemDetailsHTTPErrorHandler(true),
	} {
		for _, wrapped := range []bool{false, true} {
			e := echo.New()
			e.HTTPErrorHandler = handler
			if wrapped {
				e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
					return func(c *echo.Context) error {
						if err := next(c); err != nil {
							return fmt.Errorf("somewhere: %w", err)
						}
						return nil
					}
				})
			}
			e.GET("/orders", unreachable(t), auth.Require(scopes.All("orders:read")))
			w := ask(e, iss.Bad(issuertest.WrongAudience, issuertest.Claims{Audience: []string{"a-secret-audience"}}))
			if w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), issuertest.Audience) || !strings.Contains(w.Body.String(), "The access token is meant for another API.") {
				t.Errorf("%s, wrapped %v: %d %s", name, wrapped, w.Code, w.Body)
			}
		}
	}
}

// TestOwnRendering: an ErrorHandler that answers leaves Echo nothing to do.
func TestOwnRendering(t *testing.T) {
	auth := echov5auth.New(newValidator(t, issuertest.New(t)), &httpauth.Config{
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, f *httpauth.Failure) { w.WriteHeader(f.Status) },
	})
	e := echo.New()
	e.HTTPErrorHandler = func(_ *echo.Context, err error) { t.Errorf("Echo saw %v", err) }
	e.GET("/orders", unreachable(t), auth.Require(scopes.All("orders:read")))
	if w := ask(e, ""); w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}
}

// TestPanicLetsNobodyIn: a panic in a user's function cuts the connection, and the
// handler does not run.
func TestPanicLetsNobodyIn(t *testing.T) {
	auth := echov5auth.New(newValidator(t, issuertest.New(t)), &httpauth.Config{
		ErrorHandler: func(http.ResponseWriter, *http.Request, *httpauth.Failure) { panic("a mistake in the error handler") },
	})
	e := echo.New()
	e.GET("/orders", unreachable(t), auth.Require(scopes.All("orders:read")))
	server := httptest.NewUnstartedServer(e)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	response, err := server.Client().Get(server.URL + "/orders")
	if err == nil {
		_ = response.Body.Close()
		t.Errorf("status %d, wanted no answer", response.StatusCode)
	}
}

// TestTokenWithoutRequire: a handler that nobody protects has no token.
func TestTokenWithoutRequire(t *testing.T) {
	c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder())
	if token := echov5auth.Token(c); token != nil {
		t.Errorf("got %v", token)
	}
}

// TestWrongConfig: what is constant in a program is refused where it is written.
func TestWrongConfig(t *testing.T) {
	v := newValidator(t, issuertest.New(t))
	for name, build := range map[string]func(){
		"nil validator":     func() { echov5auth.New(nil, nil) },
		"quote in realm":    func() { echov5auth.New(v, &httpauth.Config{Realm: `or"ders`}) },
		"no policy":         func() { echov5auth.New(v, nil).RequireThat(scopes.AnyToken(), nil) },
		"nobody to ask":     func() { echov5auth.New(v, nil).RequireFresh(0, scopes.AnyToken()) },
		"open, and a bound": func() { echov5auth.New(v, nil).Gate(httpauth.Gate{Bound: true, DangerouslyReportOnly: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			build()
		})
	}
}

// TestStreamsEndWithTheirToken: what RequireLive let in ends when its token does.
func TestStreamsEndWithTheirToken(t *testing.T) {
	iss := issuertest.New(t)
	v := newValidator(t, iss)
	auth, e := echov5auth.New(v, nil), echo.New()
	ended := make(chan error, 1)
	e.GET("/orders", func(c *echo.Context) error {
		_, _ = io.WriteString(c.Response(), "data: open\n\n")
		_ = http.NewResponseController(c.Response()).Flush()
		<-c.Request().Context().Done()
		ended <- context.Cause(c.Request().Context())
		return nil
	}, auth.RequireLive(scopes.All("orders:read")))
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.ReadFull(response.Body, make([]byte, len("data: open\n\n"))); err != nil {
		t.Fatal(err)
	}
	v.Close() // ends streams as a revocation does
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
	if _, ok := errors.AsType[*validator.Error](<-ended); !ok {
		t.Error("the handler's context ended without a reason")
	}
}

// TestFormFilesAreRemoved: net/http removes a form's files after the answer, also where
// the handler read it from the request that carries the token.
func TestFormFilesAreRemoved(t *testing.T) {
	iss := issuertest.New(t)
	auth, e := echov5auth.New(newValidator(t, iss), nil), echo.New()
	names := make(chan string, 1)
	e.POST("/orders", func(c *echo.Context) error {
		r := c.Request()
		if err := r.ParseMultipartForm(1); err != nil {
			return err
		}
		file, err := r.MultipartForm.File["upload"][0].Open()
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		names <- file.(*os.File).Name()
		return nil
	}, auth.Require(scopes.All("orders:read")))
	server := httptest.NewServer(e)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("upload", "orders.csv")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(bytes.Repeat([]byte("a"), 11<<20)) // beyond what is kept in memory
	_ = form.Close()
	r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/orders", &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	server.Close() // which waits for the request's end
	if response.StatusCode != 200 {
		t.Fatalf("status %d", response.StatusCode)
	}
	if _, err := os.Stat(<-names); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}

// reports is what guardtest finds.
type reports []string

func (*reports) Helper() {}
func (r *reports) Errorf(format string, args ...any) {
	*r = append(*r, fmt.Sprintf(format, args...))
}

// TestAllGuarded: guardtest reads Echo v5's list of routes, those for any method
// included, and finds what is open.
func TestAllGuarded(t *testing.T) {
	read, write := scopes.All("orders:read"), scopes.All("orders:write")
	handler := func(c *echo.Context) error { return c.NoContent(http.StatusOK) }
	app := func(more func(*echo.Echo, *echov5auth.Middleware)) func(issuer, audience string) guardtest.App {
		return func(issuer, audience string) guardtest.App {
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: issuer, Audience: []string{audience}}}})
			if err != nil {
				t.Fatal(err)
			}
			auth, e := echov5auth.New(v, nil), echo.New()
			auth.Handle(e, "GET", "/orders", read, handler)
			auth.Handle(e, echo.RouteAny, "/orders/:id", write, handler)
			auth.Handle(e.Group("/v2", auth.Require(read)), "POST", "/orders", write, handler)
			var patterns []string
			for _, route := range auth.Routes() {
				patterns = append(patterns, route.Pattern)
			}
			if diff := cmp.Diff([]string{"GET /orders", "/orders/:id", "POST /v2/orders"}, patterns); diff != "" {
				t.Error(diff)
			}
			more(e, auth)
			return guardtest.App{Handler: e, Routes: auth.Routes(), Close: v.Close}
		}
	}
	want := guardtest.Want{"GET /orders": read, "/orders/:id": write, "POST /v2/orders": scopes.AllOf(read, write)}
	for name, tc := range map[string]struct {
		more  func(*echo.Echo, *echov5auth.Middleware)
		found string // "" for nothing
	}{
		"as it should be":         {func(*echo.Echo, *echov5auth.Middleware) {}, ""},
		"past the gate":           {func(e *echo.Echo, _ *echov5auth.Middleware) { e.GET("/users", handler) }, "GET /users is registered, and neither in Want"},
		"any method past it":      {func(e *echo.Echo, _ *echov5auth.Middleware) { e.Any("/users", handler) }, "/users is registered, and neither in Want"},
		"one method of a guarded": {func(e *echo.Echo, _ *echov5auth.Middleware) { e.DELETE("/orders/:id", handler) }, "/orders/:id"},
		"what no route takes":     {func(e *echo.Echo, _ *echov5auth.Middleware) { e.RouteNotFound("/*", handler) }, "/*"},
	} {
		t.Run(name, func(t *testing.T) {
			var got reports
			guardtest.AllGuarded(&got, app(tc.more), want)
			if tc.found == "" && len(got) > 0 || tc.found != "" && !strings.Contains(strings.Join(got, "\n"), tc.found) {
				t.Errorf("got %q, wanted %q", got, tc.found)
			}
		})
	}
}

func ask(api http.Handler, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w
}

func unreachable(t *testing.T) echo.HandlerFunc {
	return func(*echo.Context) error {
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
