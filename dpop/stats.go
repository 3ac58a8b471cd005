package dpop

import "sync/atomic"

// Stats counts what became of proofs since New, as far as they came: whatever is
// refused before its nonce is in none of it.
type Stats struct {
	// NoncesGood, NoncesMissing and NoncesBad count proofs by their nonce, where
	// Config.Nonces is set: one without has to be made again with the nonce that the
	// answer hands out, and so has one whose nonce is unknown or no longer good. Those
	// of which nobody could tell are Undecided.
	NoncesGood, NoncesMissing, NoncesBad uint64
	// First and Replayed count good proofs: those that were not seen before, and the
	// others.
	First, Replayed uint64
	// Undecided counts those that the store of seen proofs or the nonces failed for.
	Undecided uint64
}

// counters are what Stats is read from. Each counts what costs a signature, or is
// counted less often.
type counters struct {
	noncesGood, noncesMissing, noncesBad, first, replayed, undecided atomic.Uint64
}

// Stats tells how v is doing.
func (v *Verifier) Stats() Stats {
	if v == nil {
		return Stats{}
	}
	c := &v.counters
	return Stats{
		NoncesGood: c.noncesGood.Load(), NoncesMissing: c.noncesMissing.Load(), NoncesBad: c.noncesBad.Load(),
		First: c.first.Load(), Replayed: c.replayed.Load(), Undecided: c.undecided.Load(),
	}
}
