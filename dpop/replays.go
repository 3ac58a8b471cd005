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
// It takes a duration and no moment, so that its clock need not agree with ours.
type Replays interface {
	// Remember notes a proof for at least keep, and reports whether that is the first
	// time. An error means that nobody knows: the request is refused with
	// ErrUnavailable, and the proof may be spent.
	Remember(ctx context.Context, p Seen, keep time.Duration) (first bool, err error)
}

// Seen is a proof that was seen. It tells neither its key nor its jti, and is the
// same on every instance.
type Seen struct {
	// ID is of the key and the jti together: by jti alone a client could spend
	// another's.
	ID [16]byte
	// Holder is of the key alone, for a bound on what each key may take of the store.
	Holder [16]byte
}

// Of what a proof is remembered by. A thumbprint has one length, so no two pairs with
// a jti read alike.
const (
	seenLabel   = "m2mguard dpop proof\x00"
	holderLabel = "m2mguard dpop key\x00"
)

// seen is remembered of a proof.
func seen(thumbprint *[thumbprintChars]byte, jti string) (s Seen) {
	var room [len(seenLabel) + thumbprintChars + maxJTI]byte
	text := append(room[:0], seenLabel...)
	text = append(text, thumbprint[:]...)
	text = append(text, jti...)
	id := sha256.Sum256(text)
	copy(s.ID[:], id[:])
	text = append(room[:0], holderLabel...)
	text = append(text, thumbprint[:]...)
	holder := sha256.Sum256(text)
	copy(s.Holder[:], holder[:])
	return s
}
