package introspection

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// weightUnit is how many bytes of an answer count as one entry.
const weightUnit = 4 << 10

// cacheKey is a keyed hash: without the process's random key it can neither be
// turned back into a token nor be aimed at another's entry.
type cacheKey [sha256.Size]byte

// entry is a Result in the cache. One that must not be served, because its kind
// has no lifetime or has outlived it, still tells that the token was last seen
// active, or that it was last seen inactive.
type entry struct {
	*Result
	renewed atomic.Bool // RefreshAhead renews an entry once
	doubted atomic.Bool // the endpoint has refused the token since, in its own way
}

// store is what a bounded cache does for results. A field of otter's own type would
// have every package that imports this one compile all of otter's methods again.
type store interface {
	GetIfPresent(cacheKey) (*entry, bool)
	Set(cacheKey, *entry) (*entry, bool)
	Invalidate(cacheKey) (*entry, bool)
	InvalidateAll()
	EstimatedSize() int
}

var _ store = (*otter.Cache[cacheKey, *entry])(nil)

// results is the result cache. With no entries configured, nothing is kept.
type results struct {
	secret   [32]byte
	mu       sync.Mutex // orders put
	active   store
	inactive store
}

func newResults(entries int) *results {
	s := new(results)
	rand.Read(s.secret[:])
	if entries > 0 {
		s.active, s.inactive = newStore(entries), newStore(entries)
	}
	return s
}

// newStore makes a bounded store. Lifetimes are checked on reading, not by the
// store, and its housekeeping runs on the goroutine that calls it: so it has no
// goroutine that could outlive Close.
func newStore(entries int) store {
	return otter.Must(&otter.Options[cacheKey, *entry]{
		MaximumWeight: uint64(entries),
		Weigher: func(_ cacheKey, e *entry) uint32 {
			return uint32(max(1, (len(e.claims)+weightUnit-1)/weightUnit))
		},
		Executor: func(task func()) { task() },
	})
}

// key binds an answer to the endpoint that gave it. The OAuth client needs no
// place in it: a Client has one, and a secret and a store of its own.
func (s *results) key(endpoint, token string) (k cacheKey) {
	mac := hmac.New(sha256.New, s.secret[:])
	mac.Write([]byte(endpoint))
	mac.Write([]byte{0}) // no URL holds it, so endpoint and token cannot shift
	mac.Write([]byte(token))
	mac.Sum(k[:0])
	return k
}

// lastActive returns the entry of a token last seen active, or nil.
func (s *results) lastActive(k cacheKey) *entry { return find(s.active, k) }

// lastInactive returns the entry of a token last seen inactive, or nil.
func (s *results) lastInactive(k cacheKey) *entry { return find(s.inactive, k) }

func find(s store, k cacheKey) *entry {
	if s == nil {
		return nil
	}
	e, _ := s.GetIfPresent(k)
	return e
}

// put keeps r in place of what was known before.
func (s *results) put(k cacheKey, r *Result) {
	if s.active == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &entry{Result: r}
	if !r.active {
		s.active.Invalidate(k)
		s.inactive.Set(k, e)
		return
	}
	if old := s.lastActive(k); old != nil && old.askedAt.After(r.askedAt) {
		return
	}
	if r.until.IsZero() {
		e.Result = &Result{active: true, askedAt: r.askedAt} // a mark without the claims
	}
	s.active.Set(k, e)
	s.inactive.Invalidate(k)
}

// size is how many answers are kept, those that have ended included.
func (s *results) size() int {
	if s.active == nil {
		return 0
	}
	return s.active.EstimatedSize() + s.inactive.EstimatedSize()
}

// drop forgets everything.
func (s *results) drop() {
	if s.active == nil {
		return
	}
	s.active.InvalidateAll()
	s.inactive.InvalidateAll()
}
