package jwks

import (
	"crypto"
	"crypto/fips140"
	"crypto/sha1" // names certificates (RFC 7517 §4.8), and proves nothing
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"strings"
	"sync/atomic"
)

// Key is one public key of a set, and what it may be used for. Its pointer
// stays the same from refresh to refresh for as long as the key does, so a
// cache may hold it and ask [KeySet.Usable].
type Key struct {
	id         string
	hasID      bool
	thumbprint string
	algorithms []string // canonical names that this key serves, sorted, never empty
	public     crypto.PublicKey
	x5t        []string // names of its certificate by SHA-1, in base64url
	x5tS256    []string // and by SHA-256
	alone      [1]*Key  // a list of k, for whoever takes one

	// proven are kids that no key has, under which k verified a signature.
	proven atomic.Pointer[[]string]
	// nameless is set once k verified a signature of a token without a kid.
	nameless atomic.Bool
	// generation is how many sets came before the first one with k.
	generation int

	// retired is set once, when the key leaves the set or changes in it.
	retired atomic.Bool
}

// newKey makes a key without a kid.
func newKey(thumbprint string, algorithms []string, public crypto.PublicKey) *Key {
	k := &Key{thumbprint: thumbprint, algorithms: algorithms, public: public}
	k.alone[0] = k
	return k
}

// ID returns the key's kid, empty if it has none.
func (k *Key) ID() string { return k.id }

// Retired reports whether the key has left its set, or changed in it. An outage or a
// set that has aged retires none.
func (k *Key) Retired() bool { return k.retired.Load() }

// Thumbprint returns the key's RFC 7638 thumbprint: SHA-256, in base64url.
func (k *Key) Thumbprint() string { return k.thumbprint }

// Public returns the key itself: an *rsa.PublicKey of 2048 to 4096 bits, an
// *ecdsa.PublicKey on P-256, P-384 or P-521, or an ed25519.PublicKey. It is
// shared and must not be changed.
func (k *Key) Public() crypto.PublicKey { return k.public }

// serves reports whether k may verify signatures of the canonical algorithm.
func (k *Key) serves(alg string) bool { return slices.Contains(k.algorithms, alg) }

// mostProven is how many kids a key is known by at most: the last ones.
const mostProven = 16

// prove notes that k verified a signature under a kid.
func (k *Key) prove(kid string) {
	for {
		before := k.proven.Load()
		var kids []string
		if before != nil {
			kids = *before
		}
		if slices.Contains(kids, kid) {
			return
		}
		kids = append(slices.Clone(kids[max(0, len(kids)+1-mostProven):]), strings.Clone(kid))
		if k.proven.CompareAndSwap(before, &kids) {
			return
		}
	}
}

// provenBy reports whether k verified a signature under the kid of h, or under none as
// h has none.
func (k *Key) provenBy(h *Hint) bool {
	if !h.HasKeyID {
		return k.nameless.Load()
	}
	kids := k.proven.Load()
	return kids != nil && slices.Contains(*kids, h.KeyID)
}

// named reports whether a hint names the certificate of k.
func (k *Key) named(h *Hint) bool {
	return h.X5T != "" && slices.Contains(k.x5t, h.X5T) || h.X5TS256 != "" && slices.Contains(k.x5tS256, h.X5TS256)
}

// same reports whether other is this key, bound to the same kid, certificate and use.
func (k *Key) same(other *Key) bool {
	return k.id == other.id && k.hasID == other.hasID && k.thumbprint == other.thumbprint &&
		slices.Equal(k.algorithms, other.algorithms) && slices.Equal(k.x5t, other.x5t) && slices.Equal(k.x5tS256, other.x5tS256)
}

// keyName is what a set calls a key: its kid, or for want of one its thumbprint.
type keyName struct {
	text  string
	hasID bool
}

func (k *Key) name() keyName {
	if k.hasID {
		return keyName{k.id, true}
	}
	return keyName{k.thumbprint, false}
}

// nameCertificate notes what a hint may call the key's certificate: as the set does,
// and as it is.
func (k *Key) nameCertificate(x5t, x5tS256 string, cert *x509.Certificate) {
	if cert != nil {
		sum := sha256.Sum256(cert.Raw)
		k.x5tS256 = append(k.x5tS256, encode(sum[:]))
		if !fips140.Enforced() { // which has no SHA-1
			sum := sha1.Sum(cert.Raw)
			k.x5t = append(k.x5t, encode(sum[:]))
		}
	}
	if x5t != "" {
		k.x5t = append(k.x5t, x5t)
	}
	if x5tS256 != "" {
		k.x5tS256 = append(k.x5tS256, x5tS256)
	}
}
