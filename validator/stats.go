package validator

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
)

// Stats is a snapshot, for gauges and counters that are asked now and then.
type Stats struct {
	// Hits and Misses count requests with a token's text since New: those whose
	// proof was remembered, and the others, refused ones included.
	Hits, Misses uint64
	// CacheEntries is how many proofs the verified-token cache holds, of which some
	// may have ended; CacheSize is how many it can hold.
	CacheEntries, CacheSize int
	// Verifying is how many signatures are being verified, and VerifyWaiting how
	// many wait for a slot (Config.VerifySlots).
	Verifying, VerifyWaiting int
	// Resolved is how many resolved issuers are held (Config.MaxResolved), and
	// LookupsWaiting how many wait for a call of Config.Resolver; LookupsUnderWay
	// are such calls.
	Resolved, LookupsWaiting, LookupsUnderWay int
	// Issuers are the configured ones and then those that were resolved, each by
	// URL.
	Issuers []IssuerStats
}

// IssuerStats is the part of Stats about one issuer.
type IssuerStats struct {
	URL string
	// Resolved says that Config.Resolver found it.
	Resolved bool
	// Keys is about the key set; zero for an issuer without Keys, unless its
	// answers are signed.
	Keys jwks.Stats
	// Introspection is about the requests to the endpoint; zero without one.
	Introspection introspection.Stats
}

// Stats tells how v is doing. It takes a few locks for a moment and makes no
// request. What it counts at the same time may differ by what happened in between.
func (v *Validator) Stats() Stats {
	if !v.made() {
		return Stats{}
	}
	var s Stats
	s.Hits, s.Misses = v.fingerprints.counted()
	if v.cache != nil {
		s.CacheEntries, s.CacheSize = int(v.cache.entries.Load()), len(v.cache.sets)*v.cache.ways
	}
	s.Verifying = v.slots.working()
	s.VerifyWaiting = v.slots.waiting()
	for _, url := range v.issuerURLs {
		s.add(v.issuers[url])
	}
	if r := v.resolved; r != nil {
		s.LookupsWaiting, s.LookupsUnderWay = r.room.Waiting(), r.room.Working()
		first := len(s.Issuers)
		r.known.Range(func(_, found any) bool {
			s.add(found.(*issuer))
			return true
		})
		resolved := s.Issuers[first:]
		s.Resolved = len(resolved)
		slices.SortFunc(resolved, func(a, b IssuerStats) int { return cmp.Compare(a.URL, b.URL) })
	}
	return s
}

func (s *Stats) add(i *issuer) {
	one := IssuerStats{URL: i.url, Resolved: i.lastUse != nil}
	if keys := cmp.Or(i.keys, i.answerKeys); keys != nil {
		one.Keys = keys.Stats()
	}
	if i.introspection != nil {
		one.Introspection = i.introspection.Stats()
	}
	s.VerifyWaiting += i.slots.waiting()
	s.Issuers = append(s.Issuers, one)
}

// tallies count hits and misses. One counter that all processors write would be a
// queue at the cache: whoever is in the fingerprinter's pool has one of these, and
// the pool is a processor's own.
type tallies struct {
	next atomic.Uint32
	all  [64]tally
}

type tally struct {
	hits, misses atomic.Uint64
	_            [112]byte // in two cache lines of its own
}

// one hands out counters in turn.
func (t *tallies) one() *tally { return &t.all[t.next.Add(1)%uint32(len(t.all))] }

func (t *tallies) counted() (hits, misses uint64) {
	for i := range t.all {
		hits += t.all[i].hits.Load()
		misses += t.all[i].misses.Load()
	}
	return hits, misses
}
