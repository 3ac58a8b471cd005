package issuertest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
}

// fixed is a clock that stands still.
var fixed = time.Unix(1_800_000_000, 0)

func newFixed(t *testing.T) *issuertest.Issuer {
	iss := issuertest.NewInMemory(t)
	iss.SetClock(func() time.Time { return fixed })
	return iss
}

func TestTokenDefaults(t *testing.T) {
	iss := newFixed(t)
	got := parse(t, iss.Token(issuertest.Claims{}))
	wantHeader := map[string]any{"alg": "RS256", "kid": iss.CurrentKeyID("RS256"), "typ": "at+jwt"}
	if diff := cmp.Diff(wantHeader, got.header); diff != "" {
		t.Error(diff)
	}
	wantClaims := map[string]any{
		"iss":       iss.URL(),
		"sub":       issuertest.ClientID,
		"client_id": issuertest.ClientID,
		"aud":       issuertest.Audience,
		"iat":       1.8e9,
		"exp":       1.8e9 + 3600,
	}
	notID := cmpopts.IgnoreMapEntries(func(name string, _ any) bool { return name == "jti" })
	if diff := cmp.Diff(wantClaims, got.claims, notID); diff != "" {
		t.Error(diff)
	}
	again := parse(t, iss.Token(issuertest.Claims{}))
	if id := got.claims["jti"]; id == "" || id == again.claims["jti"] {
		t.Errorf("jti %v is not unique", id)
	}
}

func TestTokenClaims(t *testing.T) {
	iss := newFixed(t)
	tests := []struct {
		name   string
		claims issuertest.Claims
		claim  string
		want   any
	}{
		{"issuer", issuertest.Claims{Issuer: "https://a.test"}, "iss", "https://a.test"},
		{"client", issuertest.Claims{ClientID: "c"}, "client_id", "c"},
		{"subject is the client", issuertest.Claims{ClientID: "c"}, "sub", "c"},
		{"subject", issuertest.Claims{Subject: "s"}, "sub", "s"},
		{"one audience", issuertest.Claims{Audience: []string{"a"}}, "aud", "a"},
		{"two audiences", issuertest.Claims{Audience: []string{"a", "b"}}, "aud", []any{"a", "b"}},
		{"empty audience", issuertest.Claims{Audience: []string{}}, "aud", []any{}},
		{"scope", issuertest.Claims{Scope: "a b"}, "scope", "a b"},
		{"issued at", issuertest.Claims{IssuedAt: time.Unix(10, 0)}, "iat", 10.0},
		{"expiry follows issued at", issuertest.Claims{IssuedAt: time.Unix(10, 0)}, "exp", 3610.0},
		{"lifetime", issuertest.Claims{ExpiresIn: -time.Second}, "exp", 1.8e9 - 1},
		{"expiry", issuertest.Claims{Expiry: time.Unix(20, 0), ExpiresIn: time.Hour}, "exp", 20.0},
		{"not before", issuertest.Claims{NotBefore: time.Unix(5, 0)}, "nbf", 5.0},
		{"extra", issuertest.Claims{Extra: map[string]any{"roles": []string{"r"}}}, "roles", []any{"r"}},
		{"extra wins", issuertest.Claims{Scope: "a", Extra: map[string]any{"scope": []string{"b"}}}, "scope", []any{"b"}},
		{"extra removes", issuertest.Claims{Extra: map[string]any{"sub": nil}}, "sub", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token := iss.Token(tt.claims)
			if diff := cmp.Diff(tt.want, parse(t, token).claims[tt.claim]); diff != "" {
				t.Error(diff)
			}
			if !verifies(t, iss, token) {
				t.Error("the signature does not verify")
			}
		})
	}
}

func TestTokenHeader(t *testing.T) {
	iss := newFixed(t)
	got := parse(t, iss.Token(issuertest.Claims{Algorithm: "ES256", KeyID: "k", Type: "JWT"})).header
	if diff := cmp.Diff(map[string]any{"alg": "ES256", "kid": "k", "typ": "JWT"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAlgorithms(t *testing.T) {
	iss := issuertest.New(t)
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			token := iss.Token(issuertest.Claims{Algorithm: alg})
			if !verifies(t, iss, token) {
				t.Error("the signature does not verify")
			}
			key := fetchKeys(t, iss)[iss.CurrentKeyID(alg)]
			if key.Use != "sig" || key.Algorithm != "" && key.Algorithm != alg {
				t.Errorf("published with use %q and alg %q", key.Use, key.Algorithm)
			}
		})
	}
}

func TestSign(t *testing.T) {
	iss := newFixed(t)
	header, payload := []byte(`{"alg":"RS256"} `), []byte("any\x00bytes")
	token := iss.Sign(header, payload, "ES256")
	parts := strings.Split(token, ".")
	if diff := cmp.Diff([]string{string(header), string(payload)}, []string{string(decode(t, parts[0])), string(decode(t, parts[1]))}); diff != "" {
		t.Error(diff)
	}
	if !signedBy(t, fetchKeys(t, iss)[iss.CurrentKeyID("ES256")], "ES256", token) {
		t.Error("the signature does not verify")
	}
}

func TestSignWith(t *testing.T) {
	algs := map[string]string{"rsa": "PS256", "p25": "ES256", "p38": "ES384", "p52": "ES512", "ed2": "EdDSA"}
	iss := newFixed(t)
	for _, name := range testdata.KeyNames() {
		t.Run(name, func(t *testing.T) {
			alg := algs[name[:3]]
			token := iss.SignWith(name, []byte("{}"), []byte("{}"), alg)
			var key publicKey
			if err := json.Unmarshal(testdata.PublicKey(name), &key); err != nil {
				t.Fatal(err)
			}
			if !signedBy(t, key, alg, token) {
				t.Error("the signature does not verify")
			}
		})
	}
}

func TestRotateAndRetire(t *testing.T) {
	iss := issuertest.New(t)
	before, old := fetchKeys(t, iss), make(map[string]string)
	for _, alg := range algorithms {
		old[alg] = iss.Token(issuertest.Claims{Algorithm: alg})
	}
	iss.Rotate()
	after := fetchKeys(t, iss)
	if len(after) != 2*len(before) {
		t.Errorf("%d keys, then %d", len(before), len(after))
	}
	for _, alg := range algorithms {
		if !verifies(t, iss, old[alg]) || !verifies(t, iss, iss.Token(issuertest.Claims{Algorithm: alg})) {
			t.Errorf("%s: an old or a new token does not verify", alg)
		}
		next := after[iss.CurrentKeyID(alg)]
		previous := before[parse(t, old[alg]).header["kid"].(string)]
		if next.KeyID == previous.KeyID || next.X == previous.X && next.Modulus == previous.Modulus {
			t.Errorf("%s: the key did not change", alg)
		}
	}
	iss.Retire()
	if got := fetchKeys(t, iss); len(got) != len(before) {
		t.Errorf("%d keys after Retire", len(got))
	}
	for _, alg := range algorithms {
		if verifies(t, iss, old[alg]) {
			t.Errorf("%s: an old token still verifies", alg)
		}
	}
}

// Two issuers share no key but RSA ones, and no key ID.
func TestIssuersDiffer(t *testing.T) {
	one, two := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	if one.URL() == two.URL() {
		t.Errorf("both are %s", one.URL())
	}
	others := fetchKeys(t, two)
	for id, key := range fetchKeys(t, one) {
		if _, shared := others[id]; shared {
			t.Errorf("both publish %s", id)
		}
		for _, other := range others {
			if key.X != "" && key.X == other.X {
				t.Errorf("%s is published by both", id)
			}
		}
	}
}

func TestDiscovery(t *testing.T) {
	iss := issuertest.New(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		var got map[string]any
		if err := json.Unmarshal([]byte(get(t, iss, iss.URL()+path).body), &got); err != nil {
			t.Fatal(err)
		}
		methods := []any{"client_secret_basic", "client_secret_post"}
		want := map[string]any{
			"issuer":                                iss.URL(),
			"jwks_uri":                              iss.JWKSURL(),
			"token_endpoint":                        iss.TokenURL(),
			"introspection_endpoint":                iss.IntrospectionURL(),
			"revocation_endpoint":                   iss.RevocationURL(),
			"grant_types_supported":                 []any{"client_credentials"},
			"response_types_supported":              []any{},
			"token_endpoint_auth_methods_supported": methods,
			"introspection_endpoint_auth_methods_supported": methods,
			"revocation_endpoint_auth_methods_supported":    methods,
			"dpop_signing_alg_values_supported":             []any{"ES256", "ES384", "ES512", "Ed25519", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"},
			"tls_client_certificate_bound_access_tokens":    false,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if n := iss.Requests(issuertest.Discovery); n != 2 {
		t.Errorf("%d requests counted", n)
	}
}

func TestKeySetIsCacheable(t *testing.T) {
	iss := issuertest.New(t)
	first := get(t, iss, iss.JWKSURL())
	if got := first.header.Get("Cache-Control"); got != "max-age=300" {
		t.Errorf("Cache-Control: %q", got)
	}
	conditional := func() answer {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, iss.JWKSURL(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("If-None-Match", first.header.Get("ETag"))
		return do(t, iss, r)
	}
	if got := conditional(); got.status != http.StatusNotModified || got.body != "" {
		t.Errorf("unchanged set: status %d, %d bytes", got.status, len(got.body))
	}
	iss.Rotate()
	if got := conditional(); got.status != http.StatusOK {
		t.Errorf("changed set: status %d", got.status)
	}
	if n := iss.Requests(issuertest.JWKS); n != 3 {
		t.Errorf("%d requests counted", n)
	}
}

func TestSetJWKS(t *testing.T) {
	iss := issuertest.New(t)
	iss.SetJWKS([]byte("anything"), http.Header{"cache-control": {"no-store"}, "ETag": {`"x"`}})
	got := get(t, iss, iss.JWKSURL())
	if got.body != "anything" || got.header.Get("Cache-Control") != "no-store" || got.header.Get("ETag") != `"x"` {
		t.Errorf("published %q with %v", got.body, got.header)
	}
	iss.SetJWKS(nil, nil)
	if !verifies(t, iss, iss.Token(issuertest.Claims{})) {
		t.Error("the key set is not restored")
	}
}

func TestStartAt(t *testing.T) {
	iss, err := issuertest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer iss.Close()
	addr := strings.TrimPrefix(iss.URL(), "http://")
	if _, err := issuertest.StartAt(addr); err == nil {
		t.Error("a taken address is accepted")
	}
	if _, err := issuertest.StartAt("0.0.0.0:0"); err == nil {
		t.Error("an address that others reach is accepted")
	}
	iss.Close()
	again, err := issuertest.StartAt(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.URL() != iss.URL() {
		t.Errorf("URL %s, want %s", again.URL(), iss.URL())
	}
}

func TestConcurrentUse(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 5 {
				token := iss.Token(issuertest.Claims{Algorithm: algorithms[i]})
				iss.Revoke(iss.Opaque(issuertest.Claims{}))
				if !verifies(t, iss, token) {
					t.Error("the signature does not verify")
				}
				iss.Rotate()
				iss.SetClock(nil)
				iss.SetFault(issuertest.TokenEndpoint, issuertest.Down())
				iss.ClearFaults()
			}
		})
	}
	wg.Wait()
}

func TestMistakesPanic(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	tests := map[string]func(){
		"algorithm":        func() { iss.Token(issuertest.Claims{Algorithm: "HS256"}) },
		"claim":            func() { iss.Token(issuertest.Claims{Extra: map[string]any{"f": func() {}}}) },
		"key":              func() { iss.SignWith("none", nil, nil, "RS256") },
		"kind of key":      func() { iss.SignWith("p256-a", nil, nil, "RS256") },
		"bad JWT":          func() { iss.Bad(issuertest.Revoked, issuertest.Claims{}) },
		"bad opaque token": func() { iss.BadOpaque(issuertest.AlgNone, issuertest.Claims{}) },
		"client secret":    func() { iss.Register(issuertest.ClientRegistration{ID: "c"}) },
		"client algorithm": func() {
			iss.Register(issuertest.ClientRegistration{ID: "c", Secret: "s", Algorithm: "none"})
		},
	}
	for name, mistake := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			mistake()
		})
	}
}
