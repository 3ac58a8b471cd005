package adaptertest_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const public = "https://api.example.com"

var descriptions = regexp.MustCompile(`error_description="[^"]*"`)

// provingAPI is a validator that checks proofs, and what it told its observer.
func provingValidator(t testing.TB, iss *issuertest.Issuer, change ...func(*validator.Config)) *validator.Validator {
	t.Helper()
	cfg := validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}, Keys: &jwks.Config{HTTPClient: iss.Client()}}},
		DPoP:    &dpop.Config{},
	}
	for _, c := range change {
		c(&cfg)
	}
	v, err := validator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// show is a request with credentials and, if there is a key, a proof for it.
func show(scheme, token string, key crypto.Signer, method, target string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	if scheme != "" {
		r.Header.Set("Authorization", scheme+" "+token)
	}
	if key != nil {
		path, _, _ := strings.Cut(target, "?")
		r.Header["Dpop"] = []string{issuertest.Proof(key, issuertest.ProofClaims{Method: method, URL: public + path, Token: token})}
	}
	return r
}

// TestSchemesOfBoundTokens: which token may be shown how, and what an adapter answers.
func TestSchemesOfBoundTokens(t *testing.T) {
	iss := issuertest.New(t)
	key, other := testdata.PrivateKey("p256-a"), testdata.PrivateKey("p256-b")
	bearer := iss.Token(issuertest.Claims{Scope: "orders:read"})
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	poor := iss.Token(issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())})
	expired := iss.Bad(issuertest.Expired, issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())})
	algs := `algs="` + strings.Join(dpopAlgorithms(t), " ") + `"`
	about := func(scheme string) string {
		text := scheme + ` realm="api", scope="orders:read", resource_metadata="` + public + `/.well-known/oauth-protected-resource"`
		if scheme == "DPoP" {
			text += ", " + algs
		}
		return text
	}
	with := func(scheme, code string) string {
		return strings.Replace(about(scheme), `realm="api"`, `realm="api", error="`+code+`", error_description="…"`, 1)
	}
	for name, tc := range map[string]struct {
		request      func() *http.Request
		status       int
		challenge    string // with BindingByToken
		boundOnly    string // with BindingRequired
		boundOnlyToo bool   // 200 there as well
	}{
		"nothing":                    {func() *http.Request { return show("", "", nil, "GET", "/require") }, 401, about("Bearer") + ", " + about("DPoP"), about("DPoP"), false},
		"another scheme":             {func() *http.Request { return show("Basic", "dTpw", nil, "GET", "/require") }, 401, about("Bearer") + ", " + about("DPoP"), about("DPoP"), false},
		"a bearer token":             {func() *http.Request { return show("Bearer", bearer, nil, "GET", "/require") }, 200, "", with("DPoP", "invalid_token"), false},
		"a bearer token and a proof": {func() *http.Request { return show("Bearer", bearer, key, "GET", "/require") }, 200, "", with("DPoP", "invalid_token"), false},
		"a bearer token as DPoP":     {func() *http.Request { return show("DPoP", bearer, key, "GET", "/require") }, 401, with("DPoP", "invalid_token") + ", " + about("Bearer"), with("DPoP", "invalid_token"), false},
		"a bound token":              {func() *http.Request { return show("DPoP", bound, key, "GET", "/require") }, 200, "", "", true},
		"in another case":            {func() *http.Request { return show("dpop", bound, key, "GET", "/require") }, 200, "", "", true},
		"with a query":               {func() *http.Request { return show("DPoP", bound, key, "GET", "/require?a=b") }, 200, "", "", true},
		"as a bearer token":          {func() *http.Request { return show("Bearer", bound, key, "GET", "/require") }, 401, with("DPoP", "invalid_token"), with("DPoP", "invalid_token"), false},
		"without a proof":            {func() *http.Request { return show("DPoP", bound, nil, "GET", "/require") }, 401, with("DPoP", "invalid_dpop_proof"), with("DPoP", "invalid_dpop_proof"), false},
		"with another's proof":       {func() *http.Request { return show("DPoP", bound, other, "GET", "/require") }, 401, with("DPoP", "invalid_token"), with("DPoP", "invalid_token"), false},
		"an expired one":             {func() *http.Request { return show("DPoP", expired, key, "GET", "/require") }, 401, with("DPoP", "invalid_token") + ", " + about("Bearer"), with("DPoP", "invalid_token"), false},
		"a bound token for too few":  {func() *http.Request { return show("DPoP", poor, key, "GET", "/require") }, 403, with("DPoP", "insufficient_scope"), with("DPoP", "insufficient_scope"), false},
		"two words for a token":      {func() *http.Request { return show("DPoP", "a b", key, "GET", "/require") }, 400, with("DPoP", "invalid_request"), with("DPoP", "invalid_request"), false},
		"a scheme without a token": {func() *http.Request {
			r := show("", "", nil, "GET", "/require")
			r.Header.Set("Authorization", "DPoP")
			return r
		}, 400, with("Bearer", "invalid_request"), with("DPoP", "invalid_request"), false},
		"a scheme that begins so": {func() *http.Request { return show("DPoPX", bound, key, "GET", "/require") }, 401, about("Bearer") + ", " + about("DPoP"), about("DPoP"), false},
		"for another method":      {func() *http.Request { r := show("DPoP", bound, key, "POST", "/require"); r.Method = "GET"; return r }, 401, with("DPoP", "invalid_dpop_proof"), with("DPoP", "invalid_dpop_proof"), false},
		"for another path": {func() *http.Request {
			r := show("DPoP", bound, key, "GET", "/require/orders")
			r.RequestURI = "/require"
			r.URL.Path = "/require"
			return r
		}, 401, with("DPoP", "invalid_dpop_proof"), with("DPoP", "invalid_dpop_proof"), false},
		"to a forged Host": {func() *http.Request {
			r := show("DPoP", bound, key, "GET", "/require")
			r.Host = "evil.example"
			r.Header.Set("X-Forwarded-Host", "evil.example")
			return r
		}, 200, "", "", true},
		"by an absolute request line": {func() *http.Request {
			r := show("DPoP", bound, key, "GET", "/require")
			r.RequestURI = "http://evil.example/require"
			return r
		}, 200, "", "", true},
	} {
		for _, required := range []bool{false, true} {
			status, want := tc.status, tc.challenge
			if required {
				if want = tc.boundOnly; status == 200 && !tc.boundOnlyToo {
					status = 401
				}
			}
			v := provingValidator(t, iss, func(c *validator.Config) {
				if required {
					c.Issuers[0].Binding = validator.BindingRequired
				}
			})
			for _, f := range frameworks {
				t.Run(fmt.Sprintf("%s, %s, bound only: %v", f.name, name, required), func(t *testing.T) {
					w := httptest.NewRecorder()
					f.api(v, &httpauth.Config{PublicURL: []string{public}}, serve).ServeHTTP(w, tc.request())
					got := descriptions.ReplaceAllString(w.Header().Get("WWW-Authenticate"), `error_description="…"`)
					if w.Code != status || got != want {
						t.Errorf("%d %s\nwanted %d %s", w.Code, got, status, want)
					}
				})
			}
		}
	}
}

func dpopAlgorithms(t testing.TB) []string {
	t.Helper()
	v, err := dpop.New(dpop.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return v.Algorithms()
}

// TestTwoGatesAndOneProof: a group's gate and a route's check one request, and its proof
// is good for both; a second request with it is a replay.
func TestTwoGatesAndOneProof(t *testing.T) {
	iss := issuertest.New(t)
	key := testdata.PrivateKey("p256-a")
	bound := iss.Token(issuertest.Claims{Scope: "orders:read orders:write", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			api := f.api(provingValidator(t, iss), &httpauth.Config{PublicURL: []string{public}}, serve)
			r := show("DPoP", bound, key, "GET", "/require/group/write")
			for _, want := range []int{200, 401} {
				w := httptest.NewRecorder()
				again := r.Clone(context.Background())
				again.RequestURI = r.RequestURI
				api.ServeHTTP(w, again)
				if w.Code != want {
					t.Errorf("%d %s, wanted %d", w.Code, w.Body, want)
				}
			}
		})
	}
}

// TestOneProofAtOnce: of ten thousand requests with one proof, one passes.
func TestOneProofAtOnce(t *testing.T) {
	iss := issuertest.New(t)
	key := testdata.PrivateKey("ed25519-a")
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	v := provingValidator(t, iss)
	handler := httpauth.New(v, &httpauth.Config{PublicURL: []string{public}}).Require(scopes.All("orders:read"))(http.HandlerFunc(serve))
	header := show("DPoP", bound, key, "GET", "/orders").Header
	var passed, replayed atomic.Int32
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for range 10_000 {
		wg.Go(func() {
			r := httptest.NewRequest("GET", "/orders", nil)
			r.Header = header
			<-begin
			for {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				switch {
				case w.Code == 200:
					passed.Add(1)
				case strings.Contains(w.Header().Get("WWW-Authenticate"), "was used before"):
					replayed.Add(1)
				case w.Code == 429: // ten thousand at once from one source: it waits, and comes again
					continue
				}
				return
			}
		})
	}
	close(begin)
	wg.Wait()
	if passed.Load() != 1 || replayed.Load() != 9_999 {
		t.Errorf("%d passed and %d were replays, wanted 1 and 9,999", passed.Load(), replayed.Load())
	}
}

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
		"the path as sent":               {two[:1], "", "x", "/a%2Fb/~c/", "https://api.example.com/a%2Fb/~c/", 200},
		"decoded where it makes no odds": {two[:1], "", "x", "/%7Ec", "https://api.example.com/~c", 200},
		"decoded where it does":          {two[:1], "", "x", "/a%2Fb", "https://api.example.com/a/b", 401},
		"a default port":                 {two[:1], "", "x", "/a", "https://api.example.com:443/a", 200},
		"another port":                   {two[:1], "", "x", "/a", "https://api.example.com:8443/a", 401},
		"the Host's, of one base":        {two[:1], "", "evil.example", "/a", "https://evil.example/a", 401},
		"http in its place":              {two[:1], "", "x", "/a", "http://api.example.com/a", 401},
		"a prefix that was cut off":      {two[:1], "/v1/", "x", "/a", "https://api.example.com/v1/a", 200},
		"without it":                     {two[:1], "/v1", "x", "/a", "https://api.example.com/a", 401},
		"no path":                        {two[:1], "", "x", "/", "https://api.example.com", 200},
		"the first of two":               {two, "", "API.example.com", "/a", "https://api.example.com/a", 200},
		"with its default port":          {two, "", "api.example.com:443", "/a", "https://api.example.com/a", 200},
		"the second of two":              {two, "", "api.example.org:8443", "/a", "https://api.example.org:8443/a", 200},
		"of two, the other's proof":      {two, "", "api.example.com", "/a", "https://api.example.org:8443/a", 401},
		"of two, neither":                {two, "", "evil.example", "/a", "https://api.example.com/a", 421},
		"of two, no Host":                {two, "", "", "/a", "https://api.example.com/a", 421},
		"of two, another port":           {two, "", "api.example.org", "/a", "https://api.example.org:8443/a", 421},
		"the whole server":               {two[:1], "", "x", "*", "https://api.example.com/", 400},
		"no path at all":                 {two[:1], "", "x", "api.example.com:443", "https://api.example.com/", 400},
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
		"no scheme":        {&httpauth.Config{PublicURL: []string{"api.example.com"}}, "scheme and host"},
		"http":             {&httpauth.Config{PublicURL: []string{"http://api.example.com"}}, "https"},
		"twice":            {&httpauth.Config{PublicURL: []string{"https://a", "https://A:443/"}}, "cannot tell apart"},
		"a prefix alone":   {&httpauth.Config{PublicPathPrefix: "/a"}, "without PublicURL"},
		"no slash":         {&httpauth.Config{PublicURL: []string{"https://a"}, PublicPathPrefix: "a"}, "PublicPathPrefix"},
		"dots in a prefix": {&httpauth.Config{PublicURL: []string{"https://a"}, PublicPathPrefix: "/a/../b"}, "PublicPathPrefix"},
		"no scope":         {&httpauth.Config{PublicURL: []string{"https://a"}, Metadata: httpauth.Metadata{Scopes: []string{"a b"}}}, "Metadata.Scopes"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, "httpauth: New: ") || !strings.Contains(said, tc.says) {
					t.Errorf("panic %s, wanted %s", said, tc.says)
				}
			}()
			httpauth.New(v, tc.cfg)
		})
	}
	httpauth.New(v, &httpauth.Config{PublicURL: []string{"http://localhost:8080", "http://127.0.0.1:8080"}})
}

// TestMetadata: what an API says of itself (RFC 9728).
func TestMetadata(t *testing.T) {
	iss := issuertest.New(t)
	for name, tc := range map[string]struct {
		change func(*validator.Config)
		cfg    httpauth.Config
		host   string
		target string
		want   map[string]any // nil: 404
	}{
		"DPoP beside bearer tokens": {nil, httpauth.Config{PublicURL: []string{public}}, "x", "", map[string]any{
			"resource": public, "authorization_servers": []any{iss.URL()}, "bearer_methods_supported": []any{"header"}, "dpop_signing_alg_values_supported": anys(dpopAlgorithms(t)),
		}},
		"DPoP alone": {func(c *validator.Config) {
			c.Issuers[0].Binding = validator.BindingRequired
			c.DPoP.Algorithms = []string{"ES256"}
		}, httpauth.Config{PublicURL: []string{public}}, "x", "", map[string]any{
			"resource": public, "authorization_servers": []any{iss.URL()}, "bearer_methods_supported": []any{"header"}, "dpop_signing_alg_values_supported": []any{"ES256"}, "dpop_bound_access_tokens_required": true,
		}},
		"no DPoP, certificates, scopes, a prefix": {func(c *validator.Config) { c.DPoP = nil }, httpauth.Config{
			PublicURL: []string{public}, PublicPathPrefix: "/v1", ClientCertificate: func(*http.Request) ([]byte, error) { return nil, nil },
			Metadata: httpauth.Metadata{Scopes: []string{"z", "a"}, ScopesOfRoutes: true},
		}, "x", "/v1", map[string]any{
			"resource": public + "/v1", "authorization_servers": []any{iss.URL()}, "bearer_methods_supported": []any{"header"},
			"scopes_supported": []any{"a", "orders:read", "orders:write", "z"}, "tls_client_certificate_bound_access_tokens": true,
		}},
		"the second of two": {func(c *validator.Config) { c.DPoP = nil }, httpauth.Config{PublicURL: []string{public, "https://b.example.com"}, Metadata: httpauth.Metadata{CertificateBound: true}}, "b.example.com", "", map[string]any{
			"resource": "https://b.example.com", "authorization_servers": []any{iss.URL()}, "bearer_methods_supported": []any{"header"}, "tls_client_certificate_bound_access_tokens": true,
		}},
		"neither of two": {nil, httpauth.Config{PublicURL: []string{public, "https://b.example.com"}}, "c.example.com", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var change []func(*validator.Config)
			if tc.change != nil {
				change = append(change, tc.change)
			}
			auth := httpauth.New(provingValidator(t, iss, change...), &tc.cfg)
			mux := http.NewServeMux()
			auth.Handle(mux, "GET /orders", scopes.All("orders:read"), http.HandlerFunc(serve))
			auth.Handle(mux, "POST /orders", scopes.Any("orders:write", "orders:read"), http.HandlerFunc(serve))
			auth.MountMetadata(mux)
			r := httptest.NewRequest("GET", "/.well-known/oauth-protected-resource"+tc.target, nil)
			r.Host = tc.host
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if tc.want == nil {
				if w.Code != 404 {
					t.Errorf("%d %s, wanted 404", w.Code, w.Body)
				}
				return
			}
			var got map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Fatalf("%d %v %s: %v", w.Code, w.Header(), w.Body, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			challenge := httptest.NewRecorder()
			ask := httptest.NewRequest("GET", "/orders", nil)
			ask.Host = tc.host
			mux.ServeHTTP(challenge, ask)
			base := strings.TrimSuffix(fmt.Sprint(tc.want["resource"]), tc.cfg.PublicPathPrefix)
			if said := challenge.Header().Get("WWW-Authenticate"); !strings.Contains(said, `resource_metadata="`+base+auth.MetadataPath()+`"`) {
				t.Errorf("the challenge points elsewhere: %s", said)
			}
			post := httptest.NewRecorder()
			mux.ServeHTTP(post, httptest.NewRequest("POST", "/.well-known/oauth-protected-resource"+tc.target, nil))
			if post.Code != 405 || post.Header().Get("Allow") == "" {
				t.Errorf("POST: %d", post.Code)
			}
		})
	}
}

func anys(list []string) (all []any) {
	for _, s := range list {
		all = append(all, s)
	}
	return all
}

// TestClientOfBoundTokens gets a bound token by a proof at the token endpoint, and calls
// each API with it; the API's nonce is asked for, handed out, and renewed.
func TestClientOfBoundTokens(t *testing.T) {
	iss := issuertest.New(t)
	key := testdata.PrivateKey("p256-a")
	nonces, err := dpop.NewSealed(dpop.SealedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			v := provingValidator(t, iss, func(c *validator.Config) { c.DPoP.Nonces = nonces })
			var api http.Handler
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { api.ServeHTTP(w, r) }))
			defer server.Close()
			api = f.api(v, &httpauth.Config{PublicURL: []string{server.URL}}, serve)
			client := &http.Client{Transport: issuertest.NewDPoPClient(key, server.Client().Transport)}
			bound := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
			for n := range 3 {
				r, err := http.NewRequest("POST", server.URL+"/require/orders?n=1", strings.NewReader("a body"))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "DPoP "+bound)
				response, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if response.StatusCode != 200 {
					t.Errorf("request %d: %d %s %v", n, response.StatusCode, body, response.Header)
				}
			}
		})
	}
}

// TestNonceIsHandedOutWhateverComesAfter: with 200, with 403 by rule and by policy.
func TestNonceIsHandedOutWhateverComesAfter(t *testing.T) {
	iss := issuertest.New(t)
	key := testdata.PrivateKey("p256-a")
	for _, f := range frameworks {
		for path, tc := range map[string]struct {
			client string
			scope  string
			status int
		}{
			"/require/orders": {"a", "orders:read", 200}, "/require/export": {"a", "orders:read", 403}, "/that/orders": {"denied", "orders:read", 403}, "/report/export": {"a", "orders:read", 200}, "/optional/orders": {"a", "orders:read", 200},
		} {
			t.Run(f.name+path, func(t *testing.T) {
				v := provingValidator(t, iss, func(c *validator.Config) { c.DPoP.Nonces = catalogueNonces{} })
				bound := iss.Token(issuertest.Claims{ClientID: tc.client, Scope: tc.scope, JWKThumbprint: issuertest.Thumbprint(key.Public())})
				r := httptest.NewRequest("GET", path, nil)
				r.Header = http.Header{"Authorization": {"DPoP " + bound}, "Dpop": {issuertest.Proof(key, issuertest.ProofClaims{URL: public + path, Token: bound, Nonce: "ending-nonce"})}}
				w := httptest.NewRecorder()
				f.api(v, &httpauth.Config{PublicURL: []string{public}}, serve).ServeHTTP(w, r)
				if w.Code != tc.status || w.Header().Get("DPoP-Nonce") != "next-nonce" || !slices.Contains(w.Header()["Cache-Control"], "no-store") {
					t.Errorf("%d %v, wanted %d with a nonce", w.Code, w.Header(), tc.status)
				}
			})
		}
	}
}

// brokenStore remembers nothing.
type brokenStore struct{}

func (brokenStore) Remember(context.Context, dpop.Seen, time.Duration) (bool, error) {
	return true, errors.New("the store is down")
}

// TestStoreOfProofsDown is 503, and no word on the token.
func TestStoreOfProofsDown(t *testing.T) {
	iss := issuertest.New(t)
	key := testdata.PrivateKey("p256-a")
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	v := provingValidator(t, iss, func(c *validator.Config) { c.DPoP.Replays = brokenStore{} })
	for _, f := range frameworks {
		w := httptest.NewRecorder()
		f.api(v, &httpauth.Config{PublicURL: []string{public}}, serve).ServeHTTP(w, show("DPoP", bound, key, "GET", "/require"))
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %d %v %s", f.name, w.Code, w.Header(), w.Body)
		}
	}
}

// TestNothingOfProofsIsLookedAt without DPoP: bearer answers are as they were.
func TestNothingOfProofsIsLookedAt(t *testing.T) {
	iss := issuertest.New(t)
	key := testdata.PrivateKey("p256-a")
	v := provingValidator(t, iss, func(c *validator.Config) { c.DPoP = nil })
	bearer := iss.Token(issuertest.Claims{Scope: "orders:read"})
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	for name, tc := range map[string]struct {
		request   *http.Request
		status    int
		challenge string
	}{
		"a bearer token and garbage for a proof": {func() *http.Request {
			r := show("Bearer", bearer, nil, "GET", "/require")
			r.Header["Dpop"] = []string{"a", "b"}
			return r
		}(), 200, ""},
		"the DPoP scheme":                 {show("DPoP", bound, key, "GET", "/require"), 401, `Bearer realm="api"`},
		"a bound token as a bearer token": {show("Bearer", bound, key, "GET", "/require"), 401, `Bearer realm="api", error="invalid_token", error_description="The access token is bound to a sender and cannot be used as a bearer token."`},
		"nothing":                         {show("", "", nil, "GET", "/require"), 401, `Bearer realm="api"`},
	} {
		for _, f := range frameworks {
			w := httptest.NewRecorder()
			f.api(v, nil, serve).ServeHTTP(w, tc.request)
			if got := w.Header().Get("WWW-Authenticate"); w.Code != tc.status || got != tc.challenge || w.Header().Get("DPoP-Nonce") != "" {
				t.Errorf("%s, %s: %d %s, wanted %d %s", f.name, name, w.Code, got, tc.status, tc.challenge)
			}
		}
	}
}
