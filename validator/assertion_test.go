package validator_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// hsm is a key that only signs: nobody can look at its kind, as with one in an
// HSM or KMS.
type hsm struct{ crypto.Signer }

var assertionKeys = []struct{ alg, key string }{
	{"RS256", "rsa-2048-a"}, {"RS384", "rsa-2048-a"}, {"RS512", "rsa-3072"},
	{"PS256", "rsa-2048-a"}, {"PS384", "rsa-2048-a"}, {"PS512", "rsa-3072"},
	{"ES256", "p256-a"}, {"ES384", "p384"}, {"ES512", "p521"},
	{"EdDSA", "ed25519-a"}, {"Ed25519", "ed25519-a"},
}

// assertionEndpoint is an introspection endpoint that knows its client by
// private_key_jwt, and checks that with nothing but the standard library.
type assertionEndpoint struct {
	t        *testing.T
	alg, kid string
	public   crypto.PublicKey
	audience string

	mu   sync.Mutex
	seen map[string]bool // by jti
}

func (e *assertionEndpoint) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.ParseForm(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	status, body := 200, `{"active":true,"aud":"`+issuertest.Audience+`"}`
	if err := e.check(req); err != nil {
		e.t.Errorf("%s: %v", e.alg, err)
		status, body = 401, `{"error":"invalid_client"}`
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

func (e *assertionEndpoint) check(req *http.Request) error {
	form := req.PostForm
	if form.Get("client_id") != "orders-api" || form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return errors.New("client_id or client_assertion_type")
	}
	if req.Header.Get("Authorization") != "" || form.Has("client_secret") {
		return errors.New("more than one way of authenticating (RFC 6749 §2.3)")
	}
	parts := strings.Split(form.Get("client_assertion"), ".")
	if len(parts) != 3 {
		return errors.New("segments")
	}
	var header struct{ Alg, Kid, Typ string }
	var claims struct {
		Iss, Sub, Aud, Jti string
		Iat, Exp           int64
	}
	for n, dst := range []any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[n])
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, dst); err != nil {
			return err
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	now := time.Now().Unix()
	switch {
	case header.Alg != e.alg || header.Kid != e.kid || header.Typ != "JWT":
		return errors.New("header")
	case claims.Iss != "orders-api" || claims.Sub != "orders-api" || claims.Aud != e.audience:
		return errors.New("iss, sub or aud " + claims.Aud)
	case claims.Iat < now-10 || claims.Iat > now || claims.Exp <= now || claims.Exp > claims.Iat+60:
		return errors.New("iat or exp")
	case len(claims.Jti) < 22 || e.seen[claims.Jti]:
		return errors.New("jti is short or was seen before")
	case !signedBy(e.public, e.alg, parts[0]+"."+parts[1], signature):
		return errors.New("signature")
	}
	e.seen[claims.Jti] = true
	return nil
}

// signedBy verifies a signature of RFC 7518 §3 and RFC 8037 §3.1.
func signedBy(public crypto.PublicKey, alg, input string, signature []byte) bool {
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[len(alg)-3:]]
	if key, ok := public.(ed25519.PublicKey); ok {
		return ed25519.Verify(key, []byte(input), signature)
	}
	w := hash.New()
	io.WriteString(w, input)
	digest := w.Sum(nil)
	switch key := public.(type) {
	case *rsa.PublicKey:
		if alg[0] == 'P' {
			return rsa.VerifyPSS(key, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		size := (key.Params().BitSize + 7) / 8
		return len(signature) == 2*size &&
			ecdsa.Verify(key, digest, new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:]))
	}
	return false
}

func TestPrivateKeyJWT(t *testing.T) {
	for _, tc := range assertionKeys {
		for name, key := range map[string]crypto.Signer{
			"in memory":    testdata.PrivateKey(tc.key),
			"in an HSM":    hsm{testdata.PrivateKey(tc.key)},
			"and no kid":   testdata.PrivateKey(tc.key),
			"an issuer":    testdata.PrivateKey(tc.key),
			"many at once": testdata.PrivateKey(tc.key),
		} {
			t.Run(tc.alg+", "+name, func(t *testing.T) {
				const url = "https://id.example.com/introspect"
				endpoint := &assertionEndpoint{t: t, alg: tc.alg, kid: "key-1", public: key.Public(), audience: url, seen: make(map[string]bool)}
				cfg := &introspection.Config{Endpoint: url, HTTPClient: &http.Client{Transport: endpoint}}
				switch name {
				case "and no kid":
					endpoint.kid = ""
				case "an issuer":
					cfg.Issuer, endpoint.audience = "https://id.example.com", "https://id.example.com"
				}
				signer, err := validator.NewAssertionSigner("orders-api", key, endpoint.kid, tc.alg)
				if err != nil {
					t.Fatal(err)
				}
				cfg.Auth = introspection.PrivateKeyJWT("orders-api", signer)
				v := newMany(t, validator.Issuer{URL: "https://id.example.com", Audience: []string{issuertest.Audience}, Introspection: cfg})
				var requests sync.WaitGroup
				for _, raw := range []string{"one", "two", "three", "four"} {
					verify := func() { wantOutcome(t, "ok")(v.Verify(t.Context(), raw)) }
					if name == "many at once" {
						requests.Go(verify)
					} else {
						verify()
					}
				}
				requests.Wait()
				if len(endpoint.seen) != 4 {
					t.Errorf("%d assertions, wanted 4", len(endpoint.seen))
				}
			})
		}
	}
}

func TestNewAssertionSignerRefuses(t *testing.T) {
	key := testdata.PrivateKey
	for _, tc := range []struct {
		name, client, kid, alg string
		key                    crypto.Signer
		says                   string
	}{
		{"no client", "", "", "RS256", key("rsa-2048-a"), "client id is empty"},
		{"a client id of bytes", "\xff", "", "RS256", key("rsa-2048-a"), "client id is not UTF-8"},
		{"a key id of bytes", "api", "\xff", "RS256", key("rsa-2048-a"), "key id is not UTF-8"},
		{"no key", "api", "", "RS256", nil, "key is nil"},
		{"no algorithm", "api", "", "", key("rsa-2048-a"), "cannot sign"},
		{"none", "api", "", "none", key("rsa-2048-a"), "cannot sign"},
		{"HMAC", "api", "", "HS256", key("rsa-2048-a"), "cannot sign"},
		{"lower case", "api", "", "rs256", key("rsa-2048-a"), "cannot sign"},
		{"a short key", "api", "", "RS256", key("rsa-1024"), "2048"},
		{"RSA for ES256", "api", "", "ES256", key("rsa-2048-a"), "cannot sign"},
		{"RSA for EdDSA", "api", "", "EdDSA", key("rsa-2048-a"), "cannot sign"},
		{"P-256 for RS256", "api", "", "RS256", key("p256-a"), "cannot sign"},
		{"P-256 for ES384", "api", "", "ES384", key("p256-a"), "curve"},
		{"P-384 for ES256", "api", "", "ES256", key("p384"), "curve"},
		{"P-521 for EdDSA", "api", "", "EdDSA", key("p521"), "cannot sign"},
		{"Ed25519 for ES256", "api", "", "ES256", key("ed25519-a"), "cannot sign"},
		{"Ed25519 for PS256", "api", "", "PS256", key("ed25519-a"), "cannot sign"},
		{"an HSM's P-256 for RS256", "api", "", "RS256", hsm{key("p256-a")}, "cannot sign"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			signer, err := validator.NewAssertionSigner(tc.client, tc.key, tc.kid, tc.alg)
			if err == nil || signer != nil {
				t.Fatalf("%v, %v", signer, err)
			}
			if !strings.HasPrefix(err.Error(), "validator: NewAssertionSigner: ") || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v does not say %q", err, tc.says)
			}
		})
	}
}

// brokenHSM cannot sign now.
type brokenHSM struct{ crypto.Signer }

var errHSM = errors.New("the HSM is locked")

func (brokenHSM) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errHSM }

// TestAssertionThatCannotBeSigned is an outage, whose cause the log tells, and
// nothing is sent.
func TestAssertionThatCannotBeSigned(t *testing.T) {
	for _, tc := range assertionKeys {
		signer, err := validator.NewAssertionSigner("orders-api", brokenHSM{testdata.PrivateKey(tc.key)}, "", tc.alg)
		if err != nil {
			t.Fatal(err)
		}
		v := newMany(t, validator.Issuer{
			URL: "https://id.example.com", Audience: []string{issuertest.Audience},
			Introspection: &introspection.Config{
				Auth:       introspection.PrivateKeyJWT("orders-api", signer),
				Endpoint:   "https://id.example.com/introspect",
				HTTPClient: &http.Client{Transport: refuseToAnswer{t}},
			},
		})
		_, err = v.Verify(t.Context(), "token")
		wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
		if !errors.Is(err, errHSM) {
			t.Errorf("%s: %v does not say why", tc.alg, err)
		}
	}
}
