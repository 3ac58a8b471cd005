package ginauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// What all adapters have in common is tested in internal/trials/adaptertest.

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	goleak.VerifyTestMain(m)
}

// TestErrorPath: a refusal aborts, and logging middleware finds the reason.
func TestErrorPath(t *testing.T) {
	iss := issuertest.New(t)
	auth := ginauth.New(newValidator(t, iss, nil), nil)
	engine := gin.New()
	engine.Use(func(c *gin.Context) {
		c.Next()
		if !c.IsAborted() {
			t.Error("not aborted")
		}
		if len(c.Errors) != 1 || !errors.Is(c.Errors[0], validator.ErrInsufficientScope) {
			t.Errorf("got errors %v", c.Errors)
		}
	})
	engine.GET("/orders", auth.Require(scopes.All("orders:read")), unreachable(t))

	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{}))
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("status %d", w.Code)
	}
}

// TestCarelessRecovery: Gin goes on with the next handler after a recovered
// panic, unless somebody aborts. Whichever of the user's functions panics, the
// handler must not run.
func TestCarelessRecovery(t *testing.T) {
	careless := func(c *gin.Context) {
		defer func() { _ = recover() }()
		c.Next()
	}
	iss := issuertest.New(t)
	for name, auth := range map[string]*ginauth.Middleware{
		"error handler": ginauth.New(newValidator(t, iss, nil), &httpauth.Config{
			ErrorHandler: func(http.ResponseWriter, *http.Request, *httpauth.Failure) { panic("a mistake") },
		}),
		"observer": ginauth.New(newValidator(t, iss, func(context.Context, *observe.Event) { panic("a mistake") }), nil),
	} {
		t.Run(name, func(t *testing.T) {
			engine := gin.New()
			engine.Use(careless)
			engine.GET("/orders", auth.Require(scopes.AnyToken()), unreachable(t))
			r := httptest.NewRequest(http.MethodGet, "/orders", nil)
			r.Header.Set("Authorization", "Bearer "+iss.Bad(issuertest.WrongIssuer, issuertest.Claims{}))
			engine.ServeHTTP(httptest.NewRecorder(), r)
		})
	}
}

// TestRoutes: the paths of routes of groups are remembered as Gin has them.
func TestRoutes(t *testing.T) {
	auth := ginauth.New(newValidator(t, issuertest.New(t), nil), nil)
	engine := gin.New()
	for _, group := range []*gin.RouterGroup{&engine.RouterGroup, engine.Group("/v1"), engine.Group("/v2/"), engine.Group("/v3").Group("/items/:item"), engine.Group("v4")} {
		for _, path := range []string{"/orders", "orders/", "/orders/:id", "//lines//", "", "/"} {
			if path == "/" && strings.HasSuffix(group.BasePath(), "/") {
				continue // which is "" there
			}
			auth.Handle(group, http.MethodGet, path, scopes.AnyToken())
		}
	}
	auth.Handle(engine, http.MethodPost, "/orders", scopes.AnyToken())
	var remembered, registered []string
	for _, route := range auth.Routes() {
		remembered = append(remembered, route.Pattern)
	}
	for _, route := range engine.Routes() {
		registered = append(registered, route.Method+" "+route.Path)
	}
	slices.Sort(remembered)
	slices.Sort(registered)
	if diff := cmp.Diff(registered, remembered); diff != "" {
		t.Error(diff)
	}
}

// TestTokenWithoutRequire: a handler that nobody protects has no token.
func TestTokenWithoutRequire(t *testing.T) {
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest(http.MethodGet, "/", nil)
	if token := ginauth.Token(c); token != nil {
		t.Errorf("got %v", token)
	}
}

func unreachable(t *testing.T) gin.HandlerFunc {
	return func(*gin.Context) { t.Error("the handler ran") }
}

func newValidator(t testing.TB, iss *issuertest.Issuer, observer func(context.Context, *observe.Event)) *validator.Validator {
	t.Helper()
	v, err := validator.New(validator.Config{
		Issuers:  []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		Observer: observe.Observer{Event: observer},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}
