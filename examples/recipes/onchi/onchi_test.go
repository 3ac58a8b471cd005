package onchi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/guardtest"
	"github.com/m2mguard/m2mguard/examples/recipes/internal/recipetest"
	"github.com/m2mguard/m2mguard/examples/recipes/onchi"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

func TestRoutes(t *testing.T) {
	recipetest.Ask(t, func(v *validator.Validator) http.Handler { return build(t, v) }, []recipetest.Route{
		{Method: "GET", Path: "/orders", Good: "orders:read", Few: "orders:write", Asks: "orders:read"},
		{Method: "POST", Path: "/orders", Good: "orders:admin", Few: "orders:read", Asks: "orders:write"},
		{Method: "GET", Path: "/v2/orders/7", Good: "orders:detail orders:read", Few: "orders:read", Asks: "orders:read orders:detail"},
	})
}

func TestAllGuarded(t *testing.T) {
	guardtest.AllGuarded(t, func(issuer, audience string) guardtest.App {
		return guardtest.App{Handler: build(t, recipetest.Validator(t, issuer, audience))}
	}, guardtest.Want{
		"GET /orders":         scopes.All("orders:read"),
		"POST /orders":        scopes.Any("orders:write", "orders:admin"),
		"GET /v2/orders/{id}": scopes.All("orders:read", "orders:detail"),
	}, guardtest.Public("GET /healthz"))
}

// TestRouteWithoutRule: what nobody thought of keeps the API from starting, wherever it
// was registered.
func TestRouteWithoutRule(t *testing.T) {
	r, err := onchi.New(recipetest.Validator(t, "https://id.example.com", "https://orders.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	bare := func(http.ResponseWriter, *http.Request) {}
	r.Get("/debug", bare)
	r.With(func(next http.Handler) http.Handler { return next }).Get("/with", bare)
	r.Mount("/files", http.HandlerFunc(bare))
	err = onchi.Check(r)
	for _, route := range []string{"GET /debug ", "GET /with ", "GET /files/* "} {
		if err == nil || !strings.Contains(err.Error(), route) {
			t.Errorf("%v, wanted a fault of %s", err, route)
		}
	}
}

func build(t *testing.T, v *validator.Validator) http.Handler {
	t.Helper()
	r, err := onchi.New(v)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
