package introspection

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// lru is the yardstick: a list by last use.
type lru struct {
	limit, weight int
	byKey         map[cacheKey]lruUse // the last
	uses          []lruUse            // in their order; all but the last of a key are stale
	gone          int                 // how many of uses have been looked at
}

type lruUse struct {
	key        cacheKey
	at, weight int
}

func newLRU(limit int) *lru { return &lru{limit: limit, byKey: make(map[cacheKey]lruUse)} }

func (l *lru) see(k cacheKey, weight int) (hit bool) {
	u, hit := l.byKey[k]
	if !hit {
		u = lruUse{key: k, weight: weight}
		l.weight += weight
	}
	u.at = len(l.uses)
	l.byKey[k] = u
	l.uses = append(l.uses, u)
	for ; l.weight > l.limit; l.gone++ {
		if old := l.uses[l.gone]; l.byKey[old.key].at == old.at {
			delete(l.byKey, old.key)
			l.weight -= old.weight
		}
	}
	return hit
}

// cycle shows so many tokens in turn, each some times in a row.
func cycle(tokens, times, weight int) func(i int) (cacheKey, int) {
	return func(i int) (cacheKey, int) { return keyed(2, i/times%tokens), weight }
}

// again shows tokens twice, with so many others between, and then never more.
func again(between, weight int) func(i int) (cacheKey, int) {
	return func(i int) (cacheKey, int) { return keyed(2, i/(2*between)*between+i%between), weight }
}

const unending = 1 << 30

// TestNobodyPushesOutWhatIsUsed: somebody has good tokens, of one client or of a hundred,
// and shows many between two requests of others, who have a tenth as many as there are
// places. The share of the others' requests that find their answer is held against a
// bound, and against a list by last use.
func TestNobodyPushesOutWhatIsUsed(t *testing.T) {
	const entries, others, rounds = 2000, 200, 25
	for _, tc := range []struct {
		name    string
		first   int                         // how many requests of the greedy come before all
		warm    bool                        // the others came alone before
		between int                         // how many of the greedy come for each of the others
		burst   int                         // and after how many of the others', if not each
		greedy  func(i int) (cacheKey, int) // its i-th request
		deploys int                         // how often all the others have new tokens
		percent float64                     // of the others' requests are to find their answer,
		weight  int                         // of which each counts for so many, if not for one
	}{
		{name: "once each", warm: true, between: 12, greedy: cycle(unending, 1, 1), percent: 99},
		{name: "once each, fifty for one", warm: true, between: 50, greedy: cycle(unending, 1, 1), percent: 99},
		{name: "twice in a row", warm: true, between: 12, greedy: cycle(unending, 2, 1), percent: 99},
		{name: "twice in a row, fifty for one", warm: true, between: 50, greedy: cycle(unending, 2, 1), percent: 99},
		{name: "twenty times in a row, a hundred for one", warm: true, between: 100, greedy: cycle(unending, 20, 1), percent: 99},
		{name: "again after a while", warm: true, between: 12, greedy: again(600, 1), percent: 99},
		{name: "a cycle longer than the store", warm: true, between: 12, greedy: cycle(2400, 1, 1), percent: 99},
		{name: "a cycle longer than the store, twice in a row", warm: true, between: 12, greedy: cycle(2400, 2, 1), percent: 99},
		{name: "a cycle as long as the store", warm: true, between: 9, greedy: cycle(2000, 1, 1), percent: 99},
		{name: "a cycle nearly as long", warm: true, between: 9, greedy: cycle(1900, 1, 1), percent: 99},
		{name: "in bursts, once", warm: true, between: 12, burst: 200, greedy: cycle(unending, 1, 1), percent: 99},
		{name: "in bursts, twice in a row", warm: true, between: 12, burst: 200, greedy: cycle(unending, 2, 1), percent: 99},
		{name: "while the store fills, once", between: 12, greedy: cycle(unending, 1, 1), percent: 95},
		{name: "while the store fills, twice in a row", between: 12, greedy: cycle(2400, 2, 1), percent: 95},
		{name: "before the others came, once", first: 10_000, between: 12, greedy: cycle(unending, 1, 1), percent: 95},
		{name: "before the others came, once, two for one", first: 10_000, between: 2, greedy: cycle(unending, 1, 1), percent: 95},
		{name: "before the others came, twice in a row", first: 10_000, between: 12, greedy: cycle(2400, 2, 1), percent: 95},
		{name: "before the others came, and again", first: 10_000, between: 3, greedy: cycle(1900, 1, 1), percent: 95},
		{name: "over deploys, once", warm: true, between: 12, greedy: cycle(unending, 1, 1), deploys: 3, percent: 91},
		{name: "over deploys, twice in a row", warm: true, between: 12, greedy: cycle(unending, 2, 1), deploys: 3, percent: 91},
		{name: "over deploys, again after a while", warm: true, between: 12, greedy: again(600, 1), deploys: 3, percent: 91},
		{name: "once each, and the others' answers are long", warm: true, between: 12, greedy: cycle(unending, 1, 1), percent: 99, weight: 3},
		{name: "gone before the others came, whose answers are long", first: 10_000, greedy: cycle(2400, 2, 1), percent: 95, weight: 3},
		{name: "over deploys, and the others' answers are long", warm: true, between: 12, greedy: cycle(unending, 1, 1), deploys: 3, percent: 91, weight: 2},
		{name: "long answers", warm: true, between: 12, greedy: cycle(140, 1, 15), percent: 99},
		{name: "the longest", warm: true, between: 12, greedy: cycle(80, 2, 256), percent: 99},
		{name: "the longest, few", warm: true, between: 1, greedy: cycle(8, 1, 256), percent: 99},
		{name: "long answers, again after a while", warm: true, between: 2, greedy: again(20, 16), percent: 99},
		{name: "long answers before the others came", first: 10_000, between: 1, greedy: cycle(120, 1, 16), percent: 95},
	} {
		for _, clients := range []int{1, 100} {
			t.Run(fmt.Sprintf("%s, %d", tc.name, clients), func(t *testing.T) {
				s, last := newStore(entries), newLRU(entries)
				hits, found, asked, shown := 0, 0, 0, 0
				greedy := func(n int) {
					for range n {
						k, weight := tc.greedy(shown)
						s.see(k, "greedy "+strconv.Itoa(int(k[0])%clients), weight)
						last.see(k, weight)
						shown++
					}
				}
				other := func(n int) {
					k := keyed(1, n%others+n*tc.deploys/(rounds*others)*others)
					if s.see(k, "other "+strconv.Itoa(n%others), max(1, tc.weight)) {
						hits++
					}
					if last.see(k, max(1, tc.weight)) {
						found++
					}
					asked++
				}
				if tc.warm {
					for n := range 4 * others {
						other(n % others)
					}
				}
				greedy(tc.first)
				hits, found, asked = 0, 0, 0
				burst := max(1, tc.burst)
				for n := range rounds * others {
					if n%burst == 0 {
						greedy(tc.between * burst)
					}
					other(n)
				}
				s.check(t)
				share, yardstick := percent(hits, asked), percent(found, asked)
				t.Logf("%.1f %% of the others' requests found their answer, %.1f %% with a list by last use", share, yardstick)
				if share < tc.percent || share < yardstick-5 {
					t.Errorf("%.1f %% of the others' requests found their answer, wanted %v %%, and with a list by last use %.1f %%", share, tc.percent, yardstick)
				}
			})
		}
	}
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(of) }

// TestHonestCrowds: what is found of tokens that nobody means harm with, held against a
// list by last use.
func TestHonestCrowds(t *testing.T) {
	const draws = 100_000
	zipf := func(exponent float64, tokens int) func(*rand.Rand) func(int) int {
		return func(r *rand.Rand) func(int) int {
			z := rand.NewZipf(r, exponent, 1, uint64(tokens-1))
			return func(int) int { return int(z.Uint64()) }
		}
	}
	for _, tc := range []struct {
		name   string
		limit  int
		tokens func(*rand.Rand) func(i int) int // which one the i-th request shows
	}{
		{"Zipf's law", 500, zipf(1.01, 20_000)},
		{"steeper", 500, zipf(1.2, 20_000)},
		{"few places", 50, zipf(1.01, 2000)},
		{"nearly a place for each", 2000, zipf(1.01, 2500)},
		{"a place for each", 1000, func(r *rand.Rand) func(int) int {
			return func(int) int { return r.IntN(1000) }
		}},
		{"more than there are places, in turn", 1000, func(*rand.Rand) func(int) int {
			return func(i int) int { return i % 1200 }
		}},
		{"all new at times", 1000, func(r *rand.Rand) func(int) int {
			return func(i int) int { return i/40_000*10_000 + r.IntN(800) }
		}},
		{"all new at times, in turn", 1000, func(*rand.Rand) func(int) int {
			return func(i int) int { return i/40_000*10_000 + i%250 }
		}},
		{"new in turn, after sixty requests each", 1000, func(*rand.Rand) func(int) int {
			return func(i int) int { return i%250 + 250*((i/250+i%250)/60) }
		}},
		{"each lives for forty requests", 1000, func(r *rand.Rand) func(int) int {
			return func(i int) int { return i/40 + r.IntN(800) }
		}},
		{"each lives for ten requests", 1000, func(r *rand.Rand) func(int) int {
			return func(i int) int { return i/10 + r.IntN(800) }
		}},
		{"after many tokens that were shown twice and are no more", 2000, func(*rand.Rand) func(int) int {
			return func(i int) int {
				if i < 20_000 {
					return 1000 + i/2%2400
				}
				return i % 500
			}
		}},
		{"after many tokens in use that are no more", 2000, func(*rand.Rand) func(int) int {
			return func(i int) int {
				if i < 20_000 {
					return 2000 + i%1990
				}
				return i % 1500
			}
		}},
	} {
		for whose, client := range map[string]func(cacheKey) string{
			"a client for each token": func(k cacheKey) string { return string(k[:]) },
			"fifty clients":           func(k cacheKey) string { return string('0' + rune(k[0])%50) },
			"one client":              func(cacheKey) string { return "" },
		} {
			t.Run(tc.name+", "+whose, func(t *testing.T) {
				next := tc.tokens(rand.New(rand.NewPCG(1, 1)))
				s, last := newStore(tc.limit), newLRU(tc.limit)
				hits, found := 0, 0
				for i := range draws {
					k := keyed(0, next(i))
					if s.see(k, client(k), 1) {
						hits++
					}
					if last.see(k, 1) {
						found++
					}
				}
				share, yardstick := percent(hits, draws), percent(found, draws)
				t.Logf("%.2f %% were found, %.2f %% with a list by last use", share, yardstick)
				if share < yardstick-1 {
					t.Errorf("%.2f %% were found, wanted %.2f %% as with a list by last use, but for one", share, yardstick)
				}
			})
		}
	}
}

// TestManyOfOneAmongManyOfOneEach: what a client finds that has many tokens in use, among
// clients that come once each and leave an answer behind, held against a store without
// bounds.
func TestManyOfOneAmongManyOfOneEach(t *testing.T) {
	const limit, requests, lifetime = 1000, 100_000, 3 * time.Second // of a request each millisecond
	for _, tc := range []struct{ tokens, oneIn int }{                // in use at random; one request in so many comes from elsewhere
		{50, 10}, {200, 10}, {500, 10}, {50, 100}, {200, 100}, {500, 100},
	} {
		t.Run(fmt.Sprintf("%d, one request in %d from elsewhere", tc.tokens, tc.oneIn), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 1))
			s, all := newStore(limit), make(map[cacheKey]time.Time)
			hits, best, asked := 0, 0, 0
			for i := range requests {
				now := begun.Add(time.Duration(i) * time.Millisecond)
				if i%tc.oneIn == 0 {
					once := keyed(2, i)
					s.get(once)
					s.set(once, strconv.Itoa(i), &entry{Result: &Result{until: now.Add(lifetime)}}, now)
					continue
				}
				asked++
				k := keyed(1, random.IntN(tc.tokens))
				if now.Before(all[k]) {
					best++
				} else {
					all[k] = now.Add(lifetime)
				}
				if e := s.get(k); e != nil && now.Before(e.until) {
					hits++
				} else {
					s.set(k, "many", &entry{Result: &Result{until: now.Add(lifetime)}}, now)
				}
			}
			s.check(t)
			share, yardstick := percent(hits, asked), percent(best, asked)
			t.Logf("%.1f %% were found, %.1f %% without bounds", share, yardstick)
			if share < yardstick-5 {
				t.Errorf("%.1f %% were found, and without bounds %.1f %%", share, yardstick)
			}
		})
	}
}
