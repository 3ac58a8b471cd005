package migrate_test

import (
	"net/http"
	"testing"

	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/examples/migrate"
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
