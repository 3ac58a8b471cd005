package issuertest

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/testdata"
)

// ProofFlaw is a way in which a DPoP proof can be wrong. Everything else about
// such a proof is right.
type ProofFlaw int

// The ways of being wrong, with the section of RFC 9449 that says so.
const (
	ProofExpired      ProofFlaw = iota + 1 // made an hour ago (§4.3, check 11)
	ProofAhead                             // made in an hour (§4.3, check 11; §11.2)
	ProofOtherMethod                       // for another method (§4.3, check 8)
	ProofOtherPath                         // for another path of the same host (§4.3, check 9)
	ProofOtherHost                         // for the same path of another host (§4.3, check 9)
	ProofOtherToken                        // ath is of another access token (§4.3, check 12)
	ProofNoToken                           // has no ath (§4.3, check 12)
	ProofOtherKey                          // by a key that is not the token's, and says so (§4.3, check 12)
	ProofBadSignature                      // by another key than the jwk that it shows (§4.3, check 6)
	ProofAlgNone                           // alg none and an empty signature (§4.3, check 5; §11.6)
	ProofAlgHS256                          // HMAC with the public key, in PEM, as the secret (§4.3, check 5; §11.6)
	ProofPrivateKey                        // jwk holds the private key, too (§4.3, check 7)
	ProofWrongType                         // typ is JWT (§4.3, check 4; §11.5)
	ProofNoID                              // has no jti (§4.3, check 3)
	ProofLongID                            // jti has 1024 bytes (§11.1)
	ProofCrit                              // has crit, with a parameter that nobody knows (RFC 7515 §4.1.11)
	ProofX5C                               // has x5c, a second statement of the key (RFC 7515 §4.1.6)
	ProofJKU                               // has jku, a second statement of the key (RFC 7515 §4.1.2)
	ProofTwice                             // two good proofs, in two header fields (§4.3, check 1)
	ProofJoined                            // two good proofs, joined by a comma as proxies do (§4.3, check 1)
)

var proofFlaws = map[ProofFlaw]string{
	ProofExpired: "expired", ProofAhead: "ahead of time", ProofOtherMethod: "other method",
	ProofOtherPath: "other path", ProofOtherHost: "other host", ProofOtherToken: "other token",
	ProofNoToken: "no token", ProofOtherKey: "other key", ProofBadSignature: "bad signature",
	ProofAlgNone: "alg none", ProofAlgHS256: "alg HS256", ProofPrivateKey: "private key",
	ProofWrongType: "wrong type", ProofNoID: "no ID", ProofLongID: "long ID", ProofCrit: "crit",
	ProofX5C: "x5c", ProofJKU: "jku", ProofTwice: "twice", ProofJoined: "joined",
}

// String names what is wrong, in a few words.
func (f ProofFlaw) String() string {
	return cmp.Or(proofFlaws[f], fmt.Sprintf("ProofFlaw(%d)", int(f)))
}

// ProofFlaws lists what [BadProof] can make: each must be refused by an API that
// takes DPoP-bound tokens, together with a good token bound to the key. At a token
// endpoint, where there is no token yet, nothing is wrong with ProofOtherToken,
// ProofNoToken and ProofOtherKey.
func ProofFlaws() []ProofFlaw {
	flaws := make([]ProofFlaw, 0, len(proofFlaws))
	for f := ProofExpired; f <= ProofJoined; f++ {
		flaws = append(flaws, f)
	}
	return flaws
}

// BadProof returns a proof that is wrong in one way, and otherwise what c asks
// for, as the lines of the header field DPoP: one line, but for [ProofTwice].
//
//	r.Header["Dpop"] = issuertest.BadProof(issuertest.ProofExpired, key, claims)
//
// The key is the one that the token is bound to. BadProof panics where [Proof]
// does, if there is no such flaw, and for ProofOtherToken and ProofNoToken if c
// has no Token.
func BadProof(flaw ProofFlaw, key crypto.Signer, c ProofClaims) []string {
	if _, ok := proofFlaws[flaw]; !ok {
		panic("issuertest: no proof is bad in that way: " + flaw.String())
	}
	if c.Token == "" && (flaw == ProofOtherToken || flaw == ProofNoToken) {
		panic(fmt.Sprintf("issuertest: a proof without Token cannot be bad in that way: %v", flaw))
	}
	switch flaw {
	case ProofOtherKey:
		key = unlike(key)
	case ProofBadSignature:
		return []string{c.signedBy(unlike(key), c.header(key))}
	case ProofAlgNone:
		return []string{c.withHeader("alg", "none").unsigned(key) + "."}
	case ProofAlgHS256:
		input := c.withHeader("alg", "HS256").unsigned(key)
		return []string{input + "." + hmacOf(input, key.Public())}
	case ProofTwice:
		return []string{Proof(key, c), Proof(key, c)}
	case ProofJoined:
		return []string{Proof(key, c) + ", " + Proof(key, c)}
	default:
		c = c.spoiled(flaw, key)
	}
	return []string{Proof(key, c)}
}

// spoiled returns c with one flaw of its header or its claims.
func (c ProofClaims) spoiled(flaw ProofFlaw, key crypto.Signer) ProofClaims {
	switch flaw {
	case ProofExpired:
		c.IssuedAt = c.time().Add(-time.Hour)
	case ProofAhead:
		c.IssuedAt = c.time().Add(time.Hour)
	case ProofOtherMethod:
		if c.Method == http.MethodPost {
			c.Method = http.MethodGet
		} else {
			c.Method = http.MethodPost
		}
	case ProofOtherPath:
		c.URL = strings.TrimSuffix(c.target(), "/") + "/other"
	case ProofOtherHost:
		u, err := url.Parse(c.target())
		if err != nil {
			panic("issuertest: " + err.Error())
		}
		u.Host = "other.example.test"
		c.URL = u.String()
	case ProofOtherToken:
		c.Token = randomToken()
	case ProofNoToken:
		c.Token = ""
	case ProofPrivateKey:
		return c.withHeader("jwk", privateJWK(key))
	case ProofWrongType:
		return c.withHeader("typ", "JWT")
	case ProofNoID:
		return c.with("jti", nil)
	case ProofLongID:
		c.ID = strings.Repeat("j", 1024)
	case ProofCrit:
		const extension = "https://example.test/extension"
		return c.withHeader(extension, true).withHeader("crit", []string{extension})
	case ProofX5C:
		cert := selfSigned("proof", key)
		return c.withHeader("x5c", []string{base64.StdEncoding.EncodeToString(cert.Raw)})
	case ProofJKU:
		return c.withHeader("jku", "https://other.example.test/jwks")
	}
	return c
}

// unsigned is what a signature would be over (RFC 7515 §5.1).
func (c ProofClaims) unsigned(key crypto.Signer) string {
	return segment(encode(c.header(key))) + "." + segment(encode(c.claims()))
}

// unlike returns another key of the same kind.
func unlike(key crypto.Signer) crypto.Signer {
	k := keyKind(key.Public())
	if k != kindRSA {
		return newPrivate(k)
	}
	if other := otherRSA(); !other.Public().(*rsa.PublicKey).Equal(key.Public()) {
		return other
	}
	return testdata.PrivateKey("rsa-2048-a")
}

// privateJWK writes a key together with d, its private half.
func privateJWK(key crypto.Signer) map[string]string {
	jwk, err := jwkMembers(key.Public())
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	jwk = maps.Clone(jwk)
	switch key := key.(type) {
	case *rsa.PrivateKey:
		jwk["d"] = segment(key.D.Bytes())
	case *ecdsa.PrivateKey:
		d, err := key.Bytes()
		if err != nil {
			panic("issuertest: " + err.Error())
		}
		jwk["d"] = segment(d)
	case ed25519.PrivateKey:
		jwk["d"] = segment(key.Seed())
	default:
		panic(fmt.Sprintf("issuertest: a %T does not show its private half", key))
	}
	return jwk
}
