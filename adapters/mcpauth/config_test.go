package mcpauth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func plain(t *testing.T, audience ...string) (*issuertest.Issuer, *validator.Validator) {
	t.Helper()
	iss := issuertest.New(t)
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: audience}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return iss, v
}

// TestFaults: what New panics at, all at once.
func TestFaults(t *testing.T) {
	_, v := plain(t, public)
	good := []string{public}
	credentials := func(*http.Request) (string, string, error) { return "", "", nil }
	for name, tc := range map[string]struct {
		rules mcpauth.Rules
		cfg   *mcpauth.Config
		says  []string
	}{
		"nothing":             {mcpauth.Rules{}, nil, []string{"Config.PublicURL is empty"}},
		"no URL":              {mcpauth.Rules{}, &mcpauth.Config{PublicURL: []string{"/mcp"}}, []string{`Config.PublicURL is "/mcp"`}},
		"a query":             {mcpauth.Rules{}, &mcpauth.Config{PublicURL: []string{public + "?a"}}, []string{"Config.PublicURL is"}},
		"a user":              {mcpauth.Rules{}, &mcpauth.Config{PublicURL: []string{"https://u:secret@api.example.com/mcp"}}, []string{"Config.PublicURL is not shown"}},
		"half a password":     {mcpauth.Rules{}, &mcpauth.Config{PublicURL: []string{"https://u:secret"}}, []string{"Config.PublicURL is not shown"}},
		"two slashes":         {mcpauth.Rules{}, &mcpauth.Config{PublicURL: []string{"https://api.example.com//"}}, []string{"Config.PublicURL is"}},
		"http":                {mcpauth.Rules{}, &mcpauth.Config{PublicURL: []string{"http://api.example.com/mcp"}}, []string{"https"}},
		"dots":                {mcpauth.Rules{}, &mcpauth.Config{PublicURL: []string{"https://api.example.com/a/../mcp"}}, []string{"Metadata.Path"}},
		"two paths":           {mcpauth.Rules{}, &mcpauth.Config{PublicURL: []string{public, "https://b.example.com/other"}}, []string{"wanted one path"}},
		"beside the prefix":   {mcpauth.Rules{}, &mcpauth.Config{PublicURL: good, HTTP: httpauth.Config{PublicPathPrefix: "/tools"}}, []string{"HTTP.PublicPathPrefix"}},
		"within the prefix":   {mcpauth.Rules{}, &mcpauth.Config{PublicURL: good, HTTP: httpauth.Config{PublicPathPrefix: "/m"}}, []string{"HTTP.PublicPathPrefix"}},
		"an empty audience":   {mcpauth.Rules{}, &mcpauth.Config{PublicURL: good, Audience: []string{}}, []string{"Config.Audience is []"}},
		"an empty name in it": {mcpauth.Rules{}, &mcpauth.Config{PublicURL: good, Audience: []string{"a", ""}}, []string{"Config.Audience is"}},
		"less than nothing":   {mcpauth.Rules{}, &mcpauth.Config{PublicURL: good, MaxBody: -1}, []string{"Config.MaxBody is -1"}},
		"what is this Config's": {mcpauth.Rules{}, &mcpauth.Config{PublicURL: good, HTTP: httpauth.Config{
			PublicURL: good, Audience: good, Credentials: credentials, DangerouslyIgnoreAuthorization: true, DangerouslyReportOnly: true, Metadata: httpauth.Metadata{Path: "/a"},
		}}, []string{"HTTP.PublicURL", "HTTP.Audience", "HTTP.Credentials", "HTTP.DangerouslyIgnoreAuthorization", "HTTP.DangerouslyReportOnly", "HTTP.Metadata.Path"}},
		"names that are empty": {mcpauth.Rules{Tools: map[string]scopes.Rule{"": {}}, Methods: map[string]scopes.Rule{"": {}}}, &mcpauth.Config{PublicURL: good}, []string{"Rules.Tools", "Rules.Methods"}},
		"rules for nobody": {mcpauth.Rules{
			Base: new(scopes.Rule), Tools: map[string]scopes.Rule{"a": {}, "b": scopes.All(), "good": scopes.AnyToken()}, Prompts: map[string]scopes.Rule{"p": {}},
			Resources: map[string]scopes.Rule{"r": {}, "r{x}": {}}, Methods: map[string]scopes.Rule{"m": scopes.Any()},
		}, &mcpauth.Config{PublicURL: good}, []string{
			"Rules.Base: the rule lets nobody in", `Rules.Tools["a"]: the`, `Rules.Tools["b"]: the`, `Rules.Prompts["p"]: the`, `Rules.Resources["r"]: the`, `Rules.Resources["r{x}"]: the`, `Rules.Methods["m"]: the`,
		}},
		"templates": {mcpauth.Rules{Resources: map[string]scopes.Rule{"a://{": {}, "a://}b{": {}, "a://{?q}": {}, "a://{a,b}": {}, "a://{{x}}": {}}}, &mcpauth.Config{PublicURL: good}, []string{
			`"a://{" is a template`, `"a://}b{" is`, `"a://{?q}" is`, `"a://{a,b}" is`, `"a://{{x}}" is`,
		}},
		"both": {mcpauth.Rules{Resources: map[string]scopes.Rule{"{": {}}}, &mcpauth.Config{}, []string{"Rules.Resources", "Config.PublicURL"}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				said := fmt.Sprint(recover())
				for _, want := range tc.says {
					if !strings.Contains(said, want) {
						t.Errorf("panic %s, wanted %s", said, want)
					}
				}
			}()
			mcpauth.New(v, tc.rules, tc.cfg)
			t.Error("no panic")
		})
	}
}

// TestPublicURLs: resource, place of the metadata, and audience follow from it.
func TestPublicURLs(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg     mcpauth.Config
		path    string
		passes  []string // audiences
		refuses []string
	}{
		"a path":  {mcpauth.Config{PublicURL: []string{public}}, "/mcp", []string{public}, []string{public + "/", "https://api.example.com", "https://api.example.com/mcp2"}},
		"a slash": {mcpauth.Config{PublicURL: []string{public + "/"}}, "/mcp", []string{public}, []string{public + "/"}},
		"a host":  {mcpauth.Config{PublicURL: []string{"https://api.example.com"}}, "", []string{"https://api.example.com", "https://api.example.com/"}, []string{public}},
		"a prefix": {mcpauth.Config{PublicURL: []string{"https://api.example.com/tools/mcp"}, HTTP: httpauth.Config{PublicPathPrefix: "/tools/"}}, "/tools/mcp",
			[]string{"https://api.example.com/tools/mcp"}, []string{public}},
		"two hosts": {mcpauth.Config{PublicURL: []string{public, "https://b.example.com/mcp"}}, "/mcp", []string{public, "https://b.example.com/mcp"}, []string{"https://b.example.com"}},
		"a name":    {mcpauth.Config{PublicURL: []string{public}, Audience: []string{"urn:orders"}}, "/mcp", []string{"urn:orders"}, []string{public}},
	} {
		t.Run(name, func(t *testing.T) {
			iss, v := plain(t, append(append([]string{}, tc.passes...), tc.refuses...)...)
			auth := mcpauth.New(v, mcpauth.Rules{}, &tc.cfg)
			if auth.MetadataPath() != "/.well-known/oauth-protected-resource"+tc.path {
				t.Error(auth.MetadataPath())
			}
			g := &guarded{t: t, iss: iss, api: auth.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))}
			h, body := request(older, "ping", nil)
			for want, audiences := range map[int][]string{204: tc.passes, 401: tc.refuses} {
				for _, audience := range audiences {
					if res := g.ask("POST", iss.Token(issuertest.Claims{Audience: []string{audience}}), h, body); res.StatusCode != want {
						t.Errorf("%s: %d, wanted %d", audience, res.StatusCode, want)
					}
				}
			}
		})
	}
}

// TestRoutes lists each operation that has a rule, with all that it needs.
func TestRoutes(t *testing.T) {
	_, v := plain(t, public)
	auth := mcpauth.New(v, mcpauth.Rules{
		Base: new(scopes.All("mcp")), Tools: map[string]scopes.Rule{"list_orders": scopes.All("orders:read")},
		Methods: map[string]scopes.Rule{"acme/export": scopes.All("orders:admin")},
	}, &mcpauth.Config{PublicURL: []string{public}})
	got := map[string]string{}
	for _, route := range auth.Routes() {
		got[route.Pattern] = route.Scope + ", " + route.Kind
	}
	for pattern, want := range map[string]string{"ping": "mcp, live", "tools/call list_orders": "mcp orders:read, live", "acme/export": "mcp orders:admin, live"} {
		if got[pattern] != want {
			t.Errorf("%s: %q, wanted %q", pattern, got[pattern], want)
		}
	}
}
