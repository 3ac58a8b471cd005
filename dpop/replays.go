package dpop

import (
	"context"
	"crypto/sha256"
	"time"
)

// Replays remembers the proofs that were seen, so that each is good once (RFC 9449
// §11.1). [Memory] is one for a single process; instances that share their work share
// a store.
//
// It takes a duration and no moment, so that its clock need not agree with ours. Where
// instances share one, their own clocks may differ by Config.MaxAhead and a second; a
// store for clocks that differ by more keeps a proof for as much longer.
type Replays interface {
	// Remember notes a proof for at least keep, and reports whether that is the first
	// time. An error means that nobody knows: the request is refused with
	// ErrUnavailable, and the proof may be spent. ctx ends after a second at most, and
	// then it must return.
	Remember(ctx context.Context, p Seen, keep time.Duration) (first bool, err error)
}

// Seen is a proof that was seen. It tells neither its key nor its jti, and is the
// same on every instance.
type Seen struct {
	// ID is of the key and the jti together: by jti alone a client could spend
	// another's.
	ID [16]byte
	// Holder is of Request.Holder, or else of the key, for a bound on what each may take
	// of the store.
	Holder [16]byte
}

// Of what a proof is remembered by. A thumbprint has one length, so no two pairs with
// a jti read alike.
const (
	seenLabel   = "m2mguard dpop proof\x00"
	keyLabel    = "m2mguard dpop key\x00"
	holderLabel = "m2mguard dpop holder\x00"
)

// seen is remembered of a proof.
func seen(thumbprint *[thumbprintChars]byte, jti, holder string) (s Seen) {
	var room [len(seenLabel) + thumbprintChars + maxJTI]byte
	text := append(room[:0], seenLabel...)
	text = append(text, thumbprint[:]...)
	text = append(text, jti...)
	id := sha256.Sum256(text)
	copy(s.ID[:], id[:])
	if holder != "" {
		text = append(append(room[:0], holderLabel...), holder...)
	} else {
		text = append(append(room[:0], keyLabel...), thumbprint[:]...)
	}
	sum := sha256.Sum256(text)
	copy(s.Holder[:], sum[:])
	return s
}
