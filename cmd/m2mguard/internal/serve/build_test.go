package serve_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/serve"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestFaultsOfServe are told all at once, by their keys.
func TestFaultsOfServe(t *testing.T) {
	iss := issuertest.New(t)
	_, err := build(t, &serve.Builder{Log: slog.New(slog.DiscardHandler)}, fmt.Sprintf(`
issuers:
  - {url: %q, audience: [a]}
api: {clientCertificate: {peers: [10.0.0.0/8]}}
serve:
  proxy: squid
  accessLog: some
  identity: {jwt: {keyFile: /nowhere, lifetime: 1h}}
  routes:
    GET /a: {}
    GET /b: {public: true, bound: true}
    GET /c: {anyToken: true, scopes: [a]}
    GET /d: {scopes: ["a b"]}
    GET e: {scopes: [a]}
`, iss.URL()))
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{
		"line 6: serve.proxy", "line 7: serve.accessLog", `line 10: serve.routes."GET /a"`, `line 14: serve.routes."GET e"`, "identity.jwt.audience", "keyFile", "nobody is trusted", `"GET /a" says nothing`, `"GET /b" is public`, `"GET /c" takes any`, `"a b"`, "GET e", "clientCertificate.field",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %s in:\n%v", want, err)
		}
	}
}

// TestMisplacedKey: no fault quotes the key that stands where the name of its file belongs,
// when the program starts and when it reads the file again.
func TestMisplacedKey(t *testing.T) {
	iss := issuertest.New(t)
	key, err := x509.MarshalPKCS8PrivateKey(testdata.PrivateKey("p256-a"))
	if err != nil {
		t.Fatal(err)
	}
	bare := base64.StdEncoding.EncodeToString(key)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	for name, value := range map[string]string{"PEM": text, "PEM in a line": strings.ReplaceAll(text, "\n", " "), "without its frame": bare} {
		b := &serve.Builder{Log: slog.New(slog.DiscardHandler)}
		for range 2 {
			_, err := build(t, b, file(iss, fmt.Sprintf("  identity: {jwt: {keyFile: %q}}\n", value)))
			if err == nil || !strings.Contains(err.Error(), "serve.identity.jwt.keyFile") || strings.Contains(err.Error(), bare[:40]) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestRules: what a rule in the file asks for, a request must have: from YAML to answer.
func TestRules(t *testing.T) {
	iss := issuertest.New(t)
	key := testdata.PrivateKey("p256-a")
	b := &serve.Builder{Log: slog.New(slog.DiscardHandler)}
	audience := "the reports"
	t.Setenv("INTROSPECTION", issuertest.ClientSecret)
	asking := strings.NewReplacer("  - {url", "  - {introspection: {auth: {clientID: "+issuertest.ClientID+", secret: {env: INTROSPECTION}}}, url")
	set, err := build(t, b, asking.Replace("dpop: {}\n"+file(iss, `
    GET /all: {scopes: [a, b]}
    GET /any: {anyOf: [a, b]}
    GET /both: {scopes: [a], anyOf: [b, c]}
    GET /token: {anyToken: true}
    GET /public: {public: true}
    GET /optional: {scopes: [a], optional: true}
    GET /bound: {anyToken: true, bound: true}
    GET /fresh: {anyToken: true, maxAge: 0s}
    GET /narrow: {anyToken: true, audience: ["`+audience+`"]}
    GET /report: {scopes: [a], dangerouslyReportOnly: true}
`)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	bearer := func(c issuertest.Claims) http.Header { return http.Header{"Authorization": {"Bearer " + iss.Token(c)}} }
	scope := func(s string) http.Header { return bearer(issuertest.Claims{Scope: s}) }
	bound := func(path string) http.Header {
		token := iss.Token(issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())})
		return http.Header{"Authorization": {"DPoP " + token}, "Dpop": {issuertest.Proof(key, issuertest.ProofClaims{Method: "GET", URL: "https://api.example.com" + path, Token: token})}}
	}
	seen := scope("a")
	for n, tc := range []struct {
		path   string
		header http.Header
		want   int
	}{
		{"/all", scope("a b"), 200}, {"/all", scope("a"), 403}, {"/any", scope("b"), 200}, {"/any", scope("c"), 403},
		{"/both", scope("a c"), 200}, {"/both", scope("a"), 403}, {"/both", scope("b c"), 403},
		{"/token", scope(""), 200}, {"/token", nil, 401}, {"/public", nil, 200},
		{"/optional", nil, 200}, {"/optional", scope("b"), 403}, {"/optional", scope("a"), 200},
		{"/bound", scope("a"), 401}, {"/bound", bound("/bound"), 200}, {"/token", bound("/token"), 200},
		{"/narrow", scope("a"), 401}, {"/narrow", bearer(issuertest.Claims{Audience: []string{issuertest.Audience, audience}}), 200},
		{"/report", scope("b"), 200}, {"/report", nil, 200},
		{"/fresh", seen, 200}, {"/token", seen, 200}, {"/fresh", seen, 503}, // once the issuer is away
	} {
		if tc.want == 503 {
			iss.SetFault(issuertest.Introspection, issuertest.Down())
		}
		w := httptest.NewRecorder()
		if set.Gateway.ServeHTTP(w, question(tc.path, tc.header)); w.Code != tc.want {
			t.Errorf("%d, %s: %d %s, wanted %d", n, tc.path, w.Code, w.Body, tc.want)
		}
	}
}

// TestBoundToNothing: a route that takes bound tokens alone, where nobody can show one, is
// a fault.
func TestBoundToNothing(t *testing.T) {
	iss := issuertest.New(t)
	const route = "    GET /bound: {anyToken: true, bound: true}\n"
	certificates := func(text string) string {
		return strings.Replace(text, "api: {", "api: {clientCertificate: {field: X-Client-Cert}, ", 1)
	}
	required := func(text string) string { return strings.Replace(text, "  - {url", "  - {binding: required, url", 1) }
	for name, tc := range map[string]struct{ text, want string }{
		"neither":                 {file(iss, route), `serve.routes."GET /bound" takes bound tokens alone`},
		"by the issuer":           {required(file(iss, "")), "issuers[0].binding takes bound tokens alone"},
		"proofs":                  {"dpop: {}\n" + file(iss, route), ""},
		"certificates":            {certificates(file(iss, route)), ""},
		"by the issuer, proofs":   {"dpop: {}\n" + required(file(iss, "")), ""},
		"by the issuer, and both": {"dpop: {}\n" + certificates(required(file(iss, route))), ""},
	} {
		set, err := build(t, &serve.Builder{Log: slog.New(slog.DiscardHandler)}, tc.text)
		if err == nil {
			set.Close()
		}
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, wanted %q", name, err, tc.want)
		}
	}
}

// TestCertificates: the metadata promises to look at certificates where the proxy hands
// them on, and there alone; one that the proxy itself shows is none of its client's.
func TestCertificates(t *testing.T) {
	iss := issuertest.New(t)
	leaf := &x509.Certificate{Raw: []byte("a certificate"), PublicKey: testdata.PrivateKey("p256-a").Public()}
	thumbprint := sha256.Sum256(leaf.Raw)
	token := iss.Token(issuertest.Claims{Scope: "orders:read", CertificateThumbprint: base64.RawURLEncoding.EncodeToString(thumbprint[:])})
	for _, promised := range []bool{false, true} {
		text := file(iss, "")
		if promised {
			text = strings.Replace(text, "api: {", "api: {clientCertificate: {field: X-Client-Cert}, ", 1)
		}
		set, err := build(t, &serve.Builder{Log: slog.New(slog.DiscardHandler)}, text)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(set.Close)
		w := httptest.NewRecorder()
		set.Gateway.Metadata().ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/oauth-protected-resource", nil))
		if got := strings.Contains(w.Body.String(), "tls_client_certificate_bound_access_tokens"); w.Code != 200 || got != promised {
			t.Errorf("promised: %t, wanted %t: %s", got, promised, w.Body)
		}
		r := question("/orders", http.Header{"Authorization": {"Bearer " + token}})
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{leaf}}
		w = httptest.NewRecorder()
		if set.Gateway.ServeHTTP(w, r); w.Code != 401 {
			t.Errorf("with the proxy's own certificate: %d %s", w.Code, w.Body)
		}
	}
}

// TestTheListenerDecides who is believed to be the proxy: a later file moves none, and so
// takes no check away.
func TestTheListenerDecides(t *testing.T) {
	iss := issuertest.New(t)
	b := &serve.Builder{Log: slog.New(slog.DiscardHandler)}
	first, err := build(t, b, file(iss, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(first.Close)
	later := file(iss, "  listen: unix:/run/m2mguard/gate\n")
	second, err := build(t, b, later)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	for _, set := range []*serve.Set{first, second} {
		r, w := question("/health", nil), httptest.NewRecorder()
		r.RemoteAddr = "198.51.100.7:4711"
		if set.Gateway.ServeHTTP(w, r); w.Code != 403 {
			t.Errorf("from elsewhere: %d %s", w.Code, w.Body)
		}
	}
	if _, err := build(t, b, strings.Replace(later, "  from: [127.0.0.1/32]\n", "", 1)); err == nil || !strings.Contains(err.Error(), "serve.from") {
		t.Errorf("a file for a socket alone: %v, wanted serve.from", err)
	}
}

// TestOptions: what would be noticed when the program starts or ends, and what a restart
// alone takes into use.
func TestOptions(t *testing.T) {
	iss := issuertest.New(t)
	for text, want := range map[string]string{
		"listen: nonsense": "serve.listen", "listen: '127.0.0.1:http'": "serve.listen", "listen: '127.0.0.1:65536'": "serve.listen", "listen: 'unix:'": "serve.listen",
		"admin: nonsense": "serve.admin", "admin: 127.0.0.1:4180": "serve.admin", "drain: -3s": "serve.drain", "notice: -1s": "serve.notice",
		"listen: 'unix:/run/x'": "", "listen: ':4180'": "", "listen: '[::1]:4180'": "", "admin: off": "", "drain: 0s": "", "notice: 5s": "",
	} {
		set, err := build(t, &serve.Builder{Log: slog.New(slog.DiscardHandler)}, file(iss, "  "+text+"\n"))
		if err == nil {
			set.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want+" is ") {
			t.Errorf("%s: %v, wanted %q", text, err, want)
		}
	}
	o := serve.OptionsOf(&config.Serve{})
	for want, s := range map[string]config.Serve{
		"":             {Listen: "127.0.0.1:4180", Admin: "127.0.0.1:4181", Drain: 20 * time.Second},
		"serve.listen": {Listen: "unix:/x"}, "serve.admin": {Admin: "off"}, "serve.drain": {Drain: time.Second}, "serve.notice": {Notice: time.Second},
		"serve.listen serve.admin serve.drain serve.notice": {Listen: "unix:/x", Admin: "off", Drain: 1, Notice: 1},
	} {
		if got := strings.Join(o.Differs(&s), " "); got != want {
			t.Errorf("%+v: %q, wanted %q", s, got, want)
		}
	}
}

// question is what HAProxy sends about a request.
func question(target string, header http.Header) *http.Request {
	r := httptest.NewRequest("GET", "/auth", nil)
	r.RemoteAddr = "127.0.0.1:4711"
	if header != nil {
		r.Header = header.Clone()
	}
	r.Header["X-Original-Method"], r.Header["X-Original-Uri"] = []string{"GET"}, []string{target}
	return r
}

// TestMisplacedName: what stands in the place of a file's name and is looked for as one is
// neither in the log nor in the answer of /ready.
func TestMisplacedName(t *testing.T) {
	iss := issuertest.New(t)
	for _, word := range []string{"hunter2-hunter2", "c2VjcmV0LW9m/LWNsaWVudA0123+456789==", strings.Repeat("deadbeef01234567", 4)} {
		keys := strings.Replace(file(iss, ""), `"]}`, fmt.Sprintf(`"], keys: {file: %q}}`, word), 1)
		list := fmt.Sprintf("revocations: {file: %q}\n", word) + file(iss, "")
		for at, text := range map[string]string{"keys": keys, "revocations": list} {
			g := run(t, text, "127.0.0.1:0", nil)
			status, answer := look(t, g.admin+"/ready")
			if err := g.stop(); err != nil {
				t.Error(err)
			}
			if said := answer + g.log.String(); status != http.StatusServiceUnavailable || strings.Contains(said, word) || strings.Contains(said, word[:12]) {
				t.Errorf("%s: %d, %s", at, status, said)
			} else if at == "keys" && !strings.Contains(said, "Config.File") {
				t.Errorf("nothing says what is wrong: %s", said)
			}
		}
	}
	_, err := build(t, &serve.Builder{Log: slog.New(slog.DiscardHandler)}, file(iss, "  openAPI: hunter2-hunter2\n"))
	if err == nil || !strings.Contains(err.Error(), "serve.openAPI names a file that cannot be read") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
