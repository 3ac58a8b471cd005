package hostile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"

	"github.com/m2mguard/m2mguard/testdata"
)

// Names of test keys. The first five are published under their names and are
// what good tokens are signed with; nobody publishes the last two.
const (
	rsaKey  = "rsa-2048-a"
	p256Key = "p256-a"
	p384Key = "p384"
	p521Key = "p521"
	edKey   = "ed25519-a"

	foreignRSA = "rsa-3072"
	foreignEd  = "ed25519-b"
)

// private returns a test key, parsed once.
func private(name string) crypto.Signer {
	key, ok := parsed.Load(name)
	if !ok {
		key, _ = parsed.LoadOrStore(name, testdata.PrivateKey(name))
	}
	return key.(crypto.Signer)
}

var parsed sync.Map

// token signs a header and claims with the key that is good for most cases.
func token(header, claims object) string {
	return sign(header.String(), claims.String(), edKey, "EdDSA")
}

// sign signs any two texts.
func sign(header, payload, key, alg string) string {
	return seal(segment(header)+"."+segment(payload), key, alg)
}

// seal adds the signature to what it covers, which need not be base64url.
func seal(input, key, alg string) string {
	return input + "." + segment(signature(input, key, alg))
}

// signature is by the standard library alone. It signs with what does not
// belong together, too: ES256 with a key on P-384 is SHA-256 and that key.
func signature(input, key, alg string) []byte {
	var out []byte
	var err error
	hash := hashOf(alg)
	switch k := private(key).(type) {
	case *rsa.PrivateKey:
		if strings.HasPrefix(alg, "PS") {
			out, err = rsa.SignPSS(rand.Reader, k, hash, digest(hash, input), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			out, err = rsa.SignPKCS1v15(nil, k, hash, digest(hash, input))
		}
	case *ecdsa.PrivateKey:
		r, s := signECDSA(k, hash, input)
		out = fixed(k, r, s)
	case ed25519.PrivateKey:
		out = ed25519.Sign(k, []byte(input))
	}
	if err != nil {
		panic(fmt.Sprintf("hostile: %s with %s: %v", alg, key, err))
	}
	return out
}

// hashOf is the hash of RSA, ECDSA and HMAC algorithms.
func hashOf(alg string) crypto.Hash {
	switch alg[len(alg)-3:] {
	case "384":
		return crypto.SHA384
	case "512":
		return crypto.SHA512
	}
	return crypto.SHA256
}

func digest(hash crypto.Hash, input string) []byte {
	h := hash.New()
	h.Write([]byte(input))
	return h.Sum(nil)
}

func signECDSA(k *ecdsa.PrivateKey, hash crypto.Hash, input string) (r, s *big.Int) {
	r, s, err := ecdsa.Sign(rand.Reader, k, digest(hash, input))
	if err != nil {
		panic("hostile: " + err.Error())
	}
	return r, s
}

// fixed writes r and s as RFC 7518 §3.4 has it: each as long as the curve's
// order.
func fixed(k *ecdsa.PrivateKey, r, s *big.Int) []byte {
	size := (k.Params().N.BitLen() + 7) / 8
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out
}

// mac is a token whose signature is an HMAC.
func mac(alg, kid string, claims object, secret []byte) string {
	input := segment(header(alg, kid).String()) + "." + segment(claims.String())
	h := hmac.New(hashOf(alg).New, secret)
	h.Write([]byte(input))
	return input + "." + segment(h.Sum(nil))
}

// rawRSA is RSASSA-PKCS1-v1_5 with SHA-256 by arithmetic alone (RFC 8017
// §8.2.1): the standard library signs neither with short keys nor with the
// exponent 1.
func rawRSA(input string, n, d *big.Int) []byte {
	sha256Info := []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}
	info := append(sha256Info, digest(crypto.SHA256, input)...)
	size := (n.BitLen() + 7) / 8
	padding := slices.Repeat([]byte{0xff}, size-len(info)-3)
	message := slices.Concat([]byte{0, 1}, padding, []byte{0}, info)
	return new(big.Int).Exp(new(big.Int).SetBytes(message), d, n).FillBytes(make([]byte, size))
}

// rawPSS is RSASSA-PSS with SHA-256 (RFC 8017 §8.1.1, §9.1.1) and any salt and
// mask: the standard library has no empty salt, and one hash for both.
func rawPSS(key *rsa.PrivateKey, input string, salt []byte, mask crypto.Hash) []byte {
	bits := key.N.BitLen() - 1
	size := (bits + 7) / 8
	h := digest(crypto.SHA256, string(make([]byte, 8))+string(digest(crypto.SHA256, input))+string(salt))
	db := slices.Concat(make([]byte, size-len(salt)-len(h)-2), []byte{1}, salt)
	for i, m := range mgf1(mask, h, len(db)) {
		db[i] ^= m
	}
	db[0] &= 0xff >> (8*size - bits)
	message := slices.Concat(db, h, []byte{0xbc})
	return new(big.Int).Exp(new(big.Int).SetBytes(message), key.D, key.N).FillBytes(make([]byte, key.Size()))
}

// mgf1 is the mask of RFC 8017 §B.2.1.
func mgf1(hash crypto.Hash, seed []byte, size int) []byte {
	var mask []byte
	for counter := uint32(0); len(mask) < size; counter++ {
		mask = append(mask, digest(hash, string(binary.BigEndian.AppendUint32(slices.Clone(seed), counter)))...)
	}
	return mask[:size]
}
