package gateway_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/gateway"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

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
	said := identities(answer(g, asks("GET", "/orders", header)).Header())
	if said["X-Auth-Identity"] = []string{""}; !cmp.Equal(nobody, said) {
		t.Errorf("beside the JWT: %v", said)
	}
	if w := answer(g, asks("GET", "/health", http.Header{"X-Auth-Identity": {first}})); w.Code != 200 || !cmp.Equal(nobody, identities(w.Header())) {
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

// TestOtherKeys: what signs otherwise than the published algorithm says signs nothing.
func TestOtherKeys(t *testing.T) {
	iss := issuertest.New(t)
	elliptical := func(curve elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	half := edwards.Public().(ed25519.PublicKey)
	for name, tc := range map[string]struct {
		key  crypto.Signer
		good bool
	}{
		"P-256": {elliptical(elliptic.P256()), true}, "Ed25519": {edwards, true},
		"P-384": {elliptical(elliptic.P384()), false}, "P-521": {elliptical(elliptic.P521()), false},
		"RSA": {testdata.PrivateKey("rsa-2048-a"), false}, "none": {nil, false},
		"another one's half": {ed25519.PrivateKey(append(make([]byte, ed25519.SeedSize), half...)), false},
	} {
		c := config(t, iss)
		c.JWT = &gateway.Signed{Issuer: "gateway", Audience: "orders", Key: tc.key}
		_, err := gateway.New(c)
		if tc.good != (err == nil) || !tc.good && !strings.Contains(err.Error(), "serve.identity.jwt.keyFile") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
