package serve_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/serve"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestOpenAPI: operations by their security, and nothing that nobody would check.
func TestOpenAPI(t *testing.T) {
	iss := issuertest.New(t)
	const head = `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"servers":[{"url":"https://api.example.com/v1"}],
"components":{"securitySchemes":{"oauth":{"type":"oauth2","flows":{"clientCredentials":{"tokenUrl":"https://id.example.com/token","scopes":{"a":"","b":""}}}},
"key":{"type":"apiKey","in":"header","name":"X-Key"}}},`
	operation := func(security string) string {
		if security != "" {
			security = `"security":` + security + `,`
		}
		return `{` + security + `"responses":{"200":{"description":"ok"}}}`
	}
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "api.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	parameters := func(names ...string) string {
		var all []string
		for _, name := range names {
			all = append(all, `{"name":"`+name+`","in":"path","required":true,"schema":{"type":"string"}}`)
		}
		return `"parameters":[` + strings.Join(all, ",") + `],`
	}
	path := write(head + `"paths":{"/orders":{"get":` + operation(`[{"oauth":["a"]}]`) + `,"post":` + operation(`[{"oauth":["a","b"]},{"oauth":["c"]}]`) + `},
"/orders/{order-id}":{` + parameters("order-id") + `"get":` + operation(`[{"oauth":[]}]`) + `},"/health":{"get":` + operation(`[]`) + `},"/maybe":{"get":` + operation(`[{},{"oauth":["a"]}]`) + `}}}`)
	g := run(t, file(iss, "  openAPI: "+path+"\n"), "127.0.0.1:0", nil)
	a, c, none := iss.Token(issuertest.Claims{Scope: "a"}), iss.Token(issuertest.Claims{Scope: "c"}), iss.Token(issuertest.Claims{})
	for _, tc := range []struct {
		target, token string
		want          int
	}{
		{"/v1/orders", a, 200}, {"/v1/orders", c, 403}, {"/v1/orders", "", 401}, {"/orders", a, 403},
		{"/v1/orders/17", none, 200}, {"/v1/orders/17", "", 401}, {"/v1/health", "", 200}, {"/v1/maybe", "", 200}, {"/v1/maybe", c, 403},
		{"/v1/else", a, 403},
	} {
		if got, err := g.ask(tc.target, tc.token); got != tc.want || err != nil {
			t.Errorf("%s: %d, %v, wanted %d", tc.target, got, err, tc.want)
		}
	}
	for name, tc := range map[string]struct{ text, want string }{
		"no security":    {head + `"paths":{"/a":{"get":` + operation("") + `}}}`, "nothing says who"},
		"an unknown one": {head + `"paths":{"/a":{"get":` + operation(`[{"other":[]}]`) + `}}}`, "other"},
		"an API key":     {head + `"paths":{"/a":{"get":` + operation(`[{"key":[]}]`) + `}}}`, "apiKey"},
		"both":           {head + `"paths":{"/a":{"get":` + operation(`[{"oauth":["a"],"key":[]}]`) + `}}}`, "apiKey"},
		"half a segment": {head + `"paths":{"/files/{name}.{ext}":{` + parameters("name", "ext") + `"get":` + operation(`[]`) + `}}}`, `"{name}.{ext}" is not one parameter`},
		"a word before":  {head + `"paths":{"/files/v{name}":{` + parameters("name") + `"get":` + operation(`[]`) + `}}}`, `"v{name}" is not one parameter`},
		"a word behind":  {head + `"paths":{"/files/{name}.pdf/x":{` + parameters("name") + `"get":` + operation(`[]`) + `}}}`, `"{name}.pdf" is not one parameter`},
		"no document":    {`{}`, "openAPI"},
	} {
		_, err := build(t, &serve.Builder{Log: slog.New(slog.DiscardHandler)}, file(iss, "  openAPI: "+write(tc.text)+"\n"))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, wanted %s", name, err, tc.want)
		}
	}
}
