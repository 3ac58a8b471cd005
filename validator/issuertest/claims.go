package issuertest

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"time"
)

// Claims says what a token shall hold. The zero value asks for a good token:
// every field has a default.
type Claims struct {
	_ [0]func()

	Issuer   string   // iss; "" means the issuer's URL
	Subject  string   // sub; "" means ClientID, as in client credentials (RFC 9068 §2.2)
	ClientID string   // client_id; "" means the constant ClientID
	Audience []string // aud; nil means the constant Audience
	Scope    string   // scope, space-delimited; "" leaves the claim out

	IssuedAt  time.Time     // iat; zero means now
	NotBefore time.Time     // nbf; zero leaves the claim out
	Expiry    time.Time     // exp; zero means IssuedAt plus ExpiresIn
	ExpiresIn time.Duration // 0 means one hour; negative is past

	// JWKThumbprint is cnf.jkt: what [Thumbprint] returns for the key whose DPoP
	// proofs the token needs (RFC 9449 §6.1). CertificateThumbprint is
	// cnf.x5t#S256: what the function [CertificateThumbprint] returns for the client
	// certificate that the token needs (RFC 8705 §3.1). "" leaves the member out.
	JWKThumbprint, CertificateThumbprint string

	// Extra holds further claims, and wins over the fields above. A nil value
	// removes the claim.
	Extra map[string]any

	Algorithm string // alg of a JWT; "" means RS256
	KeyID     string // kid of a JWT; "" means the key that signs
	Type      string // typ of a JWT; "" means at+jwt (RFC 9068 §2.1)
}

// Token returns a signed JWT access token. It is good unless c says otherwise.
func (iss *Issuer) Token(c Claims) string {
	key := iss.signingKey(c.Algorithm)
	return iss.jwt(c, key, iss.claims(c))
}

// Opaque returns a token that holds nothing itself: the introspection endpoint
// knows what it stands for. The issuer remembers it until it is closed.
func (iss *Issuer) Opaque(c Claims) string {
	token := randomToken()
	claims := encode(iss.claims(c))
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.opaque[token] = claims
	return token
}

// jwt signs claims with a key, under the header that c asks for.
func (iss *Issuer) jwt(c Claims, key signingKey, claims map[string]any) string {
	return key.sign(c.header(key), encode(claims))
}

func (c Claims) header(key signingKey) []byte {
	return encode(map[string]any{
		"alg": key.alg,
		"kid": cmp.Or(c.KeyID, key.kid),
		"typ": cmp.Or(c.Type, "at+jwt"),
	})
}

// claims turns c into the claims of a token issued now.
func (iss *Issuer) claims(c Claims) map[string]any {
	issuedAt := c.IssuedAt
	if issuedAt.IsZero() {
		issuedAt = iss.clock()
	}
	expiry := c.Expiry
	if expiry.IsZero() {
		expiry = issuedAt.Add(cmp.Or(c.ExpiresIn, time.Hour))
	}
	clientID := cmp.Or(c.ClientID, ClientID)
	claims := map[string]any{
		"iss":       cmp.Or(c.Issuer, iss.url),
		"sub":       cmp.Or(c.Subject, clientID),
		"client_id": clientID,
		"aud":       audience(c.Audience),
		"iat":       issuedAt.Unix(),
		"exp":       expiry.Unix(),
		"jti":       rand.Text(),
	}
	if !c.NotBefore.IsZero() {
		claims["nbf"] = c.NotBefore.Unix()
	}
	if c.Scope != "" {
		claims["scope"] = c.Scope
	}
	if cnf := c.confirmation(); cnf != nil {
		claims["cnf"] = cnf
	}
	change(claims, c.Extra)
	return claims
}

// audience writes one entry as a string and anything else as an array: both are
// in use (RFC 7519 §4.1.3).
func audience(list []string) any {
	switch {
	case list == nil:
		return Audience
	case len(list) == 1:
		return list[0]
	default:
		return list
	}
}

// with returns c with further claims; a nil value removes one.
func (c Claims) with(extra map[string]any) Claims {
	merged := maps.Clone(c.Extra)
	if merged == nil {
		merged = make(map[string]any, len(extra))
	}
	maps.Copy(merged, extra)
	c.Extra = merged
	return c
}

// encode writes a JSON object. It panics on a claim that JSON cannot hold.
func encode(members map[string]any) []byte {
	data, err := json.Marshal(members)
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	return data
}

// randomToken returns 256 random bits as 43 characters of base64url.
func randomToken() string {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(bits[:])
}
