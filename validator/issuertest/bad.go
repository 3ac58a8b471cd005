package issuertest

import (
	"cmp"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bad is a way in which a token can be wrong. Everything else about such a token
// is right.
type Bad int

// The ways of being wrong. [Bads] and [OpaqueBads] say which apply to which
// tokens.
const (
	Expired       Bad = iota + 1 // ended an hour ago
	NotYetValid                  // begins in an hour
	NoExpiry                     // has no exp
	WrongAudience                // meant for another API
	NoAudience                   // has no aud
	WrongIssuer                  // names another issuer, though signed with this one's key
	Tampered                     // claims changed after signing
	OtherKey                     // signed with a key that is not the issuer's, under the kid of one that is
	UnknownKey                   // signed with a key that is not the issuer's, under a kid made up for this token
	AlgNone                      // alg none and an empty signature (RFC 8725 §2.1)
	AlgHS256                     // HMAC with the issuer's RSA public key, in PEM, as the secret (RFC 8725 §2.1)
	SenderBound                  // bound by cnf to a client certificate that nobody has (RFC 8705 §3.1)
	Malformed                    // the claims are broken JSON, rightly signed
	Revoked                      // revoked at the issuer
	Unknown                      // never issued
)

// String names what is wrong, in a few words.
func (b Bad) String() string {
	names := [...]string{
		Expired: "expired", NotYetValid: "not yet valid", NoExpiry: "no expiry",
		WrongAudience: "wrong audience", NoAudience: "no audience", WrongIssuer: "wrong issuer",
		Tampered: "tampered", OtherKey: "other key", UnknownKey: "unknown key",
		AlgNone: "alg none", AlgHS256: "alg HS256", SenderBound: "sender-bound",
		Malformed: "malformed", Revoked: "revoked", Unknown: "unknown",
	}
	if b < Expired || int(b) >= len(names) {
		return fmt.Sprintf("Bad(%d)", int(b))
	}
	return names[b]
}

// Bads lists what [Issuer.Bad] can make: each must be refused by an API that
// checks tokens by the issuer's keys.
func Bads() []Bad {
	return []Bad{
		Expired, NotYetValid, NoExpiry, WrongAudience, NoAudience, WrongIssuer, Tampered,
		OtherKey, UnknownKey, AlgNone, AlgHS256, SenderBound, Malformed,
	}
}

// OpaqueBads lists what [Issuer.BadOpaque] can make: each must be refused by an
// API that checks tokens by introspection. The issuer calls the expired, the
// not yet valid, the revoked and the unknown inactive; the others it calls
// active, and leaves the check of what it says to the API.
func OpaqueBads() []Bad {
	return []Bad{
		Expired, NotYetValid, WrongAudience, NoAudience, WrongIssuer, SenderBound, Revoked, Unknown,
	}
}

// Bad returns a JWT that is wrong in one way, and otherwise what c asks for. It
// panics if kind is not one of [Bads].
func (iss *Issuer) Bad(kind Bad, c Claims) string {
	if !slices.Contains(Bads(), kind) {
		panic(fmt.Sprintf("issuertest: no JWT is bad in that way: %v", kind))
	}
	key := iss.signingKey(c.Algorithm)
	switch kind {
	case Tampered:
		return iss.tampered(c)
	case OtherKey:
		key.priv = otherPrivate(key.alg)
	case UnknownKey:
		key.priv = otherPrivate(key.alg)
		c.KeyID = cmp.Or(c.KeyID, "unknown-"+rand.Text())
	case AlgNone:
		key.alg = "none"
		return segment(c.header(key)) + "." + segment(encode(iss.claims(c))) + "."
	case AlgHS256:
		return iss.confused(c)
	case Malformed:
		claims := encode(iss.claims(c))
		return key.sign(c.header(key), claims[:len(claims)-1])
	default:
		c = iss.spoil(kind, c)
	}
	return iss.jwt(c, key, iss.claims(c))
}

// BadOpaque returns an opaque token that is wrong in one way, and otherwise what
// c asks for. It panics if kind is not one of [OpaqueBads].
func (iss *Issuer) BadOpaque(kind Bad, c Claims) string {
	if !slices.Contains(OpaqueBads(), kind) {
		panic(fmt.Sprintf("issuertest: no opaque token is bad in that way: %v", kind))
	}
	switch kind {
	case Unknown:
		return randomToken()
	case Revoked:
		token := iss.Opaque(c)
		iss.Revoke(token)
		return token
	default:
		return iss.Opaque(iss.spoil(kind, c))
	}
}

// spoil makes claims wrong in one way.
func (iss *Issuer) spoil(kind Bad, c Claims) Claims {
	switch kind {
	case Expired:
		c.IssuedAt = iss.clock().Add(-2 * time.Hour)
		c.Expiry = iss.clock().Add(-time.Hour)
	case NotYetValid:
		c.NotBefore = iss.clock().Add(time.Hour)
		c.Expiry = iss.clock().Add(2 * time.Hour)
	case NoExpiry:
		c = c.with(map[string]any{"exp": nil})
	case WrongAudience:
		c.Audience = []string{"https://other.example.test"}
	case NoAudience:
		c = c.with(map[string]any{"aud": nil})
	case WrongIssuer:
		c.Issuer = "https://other-issuer.example.test"
	case SenderBound:
		c = c.with(map[string]any{"cnf": map[string]string{"x5t#S256": randomToken()}})
	}
	return c
}

// tampered signs claims and then grants more than was signed.
func (iss *Issuer) tampered(c Claims) string {
	token := iss.Token(c)
	c.Scope = strings.TrimSpace(c.Scope + " admin")
	header, rest, _ := strings.Cut(token, ".")
	_, signature, _ := strings.Cut(rest, ".")
	return header + "." + segment(encode(iss.claims(c))) + "." + signature
}

// confused signs with HMAC, with the public key as the shared secret. A verifier
// that lets the header choose the algorithm accepts it.
func (iss *Issuer) confused(c Claims) string {
	key := iss.signingKey("RS256")
	key.alg = "HS256"
	input := segment(c.header(key)) + "." + segment(encode(iss.claims(c)))
	return input + "." + hmacOf(input, key.priv.Public())
}

// hmacOf signs with HMAC, with a public key in PEM as the secret.
func hmacOf(input string, pub crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(input))
	return segment(mac.Sum(nil))
}
