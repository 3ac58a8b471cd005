package introspection

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"
)

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

// results is the result cache. With no entries configured, nothing is kept. Answers serve
// for a grace after their lifetime.
type results struct {
	secret   [32]byte
	mu       sync.Mutex // orders put
	grace    time.Duration
	active   *store
	inactive *store
}

func newResults(entries int, grace time.Duration) *results {
	s := &results{grace: grace}
	rand.Read(s.secret[:])
	if entries > 0 {
		s.active, s.inactive = newStore(entries), newStore(entries)
	}
	return s
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

// lastActive returns the entry of a token last seen active, or nil. That is no use of it:
// a use is what a request makes of an answer.
func (s *results) lastActive(k cacheKey) *entry { return s.active.peek(k) }

// lastInactive returns the entry of a token last seen inactive, or nil.
func (s *results) lastInactive(k cacheKey) *entry { return s.inactive.peek(k) }

// put keeps r in place of what was known before.
func (s *results) put(k cacheKey, r *Result) {
	if s.active == nil {
		return
	}
	client, then := r.client(), time.Now().Add(-s.grace)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &entry{Result: r}
	if !r.active {
		s.active.remove(k)
		s.inactive.set(k, "", e, then)
		return
	}
	if old := s.lastActive(k); old != nil && old.askedAt.After(r.askedAt) {
		return
	}
	if r.until.IsZero() {
		e.Result = &Result{active: true, askedAt: r.askedAt} // a mark without the claims
	}
	s.active.set(k, client, e, then)
	s.inactive.remove(k)
}

// size is how many answers are kept, those that have ended included.
func (s *results) size() int {
	if s.active == nil {
		return 0
	}
	return s.active.size() + s.inactive.size()
}

// drop forgets everything.
func (s *results) drop() {
	if s.active == nil {
		return
	}
	s.active.clear()
	s.inactive.clear()
}
