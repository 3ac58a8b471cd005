package dpop

import (
	"bytes"
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/internal/jws"
)

// Bounds of SealedConfig.
const (
	defaultLifetime          = 5 * time.Minute
	minLifetime, maxLifetime = 30 * time.Second, time.Hour

	minSecret  = 32
	maxSecrets = 4
)

// SealedConfig is what NewSealed makes nonces by.
type SealedConfig struct {
	_ [0]func()

	// Secrets are of at least 32 random bytes each, at most four, and the same on every
	// instance. The first one seals nonces, and all of them open what was sealed before,
	// or by another instance. To rotate, let a new one be second everywhere, then first,
	// and keep the old one for as long as Lifetime. It is called for each nonce, and must
	// answer from memory. Default one random secret of this process, whose nonces no
	// other instance takes.
	Secrets func() [][]byte

	// Lifetime is how long a nonce is good: 30 s to 1 h, default 5 min. Once the last
	// third of it began, a new one is handed out.
	Lifetime time.Duration

	// Now is the clock; default time.Now. Those of instances may differ by half a
	// minute.
	Now func() time.Time
}

// Sealed makes nonces that hold the time of their issue, sealed by AES-256-GCM, so
// that nothing is kept. They are not tied to a client or a key: RFC 9449 §9 does not
// ask for that, and clients may change their keys.
type Sealed struct {
	secrets  func() [][]byte
	lifetime time.Duration
	now      func() time.Time

	keys   atomic.Pointer[keyring]
	handed atomic.Pointer[handed]
}

// keyring is some secrets with what was derived from them.
type keyring struct {
	secrets [][]byte
	ciphers []cipher.AEAD
}

// handed is the nonce that is handed out for a while: everybody may have the same
// one, so that no flood makes us seal so often that a random IV may come twice.
type handed struct {
	nonce string
	keys  *keyring
	at    int64
}

var _ Nonces = (*Sealed)(nil)

// NewSealed makes nonces for Config.Nonces. Its error holds all faults. It calls
// Secrets once.
func NewSealed(cfg SealedConfig) (*Sealed, error) {
	s := &Sealed{secrets: cfg.Secrets, lifetime: cmp.Or(cfg.Lifetime, defaultLifetime), now: cfg.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if s.secrets == nil {
		own := make([]byte, minSecret)
		_, _ = rand.Read(own) // it never fails
		s.secrets = func() [][]byte { return [][]byte{own} }
	}
	var faults []error
	if s.lifetime < minLifetime || s.lifetime > maxLifetime {
		faults = append(faults, fmt.Errorf("dpop: SealedConfig.Lifetime is %v, wanted %v to %v", cfg.Lifetime, minLifetime, maxLifetime))
	}
	if _, err := s.ring(); err != nil {
		faults = append(faults, err)
	}
	if faults != nil {
		return nil, errors.Join(faults...)
	}
	return s, nil
}

// ring is what the secrets are now.
func (s *Sealed) ring() (*keyring, error) {
	secrets := s.secrets()
	if known := s.keys.Load(); known != nil && known.is(secrets) {
		return known, nil
	}
	if len(secrets) == 0 || len(secrets) > maxSecrets {
		return nil, fmt.Errorf("dpop: SealedConfig.Secrets returns %d secrets, wanted 1 to %d", len(secrets), maxSecrets)
	}
	ring := new(keyring)
	for n, secret := range secrets {
		if len(secret) < minSecret {
			return nil, fmt.Errorf("dpop: SealedConfig.Secrets returns a secret of %d bytes in place %d, wanted at least %d, of a random source", len(secret), n, minSecret)
		}
		aead, err := aeadOf(secret)
		if err != nil {
			return nil, fmt.Errorf("dpop: no key can be derived from SealedConfig.Secrets: %w", err)
		}
		ring.secrets = append(ring.secrets, bytes.Clone(secret))
		ring.ciphers = append(ring.ciphers, aead)
	}
	s.keys.Store(ring)
	return ring, nil
}

func (r *keyring) is(secrets [][]byte) bool {
	if len(secrets) != len(r.secrets) {
		return false
	}
	for n := range secrets {
		if !bytes.Equal(secrets[n], r.secrets[n]) {
			return false
		}
	}
	return true
}

// aeadOf is for one purpose alone, whatever else the secret is for.
func aeadOf(secret []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "m2mguard dpop nonce, AES-256-GCM", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Of a nonce: the IV, the time in seconds since 1970, and the tag.
const (
	timeBytes  = 8
	nonceBytes = 12 + timeBytes + 16
)

// nonceChars is how long a nonce is; base64url is within NQCHAR (RFC 9449 §8.1).
var nonceChars = base64.RawURLEncoding.EncodedLen(nonceBytes)

// Nonce returns the nonce to hand out now.
func (s *Sealed) Nonce(context.Context) (string, error) {
	keys, err := s.ring()
	if err != nil {
		return "", err
	}
	now := s.now().Unix()
	if h := s.handed.Load(); h != nil && h.keys == keys && h.at == now {
		return h.nonce, nil
	}
	var issued [timeBytes]byte
	binary.BigEndian.PutUint64(issued[:], uint64(now))
	nonce := base64.RawURLEncoding.EncodeToString(keys.ciphers[0].Seal(nil, nil, issued[:], nil))
	s.handed.Store(&handed{nonce, keys, now})
	return nonce, nil
}

// ahead is how far the clock of another instance may be ahead of ours.
const ahead = 30 * time.Second

// Judge opens a nonce.
func (s *Sealed) Judge(_ context.Context, nonce string) (Judgement, error) {
	keys, err := s.ring()
	if err != nil {
		return NonceBad, err
	}
	if len(nonce) != nonceChars {
		return NonceBad, nil
	}
	var room [nonceBytes]byte
	sealed, err := jws.AppendDecode(room[:0], nonce)
	if err != nil {
		return NonceBad, nil
	}
	for n, aead := range keys.ciphers {
		issued, err := aead.Open(nil, nil, sealed, nil)
		if err != nil {
			continue
		}
		age := s.now().Sub(time.Unix(int64(binary.BigEndian.Uint64(issued)), 0))
		switch {
		case age < -ahead || age >= s.lifetime:
			return NonceBad, nil
		case n > 0 || age >= s.lifetime/3*2: // the secret of an older one ends, too
			return NonceEnding, nil
		}
		return NonceGood, nil
	}
	return NonceBad, nil
}
