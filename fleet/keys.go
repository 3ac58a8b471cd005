package fleet

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// purpose is what a key is for. Each has its own, so that nothing that was sealed or
// named for one is anything for another.
type purpose string

// The purposes.
const (
	forFeed   purpose = "revocations"         // seals what stands in the set and the log
	forFields purpose = "revocations, fields" // names records in the set
	forOpaque purpose = "revocations, opaque" // hashes opaque tokens
	forAcks   purpose = "acknowledgements"
	// of answers, replays and nonces
	forAnswers     purpose = "answers"
	forAnswerNames purpose = "answers, names"
	forReplays     purpose = "replays"
	forNonces      purpose = "nonces"
)

var purposes = []purpose{forFeed, forFields, forOpaque, forAcks, forAnswers, forAnswerNames, forReplays, forNonces}

// keyring is all that is derived from secrets, the first of which is the one to go by.
type keyring struct {
	secrets [][]byte
	of      map[purpose][]*derived
}

// derived is a key of one purpose, of one secret.
type derived struct {
	key  []byte
	aead cipher.AEAD
}

// keys follows Config.Secrets.
type keys struct {
	name    string
	secrets func() [][]byte
	ring    atomic.Pointer[keyring]
}

func newKeys(name string, secrets func() [][]byte) (*keys, error) {
	k := &keys{name: name, secrets: secrets}
	ring, err := k.derive(secrets())
	if err != nil {
		return nil, err
	}
	k.ring.Store(ring)
	return k, nil
}

// now is the keyring of what Secrets returns now. Where that is none, the last one goes
// on counting, and the error says so.
func (k *keys) now() (*keyring, error) {
	known := k.ring.Load()
	secrets := k.secrets()
	if slices.EqualFunc(secrets, known.secrets, bytes.Equal) {
		return known, nil
	}
	if err := secretFaults(secrets); err != nil {
		return known, err
	}
	ring, err := k.derive(secrets)
	if err != nil {
		return known, err
	}
	k.ring.Store(ring)
	return ring, nil
}

func (k *keys) derive(secrets [][]byte) (*keyring, error) {
	ring := &keyring{of: make(map[purpose][]*derived, len(purposes))}
	for _, secret := range secrets {
		ring.secrets = append(ring.secrets, bytes.Clone(secret))
		for _, p := range purposes {
			key, err := hkdf.Key(sha256.New, secret, nil, "m2mguard fleet 1, "+string(p)+"\x00"+k.name, 32)
			if err != nil {
				return nil, fmt.Errorf("fleet: no key can be derived from Config.Secrets: %w", err)
			}
			block, err := aes.NewCipher(key)
			if err != nil {
				return nil, err
			}
			aead, err := cipher.NewGCMWithRandomNonce(block)
			if err != nil {
				return nil, err
			}
			ring.of[p] = append(ring.of[p], &derived{key, aead})
		}
	}
	return ring, nil
}

func secretFaults(secrets [][]byte) error {
	var faults []error
	if len(secrets) == 0 || len(secrets) > maxSecrets {
		faults = append(faults, fmt.Errorf("fleet: Config.Secrets returns %d, wanted 1 or %d: the one that seals, and another that opens", len(secrets), maxSecrets))
	}
	for n, secret := range secrets {
		if len(secret) < minSecret {
			faults = append(faults, fmt.Errorf("fleet: Config.Secrets returns one of %d bytes, wanted at least %d random ones", len(secret), minSecret))
		}
		if n > 0 && bytes.Equal(secret, secrets[0]) {
			faults = append(faults, errors.New("fleet: Config.Secrets returns the same twice, wanted two or one"))
		}
	}
	return errors.Join(faults...)
}

// sealVersion begins all that is sealed, and is part of what is authenticated.
const sealVersion = 1

// sealExtra is what is added: the version, 12 random bytes, and 16 by which a change
// is noticed.
const sealExtra = 1 + 12 + 16

// seal encrypts text by the first secret's key. What it is sealed for (its place) must
// be named again to open it.
func (r *keyring) seal(p purpose, place string, text []byte) []byte {
	return r.sealBy(p, 0, place, text)
}

// sealBy is seal by another secret's key, for what stands at a place of that one.
func (r *keyring) sealBy(p purpose, secret int, place string, text []byte) []byte {
	out := append(make([]byte, 0, len(text)+sealExtra), sealVersion)
	return r.of[p][secret].aead.Seal(out, nil, text, placeOf(place))
}

var errNotSealed = errors.New("it was altered, cut, or sealed for another place, by another deployment or with a secret that Config.Secrets does not return (any more)")

// open returns what was sealed, and which secret it was sealed by: 0 for the first.
func (r *keyring) open(p purpose, place string, sealed []byte) (text []byte, secret int, err error) {
	if len(sealed) < sealExtra || sealed[0] != sealVersion {
		return nil, 0, errNotSealed
	}
	for n, d := range r.of[p] {
		if text, err := d.aead.Open(nil, nil, sealed[1:], placeOf(place)); err == nil {
			return text, n, nil
		}
	}
	return nil, 0, errNotSealed
}

func placeOf(place string) []byte { return append([]byte{sealVersion}, place...) }

// mac is HMAC-SHA-256 over parts by a secret's key, 0 for the first. No two lists of
// parts give the same bytes.
func (r *keyring) mac(p purpose, secret int, parts ...[]byte) [32]byte {
	h := hmac.New(sha256.New, r.of[p][secret].key)
	for _, part := range parts {
		n := uint64(len(part))
		h.Write([]byte{byte(n >> 56), byte(n >> 48), byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		h.Write(part)
	}
	return [32]byte(h.Sum(nil))
}
