package command_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/command"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// result is what a run of the program left.
type result struct {
	code     int
	out, err string
}

// run runs the program, with these variables in its environment.
func run(t *testing.T, env map[string]string, args ...string) result {
	t.Helper()
	return feed(t, "", env, args...)
}

// feed is run with something on standard input.
func feed(t *testing.T, in string, env map[string]string, args ...string) result {
	t.Helper()
	for name, value := range env {
		t.Setenv(name, value)
	}
	var out, errs bytes.Buffer
	code := command.Run(t.Context(), args, command.Surroundings{In: strings.NewReader(in), Out: &out, Err: &errs, Getenv: os.Getenv})
	return result{code, out.String(), errs.String()}
}

// write writes a file of the program's.
func write(t *testing.T, format string, args ...any) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "m2mguard.yaml")
	if err := os.WriteFile(name, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// serve is an API that answers whatever it was sent.
func serve(t *testing.T, iss *issuertest.Issuer) string {
	t.Helper()
	nonces, err := dpop.NewSealed(dpop.SealedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		DPoP:    &dpop.Config{Nonces: nonces},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	auth := httpauth.New(v, &httpauth.Config{PublicURL: []string{server.URL}})
	auth.Handle(mux, "GET /orders", scopes.All("orders:read"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/x?"+r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, "you are "+validator.FromContext(r.Context()).ClientID()+"\nby "+r.Header.Get("Authorization")+"\x1b[2J\n")
	}))
	auth.MountMetadata(mux)
	return server.URL
}

const file = `
issuers:
  - url: %[1]s
    audience: [https://api.example.test]
    introspection: {auth: {clientID: m2m-client, secret: {env: %[3]s}}}
    keys: {}
dpop: {}
api: {publicURL: ['%[2]s'], probe: /orders}
client:
  auth: {clientID: m2m-client, secret: {env: %[3]s}}
  scope: orders:read
`

var right = map[string]string{
	"RIGHT": issuertest.ClientSecret, "WRONG": "not-the-secret-at-all",
	"FLEET": "the-secret-that-a-fleet-seals-with", "REDIS": "the-password-of-redis",
}

func TestDoctor(t *testing.T) {
	iss := issuertest.New(t)
	api := serve(t, iss)
	good := write(t, file, iss.URL(), api, "RIGHT")
	if r := run(t, right, "doctor", "-c", good); r.code != 0 || !strings.Contains(r.out, "  good      introspection: ") || strings.Contains(r.out, "\x1b") || r.err != "" {
		t.Errorf("%+v", r)
	}
	if r := run(t, right, "doctor", "-c", good, "--strict"); r.code != 1 { // the API is served by http
		t.Errorf("%+v", r)
	}
	bad := write(t, file, iss.URL(), api, "WRONG")
	r := run(t, right, "doctor", "-c", bad, "--json")
	var lines []struct{ Verdict, About, What, Found, Do string }
	if err := json.Unmarshal([]byte(r.out), &lines); err != nil {
		t.Fatal(err)
	}
	if r.code != 1 || !slices.ContainsFunc(lines, func(l struct{ Verdict, About, What, Found, Do string }) bool {
		return l.Verdict == "bad" && l.What == "introspection" && l.About == iss.URL() && l.Do != ""
	}) {
		t.Errorf("%+v", r)
	}
	if r := run(t, map[string]string{"M2MGUARD_CONFIG": good}, "doctor"); r.code != 0 {
		t.Errorf("by M2MGUARD_CONFIG: %+v", r)
	}
}

func TestToken(t *testing.T) {
	iss := issuertest.New(t)
	api := serve(t, iss)
	good := write(t, file, iss.URL(), api, "RIGHT")
	r := run(t, right, "token", "-c", good, "--dpop", "--call", api+"/orders")
	if want := "you are m2m-client\nby DPoP [the token]\ufffd[2J\n"; r.code != 0 || r.out != want || !strings.Contains(r.err, "bound to a new key") || !strings.Contains(r.err, "200 OK") {
		t.Errorf("%+v", r)
	}
	r = run(t, right, "token", "-c", good, "--print", "--call", api+"/orders")
	if r.code != 0 || !regexp.MustCompile(`^eyJ[^ \n]+\n$`).MatchString(r.out) || !strings.Contains(r.err, "you are m2m-client") {
		t.Errorf("the token is not alone: %+v", r)
	}
	r = run(t, right, "token", "-c", good, "--scope", "nothing", "--call", api+"/orders")
	if r.code != 1 || !strings.Contains(r.err, "403 Forbidden\nWWW-Authenticate: Bearer ") {
		t.Errorf("%+v", r)
	}
	if r := run(t, right, "token", "-c", write(t, file, iss.URL(), api, "WRONG")); r.code != 1 || !strings.Contains(r.err, "invalid_client") {
		t.Errorf("%+v", r)
	}
	// Where nobody can be called, no token is fetched.
	before := iss.Requests(issuertest.TokenEndpoint)
	for _, args := range [][]string{{"--call", "orders"}, {"--call", "http://api.example.com/orders"}, {"--call", "ftp://127.0.0.1"}, {"--call", api + "/orders", "-X", "G T"}} {
		if r := run(t, right, append([]string{"token", "-c", good}, args...)...); r.code != 2 || !strings.Contains(r.err, "--call: ") {
			t.Errorf("%q: %+v", args, r)
		}
	}
	if n := iss.Requests(issuertest.TokenEndpoint) - before; n != 0 {
		t.Errorf("%d tokens were fetched", n)
	}
	// What one issuer may do by http is nothing that another one may.
	loose := write(t, "issuers: [{url: 'http://id.example.com', dangerouslyAllowHTTP: true, audience: [x]}]\nclient: {auth: {clientID: x, secret: {env: RIGHT}}}")
	for _, flag := range []string{"--issuer", "--token-url"} {
		if r := run(t, right, "token", "-c", loose, flag, "http://other.example.com"); r.code != 1 || !strings.Contains(r.err, "wanted https") {
			t.Errorf("%+v", r)
		}
	}
}

func TestWrong(t *testing.T) {
	nonsense := write(t, "nonsense: 1\nissuers: []\n")
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no such file":      {[]string{"doctor", "-c", "/nowhere/m2mguard.yaml"}, "/nowhere/m2mguard.yaml"},
		"faults":            {[]string{"doctor", "-c", nonsense}, "m2mguard.yaml: line 1: nonsense is no key here"},
		"all of them":       {[]string{"doctor", "-c", nonsense}, "Config.Issuers is empty"},
		"no such command":   {[]string{"docter"}, `unknown command "docter"`},
		"no such flag":      {[]string{"doctor", "--jason"}, "unknown flag: --jason"},
		"where to read on":  {[]string{"doctor", "--jason"}, "see: m2mguard doctor --help"},
		"an argument":       {[]string{"token", "x"}, "unknown command"},
		"nobody to ask":     {[]string{"token", "--client-id", "x", "--secret-env", "RIGHT"}, "nobody to ask"},
		"no secret":         {[]string{"token", "--client-id", "x", "--issuer", "https://id.example.com"}, "has no secret"},
		"method":            {[]string{"token", "--client-id", "x", "--method", "none", "--issuer", "https://id.example.com"}, "has another method than"},
		"no CA":             {[]string{"token", "--client-id", "x", "--secret-env", "RIGHT", "--issuer", "https://id.example.com", "--ca-file", "/nowhere"}, "caFile names a file that cannot be read: no such file"},
		"a certificate":     {[]string{"token", "--client-id", "x", "--method", "tls_client_auth", "--issuer", "https://id.example.com", "--certificate-file", "/nowhere"}, "certificateFile names a file that cannot be read"},
		"length of time":    {[]string{"doctor", "--timeout", "soon"}, "invalid argument"},
		"no private key":    {[]string{"token", "--client-id", "x", "--method", "private_key_jwt", "--issuer", "https://id.example.com"}, "keyFile is missing"},
		"schema's argument": {[]string{"schema", "x"}, "unknown command"},
	} {
		t.Run(name, func(t *testing.T) {
			if r := run(t, right, test.args...); r.code != 2 || !strings.Contains(r.err, test.want) || r.out != "" {
				t.Errorf("%+v, wanted %q", r, test.want)
			} else if strings.Contains(test.want, "File names a file") && strings.Contains(r.err, "/nowhere") {
				t.Errorf("%+v quotes what stands in the place of a file's name", r)
			}
		})
	}
}

// tokens is anything that looks like a JWT, or part of one.
var tokens = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}|[A-Za-z0-9_-]{30,}\.[A-Za-z0-9_-]{30,}`)

// TestNoOutputHoldsAToken runs every command in every way that meets a token or a secret,
// and looks through all that it writes.
func TestNoOutputHoldsAToken(t *testing.T) {
	iss := issuertest.New(t)
	api := serve(t, iss)
	iss.Register(issuertest.ClientRegistration{ID: "opaque", Secret: issuertest.ClientSecret, Opaque: true})
	stray := iss.Token(issuertest.Claims{})
	good, bad := write(t, file, iss.URL(), api, "RIGHT"), write(t, file, iss.URL(), api, "WRONG")
	pasted := write(t, "issuers: [{url: '%s', audience: [x], introspection: {auth: {clientID: x, secret: %s, token: {env: %s}}}}]\nclient: %s\ndpop: {nonces: {secrets: [{file: %s}]}}\n? %s\n: 1\n", iss.URL(), stray, stray, stray, stray, stray)
	away := write(t, "issuers: [{url: '%s', audience: [x]}]\nrevocations: fleet\nfleet: {url: 'redis://127.0.0.1:1', user: orders, password: {env: REDIS}, name: orders, secrets: [{env: FLEET}]}\n", iss.URL())
	misplaced := write(t, "issuers: [{url: '%s', audience: [x]}]\nfleet: {url: 'redis://orders:%s@127.0.0.1:1', user: %s, password: %s, name: %s, secrets: [{file: %s}, %s, {env: FLEET, encoding: %s}]}\n", iss.URL(), right["REDIS"], stray, right["REDIS"], stray, stray, right["FLEET"], right["FLEET"])
	absent := write(t, "issuers: [{url: '%s', audience: [x], keys: {file: %s}}, {url: 'https://id.example.com', audience: [x], keys: {file: %s}}]\nrevocations: {file: %s}\n", iss.URL(), stray, right["REDIS"], right["FLEET"])
	strayFile := filepath.Join(t.TempDir(), "token.txt")
	if err := os.WriteFile(strayFile, []byte("Bearer "+stray+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	gate := write(t, "issuers: [{url: '%s', audience: [x]}]\nserve: {proxy: nginx, from: [127.0.0.1/32], identity: {headers: true}, routes: {GET /orders: {scopes: [a]}}}\n", iss.URL())
	broken := write(t, "issuers: [{url: '%s', audience: [x]}]\nserve: {proxy: %s, accessLog: %s, secrets: [{env: RIGHT}], routes: {'GET /%s': {scopes: [%s]}}}\n", iss.URL(), stray, stray, stray, stray)
	call := []string{"--call", api + "/orders"}
	covered := make(map[string]bool)
	for _, args := range [][]string{
		{"doctor", "-c", good}, {"doctor", "-c", bad}, {"doctor", "-c", good, "--json"}, {"doctor", "-c", pasted}, {"doctor", stray}, {"doctor", "--strict=" + stray},
		slices.Concat([]string{"token", "-c", good}, call),
		slices.Concat([]string{"token", "-c", good, "--dpop"}, call),
		slices.Concat([]string{"token", "-c", good, "--scope", "nothing"}, call),
		slices.Concat([]string{"token", "-c", good, "--client-id", "opaque", "--secret-env", "RIGHT"}, call),
		{"token", "-c", good, "--call", api + "/none"}, {"token", "-c", good, "--call", "http://127.0.0.1:1"}, {"token", "-c", bad}, {"token", "-c", pasted},
		{"explain", "--keys", stray}, {"explain", "-c", stray}, {"explain", "-c" + stray}, {"explain", "-h" + stray}, {"token", "-c", good, "--ca-file", stray},
		{"token", "-c", good, "--client-id", "x", "--method", "private_key_jwt", "--key-file", stray}, {"token", "-c", good, "--certificate-file", stray, "--certificate-key-file", stray},
		{"token", stray}, {"token", "--" + stray}, {"token", "-" + stray}, {"token", "--timeout=" + stray}, {"token", "--timeout", stray}, {stray},
		{"explain", "-c", good}, {"explain", "-c", good, "--json"}, {"explain", "-c", good, "--offline"}, {"explain", "-c", bad, strayFile}, {"explain", "-c", good, stray},
		{"explain", "-c", good, "--proof", stray}, {"explain", "-c", good, "--proof", strayFile, "--scheme", "DPoP", "--url", api + "/orders"}, {"explain", "-c", good, "--at", stray},
		{"explain", "-c", good, "--scope", stray + " " + stray}, {"explain", "-c", pasted}, {"explain", stray, stray}, {"explain", "--web", "-c", good, stray}, {"explain", "--web", "-c", good, "--at", stray}, {"explain", "--web", "-c", pasted},
		{"revoke", "-c", away, "--client", "x", "--timeout", "200ms"}, {"revoke", "-c", away, "--client", stray}, {"revoke", "-c", away, "--opaque"}, {"revoke", "-c", away, "--opaque", stray},
		{"revoke", "-c", away, "--issuer", stray}, {"revoke", "-c", away, "--issuer", stray, "--any-issuer"}, {"revoke", "-c", away, "--issued-before=" + stray, "--client", "x"}, {"revoke", "-c", misplaced, "--client", "x"},
		{"revoke", stray}, {"revoke", "-c", away, "--client", "x", stray}, {"revoke", "-c", good, "--client", "x"}, {"revoke", "--" + stray}, {"revocations", "-c", away, "--timeout", "200ms"},
		{"revocations", "-c", away, "--token-id", stray}, {"revocations", "-c", misplaced}, {"revocations", stray}, {"revocations", "--most", stray}, {"doctor", "-c", away, "--timeout", "1s"}, {"explain", "-c", away, "--timeout", "200ms"}, {"schema"}, {"schema", stray}, {"completion", "bash"}, {"completion", stray}, {"help", "token"}, {"help", stray}, {"--version"},
		{"doctor", "-c", absent, "--timeout", "200ms"}, {"explain", "-c", absent}, {"explain", "-c", absent, "--timeout", "200ms", strayFile},
		{"serve", "--check", "-c", gate}, {"serve", "--check", "-c", broken}, {"serve", "--check", "-c", pasted}, {"serve", "-c", good}, {"serve", stray},
		{"routes", "-c", gate}, {"routes", "-c", broken}, {"routes", "--from", strayFile}, {"routes", "--from", "-"}, {"routes", "--format", stray, "-c", gate}, {"routes", stray},
		{"schema"}, {"schema", stray}, {"completion", "bash"}, {"completion", stray}, {"help", "token"}, {"help", stray}, {"--version"},
	} {
		covered[args[0]] = true
		r := feed(t, stray, right, args...)
		for _, output := range []string{r.out, r.err} {
			if found := tokens.FindString(output); found != "" {
				t.Errorf("%.60q writes %.20s…", args, found)
			}
			for _, secret := range right {
				if strings.Contains(output, secret) {
					t.Errorf("%.60q writes a secret", args)
				}
			}
		}
	}
	for _, name := range command.Commands() {
		if !covered[name] {
			t.Errorf("the command %s is not in the list here", name)
		}
	}
}

func TestSchema(t *testing.T) {
	r := run(t, nil, "schema")
	var s struct {
		Schema     string         `json:"$schema"`
		Properties map[string]any `json:"properties"`
	}
	if err := json.Unmarshal([]byte(r.out), &s); err != nil || r.code != 0 || s.Properties["issuers"] == nil || !strings.Contains(s.Schema, "2020-12") {
		t.Errorf("%v, %d: %.200s", err, r.code, r.out)
	}
}

// TestHelpTeaches: each command shows examples of its use.
func TestHelpTeaches(t *testing.T) {
	for _, name := range []string{"explain", "doctor", "token", "revoke", "revocations", "serve", "routes", "schema"} {
		if r := run(t, nil, name, "--help"); r.code != 0 || !strings.Contains(r.out, "Examples:\n  m2mguard "+name) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := run(t, nil); r.code != 0 || !strings.Contains(r.out, "Exit codes: ") {
		t.Errorf("%+v", r)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := run(t, nil, "completion", shell); r.code != 0 || !strings.Contains(r.out, "m2mguard") {
			t.Errorf("%s: %d", shell, r.code)
		}
	}
}
