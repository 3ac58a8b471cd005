package fromopenapi_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/adapters/guardtest"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/examples/recipes/fromopenapi"
	"github.com/m2mguard/m2mguard/examples/recipes/internal/recipetest"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

func TestRoutes(t *testing.T) {
	recipetest.Ask(t, func(v *validator.Validator) http.Handler {
		mux, _ := build(t, v)
		return mux
	}, []recipetest.Route{
		{Method: "GET", Path: "/orders", Good: "orders:read", Few: "orders:write", Asks: "orders:read"},
		{Method: "POST", Path: "/orders", Good: "orders:admin", Few: "orders:read", Asks: "orders:write"},
		{Method: "GET", Path: "/orders/7", Good: "orders:detail orders:read", Few: "orders:read", Asks: "orders:read orders:detail"},
	})
}

// TestStrangersAreToldNothing of a parameter that is wrong.
func TestStrangersAreToldNothing(t *testing.T) {
	stranger, client := recipetest.Statuses(t, func(v *validator.Validator) http.Handler {
		mux, _ := build(t, v)
		return mux
	}, "orders:read orders:detail", "GET /orders/seven", "GET /healthz")
	if diff := cmp.Diff([][]int{{401, 200}, {400, 200}}, [][]int{stranger, client}); diff != "" {
		t.Error(diff)
	}
}

func TestAllGuarded(t *testing.T) {
	guardtest.AllGuarded(t, func(issuer, audience string) guardtest.App {
		mux, auth := build(t, recipetest.Validator(t, issuer, audience))
		return guardtest.App{Handler: mux, Routes: auth.Routes()}
	}, guardtest.Want{
		"GET /orders":      scopes.All("orders:read"),
		"POST /orders":     scopes.Any("orders:write", "orders:admin"),
		"GET /orders/{id}": scopes.All("orders:read", "orders:detail"),
	}, guardtest.Public("GET /healthz"), guardtest.Path("GET /orders/{id}", "/orders/7"))
}

// TestFaults: a file that does not say enough, or asks for what nobody checks, keeps the
// API from starting, and all of it is told.
func TestFaults(t *testing.T) {
	_, err := fromopenapi.Rules([]byte(`
openapi: 3.0.3
info: {title: Orders, version: "1"}
paths:
  /none:
    get: {responses: {"200": {description: Fine}}}
  /anybody:
    get: {security: [{}], responses: {"200": {description: Fine}}}
    put: {security: [{oauth: [a]}, {}], responses: {"200": {description: Fine}}}
  /key:
    get: {security: [{key: []}], responses: {"200": {description: Fine}}}
    post: {security: [{oauth: [a], key: []}], responses: {"200": {description: Fine}}}
  /name:
    get: {security: [{oauth: [a, "b c"]}], responses: {"200": {description: Fine}}}
  /fine:
    get: {security: [{oauth: []}], responses: {"200": {description: Fine}}}
`))
	want := []string{
		"GET /anybody: security asks for map[], wanted the scheme oauth alone",
		"PUT /anybody: security asks for map[], wanted the scheme oauth alone",
		"GET /key: security asks for map[key:[]], wanted the scheme oauth alone",
		"POST /key: security asks for map[key:[] oauth:[a]], wanted the scheme oauth alone",
		`GET /name: security asks for ["a" "b c"], wanted names of scopes (RFC 6749 §3.3)`,
		"GET /none: there is no security, wanted scopes, or [] at the operation itself for anybody",
	}
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
	if _, err := fromopenapi.Rules([]byte("{")); err == nil {
		t.Error("what is no YAML is taken")
	}
}

// TestInheritedSecurity: what an operation says itself counts, and [] for all of them
// opens none.
func TestInheritedSecurity(t *testing.T) {
	file := `{"openapi": "3.0.3", "info": {"title": "Orders", "version": "1"}, "security": SECURITY, "paths": {
		"/orders": {"get": {"responses": {"200": {"description": "Fine"}}}, "put": {"security": [{"oauth": []}], "responses": {"200": {"description": "Fine"}}}}}}`
	rules, err := fromopenapi.Rules([]byte(strings.Replace(file, "SECURITY", `[{"oauth": ["a"]}]`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if get, put := rules["GET /orders"], rules["PUT /orders"]; get == nil || get.Needs() != "a" || put == nil || !put.Allows(scopes.Set{}) {
		t.Errorf("%v", rules)
	}
	if _, err := fromopenapi.Rules([]byte(strings.Replace(file, "SECURITY", "[]", 1))); err == nil || !strings.Contains(err.Error(), "GET /orders: there is no security") {
		t.Errorf("%v", err)
	}
}

// TestRouteOfNoOperation: a route that the file does not know is not served at all.
func TestRouteOfNoOperation(t *testing.T) {
	var fault error
	stranger, client := recipetest.Statuses(t, func(v *validator.Validator) http.Handler {
		mux := http.NewServeMux()
		router := fromopenapi.NewRouter(mux, httpauth.New(v, nil), map[string]*scopes.Rule{"GET /orders": nil})
		for _, pattern := range []string{"GET /orders", "GET /debug"} {
			router.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
		}
		fault = router.Fault()
		return mux
	}, "orders:read", "GET /orders", "GET /debug")
	if diff := cmp.Diff([][]int{{200, 404}, {200, 404}}, [][]int{stranger, client}); diff != "" {
		t.Error(diff)
	}
	if fault == nil || !strings.Contains(fault.Error(), "GET /debug is a route, and no operation") {
		t.Errorf("%v", fault)
	}
}

// TestFileIsGenerated from the file whose security counts: what oapi-codegen makes has
// each operation once.
func TestFileIsGenerated(t *testing.T) {
	file, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("api_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := fromopenapi.Rules(file)
	if err != nil {
		t.Fatal(err)
	}
	for pattern := range rules {
		if strings.Count(string(code), "// ("+pattern+")\n") != 1 {
			t.Errorf("api_gen.go has no %s: go generate makes it anew", pattern)
		}
	}
	if n := strings.Count(string(code), "\tm.HandleFunc("); n != len(rules) || n != 4 {
		t.Errorf("%d routes and %d operations, wanted 4", n, len(rules))
	}
}

func build(t *testing.T, v *validator.Validator) (*http.ServeMux, *httpauth.Middleware) {
	t.Helper()
	mux, auth, err := fromopenapi.New(v)
	if err != nil {
		t.Fatal(err)
	}
	return mux, auth
}
