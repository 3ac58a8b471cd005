package issuertest_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// The token of RFC 9449 §7.1, and its ath.
const (
	tokenOf9449 = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	athOf9449   = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
)

// A proof is as in the figures of RFC 9449 §4.2, §7.1 and §9, and its signature
// verifies with the standard library and with jwx, by the key that it shows.
func TestProof(t *testing.T) {
	tests := []struct{ key, alg, want string }{
		{"p256-a", "", "ES256"},
		{"p384", "", "ES384"},
		{"p521", "", "ES512"},
		{"ed25519-a", "", "EdDSA"},
		{"ed25519-a", "Ed25519", "Ed25519"},
		{"rsa-2048-a", "", "PS256"},
		{"rsa-2048-a", "RS256", "RS256"},
		{"rsa-1024", "RS256", "RS256"},
	}
	for _, tt := range tests {
		t.Run(tt.key+"/"+tt.want, func(t *testing.T) {
			key := testdata.PrivateKey(tt.key)
			proof := issuertest.Proof(key, issuertest.ProofClaims{
				Method: "GET", URL: "https://resource.example.org/protectedresource?a=b#c", Token: tokenOf9449,
				Nonce: "eyJ7S_zG.eyJH0-Z.HX4w-7v", IssuedAt: time.Unix(1562262618, 0), ID: "e1j3V_bKic8-LAEB", Algorithm: tt.alg,
			})
			var public map[string]any
			if err := json.Unmarshal(testdata.PublicKey(tt.key), &public); err != nil {
				t.Fatal(err)
			}
			delete(public, "kid")
			got := parse(t, proof)
			if diff := cmp.Diff(map[string]any{"typ": "dpop+jwt", "alg": tt.want, "jwk": public}, got.header); diff != "" {
				t.Error(diff)
			}
			want := map[string]any{
				"jti": "e1j3V_bKic8-LAEB", "htm": "GET", "htu": "https://resource.example.org/protectedresource",
				"iat": 1562262618.0, "ath": athOf9449, "nonce": "eyJ7S_zG.eyJH0-Z.HX4w-7v",
			}
			if diff := cmp.Diff(want, got.claims); diff != "" {
				t.Error(diff)
			}
			var shown publicKey
			if err := json.Unmarshal(testdata.PublicKey(tt.key), &shown); err != nil {
				t.Fatal(err)
			}
			if !signedBy(t, shown, tt.want, proof) {
				t.Error("the signature does not verify")
			}
			if !verifiesByItself(t, proof) {
				t.Error("the signature does not verify with jwx")
			}
		})
	}
}

func TestProofDefaults(t *testing.T) {
	key := testdata.PrivateKey("p256-a")
	before := time.Now().Unix()
	one, two := parse(t, issuertest.Proof(key, issuertest.ProofClaims{URL: "https://a.test#c"})), parse(t, issuertest.Proof(key, issuertest.ProofClaims{}))
	after := time.Now().Unix()
	if iat := int64(one.claims["iat"].(float64)); iat < before || iat > after {
		t.Errorf("iat %d, between %d and %d", iat, before, after)
	}
	if one.claims["jti"] == "" || one.claims["jti"] == two.claims["jti"] {
		t.Errorf("jti %v is not unique", one.claims["jti"])
	}
	delete(one.claims, "jti")
	delete(one.claims, "iat")
	if diff := cmp.Diff(map[string]any{"htm": "GET", "htu": "https://a.test"}, one.claims); diff != "" {
		t.Error(diff)
	}
}

func TestProofExtras(t *testing.T) {
	got := parse(t, issuertest.Proof(testdata.PrivateKey("p256-a"), issuertest.ProofClaims{
		Extra: map[string]any{"iat": nil, "htu": "x", "more": true}, Header: map[string]any{"jwk": nil, "kid": "k"},
	}))
	delete(got.claims, "jti")
	if diff := cmp.Diff(map[string]any{"htm": "GET", "htu": "x", "more": true}, got.claims); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "kid": "k"}, got.header); diff != "" {
		t.Error(diff)
	}
}

// verifiesByItself reports whether jwx verifies a proof by the jwk in its header.
func verifiesByItself(t *testing.T, proof string) bool {
	t.Helper()
	shown, err := json.Marshal(parse(t, proof).header["jwk"])
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.ParseKey(shown)
	if err != nil {
		return false
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	alg := parse(t, proof).header["alg"].(string)
	if alg == "Ed25519" { // jwx has it as EdDSA alone
		alg = "EdDSA"
	}
	verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(alg))
	if err != nil {
		return false
	}
	var raw any
	if err := public.Raw(&raw); err != nil {
		t.Fatal(err)
	}
	dot := strings.LastIndexByte(proof, '.')
	return verifier.Verify([]byte(proof[:dot]), decode(t, proof[dot+1:]), raw) == nil
}

// proofFaults finds what is wrong with the proofs of a request, by plain checks
// that share nothing with the code that made them.
func proofFaults(t *testing.T, lines []string, key crypto.PublicKey, want issuertest.ProofClaims) []string {
	t.Helper()
	if len(lines) != 1 || strings.Contains(lines[0], ",") {
		return []string{"one proof"}
	}
	var found []string
	note := func(name string, wrong bool) {
		if wrong {
			found = append(found, name)
		}
	}
	got := parse(t, lines[0])
	shown, _ := got.header["jwk"].(map[string]any)
	note("typ", got.header["typ"] != "dpop+jwt")
	alg := got.header["alg"].(string)
	symmetric := alg == "none" || alg[0] == 'H'
	note("alg "+alg, symmetric)
	for _, name := range []string{"crit", "x5c", "x5u", "jku"} {
		note(name, got.header[name] != nil)
	}
	note("private", shown["d"] != nil)
	note("signature", !symmetric && !verifiesByItself(t, lines[0]))

	id, _ := got.claims["jti"].(string)
	note("jti", id == "" || len(id) > 128)
	note("htm", got.claims["htm"] != want.Method)
	note("htu", got.claims["htu"] != want.URL)
	iat := time.Unix(int64(got.claims["iat"].(float64)), 0)
	note("old", iat.Before(want.IssuedAt.Add(-time.Minute)))
	note("ahead", iat.After(want.IssuedAt.Add(time.Minute)))
	hash := sha256.Sum256([]byte(want.Token))
	note("ath", want.Token != "" && got.claims["ath"] != base64.RawURLEncoding.EncodeToString(hash[:]))
	note("nonce", got.claims["nonce"] != want.Nonce)
	delete(shown, "d")
	text, err := json.Marshal(shown)
	if err != nil {
		t.Fatal(err)
	}
	note("key", issuertest.Thumbprint(publicOf(t, string(text))) != issuertest.Thumbprint(key))
	return found
}

// A bad proof is wrong in exactly the way that was asked for.
func TestBadProof(t *testing.T) {
	wants := map[issuertest.ProofFlaw]string{
		issuertest.ProofExpired:      "old",
		issuertest.ProofAhead:        "ahead",
		issuertest.ProofOtherMethod:  "htm",
		issuertest.ProofOtherPath:    "htu",
		issuertest.ProofOtherHost:    "htu",
		issuertest.ProofOtherToken:   "ath",
		issuertest.ProofNoToken:      "ath",
		issuertest.ProofOtherKey:     "key",
		issuertest.ProofBadSignature: "signature",
		issuertest.ProofAlgNone:      "alg none",
		issuertest.ProofAlgHS256:     "alg HS256",
		issuertest.ProofPrivateKey:   "private",
		issuertest.ProofWrongType:    "typ",
		issuertest.ProofNoID:         "jti",
		issuertest.ProofLongID:       "jti",
		issuertest.ProofCrit:         "crit",
		issuertest.ProofX5C:          "x5c",
		issuertest.ProofJKU:          "jku",
		issuertest.ProofTwice:        "one proof",
		issuertest.ProofJoined:       "one proof",
	}
	// As a test might have them, before and after the flaw is put in.
	given := map[string]any{"given": true}
	for _, name := range []string{"p256-a", "p521", "ed25519-a", "rsa-2048-a", "rsa-3072"} {
		key := testdata.PrivateKey(name)
		for _, method := range []string{"GET", "POST"} {
			claims := issuertest.ProofClaims{
				Method: method, URL: "https://api.example.test/orders", Token: "t", Nonce: "n", IssuedAt: fixed, Extra: given, Header: given,
			}
			if found := proofFaults(t, []string{issuertest.Proof(key, claims)}, key.Public(), claims); found != nil {
				t.Fatalf("a good proof is wrong: %q", found)
			}
			for _, flaw := range issuertest.ProofFlaws() {
				t.Run(name+"/"+method+"/"+flaw.String(), func(t *testing.T) {
					found := proofFaults(t, issuertest.BadProof(flaw, key, claims), key.Public(), claims)
					if !slices.Equal(found, []string{wants[flaw]}) {
						t.Errorf("wrong with it: %q, want %q", found, wants[flaw])
					}
				})
			}
		}
	}
	if len(given) != 1 {
		t.Errorf("the caller's claims became %v", given)
	}
	if len(issuertest.ProofFlaws()) != len(wants) {
		t.Errorf("%d flaws, %d expectations", len(issuertest.ProofFlaws()), len(wants))
	}
}

// Each of two proofs is good, so that who looks at one of them is found out.
func TestTwoProofsAreGood(t *testing.T) {
	key := testdata.PrivateKey("p256-a")
	claims := issuertest.ProofClaims{Method: "GET", URL: "https://api.example.test/orders", Token: "t", Nonce: "n", IssuedAt: fixed}
	lines := issuertest.BadProof(issuertest.ProofTwice, key, claims)
	lines = append(lines, strings.Split(issuertest.BadProof(issuertest.ProofJoined, key, claims)[0], ", ")...)
	if len(lines) != 4 {
		t.Fatalf("%d proofs", len(lines))
	}
	for _, line := range lines {
		if found := proofFaults(t, []string{line}, key.Public(), claims); found != nil {
			t.Errorf("wrong with one: %q", found)
		}
	}
}

func TestProofFlawString(t *testing.T) {
	seen := make(map[string]bool)
	for _, flaw := range issuertest.ProofFlaws() {
		if name := flaw.String(); name == "" || seen[name] {
			t.Errorf("flaw %d is called %q", int(flaw), name)
		}
		seen[flaw.String()] = true
	}
	if got := issuertest.ProofFlaw(0).String(); got != "ProofFlaw(0)" {
		t.Errorf("the zero ProofFlaw is called %q", got)
	}
}
