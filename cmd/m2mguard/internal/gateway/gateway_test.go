package gateway_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/gateway"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const public = "https://api.example.com"

// loopback is where httptest's requests come from, 192.0.2.1.
var loopback = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}

// config is a gateway's with a route of each kind.
func config(t testing.TB, iss *issuertest.Issuer) gateway.Config {
	t.Helper()
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		DPoP:    &dpop.Config{},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return gateway.Config{
		Validator: v, Proxy: "haproxy", From: loopback,
		HTTP: httpauth.Config{PublicURL: []string{public}},
		Routes: []gateway.Route{
			{Pattern: "GET /health", Public: true},
			{Pattern: "GET /orders", Gate: httpauth.Gate{Rule: scopes.All("orders:read")}},
			{Pattern: "GET /orders/{id}", Gate: httpauth.Gate{Rule: scopes.All("orders:read")}},
			{Pattern: "POST /orders", Gate: httpauth.Gate{Rule: scopes.All("orders:write")}},
			{Pattern: "GET /maybe", Gate: httpauth.Gate{Rule: scopes.All("orders:read"), Optional: true}},
			{Pattern: "GET /files/{path...}", Gate: httpauth.Gate{Rule: scopes.All("files:read")}},
			{Pattern: "GET /files/plan", Gate: httpauth.Gate{Rule: scopes.All("plans:read")}},
			{Pattern: "/tree/", Gate: httpauth.Gate{Rule: scopes.All("orders:read")}},
			{Pattern: "GET /report", Gate: httpauth.Gate{Rule: scopes.All("reports"), DangerouslyReportOnly: true}},
		},
	}
}

func newGateway(t testing.TB, c gateway.Config) *gateway.Gateway {
	t.Helper()
	g, err := gateway.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// asks is what a proxy sends about a request.
func asks(method, target string, header http.Header) *http.Request {
	r := httptest.NewRequest("GET", "/auth", nil)
	if header != nil {
		r.Header = header.Clone()
	}
	r.Header["X-Original-Method"], r.Header["X-Original-Uri"] = []string{method}, []string{target}
	return r
}

func answer(g http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

// identities are the fields of an answer that tell who calls.
func identities(h http.Header) map[string][]string {
	found := make(map[string][]string)
	for name, values := range h {
		if strings.HasPrefix(name, "X-Auth-") {
			found[name] = values
		}
	}
	return found
}

// nobody is the answer of either kind where there is nothing to say.
var nobody = map[string][]string{
	"X-Auth-Identity": {""},
	"X-Auth-Client":   {""}, "X-Auth-Subject": {""}, "X-Auth-Issuer": {""}, "X-Auth-Scopes": {""}, "X-Auth-Roles": {""}, "X-Auth-Tenant": {""},
}

// TestDecisions: each route by its rule, whatever is no route by none, and each answer
// that lets through holds each identity field.
func TestDecisions(t *testing.T) {
	iss := issuertest.New(t)
	g := newGateway(t, config(t, iss))
	bearer := func(scope string) http.Header {
		return http.Header{"Authorization": {"Bearer " + iss.Token(issuertest.Claims{Scope: scope})}}
	}
	somebody := func(scope string) map[string][]string {
		return map[string][]string{
			"X-Auth-Identity": {""}, "X-Auth-Client": {issuertest.ClientID}, "X-Auth-Subject": {issuertest.ClientID}, "X-Auth-Issuer": {iss.URL()},
			"X-Auth-Scopes": {scope}, "X-Auth-Roles": {""}, "X-Auth-Tenant": {""},
		}
	}
	for name, tc := range map[string]struct {
		method, target string
		header         http.Header
		status         int
		want           map[string][]string
	}{
		"good":                       {"GET", "/orders?x=1", bearer("orders:read"), 200, somebody("orders:read")},
		"by its head":                {"HEAD", "/orders", bearer("orders:read"), 200, somebody("orders:read")},
		"one":                        {"GET", "/orders/ada%40example.com", bearer("orders:read"), 200, somebody("orders:read")},
		"another method's rule":      {"POST", "/orders", bearer("orders:read"), 403, nil},
		"a method without a rule":    {"DELETE", "/orders", bearer("orders:read orders:write"), 403, nil},
		"no token":                   {"GET", "/orders", nil, 401, nil},
		"two tokens":                 {"GET", "/orders", http.Header{"Authorization": {"Bearer a", "Bearer b"}}, 400, nil},
		"public":                     {"GET", "/health", nil, 200, nobody},
		"public, with a bad token":   {"GET", "/health", http.Header{"Authorization": {"Bearer x"}}, 200, nobody},
		"public, and who they claim": {"GET", "/health", http.Header{"X-Auth-Client": {"admin"}}, 200, nobody},
		"optional, none":             {"GET", "/maybe", nil, 200, nobody},
		"optional, one":              {"GET", "/maybe", bearer("orders:read"), 200, somebody("orders:read")},
		"only reported":              {"GET", "/report", nil, 200, nobody},
		"only reported, one":         {"GET", "/report", bearer("orders:read"), 200, somebody("orders:read")},
		"below":                      {"GET", "/files/a/b", bearer("files:read"), 200, somebody("files:read")},
		"below, by another's rule":   {"GET", "/files/a/b", bearer("orders:read"), 403, nil},
		"a tree":                     {"PUT", "/tree/a", bearer("orders:read"), 200, somebody("orders:read")},
		"nearly a tree":              {"GET", "/tree", bearer("orders:read"), 403, nil}, // which ServeMux would redirect
		"no route":                   {"GET", "/admin", bearer("orders:read"), 403, nil},
		"no route, no token":         {"GET", "/admin", nil, 401, nil},
		"other case":                 {"GET", "/Orders", bearer("orders:read"), 403, nil},
		"other method's case":        {"get", "/orders", bearer("orders:read"), 403, nil},
		"a slash more":               {"GET", "/orders/", bearer("orders:read"), 403, nil},
		"two readings":               {"GET", "/health/..%2forders", nil, 400, nil},
		"another spelling":           {"GET", "/health", http.Header{"X-Auth_client": {"admin"}}, 400, nil},
		"another spelling yet":       {"GET", "/health", http.Header{"X.auth.client": {"admin"}}, 400, nil},
		"another method":             {"GET", "/health", http.Header{"X-Http-Method-Override": {"DELETE"}}, 400, nil},
		"another path":               {"GET", "/health", http.Header{"X-Original-Url": {"/admin"}}, 400, nil},
		"somebody else's field":      {"GET", "/health", http.Header{"X-Auth-Token": {"x"}}, 200, nobody},
		"an exact one":               {"GET", "/files/plan", bearer("plans:read"), 200, somebody("plans:read")},
		"an exact one, with a slash": {"GET", "/files/plan/", bearer("files:read"), 400, nil},
		"CONNECT":                    {"CONNECT", "/orders", bearer("orders:read"), 403, nil},
	} {
		w := answer(g, asks(tc.method, tc.target, tc.header))
		if w.Code != tc.status {
			t.Errorf("%s: %d %s, wanted %d", name, w.Code, w.Body, tc.status)
		}
		if tc.want == nil {
			tc.want = map[string][]string{}
		}
		if diff := cmp.Diff(tc.want, identities(w.Header())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestProofs are for the original's method and public URL, and the nonce comes back.
func TestProofs(t *testing.T) {
	iss := issuertest.New(t)
	key := testdata.PrivateKey("p256-a")
	bound := iss.Token(issuertest.Claims{Scope: "orders:write", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	g := newGateway(t, config(t, iss))
	for name, tc := range map[string]struct {
		method, path string
		status       int
	}{
		"its own":        {"POST", "/orders", 200},
		"another method": {"GET", "/orders", 401},
		"another path":   {"POST", "/auth", 401},
	} {
		r := asks("POST", "/orders?a=b", http.Header{
			"Authorization": {"DPoP " + bound},
			"Dpop":          {issuertest.Proof(key, issuertest.ProofClaims{Method: tc.method, URL: public + tc.path, Token: bound})},
		})
		if w := answer(g, r); w.Code != tc.status {
			t.Errorf("%s: %d %v %s, wanted %d", name, w.Code, w.Header(), w.Body, tc.status)
		}
	}
}

// TestFaults are told all at once.
func TestFaults(t *testing.T) {
	iss := issuertest.New(t)
	c := config(t, iss)
	c.Proxy, c.From, c.Secrets, c.JWT = "squid", nil, []string{"short"}, &gateway.Signed{Lifetime: time.Hour}
	c.Routes = []gateway.Route{
		{Pattern: "GET orders"}, {Pattern: "GET /a%20b"}, {Pattern: "GET /a/{id}"}, {Pattern: "GET /a/{name}"}, {Pattern: "GET /dot./x"},
		{Pattern: "GET /b", Gate: httpauth.Gate{Bound: true, DangerouslyReportOnly: true}}, {Pattern: "example.com/x"},
	}
	_, err := gateway.New(c)
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{`"squid"`, "5 bytes", "serve.secrets", "jwt.issuer", "jwt.audience", "lifetime", "keyFile", `serve.routes."GET orders"`, `"GET /a%20b"`, `"GET /a/{name}"`, `"GET /dot./x"`, `"GET /b"`, `"example.com/x"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %s in:\n%v", want, err)
		}
	}
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, "serve.") || strings.Contains(line, ".go:") {
			t.Errorf("%q begins with no key, or says where in this program", line)
		}
	}
}

// TestPrefixes: envoy's path_prefix is one that each reader takes for the same.
func TestPrefixes(t *testing.T) {
	iss := issuertest.New(t)
	for prefix, good := range map[string]bool{
		"": true, "/auth": true, "/a/b": true,
		"auth": false, "/": false, "/auth/": false, "/au th": false, "/au%20th": false, "/a//b": false, "/a/..": false, "/auth?x": false, "/a;b": false,
	} {
		c := config(t, iss)
		c.Proxy, c.Prefix = "envoy", prefix
		if _, err := gateway.New(c); good != (err == nil) || !good && !strings.Contains(err.Error(), "serve.prefix") {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

// TestAccessLog has each decision, and no token, path, proof or secret.
func TestAccessLog(t *testing.T) {
	iss := issuertest.New(t)
	var log strings.Builder
	c := config(t, iss)
	c.Log, c.LogAll = slog.New(slog.NewJSONHandler(&log, nil)), true
	c.Secrets = []string{"a secret that the proxy shows"}
	g := newGateway(t, c)
	raw := iss.Token(issuertest.Claims{Scope: "orders:read"})
	for _, target := range []string{"/orders/private-name?access_token=" + url.QueryEscape(raw), "/orders//" + raw[:20], "/admin"} {
		for _, secret := range c.Secrets {
			answer(g, asks("GET", target, http.Header{"Authorization": {"Bearer " + raw}, "X-Auth-Secret": {secret}}))
			answer(g, asks("MADE-UP", target, http.Header{"Authorization": {"Bearer " + raw}}))
		}
	}
	if lines := strings.Count(log.String(), "\n"); lines != 6 {
		t.Errorf("%d lines, wanted 6", lines)
	}
	for _, secret := range []string{raw[:20], raw[len(raw)-20:], "private-name", "a secret", "MADE-UP"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in:\n%s", secret, &log)
		}
	}
	for _, want := range []string{`"route":"GET /orders/{id}"`, `"check":"scope"`, `more than one way|nothing between`, issuertest.ClientID} {
		if first, _, _ := strings.Cut(want, "|"); !strings.Contains(log.String(), first) && !strings.Contains(log.String(), want[strings.IndexByte(want, '|')+1:]) {
			t.Errorf("nothing of %s in:\n%s", want, &log)
		}
	}
}
