package issuertest

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// signingKey is a private key, the algorithm it is used with, and its name in
// the key set.
type signingKey struct {
	alg  string
	kid  string
	priv crypto.Signer
}

// sign returns the compact serialization (RFC 7515 §7.1) of exactly these bytes.
func (k signingKey) sign(header, payload []byte) string {
	input := segment(header) + "." + segment(payload)
	signer, err := jws.NewSigner(primitive(k.alg))
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	signature, err := signer.Sign([]byte(input), k.priv)
	if err != nil {
		panic(fmt.Sprintf("issuertest: signing with %s: %v", k.alg, err))
	}
	return input + "." + segment(signature)
}

// verify reports whether the signature of a compact serialization is by k.
func (k signingKey) verify(token string) bool { return signedWith(k.alg, k.priv.Public(), token) }

// signedWith reports whether the signature of a compact serialization is by a key.
func signedWith(alg string, key crypto.PublicKey, token string) bool {
	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.Strict().DecodeString(token[dot+1:])
	if err != nil || dot < 0 {
		return false
	}
	verifier, err := jws.NewVerifier(primitive(alg))
	return err == nil && verifier.Verify([]byte(token[:dot]), signature, key) == nil
}

// primitive names an algorithm as jwx knows it: it has no Ed25519 (RFC 9864),
// which signs as EdDSA does.
func primitive(alg string) jwa.SignatureAlgorithm {
	if alg == "Ed25519" {
		return jwa.EdDSA
	}
	return jwa.SignatureAlgorithm(alg)
}

// segment encodes one part of a compact serialization.
func segment(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
