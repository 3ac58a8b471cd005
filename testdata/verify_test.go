package testdata_test

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
	"math/big"
	"strings"
	"testing"
)

// jwk is a public key as the fixtures write it.
type jwk struct {
	KeyType  string `json:"kty"`
	KeyID    string `json:"kid"`
	Curve    string `json:"crv"`
	X        string `json:"x"`
	Y        string `json:"y"`
	Modulus  string `json:"n"`
	Exponent string `json:"e"`
	D        string `json:"d"`
}

func parseJWK(t *testing.T, data []byte) jwk {
	t.Helper()
	var k jwk
	if err := json.Unmarshal(data, &k); err != nil {
		t.Fatal(err)
	}
	return k
}

func decode(t *testing.T, part string) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// public returns the key for the standard library.
func (k jwk) public(t *testing.T) crypto.PublicKey {
	t.Helper()
	switch k.KeyType {
	case "RSA":
		e := new(big.Int).SetBytes(decode(t, k.Exponent))
		return &rsa.PublicKey{N: new(big.Int).SetBytes(decode(t, k.Modulus)), E: int(e.Int64())}
	case "EC":
		curve := map[string]elliptic.Curve{
			"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521(),
		}[k.Curve]
		point := append(append([]byte{4}, decode(t, k.X)...), decode(t, k.Y)...)
		key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
		if err != nil {
			t.Fatal(err)
		}
		return key
	case "OKP":
		return ed25519.PublicKey(decode(t, k.X))
	default:
		t.Fatalf("key type %q", k.KeyType)
		return nil
	}
}

// verify reports whether a compact serialization is signed by a key, with the
// standard library alone.
func verify(t *testing.T, key crypto.PublicKey, alg, jws string) bool {
	t.Helper()
	dot := strings.LastIndexByte(jws, '.')
	input, signature := []byte(jws[:dot]), decode(t, jws[dot+1:])
	if pub, ok := key.(ed25519.PublicKey); ok {
		return ed25519.Verify(pub, input, signature)
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[2:]]
	h := hash.New()
	h.Write(input)
	digest := h.Sum(nil)
	switch pub := key.(type) {
	case *rsa.PublicKey:
		if strings.HasPrefix(alg, "PS") {
			options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			return rsa.VerifyPSS(pub, hash, digest, signature, options) == nil
		}
		return rsa.VerifyPKCS1v15(pub, hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		half := len(signature) / 2
		return ecdsa.Verify(pub, digest, new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
	default:
		t.Fatalf("key %T", key)
		return false
	}
}
