package siege_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// fresh is a good JWT that no API has seen. Ed25519 signs fastest.
func fresh(iss *issuertest.Issuer) string { return freshBy(iss, "EdDSA") }

func freshBy(iss *issuertest.Issuer, alg string) string {
	return iss.Token(issuertest.Claims{Algorithm: alg, Scope: scope, ExpiresIn: 1000 * time.Hour})
}

// several are good JWTs under the keys of now.
func several(iss *issuertest.Issuer, n int) []string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fresh(iss)
	}
	return tokens
}

// opaque is a good opaque token that no API has seen.
func opaque(iss *issuertest.Issuer) string {
	return iss.Opaque(issuertest.Claims{Scope: scope, ExpiresIn: 1000 * time.Hour})
}

// forger makes tokens that are good in all but key or signature, at the cost of
// a few bytes each.
type forger struct{ payload string }

func newForger(iss *issuertest.Issuer) forger {
	return forger{strings.Split(fresh(iss), ".")[1]}
}

// token has a signature of so many random bytes. Zeros at the ends of its halves
// keep its numbers below any modulus and order, big-endian or little, so that it
// takes a whole verification.
func (f forger) token(alg, kid string, size int) string {
	header, err := json.Marshal(map[string]string{"alg": alg, "kid": kid, "typ": "at+jwt"})
	if err != nil {
		panic(err)
	}
	signature := make([]byte, size)
	rand.Read(signature)
	for half := range slices.Chunk(signature, size/2) {
		half[0], half[len(half)-1] = 0, 0
	}
	return segment(header) + "." + f.payload + "." + segment(signature)
}

// madeUp names a key that nobody has.
func (f forger) madeUp() string { return f.token("EdDSA", rand.Text(), 64) }

func segment(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
