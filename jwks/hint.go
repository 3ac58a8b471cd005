package jwks

import (
	"context"
	"errors"
)

// MaxCandidates is how many keys are tried for one token that names none of them:
// what a forged one can cost.
const MaxCandidates = 4

// Hint is what a JOSE header says of the key that signed (RFC 7515 §4.1). It
// chooses among the keys of a set, and proves nothing.
type Hint struct {
	_ [0]func()

	KeyID     string // kid
	HasKeyID  bool   // there is a kid, though it may be empty
	Algorithm string // alg
	X5T       string // x5t, in base64url; empty for none
	X5TS256   string // x5t#S256, in base64url; empty for none
}

// Candidates returns the keys that may have signed what h describes, at most
// [MaxCandidates], for the caller to try in their order. Each serves h.Algorithm.
//
//   - A kid that a key has means that key and no other.
//   - A kid that no key has causes a fetch, as for [KeySet.Lookup]. If it stays
//     unknown, keys that have no kid themselves may have signed. Where there are such
//     keys, the fetch is waited for [Config.RefreshWait] at most, and not at all once
//     one of them verified a signature under this kid: see [KeySet.Proved].
//   - Without a kid, every key may have signed.
//
// Where an x5t or x5t#S256 names some of the last two, it is only those. Whatever a
// key is chosen by, its signature alone proves anything.
//
// If none of them verifies, the caller asks again, with all that were tried: for a
// token without a kid, or with one that was proved, a newer set may hold its key. That may cause a fetch, within
// the bounds for unknown kids, and no more than MaxCandidates are tried in all: one
// trial is kept for a key of that set.
//
// Errors are those of Lookup; [ErrKeyNotFound] says that no key is left to try.
func (s *KeySet) Candidates(ctx context.Context, h Hint, tried ...*Key) ([]*Key, error) {
	c, err := s.find(ctx, &h, tried)
	switch {
	case err != nil:
		return nil, err
	case c.n > 0:
		return c.list(), nil
	}
	return nil, &notFoundError{c.why, h.KeyID, h.Algorithm, h.HasKeyID}
}

// Held is what [KeySet.Candidates] has without asking anybody: of the set that serves
// now, which it does not keep in use. Without one, the error is an [*UnavailableError].
// It is for explanations: a newer set may have the key that [ErrKeyNotFound] is about.
func (s *KeySet) Held(h Hint, tried ...*Key) ([]*Key, error) {
	set := s.serving.Load()
	if set == nil {
		return nil, unavailable(s.config.MinFetchInterval, errNoneHeld)
	}
	c := set.find(&h, tried, s.source != nil)
	if c.n == 0 {
		return nil, &notFoundError{c.why, h.KeyID, h.Algorithm, h.HasKeyID}
	}
	return c.list(), nil
}

var errNoneHeld = errors.New("no key set is held, and nobody was asked for it")

// find is what the set in use has for a hint, or a newer one if that may help.
func (s *KeySet) find(ctx context.Context, h *Hint, tried []*Key) (choice, error) {
	set, newest, err := s.current(ctx)
	if set == nil {
		return choice{}, err
	}
	c := set.find(h, tried, s.source != nil)
	again := c.why == unknownID && len(tried) > 0 && !c.proven // the fetch for this kid came before the trials
	if again && s.fetching() {
		again = false // or began: it is not over
	}
	// A fetch that was under way before may bring what the issuer had before it
	// published the key. The second round's began after the first one's ended.
	for round := 0; round < 2 && c.why.mayHelp() && !again && err == nil && !newest; round++ {
		var next *snapshot
		if next, newest, err = s.newer(ctx, set, c.n > 0); next != nil && next != set {
			set = next
			c = set.find(h, tried, s.source != nil)
		}
	}
	if again && c.n == 0 {
		err = s.failing()
	}
	if c.why.mayHelp() && err != nil && (c.n == 0 || ctx.Err() != nil) {
		return choice{}, err // the issuer may well have this key: it could not be asked
	}
	return c, nil
}

// Proved tells the set that k, one of the [KeySet.Candidates] for h, verified what h
// describes. For as long as k is in the set, tokens with the kid of h, if no key has
// it, or without one if h has none, are then tried with k before others, and such a
// kid causes no fetch.
func (s *KeySet) Proved(h Hint, k *Key) {
	switch {
	case !s.Usable(k):
	case !h.HasKeyID && !k.provenBy(&h):
		k.nameless.Store(true)
	case h.HasKeyID && !k.hasID:
		k.prove(h.KeyID)
	}
}

// fetching reports whether a fetch is under way.
func (s *KeySet) fetching() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flight != nil
}

// failing says why the issuer could not be asked, if the last fetch failed.
func (s *KeySet) failing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		return nil
	}
	return unavailable(s.config.MinFetchInterval, s.failure)
}
