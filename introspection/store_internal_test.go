package introspection

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// keyed is the n-th key of a client.
func keyed(client byte, n int) (k cacheKey) {
	k[0] = client
	binary.BigEndian.PutUint64(k[1:], uint64(n))
	return k
}

var zeros [1 << 20]byte

// weighing is an entry that counts for so many.
func weighing(n int) *entry { return &entry{Result: &Result{claims: zeros[:n*weightUnit]}} }

// see is what a request does: it looks, and keeps an answer if there is none.
func (s *store) see(k cacheKey, weight int) (hit bool) {
	if s.get(k) != nil {
		return true
	}
	s.set(k, weighing(weight))
	return false
}

// check holds both lists, both ways, against the table and their weights.
func (s *store) check(t *testing.T) {
	t.Helper()
	count := 0
	for _, q := range []*queue{&s.fresh, &s.proven} {
		weight := 0
		var older *place
		for p := q.oldest; p != nil; p = p.newer {
			if p.in != q || p.older != older || s.byKey[p.key] != p {
				t.Fatalf("place %d of a list does not fit its neighbours or the table", count)
			}
			older = p
			count++
			weight += p.weight
		}
		if q.newest != older || weight != q.weight {
			t.Fatalf("a list of weight %d says that it has %d, or another end", weight, q.weight)
		}
	}
	if weight := s.fresh.weight + s.proven.weight; count != len(s.byKey) || count != s.size() || weight > s.limit {
		t.Fatalf("%d places of weight %d in the lists, %d in the table, at most %d", count, weight, len(s.byKey), s.limit)
	}
}

// TestStore does everything to a store in any order: it never holds more than it may,
// nor anything but what was last kept, nor what was removed.
func TestStore(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		const limit = 8
		s, kept := newStore(limit), make(map[cacheKey]*entry)
		for range 500 {
			k := keyed(0, random.IntN(20))
			switch action := random.IntN(100); {
			case action < 50:
				if e := s.get(k); e != nil && e != kept[k] {
					t.Fatalf("seed %d: an entry is there that was not kept, or was replaced", seed)
				}
			case action < 90:
				weight := []int{1, 1, 1, 2, 3, limit, limit + 1}[random.IntN(7)]
				kept[k] = weighing(weight)
				s.set(k, kept[k])
				if fits := weight <= limit; (s.byKey[k] != nil) != fits {
					t.Fatalf("seed %d: one of weight %d is there: %v, wanted %v", seed, weight, !fits, fits)
				}
			case action < 99:
				s.remove(k)
				delete(kept, k)
			default:
				s.clear()
				clear(kept)
			}
			s.check(t)
		}
	}
}

// TestUnusedMakePlace: first those that were never used, the oldest before others; then
// those that were not used since, while what is new has its share.
func TestUnusedMakePlace(t *testing.T) {
	s := newStore(5)
	for n := range 5 {
		s.see(keyed(0, n), 1)
	}
	next := 5
	for _, step := range []struct{ use, gone []int }{
		{use: []int{0, 2}, gone: []int{1, 3, 4, 5, 6}},
		{use: []int{7, 8}, gone: []int{0, 9}}, // 0 was not used again
		{use: []int{2}, gone: []int{10, 11}},
		{use: []int{13}, gone: []int{12, 7, 14}}, // 13 is proven, and 2 passed by
	} {
		for _, n := range step.use {
			s.get(keyed(0, n))
		}
		for _, gone := range step.gone {
			s.see(keyed(0, next), 1)
			s.check(t)
			if s.byKey[keyed(0, gone)] != nil {
				t.Errorf("when %d came, %d was still there", next, gone)
			}
			if s.size() != 5 {
				t.Fatalf("%d are there, wanted 5", s.size())
			}
			next++
		}
	}
}

// TestNobodyPushesOutWhatIsUsed: a client goes round thousands of tokens of its own, a
// dozen requests for each of everybody else's, or has long answers.
func TestNobodyPushesOutWhatIsUsed(t *testing.T) {
	const others = 1000
	for _, greedy := range []struct {
		name                  string
		tokens, times, weight int
	}{
		{"once each", 12_000, 1, 1},
		{"twice each", 12_000, 2, 1},
		{"more than there is place for", 200_000, 2, 1},
		{"long answers", 700, 1, 15},
		{"the longest", 80, 2, 256},
	} {
		t.Run(greedy.name, func(t *testing.T) {
			s := newStore(10_000)
			for range 4 {
				for n := range others {
					s.see(keyed(1, n), 1)
				}
			}
			asked, hits := 0, 0
			for n := range 100_000 {
				for range 12 / greedy.times {
					for range greedy.times {
						s.see(keyed(2, (n*12/greedy.times)%greedy.tokens), greedy.weight)
					}
					n++
				}
				asked++
				if s.see(keyed(1, asked%others), 1) {
					hits++
				}
			}
			s.check(t)
			if hits < asked*97/100 {
				t.Errorf("%d of the others' %d requests found their answer, wanted 97 of 100", hits, asked)
			}
		})
	}
}

// TestRenewedKeepItsUses: an answer that replaces one is of the same token.
func TestRenewedKeepItsUses(t *testing.T) {
	s := newStore(2)
	busy := keyed(0, 0)
	s.see(busy, 1)
	s.get(busy)
	for n := range 4 {
		s.set(busy, weighing(1))
		s.see(keyed(1, n), 1)
		if s.check(t); s.byKey[busy] == nil {
			t.Fatalf("what was renewed made place for what was never used, %d", n)
		}
	}
}

// TestLooksAreBounded: where everything was used, one that comes does not look at all.
func TestLooksAreBounded(t *testing.T) {
	const entries = 10 * mostLooks
	s := newStore(entries)
	for range 1 + mostUses {
		for n := range entries {
			s.see(keyed(0, n), 1)
		}
	}
	s.see(keyed(1, 0), 1)
	if s.proven.weight > mostLooks {
		t.Errorf("%d of what was new were looked at, wanted %d at most", s.proven.weight, mostLooks)
	}

	s = newStore(entries)
	for n := range entries {
		k := keyed(0, n)
		s.see(k, 1)
		p := s.byKey[k]
		p.in.remove(p)
		s.proven.add(p)
		p.uses = mostUses
	}
	s.see(keyed(1, 0), 1)
	looked := 0
	for p := s.proven.oldest; p != nil; p = p.newer {
		if p.uses < mostUses {
			looked++
		}
	}
	if s.size() != entries || looked > mostLooks {
		t.Errorf("%d are there, and %d of what was proven were looked at; wanted %d, and %d at most", s.size(), looked, entries, mostLooks)
	}
}

// TestHitRate: tokens drawn by Zipf's law are found at least as often as with a list by
// last use.
func TestHitRate(t *testing.T) {
	const limit, tokens, draws = 500, 20_000, 200_000
	s, last := newStore(limit), lru{at: make(map[cacheKey]int)}
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 1)), 1.01, 1, tokens-1)
	hits, wanted := 0, 0
	for range draws {
		k := keyed(0, int(zipf.Uint64()))
		if s.see(k, 1) {
			hits++
		}
		if last.see(k, limit) {
			wanted++
		}
	}
	if hits < wanted {
		t.Errorf("%d hits of %d, and %d with a list by last use", hits, draws, wanted)
	}
}

// lru is a list by last use, made simply.
type lru struct {
	at    map[cacheKey]int // when it was last used
	order []cacheKey       // by time of use; all but the last use of a key are stale
	gone  int              // how many of order have been looked at
}

func (l *lru) see(k cacheKey, limit int) (hit bool) {
	_, hit = l.at[k]
	l.at[k] = len(l.order)
	l.order = append(l.order, k)
	for len(l.at) > limit {
		if old := l.order[l.gone]; l.at[old] == l.gone {
			delete(l.at, old)
		}
		l.gone++
	}
	return hit
}
