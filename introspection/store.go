package introspection

import (
	"encoding/binary"
	"sync"
)

const (
	// weightUnit is how many bytes of an answer count as one entry.
	weightUnit = 4 << 10

	// newShare is the part of a full store that is left to what is new: a tenth. With a
	// fifth, tokens that are shown for long are found less often than in a list by last use
	// (TestHonestCrowds); with less, those that are shown a few times.
	newShare = 10

	// burstShare says how many requests are one burst: as many as a twentieth of the
	// places. Several uses in one say nothing of whether a token is shown again.
	burstShare = 20

	// marksEach is how many marks of what was pushed out there are for each entry, of 8
	// bytes. They remember what came within about as many others.
	marksEach = 2
)

// store is a bounded table of entries, in two queues. What comes for the first time is
// fresh, and for lack of room the oldest of the fresh is pushed out. What comes again,
// after a while, becomes proven, whether it is still there or only a mark of it is. If
// there are as many proven ones as may be, it does so in place of the one whose last use
// is longest ago, which must be longer ago than its own; that one is then the oldest of
// the fresh.
//
// So what is shown once, or in one burst, takes no place of a token that came twice,
// however much it is. Whoever wants the places of tokens in use must show as many of its
// own, each more often than those are shown: no store that does not know whose a token is
// can tell them from others in use. A large answer must be used as often as it counts,
// where another is used once.
//
// (The queues and the marks are those of 2Q by Johnson and Shasha, VLDB 1994. That the
// time between uses decides who stays is of LIRS by Jiang and Zhang, SIGMETRICS 2002.)
//
// An operation looks at twice as many entries at most as the one counts for that comes or
// is used, and moves or drops them. Lifetimes are checked on reading, not here. In a nil
// store nothing is found.
type store struct {
	limit uint32 // of weight

	mu     sync.Mutex
	byKey  map[cacheKey]*place
	fresh  queue  // in the order in which they came
	proven queue  // by last use
	clock  uint32 // how many requests looked; it may overflow
	marks  []mark // by key; nil before the first
}

// place is where an entry stands.
type place struct {
	key          cacheKey
	entry        *entry
	weight       uint32 // how many entries it counts for
	uses         uint32 // since seen
	seen         uint32 // when it came, or was last used as often as it counts
	in           *queue
	older, newer *place
}

// mark remembers one that was pushed out, until another one takes its slot.
type mark struct {
	tag  uint32 // of key and weight: one that grew is another
	seen uint32
}

func newStore(entries int) *store {
	return &store{limit: uint32(entries), byKey: make(map[cacheKey]*place)}
}

// get returns the entry with this key, or nil. That is a use.
func (s *store) get(k cacheKey) *entry {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	p := s.byKey[k]
	if p == nil {
		return nil
	}
	if p.uses++; p.uses >= p.weight {
		s.used(p)
	}
	return p.entry
}

// peek is a get that is no use.
func (s *store) peek(k cacheKey) *entry {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.byKey[k]; p != nil {
		return p.entry
	}
	return nil
}

// used gives p its place after as many uses as it counts. It is called with s.mu held.
func (s *store) used(p *place) {
	switch {
	case p.in == &s.proven:
	case s.age(p.seen) <= s.limit/burstShare:
		return
	case !s.makeRoomProven(p.weight, p.seen):
		p.seen = s.clock
		return
	}
	p.uses, p.seen = 0, s.clock
	p.in.remove(p)
	s.proven.add(p)
}

// set keeps e in the place of what was there. What counts for more or less than that did
// comes anew. One that can never fit is not kept, nor is what was there.
func (s *store) set(k cacheKey, e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	weight := max(1, uint32((cap(e.claims)+weightUnit-1)/weightUnit)) // capacity: what it takes
	if old := s.byKey[k]; old != nil {
		if old.weight == weight {
			old.entry = e
			return
		}
		s.drop(old)
	}
	if weight > s.limit {
		return
	}
	p, in := &place{key: k, entry: e, weight: weight, uses: 1, seen: s.clock}, &s.fresh
	if seen, ok := s.marked(p); ok && s.makeRoomProven(weight, seen) {
		in, p.uses = &s.proven, 0
	}
	for s.fresh.weight+s.proven.weight+weight > s.limit {
		s.pushOut()
	}
	s.byKey[k] = p
	in.add(p)
}

// makeRoomProven makes room among the proven for one of this weight that was last seen,
// before now, at seen. It is called with s.mu held.
func (s *store) makeRoomProven(weight, seen uint32) bool {
	for s.proven.weight+weight > s.limit-max(1, s.limit/newShare) {
		p := s.proven.oldest
		if p == nil || s.age(p.seen) <= s.age(seen) {
			return false
		}
		s.proven.remove(p)
		p.uses = 1
		s.fresh.addOldest(p)
	}
	return true
}

// pushOut drops the oldest of the fresh, or of the proven if there is none, because what
// comes may be larger than the share of what is new. It is called with s.mu held, while
// there is one.
func (s *store) pushOut() {
	p := s.fresh.oldest
	if p == nil {
		p = s.proven.oldest
	}
	if p.uses >= p.weight {
		if s.marks == nil {
			s.marks = make([]mark, marksEach*int(s.limit))
		}
		slot, tag := s.slot(p)
		*slot = mark{tag, p.seen}
	}
	s.drop(p)
}

// marked returns when p was seen before it was pushed out, if that is remembered.
func (s *store) marked(p *place) (seen uint32, ok bool) {
	if s.marks == nil {
		return 0, false
	}
	slot, tag := s.slot(p)
	return slot.seen, slot.tag == tag
}

// slot is where the mark of p is kept. Keys are random, so nobody can aim at one.
func (s *store) slot(p *place) (slot *mark, tag uint32) {
	n := binary.BigEndian.Uint32(p.key[:4]) % uint32(len(s.marks))
	return &s.marks[n], binary.BigEndian.Uint32(p.key[4:8]) ^ p.weight
}

// age is how many requests looked since then.
func (s *store) age(seen uint32) uint32 { return s.clock - seen }

// remove forgets the entry with this key.
func (s *store) remove(k cacheKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.byKey[k]; p != nil {
		s.drop(p)
	}
}

// drop forgets one entry. It is called with s.mu held.
func (s *store) drop(p *place) {
	p.in.remove(p)
	delete(s.byKey, p.key)
}

// clear forgets everything.
func (s *store) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byKey = make(map[cacheKey]*place)
	s.fresh, s.proven, s.marks = queue{}, queue{}, nil
}

func (s *store) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byKey)
}

// queue is a list of places, to which they are added as the newest.
type queue struct {
	oldest, newest *place
	weight         uint32
}

func (q *queue) add(p *place) {
	p.in, p.older, p.newer = q, q.newest, nil
	if q.newest == nil {
		q.oldest = p
	} else {
		q.newest.newer = p
	}
	q.newest = p
	q.weight += p.weight
}

// addOldest adds a place as the oldest.
func (q *queue) addOldest(p *place) {
	p.in, p.older, p.newer = q, nil, q.oldest
	if q.oldest == nil {
		q.newest = p
	} else {
		q.oldest.older = p
	}
	q.oldest = p
	q.weight += p.weight
}

func (q *queue) remove(p *place) {
	if p.older == nil {
		q.oldest = p.newer
	} else {
		p.older.newer = p.newer
	}
	if p.newer == nil {
		q.newest = p.older
	} else {
		p.newer.older = p.older
	}
	q.weight -= p.weight
}
