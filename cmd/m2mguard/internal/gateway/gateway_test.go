package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"

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

var nobody = map[string][]string{
	"X-Auth-Client": {""}, "X-Auth-Subject": {""}, "X-Auth-Issuer": {""}, "X-Auth-Scopes": {""}, "X-Auth-Roles": {""}, "X-Auth-Tenant": {""},
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
			"X-Auth-Client": {issuertest.ClientID}, "X-Auth-Subject": {issuertest.ClientID}, "X-Auth-Issuer": {iss.URL()},
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

// TestWhoAsks: the proxy alone, by its address, a secret, or both, and with one word on
// the request.
func TestWhoAsks(t *testing.T) {
	const one, two = "the first secret that a proxy shows", "and the second one of them"
	iss := issuertest.New(t)
	for name, tc := range map[string]struct {
		from    []netip.Prefix
		secrets []string
		unix    bool
		change  func(*http.Request)
		status  int
	}{
		"from there":                     {from: loopback, status: 200},
		"from elsewhere":                 {from: loopback, change: func(r *http.Request) { r.RemoteAddr = "198.51.100.7:4711" }, status: 403},
		"from elsewhere, it says":        {from: loopback, change: func(r *http.Request) { r.RemoteAddr = "198.51.100.7:1"; r.Header.Set("X-Forwarded-For", "192.0.2.1") }, status: 403},
		"mapped into IPv6":               {from: loopback, change: func(r *http.Request) { r.RemoteAddr = "[::ffff:192.0.2.1]:4711" }, status: 200},
		"no address":                     {from: loopback, change: func(r *http.Request) { r.RemoteAddr = "@" }, status: 403},
		"a socket":                       {unix: true, change: func(r *http.Request) { r.RemoteAddr = "@" }, status: 200},
		"a secret":                       {secrets: []string{one, two}, change: func(r *http.Request) { r.Header.Set("X-Auth-Secret", two) }, status: 200},
		"no secret":                      {secrets: []string{one, two}, status: 403},
		"another secret":                 {secrets: []string{one}, change: func(r *http.Request) { r.Header.Set("X-Auth-Secret", two) }, status: 403},
		"two secrets":                    {secrets: []string{one}, change: func(r *http.Request) { r.Header["X-Auth-Secret"] = []string{one, one} }, status: 403},
		"a secret, from elsewhere":       {from: loopback, secrets: []string{one}, change: func(r *http.Request) { r.RemoteAddr = "198.51.100.7:1"; r.Header.Set("X-Auth-Secret", one) }, status: 403},
		"no secret over a socket":        {unix: true, secrets: []string{one}, status: 403},
		"two targets":                    {from: loopback, change: func(r *http.Request) { r.Header.Add("X-Original-URI", "/health") }, status: 403},
		"two methods":                    {from: loopback, change: func(r *http.Request) { r.Header.Add("X-Original-Method", "GET") }, status: 403},
		"no target":                      {from: loopback, change: func(r *http.Request) { r.Header.Del("X-Original-Uri") }, status: 403},
		"no method":                      {from: loopback, change: func(r *http.Request) { r.Header.Del("X-Original-Method") }, status: 403},
		"an empty method":                {from: loopback, change: func(r *http.Request) { r.Header.Set("X-Original-Method", "") }, status: 403},
		"two methods in one":             {from: loopback, change: func(r *http.Request) { r.Header.Set("X-Original-Method", "GET, POST") }, status: 403},
		"another proxy's fields as well": {from: loopback, change: func(r *http.Request) { r.Header.Set("X-Forwarded-Uri", "/admin") }, status: 200},
	} {
		c := config(t, iss)
		c.From, c.Secrets, c.Unix = tc.from, tc.secrets, tc.unix
		r := asks("GET", "/health", nil)
		if tc.change != nil {
			tc.change(r)
		}
		if w := answer(newGateway(t, c), r); w.Code != tc.status {
			t.Errorf("%s: %d %s, wanted %d", name, w.Code, w.Body, tc.status)
		}
	}
}

// TestProxies: each by the fields that it writes, and none by another's.
func TestProxies(t *testing.T) {
	iss := issuertest.New(t)
	original := http.Header{"X-Original-Method": {"GET"}, "X-Original-Uri": {"/health"}}
	forwarded := http.Header{"X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {"/health"}}
	for proxy, fields := range map[string]http.Header{"nginx": original, "haproxy": original, "apache": original, "traefik": forwarded, "caddy": forwarded} {
		c := config(t, iss)
		c.Proxy = proxy
		g := newGateway(t, c)
		for _, header := range []http.Header{original, forwarded} {
			r := httptest.NewRequest("GET", "/auth", nil)
			r.Header = header.Clone()
			want := 403
			if header["X-Forwarded-Uri"] != nil == (fields["X-Forwarded-Uri"] != nil) {
				want = 200
			}
			if w := answer(g, r); w.Code != want {
				t.Errorf("%s, %v: %d, wanted %d", proxy, header, w.Code, want)
			}
		}
	}
	c := config(t, iss)
	c.Proxy, c.Prefix = "envoy", "/auth"
	g := newGateway(t, c)
	for target, want := range map[string]int{"/auth/health": 200, "/health": 403, "/auth/admin": 401, "/auth": 400, "/authhealth": 400, "/auth//health": 400} {
		if w := answer(g, httptest.NewRequest("GET", target, nil)); w.Code != want {
			t.Errorf("envoy, %s: %d, wanted %d", target, w.Code, want)
		}
	}
	if w := answer(g, httptest.NewRequest("POST", "/auth/health", nil)); w.Code != 401 {
		t.Errorf("envoy, POST: %d", w.Code)
	}
}

// TestFewStatuses: nginx hands on two, so the others come as 403 and say what they are.
func TestFewStatuses(t *testing.T) {
	iss := issuertest.New(t)
	c := config(t, iss)
	c.Proxy = "nginx"
	g := newGateway(t, c)
	good := "Bearer " + iss.Token(issuertest.Claims{Scope: "orders:read"})
	for name, tc := range map[string]struct {
		target        string
		authorization []string
		status        int
		meant         string
	}{
		"good":         {"/orders", []string{good}, 200, ""},
		"no token":     {"/orders", nil, 401, "401"},
		"no scope":     {"/files/a", []string{good}, 403, "403"},
		"malformed":    {"/orders", []string{good, good}, 403, "400"},
		"two readings": {"/orders//a", []string{good}, 403, "400"},
	} {
		w := answer(g, asks("GET", tc.target, http.Header{"Authorization": tc.authorization}))
		if w.Code != tc.status || w.Header().Get("X-Auth-Status") != tc.meant || len(w.Header()["Www-Authenticate"]) > 1 {
			t.Errorf("%s: %d %v, wanted %d, meaning %q", name, w.Code, w.Header(), tc.status, tc.meant)
		}
	}
	iss.SetFault(issuertest.JWKS, issuertest.Down())
	iss.SetFault(issuertest.Discovery, issuertest.Down())
	c = config(t, iss)
	c.Proxy = "nginx"
	w := answer(newGateway(t, c), asks("GET", "/orders", http.Header{"Authorization": {good}}))
	if w.Code != 403 || w.Header().Get("X-Auth-Status") != "503" || w.Header().Get("Retry-After") == "" {
		t.Errorf("down: %d %v", w.Code, w.Header())
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

// TestSigned: one JWT that the published key verifies, signed once for a token while it
// lasts, empty for nobody, and not longer good than the token.
func TestSigned(t *testing.T) {
	iss := issuertest.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := config(t, iss)
	c.JWT = &gateway.Signed{Issuer: "gateway", Audience: "orders", Key: key}
	c.Now = func() time.Time { return now }
	g := newGateway(t, c)
	set, err := jwk.Parse(g.KeySet())
	if err != nil {
		t.Fatal(err)
	}
	raw := iss.Token(issuertest.Claims{Scope: "orders:read", Expiry: now.Add(40 * time.Second), Extra: map[string]any{"roles": []string{"a b"}}})
	header := http.Header{"Authorization": {"Bearer " + raw}}
	first := answer(g, asks("GET", "/orders", header)).Header().Get("X-Auth-Identity")
	token, err := jwt.ParseString(first, jwt.WithKeySet(set), jwt.WithIssuer("gateway"), jwt.WithAudience("orders"), jwt.WithClaimValue("client_id", issuertest.ClientID),
		jwt.WithClaimValue("scope", "orders:read"), jwt.WithClaimValue("token_issuer", iss.URL()))
	if err != nil {
		t.Fatalf("%q: %v", first, err)
	}
	if end := token.Expiration(); end.After(now.Add(41*time.Second)) || end.Before(now.Add(38*time.Second)) {
		t.Errorf("ends %v, the token %v", end, now.Add(40*time.Second))
	}
	now = now.Add(15 * time.Second)
	if again := answer(g, asks("GET", "/orders", header)).Header().Get("X-Auth-Identity"); again != first {
		t.Error("a token seen before was signed for anew")
	}
	now = now.Add(10 * time.Second)
	if later := answer(g, asks("GET", "/orders", header)).Header().Get("X-Auth-Identity"); later == first || later == "" {
		t.Error("an identity is handed out in the second half of its life")
	}
	if w := answer(g, asks("GET", "/health", http.Header{"X-Auth-Identity": {first}})); w.Code != 200 || w.Header()["X-Auth-Identity"][0] != "" {
		t.Errorf("public: %d %v", w.Code, w.Header())
	}
	if w := answer(g, asks("POST", "/orders", header)); w.Code != 403 || w.Header()["X-Auth-Identity"] != nil {
		t.Errorf("refused: %d %v", w.Code, w.Header())
	}
	late := http.Header{"Authorization": {"Bearer " + iss.Token(issuertest.Claims{Scope: "orders:read", Expiry: time.Now().Add(-2 * time.Second)})}}
	now = time.Now()
	last := answer(g, asks("GET", "/orders", late)).Header().Get("X-Auth-Identity")
	if token, err = jwt.ParseString(last, jwt.WithKeySet(set)); err != nil || !token.Expiration().After(token.IssuedAt()) {
		t.Errorf("of a token that passes by the clocks' difference: %v, %v", token, err)
	}
}

// TestUnwritable: a name that a field cannot hold is not told in another form.
func TestUnwritable(t *testing.T) {
	iss := issuertest.New(t)
	g := newGateway(t, config(t, iss))
	for client, want := range map[string]int{"plain": 200, "with blanks": 200, "é": 403, "a\nX-Auth-Scopes: admin": 403, " led": 403, "a\x00": 403} {
		header := http.Header{"Authorization": {"Bearer " + iss.Token(issuertest.Claims{ClientID: client, Scope: "orders:read"})}}
		w := answer(g, asks("GET", "/orders", header))
		if w.Code != want || want != 200 && len(identities(w.Header())) > 0 {
			t.Errorf("%q: %d %v, wanted %d", client, w.Code, w.Header(), want)
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
	for _, want := range []string{`"squid"`, "5 bytes", "issuer or audience", "lifetime", "keyFile", `"GET orders"`, `"GET /a%20b"`, `"GET /a/{name}"`, `"GET /dot./x"`, `"GET /b"`, `"example.com/x"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %s in:\n%v", want, err)
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
