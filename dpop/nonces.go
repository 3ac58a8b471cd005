package dpop

import "context"

// Nonces are what a server has proofs hold, so that they were not made long before
// their use (RFC 9449 §9). [Sealed] keeps none of them.
type Nonces interface {
	// Nonce is the one to hand out now: characters of RFC 9449 §8.1 (NQCHAR), at most
	// 256, that nobody can predict.
	Nonce(ctx context.Context) (string, error)
	// Judge says whether a nonce of a proof is one that was handed out. An error means
	// that nobody knows.
	Judge(ctx context.Context, nonce string) (Judgement, error)
}

// Judgement is what a nonce of a proof is.
type Judgement int

// The judgements.
const (
	NonceBad    Judgement = iota // unknown, or no longer good
	NonceGood                    // good for a while
	NonceEnding                  // good, and the next one is handed out with the answer
)
