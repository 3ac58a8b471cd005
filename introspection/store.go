package introspection

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// weightUnit is how many bytes of an answer count as one entry.
	weightUnit = 4 << 10

	// looks is how many entries of each size are drawn where one has to go. Of sixteen, one
	// is among the dearest tenth of all but for one time in five.
	looks = 16

	// sizes are classes of weights: 1, 2 and 3, 4 to 7 and so on.
	sizes = 25

	// overFactor is how many times as much an entry costs that is over: what many clients
	// leave behind that came once goes before what one with thousands of tokens uses.
	overFactor = 100

	// longest is the longest time without use that counts, in requests.
	longest = 1 << 32
)

// store is a bounded table of entries, each of which is about a token of some client.
// Where there is no room, entries are drawn by chance, some of each size, and what their
// clients cost is compared, and what the client costs whose entry comes: the room that all
// entries of a client take, times how long the one was not used that was not used for
// longest. The dearest client loses that one.
//
// So who fills the store pushes out its own entries, and an entry of somebody with one,
// only once it was not used for many times as long. Where each client has one, those go
// that were not used for longest, nearly. What is over serves nobody, and still tells that
// its token was active: it counts for more, and not so much more that the tokens of one
// client could take that from all others.
//
// Lifetimes are checked by whoever reads. In a nil store nothing is found.
type store struct {
	limit uint32 // of weight
	seed  maphash.Seed

	mu     sync.Mutex
	weight uint32 // of all
	clock  uint64 // how many requests looked
	count  int
	byKey  []*place        // chains, by a hash of the key; nil before the first, as shares
	shares []*share        // chains, by a hash of the client
	sized  [sizes][]*place // by their size, else in no order: few large ones are drawn as well
}

// place is where an entry stands.
type place struct {
	key          cacheKey
	entry        *entry
	weight       uint32 // how many entries it counts for
	at           int    // in sized
	used         uint64 // when it came, or was last used
	of           *share
	older, newer *place // of the same client, by last use
	chained      *place // the next in its chain
}

// share is what the entries of one client take. Without entries there is none.
type share struct {
	client         uint64 // a hash
	weight         uint32
	oldest, newest *place // by last use
	chained        *share
}

func newStore(entries int) *store {
	return &store{limit: uint32(entries), seed: maphash.MakeSeed()}
}

// get returns the entry with this key, or nil. That is a use.
func (s *store) get(k cacheKey) *entry {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	p := s.find(k)
	if p == nil {
		return nil
	}
	if p.used = s.clock; p.newer != nil {
		p.of.remove(p)
		p.of.add(p)
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
	if p := s.find(k); p != nil {
		return p.entry
	}
	return nil
}

// set keeps e, about a token of this client, in the place of what was there. One that
// counts for more or less than that did comes anew. One that can never fit is not kept,
// nor is what was there. An entry is over that ends before then.
func (s *store) set(k cacheKey, client string, e *entry, then time.Time) {
	weight := max(1, uint32((cap(e.claims)+weightUnit-1)/weightUnit)) // capacity: what it takes
	hash := maphash.String(s.seed, client)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byKey == nil {
		s.byKey, s.shares = make([]*place, s.limit), make([]*share, s.limit)
	}
	if old := s.find(k); old != nil {
		if old.weight == weight && old.of.client == hash {
			old.entry = e
			return
		}
		s.drop(old)
	}
	if weight > s.limit {
		return
	}
	for s.weight+weight > s.limit {
		s.drop(s.dearest(hash, weight, then))
	}
	like, chain := s.like(weight), s.chain(k)
	p := &place{key: k, entry: e, weight: weight, at: len(*like), used: s.clock, of: s.shareOf(hash), chained: *chain}
	p.of.add(p)
	*like, *chain = append(*like, p), p
	s.weight += weight
	s.count++
}

// dearest returns the entry that makes room for one of this weight and client.
func (s *store) dearest(client uint64, weight uint32, then time.Time) (out *place) {
	dearest := uint64(0)
	compare := func(of *share, weight uint32) {
		p := of.oldest
		cost := uint64(weight) * min(s.clock-p.used+1, longest)
		if p.entry.until.Before(then) {
			cost *= overFactor
		}
		if cost > dearest {
			out, dearest = p, cost
		}
	}
	if own := *s.findShare(client); own != nil {
		compare(own, own.weight+weight)
	}
	for _, like := range s.sized {
		for n := range min(looks, len(like)) {
			if len(like) > looks {
				n = rand.IntN(len(like))
			}
			compare(like[n].of, like[n].of.weight)
		}
	}
	return out
}

// like returns the entries of the size of one of this weight.
func (s *store) like(weight uint32) *[]*place { return &s.sized[bits.Len32(weight)-1] }

// remove forgets the entry with this key.
func (s *store) remove(k cacheKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.find(k); p != nil {
		s.drop(p)
	}
}

// clear forgets everything.
func (s *store) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.weight, s.count, s.byKey, s.shares, s.sized = 0, 0, nil, nil, [sizes][]*place{}
}

func (s *store) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// chain is where the entries with a key's hash begin. Keys are random, so that a part of
// one is a hash, and nobody can aim at another's.
func (s *store) chain(k cacheKey) **place {
	return &s.byKey[binary.BigEndian.Uint32(k[:4])%s.limit]
}

// find returns the place of the entry with this key, or nil.
func (s *store) find(k cacheKey) *place {
	if s.byKey == nil {
		return nil
	}
	p := *s.chain(k)
	for p != nil && p.key != k {
		p = p.chained
	}
	return p
}

// findShare returns what leads to a client's share, or to nil.
func (s *store) findShare(client uint64) **share {
	at := &s.shares[client%uint64(s.limit)]
	for *at != nil && (*at).client != client {
		at = &(*at).chained
	}
	return at
}

// shareOf returns a client's share, which it makes if there is none.
func (s *store) shareOf(client uint64) *share {
	at := s.findShare(client)
	if *at == nil {
		*at = &share{client: client}
	}
	return *at
}

// drop forgets one entry.
func (s *store) drop(p *place) {
	at := s.chain(p.key)
	for *at != p {
		at = &(*at).chained
	}
	*at = p.chained
	like := s.like(p.weight)
	end := len(*like) - 1
	last := (*like)[end]
	(*like)[p.at], last.at = last, p.at
	(*like)[end] = nil
	*like = (*like)[:end]
	s.weight -= p.weight
	s.count--
	p.of.remove(p)
	if p.of.oldest == nil {
		of := s.findShare(p.of.client)
		*of = (*of).chained
	}
}

// add puts a place to the end of a share, as the one used last.
func (of *share) add(p *place) {
	p.older, p.newer = of.newest, nil
	if of.newest == nil {
		of.oldest = p
	} else {
		of.newest.newer = p
	}
	of.newest = p
	of.weight += p.weight
}

// remove takes a place out of a share.
func (of *share) remove(p *place) {
	if p.older == nil {
		of.oldest = p.newer
	} else {
		p.older.newer = p.newer
	}
	if p.newer == nil {
		of.newest = p.older
	} else {
		p.newer.older = p.older
	}
	of.weight -= p.weight
}
