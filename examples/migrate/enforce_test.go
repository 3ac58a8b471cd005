package migrate_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/examples/migrate"
	"github.com/m2mguard/m2mguard/examples/migrate/fromginjwt"
	"github.com/m2mguard/m2mguard/examples/migrate/fromgolangjwt"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestTwoTokens: a token that the old library refuses, with one that it takes in ?token=.
// Both must pass, and "both" is about one token where the old one looks into the field alone.
func TestTwoTokens(t *testing.T) {
	iss := issuertest.New(t)
	v, err := migrate.Trust(iss.URL(), issuertest.Audience)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	ginBefore, err := fromginjwt.Before(t.Context(), iss.JWKSURL())
	if err != nil {
		t.Fatal(err)
	}
	ginEnforce, err := fromginjwt.Enforce(t.Context(), v, iss.JWKSURL())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keyfunc.NewDefaultCtx(t.Context(), []string{iss.JWKSURL()})
	if err != nil {
		t.Fatal(err)
	}
	echoEnforce := func(lookup string) http.Handler {
		e := echo.New()
		e.GET("/orders", func(c echo.Context) error { return c.NoContent(http.StatusOK) },
			echoauth.New(v, nil).Require(rule), echojwt.WithConfig(echojwt.Config{KeyFunc: keys.Keyfunc, TokenLookup: lookup}))
		return e
	}
	for name, tc := range map[string]struct {
		api  http.Handler
		want int
	}{
		"gin-jwt":                  {ginEnforce, http.StatusUnauthorized},
		"gin-jwt, as it was":       {httpauth.New(v, nil).Require(rule)(ginBefore), http.StatusOK},
		"echo-jwt":                 {echoEnforce(""), http.StatusUnauthorized},
		"echo-jwt, the query, too": {echoEnforce("header:Authorization:Bearer ,query:token"), http.StatusOK},
	} {
		late := iss.Token(good(func(c *issuertest.Claims) { c.Expiry = time.Now().Add(-10 * time.Second) }))
		r, w := httptest.NewRequest("GET", "/orders?token="+iss.Token(good(nil)), http.NoBody), httptest.NewRecorder()
		r.Header.Set("Authorization", "bearer "+late)
		if tc.api.ServeHTTP(w, r); w.Code != tc.want {
			t.Errorf("%s: %d, %s, wanted %d", name, w.Code, w.Body, tc.want)
		}
		if w := call(tc.api, iss.Token(good(nil))); w.Code != http.StatusOK {
			t.Errorf("%s, one good token: %d, %s", name, w.Code, w.Body)
		}
	}
}

// TestPolicies: what the old library checked beside the scope is checked at each stage.
func TestPolicies(t *testing.T) {
	iss := issuertest.New(t)
	before, err := fromgolangjwt.Before(t.Context(), iss.URL(), iss.JWKSURL(), issuertest.Audience)
	if err != nil {
		t.Fatal(err)
	}
	old := func(next http.Handler) http.Handler { // its code as a middleware
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			if before.ServeHTTP(rec, r); rec.Code != http.StatusOK {
				w.WriteHeader(rec.Code)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	v, err := migrate.Trust(iss.URL(), issuertest.Audience)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for list, want := range map[string]int{
		"":                    http.StatusUnauthorized,
		"GET /orders=report":  http.StatusUnauthorized,
		"GET /orders=enforce": http.StatusForbidden, // the new one is asked first
		"GET /orders=after":   http.StatusForbidden,
	} {
		stages, err := migrate.ParseStages(list, "GET /orders")
		if err != nil {
			t.Fatal(err)
		}
		api := stages.Guard(httpauth.New(v, nil), old, "GET /orders", httpauth.GateThat(rule, fromgolangjwt.OfATenant),
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if w := call(api, iss.Token(issuertest.Claims{Scope: "orders:read"})); w.Code != want {
			t.Errorf("%q: without a tenant: %d, wanted %d", list, w.Code, want)
		}
		if w := call(api, iss.Token(good(nil))); w.Code != http.StatusOK {
			t.Errorf("%q: %d", list, w.Code)
		}
	}
}

// TestOtherScopes: a scope in scp, which no handler looked at, lets its client in once the
// old check has gone, unless the profile names scope alone.
func TestOtherScopes(t *testing.T) {
	iss := issuertest.New(t)
	for name, profile := range map[string]validator.Profile{"scope or scp": {}, "scope": {ScopeClaims: []string{"scope"}}} {
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{
			URL: iss.URL(), Audience: []string{issuertest.Audience}, Profile: profile,
		}}})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		for list, want := range map[string]int{
			"": http.StatusForbidden, "GET /orders=report": http.StatusForbidden, "GET /orders=enforce": http.StatusForbidden, "GET /orders=after": http.StatusOK,
		} {
			if name == "scope" {
				want = http.StatusForbidden
			}
			stages, err := migrate.ParseStages(list, "GET /orders")
			if err != nil {
				t.Fatal(err)
			}
			var client string
			api := stages.Guard(httpauth.New(v, nil), auth0(t, iss), "GET /orders", httpauth.Gate{Rule: rule}, orders(&client))
			token := iss.Token(good(func(c *issuertest.Claims) { c.Scope, c.Extra["scp"] = "", "orders:read" }))
			if w := call(api, token); w.Code != want {
				t.Errorf("%s, %q: %d, %s, wanted %d", name, list, w.Code, w.Body, want)
			}
			byGin, err := fromginjwt.Enforce(t.Context(), v, iss.JWKSURL())
			if err != nil {
				t.Fatal(err)
			}
			if w := call(byGin, token); w.Code != http.StatusForbidden {
				t.Errorf("%s, by gin-jwt's Authorizator at enforce: %d, %s", name, w.Code, w.Body)
			}
		}
	}
}
