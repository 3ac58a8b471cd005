package proofs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"sync"

	"github.com/m2mguard/m2mguard/testdata"
)

// publicKey is the public half of a test key, without kid.
func publicKey(name string) object {
	var members map[string]string
	if err := json.Unmarshal(testdata.PublicKey(name), &members); err != nil {
		panic("proofs: " + err.Error())
	}
	return jwkOf(members)
}

// privateKey is all of a test key.
func privateKey(name string) map[string]string {
	var members map[string]string
	if err := json.Unmarshal(testdata.Key(name), &members); err != nil {
		panic("proofs: " + err.Error())
	}
	return members
}

func jwkOf(members map[string]string) (jwk object) {
	for _, name := range []string{"kty", "crv", "x", "y", "n", "e"} {
		if members[name] != "" {
			jwk = append(jwk, member{name, quote(members[name])})
		}
	}
	return jwk
}

// thumbprint is of RFC 7638 §3, by a JSON library that sorts names.
func thumbprint(jwk object) string {
	members := make(map[string]json.RawMessage)
	for _, m := range jwk {
		switch m.name {
		case "kty", "crv", "x", "y", "n", "e":
			members[m.name] = json.RawMessage(m.text)
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		return "" // of a key that is none
	}
	sum := sha256.Sum256(text)
	return segment(sum[:])
}

// private returns a test key, parsed once.
func private(name string) crypto.Signer {
	key, ok := parsed.Load(name)
	if !ok {
		key, _ = parsed.LoadOrStore(name, testdata.PrivateKey(name))
	}
	return key.(crypto.Signer)
}

var parsed sync.Map

func segment[T string | []byte](data T) string {
	return base64.RawURLEncoding.EncodeToString([]byte(data))
}

// sign signs any two texts.
func sign(header, payload, key, alg string) string {
	return seal(segment(header)+"."+segment(payload), key, alg)
}

// seal adds the signature to what it covers, which need not be base64url.
func seal(input, key, alg string) string {
	return input + "." + segment(signature(input, key, alg))
}

// signature is by the standard library alone, also with what does not belong together.
// Where a key cannot sign, it is some octets.
func signature(input, key, alg string) []byte {
	hash := hashBy(alg)
	digest := hash.New()
	digest.Write([]byte(input))
	sum := digest.Sum(nil)
	var out []byte
	var err error
	switch k := private(key).(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < 2048 {
			return make([]byte, 128)
		}
		if strings.HasPrefix(alg, "PS") {
			out, err = rsa.SignPSS(rand.Reader, k, hash, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			out, err = rsa.SignPKCS1v15(nil, k, hash, sum)
		}
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, k, sum); err == nil {
			out = fixed(k, r, s)
		}
	case ed25519.PrivateKey:
		out = ed25519.Sign(k, []byte(input))
	}
	if err != nil {
		panic("proofs: " + alg + " with " + key + ": " + err.Error())
	}
	return out
}

// fixed writes r and s as RFC 7518 §3.4 has it.
func fixed(k *ecdsa.PrivateKey, r, s *big.Int) []byte {
	size := (k.Params().BitSize + 7) / 8
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out
}

func hashBy(alg string) crypto.Hash {
	switch {
	case strings.HasSuffix(alg, "384"):
		return crypto.SHA384
	case strings.HasSuffix(alg, "512"):
		return crypto.SHA512
	}
	return crypto.SHA256
}

// mac is an HMAC in place of a signature.
func mac(input string, secret []byte) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(input))
	return input + "." + segment(h.Sum(nil))
}
