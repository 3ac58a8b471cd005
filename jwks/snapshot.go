package jwks

import (
	"fmt"
	"slices"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/quote"
)

// snapshot is a good key set. It is immutable, so requests share it.
type snapshot struct {
	keys     []*Key
	byID     map[string][]*Key // several only where they serve different algorithms
	nameless bool              // some key has no kid
	skipped  []skip
	landed   flight // with this set as its answer
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
		} else {
			s.nameless = true
		}
	}
	s.landed = flight{done: over, set: s}
	return s
}

// find returns the keys that may have signed what h describes, without those that
// were tried. It does not allocate.
//
// A kid chooses one key. Where no key has it, keys that have none themselves may
// serve, and where there is no kid, every key may. Of these, what an x5t names
// comes before all else, then a key that was proven, and then those that came after
// what was tried. The same key under two kids counts once.
//
// If renews is true, a newer set may come once these are tried, and one trial is kept
// for what it brings.
func (s *snapshot) find(h *Hint, tried []*Key, renews bool) (c choice) {
	alg := jws.Canonical(h.Algorithm)
	if h.HasKeyID {
		keys := s.byID[h.KeyID]
		for _, k := range keys {
			if k.serves(alg) {
				_ = c.add(k, tried)
				return c
			}
		}
		if c.why = unknownID; len(keys) > 0 {
			c.why = wrongUse
		}
		if len(keys) > 0 || !s.nameless {
			return c
		}
	} else {
		c.why = noneFits
	}
	may := func(k *Key) bool { return k.serves(alg) && !(h.HasKeyID && k.hasID) }
	named := slices.ContainsFunc(s.keys, func(k *Key) bool { return may(k) && k.named(h) })
	newest := -1
	for _, k := range tried {
		newest = max(newest, k.generation)
	}
	fresh := func(k *Key) bool { return newest >= 0 && k.generation > newest }
	rank := func(k *Key) int {
		switch {
		case k.provenBy(h):
			return 0
		case fresh(k):
			return 1
		}
		return 2
	}
	came := false
	for r := range 3 {
		for _, k := range s.keys {
			if may(k) && (!named || k.named(h)) && rank(k) == r {
				c.proven = c.proven || r == 0
				came = c.add(k, tried) && fresh(k) || came
			}
		}
	}
	late := c.proven || !h.HasKeyID // a newer set is asked for after the trials
	switch {
	case late && len(tried) == MaxCandidates, named && !h.HasKeyID:
		c.why = found // or it was tried
	case late && len(tried) == 0 && c.n > 0:
		c.why = found
		if c.n == MaxCandidates && renews {
			c.n-- // the last trial is for a key of that set, if one comes
		}
	case !h.HasKeyID && c.n > 0 && (came || len(tried) < MaxCandidates-1):
		c.why = found
	}
	return c
}

// choice is what find found, and what it lacks.
type choice struct {
	keys [MaxCandidates]*Key
	n    int
	why  miss // found for a key that a newer set would not change

	proven bool // a key verified a signature under this kid before
}

// add takes k in if it was not tried, is not there already, and there is room for
// one more trial, and reports whether it did.
func (c *choice) add(k *Key, tried []*Key) bool {
	same := func(other *Key) bool { return other.thumbprint == k.thumbprint }
	if c.n+len(tried) < MaxCandidates && !slices.ContainsFunc(c.keys[:c.n], same) && !slices.ContainsFunc(tried, same) {
		c.keys[c.n] = k
		c.n++
		return true
	}
	return false
}

// list returns the keys, without a copy where there is one.
func (c *choice) list() []*Key {
	if c.n == 1 {
		return c.keys[0].alone[:]
	}
	return slices.Clone(c.keys[:c.n])
}

// miss says why no key was found.
type miss int

const (
	found     miss = iota
	unknownID      // no key has this kid
	noneFits       // no kid was given, and no key serves the algorithm
	wrongUse       // the key of this kid does not serve the algorithm
	ambiguous      // the kid names no key, and several may serve
)

// mayHelp reports whether a newer set may hold the key that was missed. A kid
// that is known, with an algorithm that is not its key's, is a bad token and
// no reason to fetch.
func (m miss) mayHelp() bool { return m == unknownID || m == noneFits }

// notFoundError is put into words only if somebody reads it: made-up kids come
// in floods. The kid comes from a token: it is quoted, and bounded in length.
type notFoundError struct {
	why      miss
	kid, alg string
	hasKID   bool
}

// Is reports whether target is [ErrKeyNotFound].
func (e *notFoundError) Is(target error) bool { return target == ErrKeyNotFound }

func (e *notFoundError) Error() string {
	kid, alg := quote.Value(e.kid), quote.Value(e.alg)
	switch {
	case e.why == unknownID:
		return fmt.Sprintf("%v: kid %s is not in the set", ErrKeyNotFound, kid)
	case e.why == noneFits:
		return fmt.Sprintf("%v: the token has no kid, and no key of the set serves %s", ErrKeyNotFound, alg)
	case e.why == wrongUse:
		return fmt.Sprintf("%v: the key with kid %s does not serve %s", ErrKeyNotFound, kid, alg)
	case e.why == found:
		return fmt.Sprintf("%v: no other key may have signed it", ErrKeyNotFound)
	case e.hasKID:
		return fmt.Sprintf("%v: kid %s is not in the set, and several keys without a kid serve %s", ErrKeyNotFound, kid, alg)
	}
	return fmt.Sprintf("%v: the token has no kid, and several keys of the set serve %s", ErrKeyNotFound, alg)
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
