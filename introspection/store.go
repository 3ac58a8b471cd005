package introspection

import (
	"container/list"
	"sync"
)

// weightUnit is how many bytes of an answer count as one entry.
const weightUnit = 4 << 10

// store is a bounded table of entries, in which the one unused for longest makes place.
// Lifetimes are checked on reading, not here. A nil one keeps nothing.
type store struct {
	limit int // of weight

	mu     sync.Mutex
	weight int
	byKey  map[cacheKey]*list.Element
	recent list.List // of *stored, the last used one first
}

type stored struct {
	key    cacheKey
	entry  *entry
	weight int // how many entries it counts for
}

func newStore(entries int) *store {
	return &store{limit: entries, byKey: make(map[cacheKey]*list.Element)}
}

// get returns the entry with this key, or nil.
func (s *store) get(k cacheKey) *entry {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.byKey[k]
	if at == nil {
		return nil
	}
	s.recent.MoveToFront(at)
	return at.Value.(*stored).entry
}

// set keeps e in the place of what was there. One that can never fit is not kept, nor
// is what was there.
func (s *store) set(k cacheKey, e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(s.byKey[k])
	weight := max(1, (len(e.claims)+weightUnit-1)/weightUnit)
	if weight > s.limit {
		return
	}
	for s.weight+weight > s.limit {
		s.drop(s.recent.Back())
	}
	s.weight += weight
	s.byKey[k] = s.recent.PushFront(&stored{k, e, weight})
}

// remove forgets the entry with this key.
func (s *store) remove(k cacheKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(s.byKey[k])
}

// drop forgets one entry, or nil. It is called with s.mu held.
func (s *store) drop(at *list.Element) {
	if at == nil {
		return
	}
	gone := s.recent.Remove(at).(*stored)
	delete(s.byKey, gone.key)
	s.weight -= gone.weight
}

// clear forgets everything.
func (s *store) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byKey, s.weight = make(map[cacheKey]*list.Element), 0
	s.recent.Init()
}

func (s *store) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byKey)
}
