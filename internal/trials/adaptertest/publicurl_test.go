package adaptertest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestPublicURLs: which URL a proof must be for.
func TestPublicURLs(t *testing.T) {
	iss := issuertest.New(t)
	key := testdata.PrivateKey("p256-a")
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	two := []string{"https://api.example.com", "https://API.example.org:8443/"}
	for name, tc := range map[string]struct {
		urls         []string
		prefix       string
		host, target string // of the request
		htu          string
		status       int
	}{
		"the path as sent":                {two[:1], "", "x", "/a%2Fb/~c/", "https://api.example.com/a%2Fb/~c/", 200},
		"decoded where it makes no odds":  {two[:1], "", "x", "/%7Ec", "https://api.example.com/~c", 200},
		"decoded where it does":           {two[:1], "", "x", "/a%2Fb", "https://api.example.com/a/b", 401},
		"a default port":                  {two[:1], "", "x", "/a", "https://api.example.com:443/a", 200},
		"another port":                    {two[:1], "", "x", "/a", "https://api.example.com:8443/a", 401},
		"the Host's, of one base":         {two[:1], "", "evil.example", "/a", "https://evil.example/a", 401},
		"an absolute target, in capitals": {two[:1], "", "x", "http://evil.example/a?b", "https://api.example.com/a", 200},
		"the absolute target's":           {two[:1], "", "x", "https://evil.example/a", "https://evil.example/a", 401},
		"an absolute target, no path":     {two[:1], "", "x", "https://api.example.com?a", "https://api.example.com/", 200},
		"http in its place":               {two[:1], "", "x", "/a", "http://api.example.com/a", 401},
		"a prefix that was cut off":       {two[:1], "/v1/", "x", "/a", "https://api.example.com/v1/a", 200},
		"without it":                      {two[:1], "/v1", "x", "/a", "https://api.example.com/a", 401},
		"no path":                         {two[:1], "", "x", "/", "https://api.example.com", 200},
		"the first of two":                {two, "", "API.example.com", "/a", "https://api.example.com/a", 200},
		"with its default port":           {two, "", "api.example.com:443", "/a", "https://api.example.com/a", 200},
		"the second of two":               {two, "", "api.example.org:8443", "/a", "https://api.example.org:8443/a", 200},
		"of two, the other's proof":       {two, "", "api.example.com", "/a", "https://api.example.org:8443/a", 401},
		"of two, neither":                 {two, "", "evil.example", "/a", "https://api.example.com/a", 421},
		"of two, no Host":                 {two, "", "", "/a", "https://api.example.com/a", 421},
		"of two, another port":            {two, "", "api.example.org", "/a", "https://api.example.org:8443/a", 421},
		"the whole server":                {two[:1], "", "x", "*", "https://api.example.com/", 400},
		"an absolute target":              {two[:1], "", "x", "HTTPS://evil.example/a", "https://api.example.com/a", 200},
		"a scheme in the query":           {two[:1], "", "x", "http:/admin?a=://z/public", "https://api.example.com/public", 400},
		"another scheme":                  {two[:1], "", "x", "x:/admin?a=://z/public", "https://api.example.com/public", 400},
		"a scheme without a path":         {two[:1], "", "x", "http:y://z/public", "https://api.example.com/public", 400},
		"a fragment":                      {two[:1], "", "x", "/items/1#2", "https://api.example.com/items/1", 400},
		"dots":                            {two[:1], "", "x", "/admin/../public", "https://api.example.com/public", 400},
		"escaped dots":                    {two[:1], "", "x", "/admin/%2e%2E/public", "https://api.example.com/public", 400},
		"half escaped dots":               {two[:1], "", "x", "/admin/.%2e", "https://api.example.com/", 400},
		"a dot":                           {two[:1], "", "x", "/admin/./public", "https://api.example.com/admin/public", 400},
		"dots that leave the prefix":      {two[:1], "/orders", "x", "/%2e./payments/1", "https://api.example.com/payments/1", 400},
		"three dots":                      {two[:1], "", "x", "/.../a..b/.c", "https://api.example.com/.../a..b/.c", 200},
		"dots in the proof alone":         {two[:1], "", "x", "/public", "https://api.example.com/admin/../public", 200},
		"no path at all":                  {two[:1], "", "x", "api.example.com:443", "https://api.example.com/", 400},
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			var mu sync.Mutex
			v := provingValidator(t, iss, func(c *validator.Config) {
				c.Observer = observe.Observer{Event: func(_ context.Context, e *observe.Event) {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, e.Check+": "+fmt.Sprint(e.Err))
				}}
			})
			auth := httpauth.New(v, &httpauth.Config{PublicURL: tc.urls, PublicPathPrefix: tc.prefix})
			handler := http.StripPrefix("/", auth.Require(scopes.All("orders:read"))(http.HandlerFunc(serve)))
			r := httptest.NewRequest("GET", "/a", nil)
			r.RequestURI, r.Host = tc.target, tc.host
			r.Header = http.Header{
				"Authorization": {"DPoP " + bound}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Prefix": {"/evil"}, "Forwarded": {"host=evil.example"},
				"Dpop": {issuertest.Proof(key, issuertest.ProofClaims{URL: tc.htu, Token: bound})},
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != tc.status {
				t.Errorf("%d %s, wanted %d; %q", w.Code, w.Body, tc.status, told)
			}
			if w.Code == 421 && (len(told) != 1 || !strings.Contains(told[0], "Config.PublicURL") || w.Header().Get("WWW-Authenticate") != "") {
				t.Errorf("told %q, challenge %q", told, w.Header().Get("WWW-Authenticate"))
			}
		})
	}
}

// TestPublicURLFaults: what New panics at.
func TestPublicURLFaults(t *testing.T) {
	iss := issuertest.New(t)
	v := provingValidator(t, iss)
	for name, tc := range map[string]struct {
		cfg  *httpauth.Config
		says string
	}{
		"none":             {nil, "PublicURL is empty, and the validator's Config.DPoP is set"},
		"empty":            {&httpauth.Config{PublicURL: []string{""}}, `PublicURL is ""`},
		"a path":           {&httpauth.Config{PublicURL: []string{"https://a/b"}}, "PublicPathPrefix"},
		"a query":          {&httpauth.Config{PublicURL: []string{"https://a/?x"}}, "scheme and host"},
		"an empty query":   {&httpauth.Config{PublicURL: []string{"https://a?"}}, "scheme and host"},
		"a fragment":       {&httpauth.Config{PublicURL: []string{"https://a#"}}, "scheme and host"},
		"a user":           {&httpauth.Config{PublicURL: []string{"https://u@a"}}, "scheme and host"},
		"a password":       {&httpauth.Config{PublicURL: []string{"https://u:secret@api.example.com"}}, `PublicURL is "...@api.example.com"`},
		"half a password":  {&httpauth.Config{PublicURL: []string{"https://u:secret"}}, "PublicURL is [a value of 16 bytes]"},
		"a key":            {&httpauth.Config{PublicURL: []string{"https://a.example/?key=secret"}}, `PublicURL is "https://a.example/"`},
		"no scheme":        {&httpauth.Config{PublicURL: []string{"api.example.com"}}, "scheme and host"},
		"http":             {&httpauth.Config{PublicURL: []string{"http://api.example.com"}}, "https"},
		"twice":            {&httpauth.Config{PublicURL: []string{"https://a", "https://A:443/"}}, "cannot tell apart"},
		"a prefix alone":   {&httpauth.Config{PublicPathPrefix: "/a"}, "without PublicURL"},
		"no slash":         {&httpauth.Config{PublicURL: []string{"https://a"}, PublicPathPrefix: "a"}, "PublicPathPrefix"},
		"dots in a prefix": {&httpauth.Config{PublicURL: []string{"https://a"}, PublicPathPrefix: "/a/../b"}, "PublicPathPrefix"},
		"a wildcard":       {&httpauth.Config{PublicURL: []string{"https://*.example.com"}}, "scheme and host"},
		"two hosts":        {&httpauth.Config{PublicURL: []string{"https://a,b"}}, "scheme and host"},
		"letters beyond":   {&httpauth.Config{PublicURL: []string{"https://é.example"}}, "scheme and host"},
		"a large port":     {&httpauth.Config{PublicURL: []string{"https://a:99999"}}, "PublicURL is"},
		"a padded port":    {&httpauth.Config{PublicURL: []string{"https://a:0443"}}, "scheme and host"},
		"an empty port":    {&httpauth.Config{PublicURL: []string{"https://a:"}}, "scheme and host"},
		"nearly loopback":  {&httpauth.Config{PublicURL: []string{"http://127.evil.example"}}, "https"},
		"a pattern":        {&httpauth.Config{PublicURL: []string{"https://a"}, PublicPathPrefix: "/{id}"}, "PublicPathPrefix"},
		"escaped dots":     {&httpauth.Config{PublicURL: []string{"https://a"}, PublicPathPrefix: "/%2e%2e"}, "PublicPathPrefix"},
		"a resource alone": {&httpauth.Config{Metadata: httpauth.Metadata{Path: "/a"}}, "Metadata.Path is set without PublicURL"},
		"dots in its path": {&httpauth.Config{PublicURL: []string{"https://a"}, Metadata: httpauth.Metadata{Path: "/a/./b"}}, "Metadata.Path"},
		"no slash in it":   {&httpauth.Config{PublicURL: []string{"https://a"}, Metadata: httpauth.Metadata{Path: "mcp"}}, "Metadata.Path"},
		"no scope":         {&httpauth.Config{PublicURL: []string{"https://a"}, Metadata: httpauth.Metadata{Scopes: []string{"a b"}}}, "Metadata.Scopes"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, "httpauth: New: ") || !strings.Contains(said, tc.says) || strings.Contains(said, "secret") {
					t.Errorf("panic %s, wanted %s", said, tc.says)
				}
			}()
			httpauth.New(v, tc.cfg)
		})
	}
	httpauth.New(v, &httpauth.Config{PublicURL: []string{"http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", "https://10.0.0.1"}})
}

// TestRequestsWithoutAURL: CONNECT has none, also where it has a path, as for a
// WebSocket over HTTP/2 (RFC 8441), and nor has a request with no target at all.
func TestRequestsWithoutAURL(t *testing.T) {
	iss := issuertest.New(t)
	key := testdata.PrivateKey("p256-a")
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	auth := httpauth.New(provingValidator(t, iss), &httpauth.Config{PublicURL: []string{public}})
	handler := auth.Require(scopes.All("orders:read"))(http.HandlerFunc(serve))
	for name, change := range map[string]func(*http.Request){
		"CONNECT with a path": func(r *http.Request) { r.Method = http.MethodConnect },
		"no target":           func(r *http.Request) { r.RequestURI, r.URL.Path = "", "" },
	} {
		r := httptest.NewRequest("GET", "/a", nil)
		change(r)
		r.Header = http.Header{
			"Authorization": {"DPoP " + bound},
			"Dpop":          {issuertest.Proof(key, issuertest.ProofClaims{Method: r.Method, URL: public + "/a", Token: bound})},
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s, wanted 400", name, w.Code, w.Body)
		}
	}
}
