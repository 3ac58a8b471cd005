package fingerprint

import "sync/atomic"

// tallies count hits and misses. One counter that all processors write would be a
// queue at the cache: whoever is in the Maker's pool has one of these, and the pool
// is a processor's own.
type tallies struct {
	next atomic.Uint32
	all  [64]Tally
}

// Tally is one of many counters that are added up.
type Tally struct {
	hits, misses atomic.Uint64
	_            [112]byte // in two cache lines of its own
}

// Hit counts a token that was found.
func (t *Tally) Hit() { t.hits.Add(1) }

// Miss counts one that was not.
func (t *Tally) Miss() { t.misses.Add(1) }

// one hands out counters in turn.
func (t *tallies) one() *Tally { return &t.all[t.next.Add(1)%uint32(len(t.all))] }

// Counted is how many tokens were found, and how many not.
func (t *tallies) Counted() (hits, misses uint64) {
	for i := range t.all {
		hits += t.all[i].hits.Load()
		misses += t.all[i].misses.Load()
	}
	return hits, misses
}
