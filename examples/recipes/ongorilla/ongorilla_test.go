package ongorilla_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/m2mguard/m2mguard/adapters/guardtest"
	"github.com/m2mguard/m2mguard/examples/recipes/internal/recipetest"
	"github.com/m2mguard/m2mguard/examples/recipes/ongorilla"
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

// listed tells guardtest what gorilla/mux has: its own list is a Walk.
type listed struct{ *mux.Router }

type route struct{ Method, Path string }

func (l listed) Routes() (routes []route) {
	_ = l.Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, _ := r.GetPathTemplate()
		methods, _ := r.GetMethods()
		for _, method := range methods {
			routes = append(routes, route{method, path})
		}
		return nil
	})
	return routes
}

func TestAllGuarded(t *testing.T) {
	guardtest.AllGuarded(t, func(issuer, audience string) guardtest.App {
		r := build(t, recipetest.Validator(t, issuer, audience))
		return guardtest.App{Handler: r, Router: listed{r}}
	}, guardtest.Want{
		"GET /orders":         scopes.All("orders:read"),
		"POST /orders":        scopes.Any("orders:write", "orders:admin"),
		"GET /v2/orders/{id}": scopes.All("orders:read", "orders:detail"),
	}, guardtest.Public("GET /healthz"))
}

// TestRouteWithoutRule: what nobody thought of keeps the API from starting, wherever it
// was registered, and so does a route that gorilla/mux cannot take.
func TestRouteWithoutRule(t *testing.T) {
	r := build(t, recipetest.Validator(t, "https://id.example.com", "https://orders.example.com"))
	bare := func(http.ResponseWriter, *http.Request) {}
	r.HandleFunc("/broken/{", bare)
	r.HandleFunc("/debug", bare)
	r.PathPrefix("/v3").Subrouter().HandleFunc("/orders", bare).Methods("GET")
	r.PathPrefix("/files/").Handler(http.HandlerFunc(bare))
	err := ongorilla.Check(r)
	for _, route := range []string{"[] /debug ", `["GET"] /v3/orders `, "[] /files/ ", "/broken/{"} {
		if err == nil || !strings.Contains(err.Error(), route) {
			t.Errorf("%v, wanted a fault of %s", err, route)
		}
	}
}

func build(t *testing.T, v *validator.Validator) *mux.Router {
	t.Helper()
	r, err := ongorilla.New(v)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
