package serve_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/serve"
)

// TestFaultsAtOnce: a file with faults is told those of its gate, too, in the order of its
// lines, and nothing that comes of another fault.
func TestFaultsAtOnce(t *testing.T) {
	const (
		issuer = "issuers: [{url: https://id.example.com, audience: [a]}]\n"
		gate   = "serve:\n  proxy: nginx\n  from: [127.0.0.1/32]\n  routes:\n    GET /a: {scopes: [a]}\n"
	)
	for name, tc := range map[string]struct {
		text string
		want []string // how each line begins
	}{
		"of both": {issuer + "serve:\n  proxy: squid\n  from: [127.0.0.1]\n  drain: -1s\n  routes:\n    GET /a: {scopes: a}\n    GET /b: {}\n    GET c: {public: true}\n    GET /{x: {public: true}\nnonsense: 1\n", []string{
			"line 3: serve.proxy is", "line 3: serve.identity.jwt.audience is empty", "line 4: serve.from[0] ", "line 5: serve.drain is", `line 7: serve.routes."GET /a".scopes is a string`,
			`line 8: serve.routes."GET /b" says nothing`, `line 9: serve.routes."GET c" has a path`, `line 10: serve.routes."GET /{x": parsing`, "line 11: nonsense is no key",
		}},
		"no gate":                    {issuer + "nonsense: 1\n", []string{"line 2: nonsense", "serve is missing"}},
		"a gate by another name":     {issuer + "serv: {proxy: nginx}\n", []string{"line 2: serv is no key"}},
		"a list":                     {"[]", []string{"line 1: is a list", "validator: Config.Issuers is empty"}},
		"keys by another name":       {issuer + strings.Replace(gate, "routes", "Routes", 1) + "  frm: []\napi: {publicURL: [https://a.example]}\n", []string{"line 5: serve.Routes is no key here: wanted routes", "line 7: serve.frm is no key"}},
		"a public URL that is wrong": {issuer + gate + "api: {publicURL: 5}\n", []string{"line 7: api.publicURL is a number"}},
		"bound, and dpop is wrong":   {issuer + "dpop: {maxAge: 5}\napi: {publicURL: [https://a.example]}\n" + gate + "    GET /b: {anyToken: true, bound: true}\n", []string{"line 2: dpop.maxAge"}},
		"bound, and nothing is":      {issuer + "api: {publicURL: [https://a.example]}\n" + gate + "    GET /b: {anyToken: true, bound: true}\nclient: 5\n", []string{`line 8: serve.routes."GET /b" takes bound`, "line 9: client is a number"}},
		"an issuer, and the API":     {"issuers: [{url: 5, audience: [a]}]\napi: {publicURL: [a.example]}\n" + gate + "    GET /b: {anyToken: true, maxAge: 0s, stale: refuse}\n", []string{"line 1: issuers[0].url", "line 2: api: httpauth: New: Config.PublicURL", `validator: Issuer "": URL is empty`}},
		"what another part is for":   {issuer + "api: {publicURL: [https://a.example]}\n" + gate + "    GET /b: {anyToken: true, maxAge: 0s}\nclient: 5\n", []string{`line 8: serve.routes."GET /b": httpauth: RequireFresh`, "line 9: client is a number"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := build(t, &serve.Builder{Log: slog.New(slog.DiscardHandler)}, tc.text)
			if err == nil {
				t.Fatal("no fault")
			}
			var begin []string
			for n, line := range strings.Split(err.Error(), "\n") {
				if n < len(tc.want) {
					line = line[:min(len(line), len(tc.want[n]))]
				}
				begin = append(begin, line)
			}
			if diff := cmp.Diff(tc.want, begin); diff != "" {
				t.Errorf("-wanted +got:\n%s\n%v", diff, err)
			}
		})
	}
}
