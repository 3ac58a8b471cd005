package testdata

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
)

// jwk holds the members of RFC 7517 and RFC 7518 §6 that the test keys use.
type jwk struct {
	KeyType  string `json:"kty"`
	KeyID    string `json:"kid"`
	Curve    string `json:"crv,omitempty"`
	X        string `json:"x,omitempty"`
	Y        string `json:"y,omitempty"`
	Modulus  string `json:"n,omitempty"`
	Exponent string `json:"e,omitempty"`
	D        string `json:"d,omitempty"`
	P        string `json:"p,omitempty"`
	Q        string `json:"q,omitempty"`
}

// KeyNames lists the test keys, sorted: ed25519-a, ed25519-b, p256-a, p256-b,
// p384, p521, rsa-1024, rsa-2048-a to rsa-2048-d, and rsa-3072.
func KeyNames() []string { return names("keys", ".jwk.json") }

// Key returns a private test key as a JWK (RFC 7517). Its kid is its name; it
// has no alg and no use. Key panics if there is no such key.
func Key(name string) []byte { return read("keys/" + name + ".jwk.json") }

// PublicKey returns the public half of a test key as a JWK: kty, kid and the
// key itself. PublicKey panics if there is no such key.
func PublicKey(name string) []byte {
	k := load(name)
	k.D, k.P, k.Q = "", "", ""
	data, err := json.Marshal(k)
	if err != nil {
		panic("testdata: " + name + ": " + err.Error())
	}
	return data
}

// PrivateKey returns a test key ready to sign: an [*rsa.PrivateKey], an
// [*ecdsa.PrivateKey] or an [ed25519.PrivateKey]. Each call parses the key
// anew. PrivateKey panics if there is no such key.
func PrivateKey(name string) crypto.Signer {
	k := load(name)
	switch k.KeyType {
	case "RSA":
		key := &rsa.PrivateKey{
			PublicKey: rsa.PublicKey{N: integer(k.Modulus), E: int(integer(k.Exponent).Int64())},
			D:         integer(k.D),
			Primes:    []*big.Int{integer(k.P), integer(k.Q)},
		}
		key.Precompute()
		return key
	case "EC":
		key, err := ecdsa.ParseRawPrivateKey(curve(k.Curve), octets(k.D))
		if err != nil {
			panic("testdata: " + name + ": " + err.Error())
		}
		return key
	case "OKP":
		return ed25519.NewKeyFromSeed(octets(k.D))
	default:
		panic("testdata: " + name + ": unknown key type")
	}
}

func load(name string) (k jwk) {
	decode("keys/"+name+".jwk.json", &k)
	return k
}

func curve(name string) elliptic.Curve {
	switch name {
	case "P-256":
		return elliptic.P256()
	case "P-384":
		return elliptic.P384()
	case "P-521":
		return elliptic.P521()
	default:
		panic("testdata: unknown curve " + name)
	}
}

func octets(member string) []byte {
	data, err := base64.RawURLEncoding.DecodeString(member)
	if err != nil {
		panic("testdata: a key member is not base64url")
	}
	return data
}

func integer(member string) *big.Int { return new(big.Int).SetBytes(octets(member)) }
