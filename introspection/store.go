package introspection

import "sync"

const (
	// weightUnit is how many bytes of an answer count as one entry.
	weightUnit = 4 << 10

	// newShare is the part of a full store that is left to what is new: a fifth.
	newShare = 5

	// mostUses is how often a proven entry is passed by for its uses, which are forgotten
	// by that.
	mostUses = 3

	// mostLooks bounds how long one entry looks for room, with the lock held: some
	// microseconds.
	mostLooks = 1000
)

// store is a bounded table of entries. What comes is new. When it has to make room, it is
// proven if it was used as often as it counts, and else gone; room among the proven makes
// what was not used since it was last looked at. So a client that shows thousands of
// tokens once, or has long answers, takes places of new ones, and not those of tokens in
// use. (S3-FIFO by Yang and others, SOSP 2023, without its ghosts.) Lifetimes are checked
// on reading, not here. In a nil one nothing is found.
type store struct {
	limit int // of weight

	mu     sync.Mutex
	byKey  map[cacheKey]*place
	fresh  queue
	proven queue
}

// place is an entry's in the store.
type place struct {
	key          cacheKey
	entry        *entry
	weight       int // how many entries it counts for
	uses         int
	in           *queue
	older, newer *place
}

func newStore(entries int) *store {
	return &store{limit: entries, byKey: make(map[cacheKey]*place)}
}

// get returns the entry with this key, or nil.
func (s *store) get(k cacheKey) *entry {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.byKey[k]
	if p == nil {
		return nil
	}
	p.uses = min(p.uses+1, max(mostUses, p.weight))
	return p.entry
}

// set keeps e in the place of what was there, with its uses. One that can never fit is
// not kept, nor is what was there.
func (s *store) set(k cacheKey, e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &place{key: k, entry: e, weight: max(1, (len(e.claims)+weightUnit-1)/weightUnit)}
	in := &s.fresh
	if old := s.byKey[k]; old != nil {
		in, p.uses = old.in, old.uses
		s.drop(old)
	}
	if p.weight > s.limit {
		return
	}
	for looks := 0; s.fresh.weight+s.proven.weight+p.weight > s.limit; looks++ {
		s.makeRoom(looks < mostLooks)
	}
	s.byKey[k] = p
	in.add(p)
}

// makeRoom looks at one entry, and drops it, or finds it a new place if it may. It is
// called with s.mu held, while there is an entry.
func (s *store) makeRoom(may bool) {
	if s.proven.oldest == nil || s.fresh.weight > s.limit/newShare {
		p := s.fresh.oldest
		if !may || p.uses < p.weight {
			s.drop(p)
			return
		}
		p.uses = 0
		s.fresh.remove(p)
		s.proven.add(p)
		return
	}
	p := s.proven.oldest
	if !may || p.uses == 0 {
		s.drop(p)
		return
	}
	p.uses = min(p.uses, mostUses) - 1
	s.proven.remove(p)
	s.proven.add(p)
}

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
	s.fresh, s.proven = queue{}, queue{}
}

func (s *store) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byKey)
}

// queue is a list of places, in the order in which they were added.
type queue struct {
	oldest, newest *place
	weight         int
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
