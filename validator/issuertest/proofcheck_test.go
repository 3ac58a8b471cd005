package issuertest_test

import (
	"crypto/ed25519"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func requestCertificates() *tls.Config { return &tls.Config{ClientAuth: tls.RequestClientCert} }

// granted is an answer of the token endpoint.
type granted struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	Error       string `json:"error"`
	nonce       string
}

// grant asks for a token, with the lines of the header field DPoP. A client other
// than the first has the secret s.
func grant(t *testing.T, client *http.Client, iss *issuertest.Issuer, id string, proofs []string) (int, granted) {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, iss.TokenURL(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	secret := "s"
	if id == issuertest.ClientID {
		secret = issuertest.ClientSecret
	}
	r.SetBasicAuth(id, secret)
	if proofs != nil {
		r.Header["Dpop"] = proofs
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body granted
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	body.nonce = resp.Header.Get("DPoP-Nonce")
	return resp.StatusCode, body
}

// A proof binds the token to its key, whatever the key, and whatever the client's
// tokens are.
func TestDPoPGrant(t *testing.T) {
	iss := newFixed(t)
	iss.Register(issuertest.ClientRegistration{ID: "opaque", Secret: "s", Opaque: true})
	iss.Register(issuertest.ClientRegistration{ID: "bound", Secret: "s", DPoPBound: true})
	claims := issuertest.ProofClaims{Method: "POST", URL: iss.TokenURL(), IssuedAt: fixed}
	for _, name := range []string{"p256-a", "p384", "p521", "ed25519-a", "rsa-2048-a"} {
		for _, id := range []string{issuertest.ClientID, "opaque", "bound"} {
			t.Run(name+"/"+id, func(t *testing.T) {
				key := testdata.PrivateKey(name)
				status, body := grant(t, iss.Client(), iss, id, []string{issuertest.Proof(key, claims)})
				if status != http.StatusOK || body.TokenType != "DPoP" {
					t.Fatalf("status %d, %+v", status, body)
				}
				answer := introspect(t, iss, body.AccessToken)
				want := map[string]any{"cnf": map[string]any{"jkt": issuertest.Thumbprint(key.Public())}, "token_type": "DPoP"}
				if diff := cmp.Diff(want, map[string]any{"cnf": answer["cnf"], "token_type": answer["token_type"]}); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	if status, body := grant(t, iss.Client(), iss, "bound", nil); status != http.StatusBadRequest || body.Error != "invalid_request" {
		t.Errorf("no proof of a client whose tokens are bound: status %d, %+v", status, body)
	}
	if status, body := grant(t, iss.Client(), iss, issuertest.ClientID, nil); status != http.StatusOK || body.TokenType != "Bearer" {
		t.Errorf("no proof: status %d, %+v", status, body)
	}
}

type proofCase struct {
	name   string
	proofs []string
	error  string // "" for a token
}

func TestTokenEndpointChecksProofs(t *testing.T) {
	iss := newFixed(t)
	key := testdata.PrivateKey("p256-a")
	good := issuertest.ProofClaims{Method: "POST", URL: iss.TokenURL(), IssuedAt: fixed}
	with := func(change func(*issuertest.ProofClaims)) []string {
		c := good
		change(&c)
		return []string{issuertest.Proof(key, c)}
	}
	header := func(name string, value any) []string {
		return with(func(c *issuertest.ProofClaims) { c.Header = map[string]any{name: value} })
	}
	claim := func(name string, value any) []string {
		return with(func(c *issuertest.ProofClaims) { c.Extra = map[string]any{name: value} })
	}
	at := func(d time.Duration) []string {
		return with(func(c *issuertest.ProofClaims) { c.IssuedAt = fixed.Add(d) })
	}
	short := good
	short.Algorithm = "RS256"
	whole := issuertest.Proof(key, good)
	upper := strings.Replace(iss.TokenURL(), "http:", "HTTP:", 1)
	tests := []proofCase{
		{"good", []string{issuertest.Proof(key, good)}, ""},
		{"a minute old", at(-time.Minute), ""},
		{"ten seconds ahead", at(10 * time.Second), ""},
		{"query and fragment", claim("htu", iss.TokenURL()+"?a#b"), ""},
		{"scheme in upper case", claim("htu", upper), ""},
		{"fraction of a second", claim("iat", float64(fixed.Unix())+0.5), ""},
		{"nonce unasked", claim("nonce", "n"), ""},
		{"longest jti", claim("jti", strings.Repeat("j", 128)), ""},

		{"too old", at(-61 * time.Second), "invalid_dpop_proof"},
		{"too far ahead", at(11 * time.Second), "invalid_dpop_proof"},
		{"empty", []string{""}, "invalid_dpop_proof"},
		{"two parts", []string{whole[:strings.LastIndexByte(whole, '.')]}, "invalid_dpop_proof"},
		{"no JSON", []string{"YQ.YQ.YQ"}, "invalid_dpop_proof"},
		{"typ of a media type", header("typ", "application/dpop+jwt"), "invalid_dpop_proof"},
		{"x5u", header("x5u", "https://other.example.test/certificate"), "invalid_dpop_proof"},
		{"no typ", header("typ", nil), "invalid_dpop_proof"},
		{"no alg", []string{strings.Replace(whole, whole[:strings.IndexByte(whole, '.')], "eyJ0eXAiOiJkcG9wK2p3dCJ9", 1)}, "invalid_dpop_proof"},
		{"no jwk", header("jwk", nil), "invalid_dpop_proof"},
		{"jwk of another type", header("jwk", "k"), "invalid_dpop_proof"},
		{"jwk of no key", header("jwk", map[string]any{"kty": "EC"}), "invalid_dpop_proof"},
		{"jwk does not fit alg", header("jwk", json.RawMessage(testdata.PublicKey("p384"))), "invalid_dpop_proof"},
		{"jwk is symmetric", header("jwk", map[string]any{"kty": "oct", "k": "YQ"}), "invalid_dpop_proof"},
		{"jwk is a short RSA key", []string{issuertest.Proof(testdata.PrivateKey("rsa-1024"), short)}, "invalid_dpop_proof"},
		{"jwk is not on its curve", header("jwk", map[string]any{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}), "invalid_dpop_proof"},
		{"no htm", claim("htm", nil), "invalid_dpop_proof"},
		{"htm in lower case", claim("htm", "post"), "invalid_dpop_proof"},
		{"no htu", claim("htu", nil), "invalid_dpop_proof"},
		{"htu with a user", claim("htu", strings.Replace(iss.TokenURL(), "//", "//u@", 1)), "invalid_dpop_proof"},
		{"no iat", claim("iat", nil), "invalid_dpop_proof"},
		{"iat in words", claim("iat", "now"), "invalid_dpop_proof"},
		{"jti of another type", claim("jti", 1), "invalid_dpop_proof"},
		{"jti empty", claim("jti", ""), "invalid_dpop_proof"},
		{"jti too long", claim("jti", strings.Repeat("j", 129)), "invalid_dpop_proof"},
	}
	for _, flaw := range issuertest.ProofFlaws() {
		switch flaw {
		case issuertest.ProofOtherToken, issuertest.ProofNoToken: // there is no token yet
		case issuertest.ProofOtherKey:
			tests = append(tests, proofCase{flaw.String(), issuertest.BadProof(flaw, key, good), ""})
		default:
			tests = append(tests, proofCase{flaw.String(), issuertest.BadProof(flaw, key, good), "invalid_dpop_proof"})
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := grant(t, iss.Client(), iss, issuertest.ClientID, tt.proofs)
			want := http.StatusOK
			if tt.error != "" {
				want = http.StatusBadRequest
			}
			if status != want || body.Error != tt.error || (body.AccessToken != "") != (tt.error == "") {
				t.Errorf("status %d, error %q, want %d, %q", status, body.Error, want, tt.error)
			}
		})
	}
}

// What can be read in two ways is no proof, rightly signed or not.
func TestTokenEndpointReadsStrictly(t *testing.T) {
	iss := newFixed(t)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	sign := func(input string) string { return input + "." + encode(ed25519.Sign(key, []byte(input))) }
	// Of a text of 3n+1 bytes the last character has four bits to spare, which are 0.
	loosen := func(part string) string { return part[:len(part)-1] + string(part[len(part)-1]+1) }
	tests := []struct {
		name  string
		form  func(header, claims string) string
		error string
	}{
		{"good", func(h, c string) string { return sign(encode([]byte(h)) + "." + encode([]byte(c))) }, ""},
		{"four parts", func(h, c string) string { return sign(encode([]byte(h)) + "." + encode([]byte(c)) + ".YQ") }, "invalid_dpop_proof"},
		{"more than a header", func(h, c string) string { return sign(encode([]byte(h+"{}")) + "." + encode([]byte(c))) }, "invalid_dpop_proof"},
		{"more than claims", func(h, c string) string { return sign(encode([]byte(h)) + "." + encode([]byte(c+"{}"))) }, "invalid_dpop_proof"},
		{"loose bits in the claims", func(h, c string) string { return sign(encode([]byte(h)) + "." + loosen(encode([]byte(c)))) }, "invalid_dpop_proof"},
		{"loose bits in the signature", func(h, c string) string { return loosen(sign(encode([]byte(h)) + "." + encode([]byte(c)))) }, "invalid_dpop_proof"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parts := strings.Split(issuertest.Proof(key, issuertest.ProofClaims{Method: "POST", URL: iss.TokenURL(), IssuedAt: fixed}), ".")
			claims := string(decode(t, parts[1]))
			for len(claims)%3 != 1 {
				claims += " "
			}
			proof := tt.form(string(decode(t, parts[0])), claims)
			if _, body := grant(t, iss.Client(), iss, issuertest.ClientID, []string{proof}); body.Error != tt.error {
				t.Errorf("error %q, want %q", body.Error, tt.error)
			}
		})
	}
}

// A proof counts once; another key's with the same jti is another proof.
func TestTokenEndpointRemembersProofs(t *testing.T) {
	iss := newFixed(t)
	ask := func(proof string) string {
		_, body := grant(t, iss.Client(), iss, issuertest.ClientID, []string{proof})
		return body.Error
	}
	claims := issuertest.ProofClaims{Method: "POST", URL: iss.TokenURL(), IssuedAt: fixed, ID: "1"}
	one, two := testdata.PrivateKey("p256-a"), testdata.PrivateKey("p256-b")
	bad := issuertest.BadProof(issuertest.ProofBadSignature, one, claims)[0]
	proof := issuertest.Proof(one, claims)
	got := []string{
		ask(bad), ask(proof), ask(proof), ask(issuertest.Proof(one, claims)), ask(issuertest.Proof(two, claims)),
	}
	want := []string{"invalid_dpop_proof", "", "invalid_dpop_proof", "invalid_dpop_proof", ""}
	if !slices.Equal(got, want) {
		t.Errorf("errors %q, want %q", got, want)
	}
}

func TestTokenEndpointAsksForNonce(t *testing.T) {
	iss := newFixed(t)
	iss.SetNonce("n-1")
	key := testdata.PrivateKey("ed25519-a")
	ask := func(nonce string) granted {
		claims := issuertest.ProofClaims{Method: "POST", URL: iss.TokenURL(), IssuedAt: fixed, Nonce: nonce}
		status, body := grant(t, iss.Client(), iss, issuertest.ClientID, []string{issuertest.Proof(key, claims)})
		if (status == http.StatusOK) != (body.Error == "") || status != http.StatusOK && status != http.StatusBadRequest {
			t.Errorf("status %d with error %q", status, body.Error)
		}
		return body
	}
	for _, step := range []struct{ next, nonce, error, hint string }{
		{"n-1", "", "use_dpop_nonce", "n-1"},
		{"n-1", "n-1", "", "n-1"},
		{"n-2", "n-1", "use_dpop_nonce", "n-2"},
		{"n-2", "n-2", "", "n-2"},
		{"", "", "", ""},
	} {
		iss.SetNonce(step.next)
		if got := ask(step.nonce); got.Error != step.error || got.nonce != step.hint {
			t.Errorf("nonce %q where %q is wanted: error %q, DPoP-Nonce %q", step.nonce, step.next, got.Error, got.nonce)
		}
	}
}
