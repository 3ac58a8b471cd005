package onhuma_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/adapters/guardtest"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/examples/recipes/internal/recipetest"
	"github.com/m2mguard/m2mguard/examples/recipes/onhuma"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

func TestRoutes(t *testing.T) {
	recipetest.Ask(t, build, []recipetest.Route{
		{Method: "GET", Path: "/orders", Good: "orders:read", Few: "orders:write", Asks: "orders:read"},
		{Method: "POST", Path: "/orders", Good: "orders:admin", Few: "orders:read", Asks: "orders:write"},
		{Method: "GET", Path: "/v2/orders", Good: "orders:read orders:detail", Few: "orders:read", Asks: "orders:read orders:detail"},
	})
}

// build is the API with a group, an operation that says nothing, one that is hidden, and
// one that every token may use.
func build(v *validator.Validator) http.Handler {
	api, mux, _ := onhuma.New(v)
	register(api, huma.Operation{OperationID: "debug", Method: "GET", Path: "/debug"})
	register(api, huma.Operation{OperationID: "hidden", Method: "GET", Path: "/hidden", Hidden: true})
	register(api, huma.Operation{OperationID: "none", Method: "GET", Path: "/none", Security: []map[string][]string{}})
	register(api, huma.Operation{OperationID: "any", Method: "GET", Path: "/any", Security: []map[string][]string{{"oauth": {}}}})
	register(huma.NewGroup(api, "/v2", "/v3"), huma.Operation{
		OperationID: "group", Method: "GET", Path: "/orders", Security: []map[string][]string{{"oauth": {"orders:read", "orders:detail"}}},
	})
	return mux
}

func register(api huma.API, op huma.Operation) {
	huma.Register(api, op, func(ctx context.Context, _ *struct{}) (*struct{ Body string }, error) {
		return &struct{ Body string }{validator.FromContext(ctx).ClientID()}, nil
	})
}

// TestOperationWithoutSecurity: nobody comes in, unless it was named public.
func TestOperationWithoutSecurity(t *testing.T) {
	patterns := []string{"GET /debug", "GET /hidden", "GET /none", "GET /docs", "GET /openapi.yaml", "GET /schemas/Orders", "GET /any", "GET /v3/orders", "GET /healthz", "GET /openapi.json"}
	stranger, client := recipetest.Statuses(t, build, "orders:read orders:detail", patterns...)
	if diff := cmp.Diff([]int{401, 401, 401, 401, 401, 401, 401, 401, 204, 200}, stranger); diff != "" {
		t.Errorf("%q, a stranger: %s", patterns, diff)
	}
	if diff := cmp.Diff([]int{403, 403, 403, 403, 403, 403, 200, 200, 204, 200}, client); diff != "" {
		t.Errorf("%q, a client: %s", patterns, diff)
	}
}

// TestPublicIsNoExcuse: an operation that asks for something is not public by its name.
func TestPublicIsNoExcuse(t *testing.T) {
	stranger, _ := recipetest.Statuses(t, func(v *validator.Validator) http.Handler {
		mux := http.NewServeMux()
		api := huma.NewAPI(huma.DefaultConfig("Orders", "1"), onhuma.Guard(humago.NewAdapter(mux, ""), httpauth.New(v, nil), "GET /orders"))
		register(api, huma.Operation{OperationID: "orders", Method: "GET", Path: "/orders", Security: []map[string][]string{{"oauth": {"orders:read"}}}})
		return mux
	}, "", "GET /orders")
	if stranger[0] != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d, wanted 401", stranger[0])
	}
}

// TestWrongSecurity is refused when it is registered.
func TestWrongSecurity(t *testing.T) {
	api, _, _ := onhuma.New(recipetest.Validator(t, "https://id.example.com", "https://orders.example.com"))
	for name, requirement := range map[string]map[string][]string{
		"nothing":        {},
		"another scheme": {"key": {}},
		"one beside":     {"oauth": {"orders:read"}, "key": {}},
		"no scope":       {"oauth": {"orders read"}},
	} {
		said := func() (said string) {
			defer func() { said = fmt.Sprint(recover()) }()
			register(api, huma.Operation{OperationID: name, Method: "GET", Path: "/wrong", Security: []map[string][]string{requirement}})
			return ""
		}()
		if !strings.Contains(said, "wanted the scheme oauth alone") && !strings.Contains(said, "orders read") {
			t.Errorf("%s: %s", name, said)
		}
	}
}

// TestRoutesAreRemembered: what guardtest is to find is in the middleware's list, with
// the prefixes of groups and what is hidden.
func TestRoutesAreRemembered(t *testing.T) {
	api, _, auth := onhuma.New(recipetest.Validator(t, "https://id.example.com", "https://orders.example.com"))
	before := len(auth.Routes())
	register(api, huma.Operation{OperationID: "hidden", Method: "GET", Path: "/hidden", Hidden: true})
	register(huma.NewGroup(api, "/v2", "/v3"), huma.Operation{OperationID: "group", Method: "GET", Path: "/orders"})
	var patterns []string
	for _, route := range auth.Routes()[before:] {
		patterns = append(patterns, route.Pattern)
	}
	if diff := cmp.Diff([]string{"GET /hidden", "GET /v2/orders", "GET /v3/orders"}, patterns); diff != "" {
		t.Error(diff)
	}
}

func TestAllGuarded(t *testing.T) {
	guardtest.AllGuarded(t, func(issuer, audience string) guardtest.App {
		_, mux, auth := onhuma.New(recipetest.Validator(t, issuer, audience))
		return guardtest.App{Handler: mux, Routes: auth.Routes()}
	}, guardtest.Want{
		"GET /orders":           scopes.All("orders:read"),
		"POST /orders":          scopes.Any("orders:write", "orders:admin"),
		"GET /docs":             {},
		"GET /openapi.yaml":     {},
		"GET /openapi-3.0.json": {},
		"GET /openapi-3.0.yaml": {},
		"GET /schemas/{schema}": {},
	}, guardtest.Public("GET /openapi.json", "GET /healthz"))
}
