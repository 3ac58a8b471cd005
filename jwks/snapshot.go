package jwks

import (
	"fmt"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// snapshot is a good key set. It is immutable, so requests share it.
type snapshot struct {
	keys    []*Key
	byID    map[string][]*Key // several only where they serve different algorithms
	skipped []skip
	landed  flight // with this set as its answer
}

// skip is a key of the set that is not used, and why.
type skip struct {
	id     string
	reason error // one of the package's constant reasons
}

// newSnapshot indexes keys, which must not change any more.
func newSnapshot(keys []*Key, skipped []skip) *snapshot {
	s := &snapshot{keys: keys, byID: make(map[string][]*Key, len(keys)), skipped: skipped}
	for _, k := range keys {
		if k.hasID {
			s.byID[k.id] = append(s.byID[k.id], k)
		}
	}
	s.landed = flight{done: over, set: s}
	return s
}

// miss says why find found nothing.
type miss int

const (
	found     miss = iota
	unknownID      // no key has this kid
	noneFits       // no kid was given, and no key serves the algorithm
	wrongUse       // the key of this kid does not serve the algorithm
	ambiguous      // no kid was given, and several keys serve the algorithm
)

// mayHelp reports whether a newer set may hold the key that was missed. A kid
// that is known, with an algorithm that is not its key's, is a bad token and
// no reason to fetch; so is a token that leaves the choice to us.
func (m miss) mayHelp() bool { return m == unknownID || m == noneFits }

// err describes the miss, nil for found.
func (m miss) err(kid, alg string) error {
	if m == found {
		return nil
	}
	return &notFoundError{m, kid, alg}
}

// notFoundError is put into words only if somebody reads it: made-up kids come
// in floods. The kid comes from a token: it is quoted, and bounded in length.
type notFoundError struct {
	why      miss
	kid, alg string
}

// Is reports whether target is [ErrKeyNotFound].
func (e *notFoundError) Is(target error) bool { return target == ErrKeyNotFound }

func (e *notFoundError) Error() string {
	switch e.why {
	case unknownID:
		return fmt.Sprintf("%v: kid %s is not in the set", ErrKeyNotFound, quote.Value(e.kid))
	case noneFits:
		return fmt.Sprintf("%v: the token has no kid, and no key of the set serves %s", ErrKeyNotFound, quote.Value(e.alg))
	case wrongUse:
		return fmt.Sprintf("%v: the key with kid %s does not serve %s", ErrKeyNotFound, quote.Value(e.kid), quote.Value(e.alg))
	}
	return fmt.Sprintf("%v: the token has no kid, and several keys of the set serve %s", ErrKeyNotFound, quote.Value(e.alg))
}

// find returns the one key for a kid, or for no kid, and an algorithm. It does
// not allocate.
func (s *snapshot) find(kid string, hasKID bool, alg string) (*Key, miss) {
	if !hasKID {
		return s.only(alg)
	}
	keys := s.byID[kid]
	for _, k := range keys {
		if k.serves(alg) {
			return k, found
		}
	}
	if len(keys) > 0 {
		return nil, wrongUse
	}
	return nil, unknownID
}

// only returns the one key that serves alg. Entries that hold the same key
// under two kids count as one.
func (s *snapshot) only(alg string) (*Key, miss) {
	var one *Key
	for _, k := range s.keys {
		switch {
		case !k.serves(alg):
		case one == nil:
			one = k
		case one.thumbprint != k.thumbprint:
			return nil, ambiguous
		}
	}
	if one == nil {
		return nil, noneFits
	}
	return one, found
}

// succeed returns next with the Keys of s in place of those that did not
// change, so that their pointers stay the same, and the names of what came and
// of what went. A nil s is the empty set.
func (s *snapshot) succeed(next *snapshot) (merged *snapshot, added, removed []*Key) {
	var before []*Key
	if s != nil {
		before = s.keys
	}
	type identity struct {
		name       keyName
		thumbprint string
	}
	old := make(map[identity]*Key, len(before))
	for _, k := range before {
		old[identity{k.name(), k.thumbprint}] = k
	}
	keys := make([]*Key, len(next.keys))
	for i, k := range next.keys {
		id := identity{k.name(), k.thumbprint}
		if prior := old[id]; prior != nil && prior.same(k) {
			keys[i] = prior
			delete(old, id)
			continue
		}
		keys[i] = k
		added = append(added, k)
	}
	for _, k := range before {
		if old[identity{k.name(), k.thumbprint}] == k {
			removed = append(removed, k)
		}
	}
	return newSnapshot(keys, next.skipped), added, removed
}

// newlySkipped returns what next skips and s did not.
func (s *snapshot) newlySkipped(next *snapshot) []skip {
	known := make(map[skip]bool)
	if s != nil {
		for _, k := range s.skipped {
			known[k] = true
		}
	}
	var fresh []skip
	for _, k := range next.skipped {
		if !known[k] {
			known[k] = true
			fresh = append(fresh, k)
		}
	}
	return fresh
}
