package issuertest_test

import (
	"crypto"
	"crypto/ed25519"
	_ "crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// publicOf reads a JWK with jwx.
func publicOf(t *testing.T, text string) crypto.PublicKey {
	t.Helper()
	key, err := jwk.ParseKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var raw any
	if err := key.Raw(&raw); err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestThumbprintsOfRFCs(t *testing.T) {
	tests := []struct{ name, jwk, want string }{
		{
			"RFC 7638 §3.1", `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`,
			"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		},
		{
			"RFC 8037 A.3", `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
			"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
		},
		{
			"RFC 9449 §6.1", `{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}`,
			"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := issuertest.Thumbprint(publicOf(t, tt.jwk)); got != tt.want {
				t.Errorf("thumbprint %s, want %s", got, tt.want)
			}
		})
	}
}

// Another implementation of RFC 7638 agrees, on short coordinates too.
func TestThumbprintAgrees(t *testing.T) {
	for _, name := range testdata.KeyNames() {
		parsed, err := jwk.ParseKey(testdata.PublicKey(name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := parsed.Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if got := issuertest.Thumbprint(testdata.PrivateKey(name).Public()); got != base64.RawURLEncoding.EncodeToString(want) {
			t.Errorf("%s: thumbprint %s", name, got)
		}
	}
}

func TestCertificateThumbprintOfRFC8705(t *testing.T) {
	block, _ := pem.Decode([]byte(`-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
`))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	const want = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0" // Appendix A
	if got := issuertest.CertificateThumbprint(cert); got != want {
		t.Errorf("thumbprint %s, want %s", got, want)
	}
}

func TestClientCertificate(t *testing.T) {
	one, two := issuertest.ClientCertificate("orders"), issuertest.ClientCertificate("orders")
	if one.Leaf.Subject.CommonName != "orders" || one.Leaf.Issuer.CommonName != "orders" {
		t.Errorf("subject %v, issuer %v", one.Leaf.Subject, one.Leaf.Issuer)
	}
	if issuertest.CertificateThumbprint(one.Leaf) == issuertest.CertificateThumbprint(two.Leaf) {
		t.Error("two certificates are one")
	}
	roots := x509.NewCertPool()
	roots.AddCert(one.Leaf)
	options := x509.VerifyOptions{Roots: roots, CurrentTime: fixed, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := one.Leaf.Verify(options); err != nil {
		t.Error(err)
	}
}

// A bound token says so, as a JWT and in an introspection answer, together with
// whatever a dialect makes of the rest.
func TestBoundClaims(t *testing.T) {
	tests := []struct {
		name   string
		claims issuertest.Claims
		cnf    any
		typ    string
	}{
		{"unbound", issuertest.Claims{}, nil, "Bearer"},
		{"key", issuertest.Claims{JWKThumbprint: "k"}, map[string]any{"jkt": "k"}, "DPoP"},
		{"certificate", issuertest.Claims{CertificateThumbprint: "c"}, map[string]any{"x5t#S256": "c"}, "Bearer"},
		{"both", issuertest.Claims{JWKThumbprint: "k", CertificateThumbprint: "c"}, map[string]any{"jkt": "k", "x5t#S256": "c"}, "DPoP"},
		{"extra wins", issuertest.Claims{JWKThumbprint: "k", Extra: map[string]any{"cnf": nil, "token_type": "DPoP"}}, nil, "DPoP"},
	}
	iss := newFixed(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opaque, jwt := iss.Opaque(tt.claims), iss.Token(tt.claims)
			got := map[string]any{
				"JWT":     parse(t, jwt).claims["cnf"],
				"dialect": parse(t, iss.DialectToken(issuertest.Okta, tt.claims)).claims["cnf"],
				"opaque":  introspect(t, iss, opaque)["cnf"],
				"answer":  introspect(t, iss, jwt)["cnf"],
				"type":    introspect(t, iss, opaque)["token_type"],
			}
			want := map[string]any{"JWT": tt.cnf, "dialect": tt.cnf, "opaque": tt.cnf, "answer": tt.cnf, "type": tt.typ}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Keycloak names the kind of token and of key.
func TestBoundClaimsOfKeycloak(t *testing.T) {
	iss := newFixed(t)
	for typ, c := range map[string]issuertest.Claims{
		"Bearer": {CertificateThumbprint: "c"}, "DPoP": {JWKThumbprint: "k"},
	} {
		claims := parse(t, iss.DialectToken(issuertest.Keycloak, c)).claims
		cnf := map[string]any{"x5t#S256": "c"}
		if typ == "DPoP" {
			cnf = map[string]any{"jkt": "k", "kc-jkt-type": "DPoP"}
		}
		if diff := cmp.Diff(map[string]any{"typ": typ, "cnf": cnf}, map[string]any{"typ": claims["typ"], "cnf": claims["cnf"]}); diff != "" {
			t.Error(diff)
		}
	}
}

func TestCertificateBoundGrant(t *testing.T) {
	iss := issuertest.NewTLS(t)
	iss.Register(issuertest.ClientRegistration{ID: "bound", Secret: "s", CertificateBound: true})
	iss.Register(issuertest.ClientRegistration{ID: "opaque", Secret: "s", CertificateBound: true, Opaque: true})
	cert := issuertest.ClientCertificate("bound")
	x5t := map[string]any{"x5t#S256": issuertest.CertificateThumbprint(cert.Leaf)}
	tests := []struct {
		name   string
		client *http.Client
		id     string
		cnf    any
	}{
		{"JWT", iss.ClientWith(cert), "bound", x5t},
		{"opaque token", iss.ClientWith(cert), "opaque", x5t},
		{"client that asks for none", iss.ClientWith(cert), issuertest.ClientID, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := grant(t, tt.client, iss, tt.id, nil)
			if status != http.StatusOK || body.TokenType != "Bearer" {
				t.Fatalf("status %d, %+v", status, body)
			}
			if diff := cmp.Diff(tt.cnf, introspect(t, iss, body.AccessToken)["cnf"]); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("no certificate", func(t *testing.T) {
		if status, body := grant(t, iss.Client(), iss, "bound", nil); status != http.StatusBadRequest || body.Error != "invalid_request" {
			t.Errorf("status %d, %+v", status, body)
		}
	})
	t.Run("no TLS", func(t *testing.T) {
		plain := issuertest.NewInMemory(t)
		plain.Register(issuertest.ClientRegistration{ID: "bound", Secret: "s", CertificateBound: true})
		if status, body := grant(t, plain.Client(), plain, "bound", nil); status != http.StatusBadRequest || body.Error != "invalid_request" {
			t.Errorf("status %d, %+v", status, body)
		}
	})
	t.Run("by DPoP as well", func(t *testing.T) {
		key := testdata.PrivateKey("p256-a")
		proof := issuertest.Proof(key, issuertest.ProofClaims{Method: "POST", URL: iss.TokenURL()})
		status, body := grant(t, iss.ClientWith(cert), iss, "bound", []string{proof})
		if status != http.StatusOK || body.TokenType != "DPoP" {
			t.Fatalf("status %d, %+v", status, body)
		}
		want := map[string]any{"x5t#S256": x5t["x5t#S256"], "jkt": issuertest.Thumbprint(key.Public())}
		if diff := cmp.Diff(want, parse(t, body.AccessToken).claims["cnf"]); diff != "" {
			t.Error(diff)
		}
	})
}

// The client that shows a certificate reaches an API of httptest, too.
func TestClientWithReachesOthers(t *testing.T) {
	iss := issuertest.NewTLS(t)
	var shown string
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		shown = issuertest.CertificateThumbprint(r.TLS.PeerCertificates[0])
	}))
	api.TLS = requestCertificates()
	api.StartTLS()
	t.Cleanup(api.Close)
	cert := issuertest.ClientCertificate("orders")
	resp, err := iss.ClientWith(cert).Get(api.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if shown != issuertest.CertificateThumbprint(cert.Leaf) {
		t.Errorf("shown %q", shown)
	}
}

func TestMetadataSaysWhatIsBound(t *testing.T) {
	for secure, iss := range map[bool]*issuertest.Issuer{true: issuertest.NewTLS(t), false: issuertest.New(t)} {
		var got struct {
			Algorithms  []string `json:"dpop_signing_alg_values_supported"`
			Certificate bool     `json:"tls_client_certificate_bound_access_tokens"`
		}
		if err := json.Unmarshal([]byte(get(t, iss, iss.URL()+"/.well-known/oauth-authorization-server").body), &got); err != nil {
			t.Fatal(err)
		}
		if got.Certificate != secure {
			t.Errorf("with TLS %v, certificate-bound tokens %v", secure, got.Certificate)
		}
		if u, err := url.Parse(iss.URL()); err != nil || (u.Scheme == "https") != secure {
			t.Errorf("with TLS %v, URL %s", secure, iss.URL())
		}
		if len(got.Algorithms) != len(algorithms) {
			t.Errorf("algorithms %q", got.Algorithms)
		}
		for _, alg := range got.Algorithms {
			if alg == "none" || alg[0] == 'H' {
				t.Errorf("proofs may be signed with %s", alg)
			}
		}
	}
}

func TestUnknownKeysPanic(t *testing.T) {
	tests := map[string]func(){
		"thumbprint": func() { issuertest.Thumbprint(struct{}{}) },
		"proof":      func() { issuertest.Proof(testdata.PrivateKey("rsa-1024"), issuertest.ProofClaims{}) },
		"algorithm":  func() { issuertest.Proof(testdata.PrivateKey("p256-a"), issuertest.ProofClaims{Algorithm: "RS256"}) },
		"client":     func() { issuertest.NewDPoPClient(testdata.PrivateKey("rsa-1024"), nil) },
		"flaw":       func() { issuertest.BadProof(0, testdata.PrivateKey("p256-a"), issuertest.ProofClaims{}) },
		"flaw of ath": func() {
			issuertest.BadProof(issuertest.ProofNoToken, ed25519.NewKeyFromSeed(make([]byte, 32)), issuertest.ProofClaims{})
		},
		"nonce":  func() { issuertest.NewInMemory(t).SetNonce("a b") },
		"no TLS": func() { issuertest.NewInMemory(t).ClientWith(issuertest.ClientCertificate("c")) },
	}
	for name, mistake := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if message, _ := recover().(string); !strings.HasPrefix(message, "issuertest: ") {
					t.Errorf("panic %q", message)
				}
			}()
			mistake()
		})
	}
}
