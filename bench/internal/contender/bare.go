package contender

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
)

var errSignature = errors.New("the signature does not verify")

// Bare is the measure of all this: the standard library's verification with the
// work that no verifier can avoid, hashing the signing input and decoding the
// signature from base64url. It finds no key and reads no claim. The returned
// function verifies raw alone, so that it need not even be taken apart, and has
// a buffer of its own, so that it allocates nothing: it is for one goroutine.
func Bare(f *fixture.Fixture, raw string) (func() error, error) {
	verify, err := primitive(f)
	if err != nil {
		return nil, err
	}
	return onSignature(raw, verify), nil
}

// Primitive is Bare through jwx, whose verifiers m2mguard calls.
func Primitive(f *fixture.Fixture, raw string) (func() error, error) {
	verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(f.Algorithm))
	if err != nil {
		return nil, err
	}
	return onSignature(raw, func(input, signature []byte) error {
		return verifier.Verify(input, signature, f.Key)
	}), nil
}

// onSignature decodes the signature of raw anew for each verification.
func onSignature(raw string, verify func(input, signature []byte) error) func() error {
	text := []byte(raw)
	dot := bytes.LastIndexByte(text, '.')
	input, encoded := text[:dot], text[dot+1:]
	buffer := make([]byte, base64.RawURLEncoding.DecodedLen(len(encoded)))
	return func() error {
		n, err := base64.RawURLEncoding.Decode(buffer, encoded)
		if err != nil {
			return err
		}
		return verify(input, buffer[:n])
	}
}

func primitive(f *fixture.Fixture) (func(input, signature []byte) error, error) {
	switch key := f.Key.(type) {
	case *rsa.PublicKey:
		if f.Algorithm == "PS256" {
			options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			return func(input, signature []byte) error {
				digest := sha256.Sum256(input)
				return rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, options)
			}, nil
		}
		return func(input, signature []byte) error {
			digest := sha256.Sum256(input)
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature)
		}, nil
	case *ecdsa.PublicKey:
		der := make([]byte, 0, maxDER)
		return func(input, signature []byte) error {
			digest := sha256.Sum256(input)
			if !ecdsa.VerifyASN1(key, digest[:], appendDER(der, signature)) {
				return errSignature
			}
			return nil
		}, nil
	case ed25519.PublicKey:
		return func(input, signature []byte) error {
			if !ed25519.Verify(key, input, signature) {
				return errSignature
			}
			return nil
		}, nil
	default:
		return nil, fmt.Errorf("contender: no primitive for %T", key)
	}
}

// maxDER is the length of the longest ASN.1 form of a P-256 signature.
const maxDER = 2 + 2*(2+33)

// appendDER turns R‖S (RFC 7518 §3.4) into the ASN.1 form that the standard
// library verifies. ecdsa.Verify takes two big.Ints instead, and turns them
// into the same form inside: this is the cheaper way by 10 allocations, so it
// is the stricter measure.
func appendDER(dst, signature []byte) []byte {
	half := len(signature) / 2
	dst = append(dst, 0x30, 0) // SEQUENCE
	for _, integer := range [][]byte{signature[:half], signature[half:]} {
		integer = bytes.TrimLeft(integer, "\x00")
		sign := 0
		if len(integer) == 0 || integer[0] >= 0x80 {
			sign = 1
		}
		dst = append(dst, 0x02, byte(sign+len(integer))) // INTEGER
		if sign == 1 {
			dst = append(dst, 0)
		}
		dst = append(dst, integer...)
	}
	dst[1] = byte(len(dst) - 2)
	return dst
}
