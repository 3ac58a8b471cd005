package routes_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/routes"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// ofAPI is the list that an API of the library's writes.
func ofAPI(t *testing.T) []routes.Route {
	t.Helper()
	iss := issuertest.New(t)
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{"a"}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	auth, mux, handler := httpauth.New(v, nil), http.NewServeMux(), http.NotFoundHandler()
	auth.Handle(mux, "GET /orders/{id}", scopes.All("orders:read"), handler)
	auth.Handle(mux, "POST /orders", scopes.AnyOf(scopes.All("orders:write", "eu"), scopes.All("admin")), handler)
	auth.Handle(mux, "/files/{path...}", scopes.AnyToken(), handler)
	auth.Handle(mux, "DELETE /orders/{id}", scopes.Rule{}, handler)
	auth.HandleGate(mux, "GET /orders", httpauth.Gate{Rule: scopes.Any("orders:read", "orders:write"), Optional: true, Live: true}, handler)
	text, err := json.Marshal(auth.Routes())
	if err != nil {
		t.Fatal(err)
	}
	all, err := routes.Read(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return append(all, routes.Route{Pattern: "GET /health", Kind: routes.Public})
}

func TestMarkdown(t *testing.T) {
	const want = "# Who may do what\n\n| method | path | needs | |\n|---|---|---|---|\n" +
		"| any | `/files/{path...}` | any client |  |\n" +
		"| GET | `/health` | everybody |  |\n" +
		"| GET | `/orders` | `orders:read` or `orders:write` | optional, live |\n" +
		"| POST | `/orders` | `orders:write` and `eu` or `admin` |  |\n" +
		"| DELETE | `/orders/{id}` | nobody |  |\n" +
		"| GET | `/orders/{id}` | `orders:read` |  |\n" +
		"\n| scope | is named by |\n|---|---|\n" +
		"| `admin` | POST `/orders` |\n| `eu` | POST `/orders` |\n| `orders:read` | GET `/orders`, GET `/orders/{id}` |\n| `orders:write` | GET `/orders`, POST `/orders` |\n"
	if got := routes.Markdown(ofAPI(t)); got != want {
		t.Errorf("got\n%s\nwanted\n%s", got, want)
	}
}

// TestOpenAPI: the fragment becomes a document that a strict reader takes, and each
// operation has the rule's alternatives.
func TestOpenAPI(t *testing.T) {
	for _, tokenURL := range []string{"", "https://id.example.com/token"} {
		text, err := routes.OpenAPI(ofAPI(t), tokenURL)
		if err != nil {
			t.Fatal(err)
		}
		var whole map[string]any
		if err := json.Unmarshal(text, &whole); err != nil {
			t.Fatal(err)
		}
		whole["info"] = map[string]string{"title": "orders", "version": "1"}
		if text, err = json.Marshal(whole); err != nil {
			t.Fatal(err)
		}
		document, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range document.Paths.Map() {
			for _, o := range path.Operations() {
				if o.Responses == nil || o.Responses.Len() == 0 {
					o.Responses = openapi3.NewResponses() // the fragment is of security
				}
			}
		}
		_ = document.Validate(context.Background())
		scheme := document.Components.SecuritySchemes["m2mguard"].Value
		if tokenURL != "" && (scheme.Type != "oauth2" || scheme.Flows.ClientCredentials.TokenURL != tokenURL) || tokenURL == "" && scheme.Scheme != "bearer" {
			t.Errorf("the scheme is %+v", scheme)
		}
		security := func(path, method string) string {
			o := document.Paths.Value(path).GetOperation(method)
			if o == nil || o.Security == nil {
				return "none"
			}
			text, err := json.Marshal(*o.Security)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		for _, tc := range []struct{ path, method, want string }{
			{"/orders/{id}", "GET", `[{"m2mguard":["orders:read"]}]`},
			{"/orders", "POST", `[{"m2mguard":["orders:write","eu"]},{"m2mguard":["admin"]}]`},
			{"/orders", "GET", `[{},{"m2mguard":["orders:read"]},{"m2mguard":["orders:write"]}]`},
			{"/files/{path}", "PATCH", `[{"m2mguard":[]}]`},
			{"/health", "GET", `[]`},
			{"/orders/{id}", "DELETE", `[{"m2mguard":[]}]`},
		} {
			if got := security(tc.path, tc.method); got != tc.want {
				t.Errorf("%s %s: %s, wanted %s", tc.method, tc.path, got, tc.want)
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``: "no list", `{}`: "no list", `[]`: "no route", `[{"pattern":"orders"},{"pattern":"/a"},{"pattern":"b"}]`: "of number 1, 3:", `[{"pattern":"/a"}] []`: "goes on behind", `[{"pattern":"/a"}]x`: "goes on behind", `[{"pattern":"/a","more":1}]`: "no list",
	} {
		if _, err := routes.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, wanted %s", text, err, want)
		}
	}
}
