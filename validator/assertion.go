package validator

import (
	"context"
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/typednil"
	"github.com/m2mguard/m2mguard/introspection"
)

// assertionLifetime is how long a client assertion is good for: one request,
// and clocks that differ.
const assertionLifetime = time.Minute

// NewAssertionSigner returns what [introspection.PrivateKeyJWT] signs with: it
// makes client assertions (RFC 7523 §3) for clientID, each for one request. key
// is this API's private key, which may live in a KMS or HSM; keyID goes into kid
// unless it is empty; algorithm is one of RS256, RS384, RS512, PS256, PS384,
// PS512, ES256, ES384, ES512 and EdDSA, and must fit the key. An error of
// key.Sign reaches logs and must hold no secret. Under GODEBUG=fips140=only an
// RSA key that Go does not sign with is an error here.
func NewAssertionSigner(clientID string, key crypto.Signer, keyID, algorithm string) (introspection.AssertionSigner, error) {
	switch {
	case clientID == "":
		return nil, errors.New("validator: NewAssertionSigner: the client id is empty")
	case !utf8.ValidString(clientID):
		return nil, errors.New("validator: NewAssertionSigner: the client id is not UTF-8")
	case key == nil || typednil.Is(key):
		return nil, errors.New("validator: NewAssertionSigner: the key is nil")
	case !jws.Fits(jws.Canonical(algorithm), key.Public()):
		return nil, errors.New("validator: NewAssertionSigner: the key cannot sign with this algorithm: wanted RSA of 2048 to 4096 bits for RS and PS, the curve of the name for ES, Ed25519 for EdDSA")
	}
	header := map[string]string{"alg": algorithm, "typ": "JWT"}
	if keyID != "" {
		header["kid"] = keyID
	}
	text, err := json.Marshal(header)
	if err != nil {
		return nil, errors.New("validator: NewAssertionSigner: the key id is not UTF-8")
	}
	s := &assertionSigner{clientID: clientID, key: key, algorithm: jws.Canonical(algorithm), header: text}
	if _, here := key.(*rsa.PrivateKey); here && fips140.Enforced() {
		if _, err := jws.Sign(s.algorithm, key, text, nil); err != nil {
			return nil, fmt.Errorf("validator: NewAssertionSigner: under GODEBUG=fips140=only %w: wanted two primes of one size, an even number of bits and an exponent of at least 65537 (FIPS 186-5 A.1.1)", err)
		}
	}
	return s, nil
}

type assertionSigner struct {
	clientID  string
	key       crypto.Signer
	algorithm string
	header    []byte
}

var _ introspection.AssertionSigner = (*assertionSigner)(nil)

// SignAssertion implements [introspection.AssertionSigner].
func (s *assertionSigner) SignAssertion(_ context.Context, audience string) (string, error) {
	now := time.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": s.clientID,
		"sub": s.clientID,
		"aud": audience,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(assertionLifetime).Unix(),
	})
	if err != nil {
		return "", err
	}
	return jws.Sign(s.algorithm, s.key, s.header, payload)
}
