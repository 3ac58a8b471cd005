package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rsa"
)

// RSA key sizes in bits. RFC 7518 §3.3 asks for at least 2048; above 4096 one
// forged signature costs more than a millisecond.
const (
	MinRSABits = 2048
	MaxRSABits = 4096
)

// Algorithms lists the supported signature algorithms (RFC 7518 §3.1, RFC 8037
// §3.1). "Ed25519" (RFC 9864) is an alias of EdDSA and not listed.
func Algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// Canonical returns the name under which an algorithm is known here: RFC 9864's
// Ed25519 and the older EdDSA are the same signature by the same key.
func Canonical(alg string) string {
	if alg == "Ed25519" {
		return "EdDSA"
	}
	return alg
}

// Supported reports whether the canonical name alg is one of Algorithms.
func Supported(alg string) bool {
	_, ok := suites[alg]
	return ok
}

// Fits reports whether a key can verify signatures of the canonical algorithm:
// family, curve (RFC 7518 §3.4) and RSA size.
func Fits(alg string, key crypto.PublicKey) bool {
	s, ok := suites[alg]
	if !ok {
		return false
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		return s.family == familyRSA && k.N.BitLen() >= MinRSABits && k.N.BitLen() <= MaxRSABits
	case *ecdsa.PublicKey:
		return s.family == familyEC && k.Curve == s.curve
	case ed25519.PublicKey:
		return s.family == familyEd && len(k) == ed25519.PublicKeySize
	}
	return false
}

// ApprovedRSA reports whether Go verifies with an RSA key of this size and
// exponent: under GODEBUG=fips140=only it keeps to FIPS 186-5 A.1.1, which is
// narrower than RFC 7518.
func ApprovedRSA(bits, exponent int) bool {
	return !fips140.Enforced() || bits%2 == 0 && exponent > 1<<16
}

type family int

const (
	familyRSA family = iota + 1
	familyEC
	familyEd
)

// suite is what one algorithm name stands for.
type suite struct {
	family family
	hash   crypto.Hash
	curve  elliptic.Curve
	pss    bool
}

var suites = map[string]suite{
	"RS256": {family: familyRSA, hash: crypto.SHA256},
	"RS384": {family: familyRSA, hash: crypto.SHA384},
	"RS512": {family: familyRSA, hash: crypto.SHA512},
	"PS256": {family: familyRSA, hash: crypto.SHA256, pss: true},
	"PS384": {family: familyRSA, hash: crypto.SHA384, pss: true},
	"PS512": {family: familyRSA, hash: crypto.SHA512, pss: true},
	"ES256": {family: familyEC, hash: crypto.SHA256, curve: elliptic.P256()},
	"ES384": {family: familyEC, hash: crypto.SHA384, curve: elliptic.P384()},
	"ES512": {family: familyEC, hash: crypto.SHA512, curve: elliptic.P521()},
	"EdDSA": {family: familyEd},
}
