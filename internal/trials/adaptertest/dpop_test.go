package adaptertest_test

import (
	"context"
	"crypto"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const public = "https://api.example.com"

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

// TestGatesOfTwoValidators: each of them checks a request once, however often it stands in
// its way.
func TestGatesOfTwoValidators(t *testing.T) {
	iss := issuertest.New(t)
	key := testdata.PrivateKey("p256-a")
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	cfg := &httpauth.Config{PublicURL: []string{public}}
	one, two := httpauth.New(provingValidator(t, iss), cfg), httpauth.New(provingValidator(t, iss), cfg)
	rule := scopes.All("orders:read")
	handler := one.Require(rule)(two.Require(rule)(one.Require(rule)(two.Require(rule)(http.HandlerFunc(serve)))))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, show("DPoP", bound, key, "GET", "/orders"))
	if w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
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
				case w.Code == 429, w.Code == 503: // ten thousand at once from one source: it waits, and comes again
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
		"the DPoP scheme without a token": {func() *http.Request {
			r := show("", "", nil, "GET", "/require")
			r.Header.Set("Authorization", "DPoP")
			return r
		}(), 401, `Bearer realm="api"`},
		"nothing": {show("", "", nil, "GET", "/require"), 401, `Bearer realm="api"`},
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
