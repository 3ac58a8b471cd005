package hostile

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"sync"

	"github.com/m2mguard/m2mguard/testdata"
)

// keySet is what the issuer publishes: one good key of each kind, without alg,
// and keys that an attacker holds the private half of and a verifier must not
// use. Among the usable ones, two serve RS256 and one each other algorithm.
var keySet = sync.OnceValue(func() []byte {
	keys := []object{
		published(rsaKey), published(p256Key), published(p384Key), published(p521Key), published(edKey),

		published("rsa-1024"),
		weakRSA()[0].jwk, weakRSA()[1].jwk,
		renamed("rsa-2048-d", "exponent-1").with("e", `"AQ"`),
		renamed("rsa-2048-b", "for-encryption").with("use", `"enc"`),
		renamed("rsa-2048-b", "for-signing-only").with("key_ops", `["sign"]`),
		renamed("rsa-2048-b", "with-private-half").with("d", `"AQAB"`),
		renamed("rsa-2048-b", "alg-none").with("alg", `"none"`),
		renamed("rsa-2048-b", "alg-hs256").with("alg", `"HS256"`),
		renamed("p256-b", "alg-of-rsa").with("alg", `"RS256"`),
		renamed("p256-b", "off-the-curve").with("y", `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`),
		renamed("p256-b", "secp256k1").with("crv", `"secp256k1"`),
		renamed("ed25519-b", "ed448").with("crv", `"Ed448"`),
		renamed("ed25519-b", "x25519").with("crv", `"X25519"`),
		{{"kty", `"oct"`}, {"kid", `"symmetric"`}, {"k", quote(segment(sharedSecret))}},
		{{"kty", `"oct"`}, {"kid", `"symmetric-with-alg"`}, {"alg", `"HS256"`}, {"use", `"sig"`}, {"k", quote(segment(sharedSecret))}},

		// Usable, for RS256 alone. The second of the twins is not: which key the
		// kid means is settled by the first.
		renamed("rsa-2048-c", "twins").with("alg", `"RS256"`).with("use", `"sig"`),
		renamed("rsa-2048-d", "twins").with("alg", `"RS256"`).with("use", `"sig"`),
	}
	list := ""
	for _, k := range keys {
		list += "," + k.String()
	}
	return []byte(`{"keys":[` + list[1:] + `]}`)
})

const sharedSecret = "0123456789abcdef0123456789abcdef"

// published is a test key as a JWK, under its own name.
func published(name string) object {
	var members map[string]string
	if err := json.Unmarshal(testdata.PublicKey(name), &members); err != nil {
		panic("hostile: " + err.Error())
	}
	var jwk object
	for _, member := range []string{"kty", "kid", "crv", "x", "y", "n", "e"} {
		if value, ok := members[member]; ok {
			jwk = jwk.and(member, quote(value))
		}
	}
	return jwk
}

func renamed(name, kid string) object { return published(name).with("kid", quote(kid)) }

// weakKey is an RSA key that is too short for the standard library to make or
// use (RFC 7518 §3.3 asks for 2048 bits).
type weakKey struct {
	kid  string
	n, d *big.Int
	jwk  object
}

// weakRSA makes two of them, of 512 and of 768 bits.
var weakRSA = sync.OnceValue(func() []weakKey {
	var keys []weakKey
	for _, k := range []struct {
		kid  string
		bits int
	}{{"rsa-512", 512}, {"rsa-768", 768}} {
		n, d := newWeakRSA(k.bits)
		keys = append(keys, weakKey{k.kid, n, d, object{
			{"kty", `"RSA"`}, {"kid", quote(k.kid)}, {"n", quote(segment(n.Bytes()))}, {"e", `"AQAB"`},
		}})
	}
	return keys
})

func newWeakRSA(bits int) (n, d *big.Int) {
	one, e := big.NewInt(1), big.NewInt(65537)
	for {
		p, errP := rand.Prime(rand.Reader, bits/2)
		q, errQ := rand.Prime(rand.Reader, bits/2)
		if errP != nil || errQ != nil {
			panic("hostile: no primes")
		}
		n = new(big.Int).Mul(p, q)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		if d = new(big.Int).ModInverse(e, phi); d != nil && n.BitLen() == bits {
			return n, d
		}
	}
}

// rsaPrivate is a test key known to be RSA.
func rsaPrivate(name string) *rsa.PrivateKey { return private(name).(*rsa.PrivateKey) }
