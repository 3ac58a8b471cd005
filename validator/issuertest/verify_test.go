package issuertest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// publicKey is a key of a published set.
type publicKey struct {
	KeyType   string `json:"kty"`
	KeyID     string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	Modulus   string `json:"n"`
	Exponent  string `json:"e"`
}

// jwt is a token taken apart.
type jwt struct {
	header map[string]any
	claims map[string]any
}

func decode(t *testing.T, part string) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t *testing.T, token string) jwt {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d segments", len(parts))
	}
	var j jwt
	for i, dst := range []*map[string]any{&j.header, &j.claims} {
		if err := json.Unmarshal(decode(t, parts[i]), dst); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

// fetchKeys gets the key set as a resource server does.
func fetchKeys(t *testing.T, iss *issuertest.Issuer) map[string]publicKey {
	t.Helper()
	var set struct {
		Keys []publicKey `json:"keys"`
	}
	if err := json.Unmarshal([]byte(get(t, iss, iss.JWKSURL()).body), &set); err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]publicKey, len(set.Keys))
	for _, k := range set.Keys {
		keys[k.KeyID] = k
	}
	return keys
}

// answer is an HTTP response, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func do(t *testing.T, iss *issuertest.Issuer, r *http.Request) answer {
	t.Helper()
	resp, err := iss.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func get(t *testing.T, iss *issuertest.Issuer, url string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, iss, r)
}

// signedBy reports whether a token's signature is by a key, with the standard
// library alone.
func signedBy(t *testing.T, key publicKey, alg, token string) bool {
	t.Helper()
	dot := strings.LastIndexByte(token, '.')
	input, signature := []byte(token[:dot]), decode(t, token[dot+1:])
	if key.KeyType == "OKP" {
		return ed25519.Verify(decode(t, key.X), input, signature)
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[2:]]
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	if key.KeyType == "RSA" {
		pub := &rsa.PublicKey{
			N: new(big.Int).SetBytes(decode(t, key.Modulus)),
			E: int(new(big.Int).SetBytes(decode(t, key.Exponent)).Int64()),
		}
		if strings.HasPrefix(alg, "PS") {
			options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			return rsa.VerifyPSS(pub, hash, digest, signature, options) == nil
		}
		return rsa.VerifyPKCS1v15(pub, hash, digest, signature) == nil
	}
	curve := map[string]elliptic.Curve{
		"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521(),
	}[key.Curve]
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, decode(t, key.X)...), decode(t, key.Y)...))
	if err != nil {
		t.Fatal(err)
	}
	half := len(signature) / 2
	return ecdsa.Verify(pub, digest, new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
}

// verifies reports whether a token's signature is by the published key that its
// header names.
func verifies(t *testing.T, iss *issuertest.Issuer, token string) bool {
	t.Helper()
	header := parse(t, token).header
	key, ok := fetchKeys(t, iss)[header["kid"].(string)]
	return ok && signedBy(t, key, header["alg"].(string), token)
}
