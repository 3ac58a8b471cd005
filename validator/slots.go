package validator

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"time"
)

// slots bound how many signatures of one issuer's tokens are verified at once.
// Anybody can send tokens that name a known key and carry garbage for a
// signature, so what they cost must not add up without end. A P-384 signature
// costs twenty times an RS256 one: keys of that kind have slots of their own, so
// that forgeries under them leave the others' turns alone.
type slots struct {
	usual, costly chan struct{}
}

func newSlots(n int) slots {
	n = max(1, n)
	return slots{make(chan struct{}, n), make(chan struct{}, max(1, n/4))}
}

// costly reports whether verifying with key takes far longer than with RSA
// 2048, P-256 or Ed25519.
func costly(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() > 3072
	case *ecdsa.PublicKey:
		return k.Params().BitSize > 256
	}
	return false
}

// acquire takes a slot, at once if there is one, else within wait.
func (s slots) acquire(ctx context.Context, key crypto.PublicKey, wait time.Duration) (slot, error) {
	pool := s.usual
	if costly(key) {
		pool = s.costly
	}
	select {
	case pool <- struct{}{}:
		return pool, nil
	default:
	}
	if wait <= 0 {
		return nil, errBusy
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case pool <- struct{}{}:
		return pool, nil
	case <-timer.C:
		return nil, errBusy
	case <-ctx.Done():
		return nil, gaveUp(ctx)
	}
}

// slot is a taken place.
type slot chan struct{}

func (s slot) release() { <-s }

var errBusy = &Error{
	check: CheckUnavailable, retryAfter: time.Second,
	text: "too many first-time verifications are under way (Config.VerifySlots, Config.VerifyWait)",
}
