package issuertest

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
)

// ProofClaims says what a DPoP proof shall hold (RFC 9449 §4.2).
type ProofClaims struct {
	_ [0]func()

	Method string // htm; "" means GET
	URL    string // htu; a query and a fragment are left out of it

	// Token is the access token that the proof goes with, of which ath is the
	// hash; "" leaves the claim out, as at the token endpoint.
	Token string

	Nonce    string    // nonce, as the server gave it; "" leaves the claim out
	IssuedAt time.Time // iat; zero means now
	ID       string    // jti; "" means a random one

	// Algorithm is alg; "" means what fits the key: ES256, ES384 or ES512, EdDSA,
	// PS256.
	Algorithm string

	// Extra and Header hold further claims and header parameters, and win over
	// the rest. A nil value removes one.
	Extra, Header map[string]any
}

// Proof returns a DPoP proof by a key, for the header field DPoP of one request:
//
//	r.Header.Set("Authorization", "DPoP "+token)
//	r.Header.Set("DPoP", issuertest.Proof(key, issuertest.ProofClaims{
//		Method: r.Method, URL: "https://api.example.test/orders", Token: token,
//	}))
//
// It is good unless c says otherwise. It panics if the key is no RSA, ECDSA or
// Ed25519 key, or does not fit the algorithm. An RSA key of less than 2048 bits fits
// one that is named (RFC 7518 §3.3).
func Proof(key crypto.Signer, c ProofClaims) string {
	return c.signedBy(key, c.header(key))
}

// signedBy signs c under a header, which may be that of another key.
func (c ProofClaims) signedBy(key crypto.Signer, header map[string]any) string {
	alg, _ := header["alg"].(string)
	return signingKey{alg: alg, priv: key}.sign(encode(header), encode(c.claims()))
}

func (c ProofClaims) header(key crypto.Signer) map[string]any {
	jwk, err := jwkMembers(key.Public())
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	alg := c.Algorithm
	if alg == "" {
		alg = proofAlgorithm(key)
	}
	header := map[string]any{"typ": "dpop+jwt", "alg": alg, "jwk": jwk}
	change(header, c.Header)
	return header
}

func (c ProofClaims) claims() map[string]any {
	claims := map[string]any{
		"htm": cmp.Or(c.Method, http.MethodGet),
		"htu": c.target(),
		"iat": c.time().Unix(),
		"jti": cmp.Or(c.ID, rand.Text()),
	}
	if c.Token != "" {
		hash := sha256.Sum256([]byte(c.Token))
		claims["ath"] = segment(hash[:])
	}
	if c.Nonce != "" {
		claims["nonce"] = c.Nonce
	}
	change(claims, c.Extra)
	return claims
}

// target is the URL without query and fragment, and otherwise as it is written.
func (c ProofClaims) target() string {
	if end := strings.IndexAny(c.URL, "?#"); end >= 0 {
		return c.URL[:end]
	}
	return c.URL
}

func (c ProofClaims) time() time.Time {
	if c.IssuedAt.IsZero() {
		return time.Now()
	}
	return c.IssuedAt
}

// with and withHeader return c with a further claim or header parameter; a nil value
// removes it.
func (c ProofClaims) with(claim string, value any) ProofClaims {
	c.Extra = added(c.Extra, claim, value)
	return c
}

func (c ProofClaims) withHeader(name string, value any) ProofClaims {
	c.Header = added(c.Header, name, value)
	return c
}

// added returns a copy of members with one more.
func added(members map[string]any, name string, value any) map[string]any {
	members = maps.Clone(members)
	if members == nil {
		members = make(map[string]any, 1)
	}
	members[name] = value
	return members
}

// change adds members to an object; a nil value removes one.
func change(object, members map[string]any) {
	for name, value := range members {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = value
		}
	}
}

// proofAlgorithm is what a key signs proofs with unless told otherwise.
func proofAlgorithm(key crypto.Signer) string {
	switch keyKind(key.Public()) {
	case kindP256:
		return "ES256"
	case kindP384:
		return "ES384"
	case kindP521:
		return "ES512"
	case kindEd25519:
		return "EdDSA"
	case kindRSA:
		return "PS256"
	default:
		panic(fmt.Sprintf("issuertest: no algorithm for proofs by a %T", key))
	}
}
