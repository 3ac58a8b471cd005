package issuertest

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/m2mguard/m2mguard/testdata"
)

// keyRing holds the published keys, oldest generation first. The last one signs.
type keyRing []generation

// generation holds one key of each kind.
type generation map[kind]signingKey

// kind is a sort of key: what it is made of and which algorithms it serves.
type kind string

const (
	kindRSA     kind = "rsa"
	kindP256    kind = "p256"
	kindP384    kind = "p384"
	kindP521    kind = "p521"
	kindEd25519 kind = "ed25519"
)

// kinds lists the kinds in the order in which they are published.
var kinds = []kind{kindRSA, kindP256, kindP384, kindP521, kindEd25519}

// algorithms says which kind of key signs with an algorithm. One RSA key serves
// six of them, so it is published without alg, as real issuers do.
var algorithms = map[string]kind{
	"RS256": kindRSA, "RS384": kindRSA, "RS512": kindRSA,
	"PS256": kindRSA, "PS384": kindRSA, "PS512": kindRSA,
	"ES256": kindP256, "ES384": kindP384, "ES512": kindP521,
	"EdDSA": kindEd25519, "Ed25519": kindEd25519,
}

// rsaPool hands out RSA keys in turn, because generating one takes too long for
// a test. Neighbours in the turn differ.
var rsaPool = struct {
	sync.Mutex
	turn int
	keys func() []*rsa.PrivateKey
}{
	keys: sync.OnceValue(func() []*rsa.PrivateKey {
		var keys []*rsa.PrivateKey
		for _, name := range []string{"rsa-2048-a", "rsa-2048-b", "rsa-2048-c", "rsa-2048-d"} {
			keys = append(keys, testdata.PrivateKey(name).(*rsa.PrivateKey))
		}
		return keys
	}),
}

// otherRSA is an RSA key that no issuer publishes.
var otherRSA = sync.OnceValue(func() crypto.Signer { return testdata.PrivateKey("rsa-3072") })

// nextRSA returns the next key of the pool that is not the previous one.
func nextRSA(previous crypto.Signer) crypto.Signer {
	rsaPool.Lock()
	defer rsaPool.Unlock()
	keys := rsaPool.keys()
	for {
		key := keys[rsaPool.turn%len(keys)]
		rsaPool.turn++
		if crypto.Signer(key) != previous {
			return key
		}
	}
}

// newPrivate makes a key of a kind that is not RSA.
func newPrivate(k kind) crypto.Signer {
	var (
		key crypto.Signer
		err error
	)
	switch k {
	case kindP256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case kindP384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case kindP521:
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case kindEd25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		panic("issuertest: no key of kind " + string(k))
	}
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	return key
}

// otherPrivate returns a key that no issuer publishes, fit for an algorithm.
func otherPrivate(alg string) crypto.Signer {
	if k := algorithms[alg]; k != kindRSA {
		return newPrivate(k)
	}
	return otherRSA()
}

func newKeyRing() keyRing { return keyRing(nil).rotated() }

// rotated returns the ring with a new generation, which shares no key with the
// one before and has key IDs that were never seen.
func (ring keyRing) rotated() keyRing {
	var previous generation
	if len(ring) > 0 {
		previous = ring[len(ring)-1]
	}
	next := make(generation, len(kinds))
	for _, k := range kinds {
		var priv crypto.Signer
		if k == kindRSA {
			priv = nextRSA(previous[k].priv)
		} else {
			priv = newPrivate(k)
		}
		next[k] = signingKey{kid: fmt.Sprintf("%s-%s", k, rand.Text()[:10]), priv: priv}
	}
	return append(slices.Clip(ring), next)
}

// current returns the key that signs with an algorithm.
func (ring keyRing) current(alg string) (signingKey, bool) {
	k, ok := algorithms[alg]
	key := ring[len(ring)-1][k]
	key.alg = alg
	return key, ok
}

// find returns the published key with an ID, for use with an algorithm.
func (ring keyRing) find(kid, alg string) (signingKey, bool) {
	for _, g := range ring {
		if key, ok := g[algorithms[alg]]; ok && key.kid == kid {
			key.alg = alg
			return key, true
		}
	}
	return signingKey{}, false
}

// keySet returns the ring as a JWK Set (RFC 7517 §5).
func (ring keyRing) keySet() []byte {
	set := struct {
		Keys []map[string]string `json:"keys"`
	}{Keys: []map[string]string{}}
	for _, g := range ring {
		for _, k := range kinds {
			set.Keys = append(set.Keys, publicJWK(g[k]))
		}
	}
	data, err := json.Marshal(set)
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	return data
}

// publicJWK writes the public half of a key.
func publicJWK(key signingKey) map[string]string {
	jwk, err := jwkMembers(key.priv.Public())
	if err != nil {
		panic("issuertest: " + err.Error())
	}
	jwk["kid"], jwk["use"] = key.kid, "sig"
	if jwk["kty"] == "EC" {
		jwk["alg"] = map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[jwk["crv"]]
	}
	return jwk
}

// signingKey returns the current key for an algorithm; "" means RS256.
func (iss *Issuer) signingKey(alg string) signingKey {
	alg = cmp.Or(alg, "RS256")
	iss.mu.RLock()
	key, ok := iss.keys.current(alg)
	iss.mu.RUnlock()
	if !ok {
		panic(fmt.Sprintf("issuertest: no key for algorithm %q", alg))
	}
	return key
}

// CurrentKeyID returns the kid of the key that signs with an algorithm now; ""
// means RS256.
func (iss *Issuer) CurrentKeyID(alg string) string { return iss.signingKey(alg).kid }

// Rotate makes new signing keys, with new key IDs. The old ones stay in the
// key set until [Issuer.Retire].
func (iss *Issuer) Rotate() {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.keys = iss.keys.rotated()
}

// Retire takes every key out of the key set that signs no longer.
func (iss *Issuer) Retire() {
	iss.mu.Lock()
	defer iss.mu.Unlock()
	iss.keys = iss.keys[len(iss.keys)-1:]
}

// Sign returns a token of exactly these bytes, signed with the current key for
// alg: a valid signature over whatever a test has in mind. The header need not
// be JSON, nor name the algorithm that signs.
func (iss *Issuer) Sign(header, payload []byte, alg string) string {
	return iss.signingKey(alg).sign(header, payload)
}

// SignWith is [Issuer.Sign] with a test key from package testdata, such as
// "rsa-1024". No issuer publishes those of its own accord, save for the RSA
// keys of 2048 bits; [Issuer.SetJWKS] can.
func (iss *Issuer) SignWith(testKey string, header, payload []byte, alg string) string {
	return signingKey{alg: alg, priv: testdata.PrivateKey(testKey)}.sign(header, payload)
}
