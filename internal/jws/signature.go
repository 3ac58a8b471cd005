package jws

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// ErrSignature is a signature that does not verify, or a key that the
// algorithm cannot use. It is one error so that it tells a forger nothing.
var ErrSignature = errors.New("does not verify")

// verifiers are jwx's, one per algorithm; they are immutable and shared.
var verifiers = func() map[string]jws.Verifier {
	m := make(map[string]jws.Verifier, len(suites))
	for alg := range suites {
		v, err := jws.NewVerifier(jwa.SignatureAlgorithm(alg))
		if err != nil {
			panic("m2mguard: jwx knows no " + alg)
		}
		m[alg] = v
	}
	return m
}()

// Sign returns the compact form of a payload under a header. Its only use is
// this API's own client assertions (RFC 7523): tokens are never issued here.
func Sign(alg string, key crypto.Signer, header, payload []byte) (string, error) {
	if !Fits(alg, key.Public()) {
		return "", fmt.Errorf("a key of type %T cannot sign with %q", key.Public(), alg)
	}
	signer, err := jws.NewSigner(jwa.SignatureAlgorithm(alg))
	if err != nil {
		return "", err
	}
	input := base64url.EncodeToString(header) + "." + base64url.EncodeToString(payload)
	signature, err := signer.Sign([]byte(input), key)
	if err != nil {
		return "", fmt.Errorf("the key cannot sign: %w", err)
	}
	return input + "." + base64url.EncodeToString(signature), nil
}

// Verify checks one signature with one key under the canonical algorithm alg.
// It returns nil or ErrSignature.
func Verify(alg string, key crypto.PublicKey, signingInput string, signature []byte) error {
	if !Fits(alg, key) {
		return ErrSignature
	}
	switch s := suites[alg]; {
	case s.pss:
		return verifyPSS(s.hash, key.(*rsa.PublicKey), signingInput, signature)
	case s.family == familyEC:
		return verifyECDSA(s.hash, key.(*ecdsa.PublicKey), signingInput, signature)
	}
	if err := verifiers[alg].Verify(bytesOf(signingInput), signature, key); err != nil {
		return ErrSignature
	}
	return nil
}

// verifyPSS stands in for jwx's PS verifiers, which take a salt of any length;
// RFC 7518 §3.5 wants exactly the length of the hash.
func verifyPSS(hash crypto.Hash, key *rsa.PublicKey, signingInput string, signature []byte) error {
	h := hash.New()
	h.Write(bytesOf(signingInput))
	opts := rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	if err := rsa.VerifyPSS(key, hash, h.Sum(nil), signature, &opts); err != nil {
		return ErrSignature
	}
	return nil
}

// verifyECDSA stands in for jwx's ES verifiers, which make fourteen objects more, where
// a proof of possession verifies one signature for each request. A signature is r and
// s, each as long as the curve's order (RFC 7518 §3.4); the standard library takes
// them in DER.
func verifyECDSA(hash crypto.Hash, key *ecdsa.PublicKey, signingInput string, signature []byte) error {
	size := (key.Curve.Params().BitSize + 7) / 8
	if len(signature) != 2*size {
		return ErrSignature
	}
	var room [maxDER]byte
	der := appendInteger(room[:3], signature[:size])
	der = appendInteger(der, signature[size:])
	const sequence, long = 0x30, 0x81 // and a length in an octet of its own
	der[0], der[1], der[2] = sequence, long, byte(len(der)-3)
	if len(der)-3 < 0x80 { // one octet says it
		der = der[1:]
		der[0], der[1] = sequence, byte(len(der)-2)
	}
	h := hash.New()
	h.Write(bytesOf(signingInput))
	if !ecdsa.VerifyASN1(key, h.Sum(nil), der) {
		return ErrSignature
	}
	return nil
}

// maxDER is how long a signature by P-521 may be in DER.
const maxDER = 3 + 2*(2+1+66)

// appendInteger appends an unsigned number in DER (X.690 §8.3): without leading zeros,
// but with one where the first bit is set.
func appendInteger(der, number []byte) []byte {
	number = bytes.TrimLeft(number, "\x00")
	const integer = 2
	if len(number) == 0 || number[0] >= 0x80 {
		der = append(der, integer, byte(len(number)+1), 0)
	} else {
		der = append(der, integer, byte(len(number)))
	}
	return append(der, number...)
}
