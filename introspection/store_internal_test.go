package introspection

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// keyed is the n-th key of a client, as random as keys are.
func keyed(client byte, n int) (k cacheKey) {
	x := uint64(client)<<56 ^ uint64(n)
	for i := 0; i < 16; i += 8 {
		x += 0x9e3779b97f4a7c15
		z := (x ^ x>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.BigEndian.PutUint64(k[i:], z^z>>31)
	}
	return k
}

var zeros [1 << 20]byte

// weighing is an entry that counts for so many.
func weighing(n int) *entry {
	return &entry{Result: &Result{claims: zeros[: n*weightUnit : n*weightUnit]}}
}

// see is what a request does: it looks, and keeps an answer if there is none.
func (s *store) see(k cacheKey, weight int) (hit bool) {
	if s.get(k) != nil {
		return true
	}
	s.set(k, weighing(weight))
	return false
}

// check holds both queues, both ways, against the table, their weights and their order.
func (s *store) check(t *testing.T) {
	t.Helper()
	count := 0
	for _, q := range []*queue{&s.fresh, &s.proven} {
		weight := uint32(0)
		var older *place
		for p := q.oldest; p != nil; p = p.newer {
			if p.in != q || p.older != older || s.byKey[p.key] != p {
				t.Fatalf("place %d of a queue does not fit its neighbours or the table", count)
			}
			if q == &s.proven && older != nil && s.age(older.seen) < s.age(p.seen) {
				t.Fatal("the proven are not in the order of their last use")
			}
			older = p
			count++
			weight += p.weight
		}
		if q.newest != older || weight != q.weight {
			t.Fatalf("a queue of weight %d says that it has %d, or another end", weight, q.weight)
		}
	}
	weight, proven := s.fresh.weight+s.proven.weight, s.limit-max(1, s.limit/newShare)
	if count != len(s.byKey) || count != s.size() || weight > s.limit || s.proven.weight > proven {
		t.Fatalf("%d places of weight %d in the queues, %d of it proven, %d places in the table; at most %d and %d", count, weight, s.proven.weight, len(s.byKey), s.limit, proven)
	}
}

// TestStore does everything to a store in any order: it never holds more than it may,
// nor anything but what was last kept, nor what was removed; and no operation drops more
// than the new one counts for.
func TestStore(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		limit := 1 + random.IntN(25)
		s, kept := newStore(limit), make(map[cacheKey]*entry)
		s.clock = math.MaxUint32 - uint32(random.IntN(500)) // it overflows
		for range 1000 {
			k, before := keyed(0, random.IntN(2*limit+1)), s.size()
			switch action := random.IntN(100); {
			case action < 50:
				if e := s.get(k); e != nil && e != kept[k] {
					t.Fatalf("seed %d: an entry is there that was not kept, or was replaced", seed)
				}
				if gone := before - s.size(); gone > limit {
					t.Fatalf("seed %d: a use dropped %d", seed, gone)
				}
			case action < 90:
				weight := []int{1, 1, 1, 2, 3, limit, limit + 1}[random.IntN(7)]
				kept[k] = weighing(weight)
				s.set(k, kept[k])
				if fits := weight <= limit; (s.peek(k) == kept[k]) != fits {
					t.Fatalf("seed %d: one of weight %d is there: %v, wanted %v", seed, weight, !fits, fits)
				}
				if gone := before + 1 - s.size(); gone > weight+1 {
					t.Fatalf("seed %d: one of weight %d dropped %d", seed, weight, gone)
				}
			case action < 99:
				s.remove(k)
				delete(kept, k)
				if s.peek(k) != nil {
					t.Fatalf("seed %d: one that was removed is there", seed)
				}
			default:
				s.clear()
				clear(kept)
			}
			s.check(t)
		}
	}
}

// letters lists both queues, the oldest first, of a store whose keys are of letters.
func (s *store) letters() string {
	var b strings.Builder
	for _, q := range []*queue{&s.fresh, &s.proven} {
		if q == &s.proven {
			b.WriteByte('|')
		}
		for p := q.oldest; p != nil; p = p.newer {
			for c := range byte(26) {
				if p.key == keyed('a'+c, 0) {
					b.WriteByte('a' + c)
				}
			}
		}
	}
	return b.String()
}

// seeAll shows tokens: letters, and how many each counts for if that is not one.
func (s *store) seeAll(tokens string) {
	for _, token := range strings.Fields(tokens) {
		weight := 1
		if _, number, ok := strings.Cut(token, "/"); ok {
			weight, _ = strconv.Atoi(number)
		}
		s.see(keyed(token[0], 0), weight)
	}
}

// TestPlaces: which tokens are kept, after others were shown: those that are fresh, and
// those that are proven.
func TestPlaces(t *testing.T) {
	const (
		fourProven = "a b a c b d c e d "                // of five places; e is fresh
		nineProven = fourProven + "f e g f h g i h j i " // of ten; j is fresh
	)
	for _, tc := range []struct {
		name   string
		limit  int
		tokens string
		want   string // the fresh and the proven
	}{
		{"what comes is fresh", 10, "a b c", "abc|"},
		{"in a burst, too", 100, "a a b a a a", "ab|"},
		{"which lasts for a twentieth as many requests", 100, "a a b a a a a", "b|a"},
		{"what comes again is proven", 10, "a b a", "b|a"},
		{"the oldest of the fresh makes place", 3, "a b c d", "bcd|"},
		{"and comes back proven", 3, "a b c d a", "cd|a"},
		{"one that grew comes back as another", 3, "a b c d a/2", "da|"},
		{"a large one that was used for less than it counts is not proven", 10, "g/3 a g", "ga|"},
		{"but one that was used for as much is", 10, "g/3 a g g", "a|g"},
		{"nor is it remembered", 5, "g/3 g a b c g/3", "bcg|"},
		{"but for as much it is", 5, "g/3 g g a b c g/3", "bc|g"},
		{"the proven are in the order of last use", 10, "a b a c b a", "c|ba"},
		{"where a large one's last use is as many", 10, "g/3 a g g b a g g", "b|ga"},
		{"which it must have anew each time", 10, "g/3 a g g b a g g g c a g g", "bc|ga"},
		{"the proven leave the new their share", 5, fourProven, "e|abcd"},
		{"who came twice since the last use of one takes its place", 5, fourProven + "f e", "f|bcde"},
		{"who came but once since then does not", 5, fourProven + "a b c d f e", "e|abcd"},
		{"nor with a use", 10, nineProven + "a b c d e f g h i j", "j|abcdefghi"},
		{"but that one counts later", 10, nineProven + "a b c d e f g h i j k j", "k|bcdefghij"},
		{"a large one takes the places of as many", 10, nineProven + "k/2 k", "b|cdefghik"},
		{"one that made place for another must be used as often again", 10, "g/5 a g g g g k/5 k k k k g g", "g|k"},
		{"and then makes that one make place", 10, "g/5 a g g g g k/5 k k k k g g g g g", "k|g"},
		{"one larger than the share of what is new takes the oldest's place", 5, fourProven + "g/2", "g|bcd"},
		{"one too large for all is not kept", 5, "a g/6", "a|"},
		{"where there is one place, the newest has it", 1, "a a b a b", "b|"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStore(tc.limit)
			s.seeAll(tc.tokens)
			s.check(t)
			if got := s.letters(); got != tc.want {
				t.Errorf("%s are there, wanted %s", got, tc.want)
			}
		})
	}
}

// TestRenewedKeepsItsPlace: an answer that replaces one is of the same token, unless it
// counts for more or less.
func TestRenewedKeepsItsPlace(t *testing.T) {
	for _, tc := range []struct {
		name, tokens string
		weight       int
		want, then   string // then: after one use
	}{
		{"fresh", "a b c", 1, "abc|", "bc|a"},
		{"proven", "a b a c b", 1, "c|ab", "c|ba"},
		{"proven, and grew", "a b a c b", 2, "ca|b", "c|ba"},
		{"large, and used for all but one", "a/3 a b", 3, "ab|", "b|a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStore(10)
			s.seeAll(tc.tokens)
			e := weighing(tc.weight)
			s.set(keyed('a', 0), e)
			s.check(t)
			if got := s.letters(); got != tc.want || s.peek(keyed('a', 0)) != e {
				t.Errorf("%s are there, wanted %s with the new answer", got, tc.want)
			}
			s.seeAll("a")
			if got := s.letters(); got != tc.then {
				t.Errorf("after a use %s are there, wanted %s", got, tc.then)
			}
		})
	}
}

// TestLookingIsNoUse: that a Client looks what it knows of a token says nothing of how
// often it is shown.
func TestLookingIsNoUse(t *testing.T) {
	s := newResults(10)
	for _, active := range []bool{true, false} {
		for n := range 2 {
			s.put(keyed('a'+byte(n), 0), &Result{active: active})
		}
		for range 3 {
			s.lastActive(keyed('a', 0))
			s.lastInactive(keyed('a', 0))
			s.put(keyed('a', 0), &Result{active: active})
		}
	}
	if got := s.inactive.letters(); got != "ab|" {
		t.Errorf("%s are there, wanted ab|", got)
	}
	for n := range 2 {
		s.put(keyed('a'+byte(n), 0), &Result{active: true})
	}
	for range 3 {
		s.lastActive(keyed('a', 0))
		s.put(keyed('a', 0), &Result{active: true})
	}
	if got := s.active.letters(); got != "ab|" {
		t.Errorf("%s are there, wanted ab|", got)
	}
}

// TestNothingIsLeftOfWhatIsForgotten: not even that it came.
func TestNothingIsLeftOfWhatIsForgotten(t *testing.T) {
	s := newStore(3)
	s.seeAll("a b c d")
	s.clear()
	s.seeAll("a")
	if got := s.letters(); got != "a|" {
		t.Errorf("%s are there, wanted a|", got)
	}
	s.remove(keyed('a', 0))
	s.seeAll("b a")
	if got := s.letters(); got != "ba|" {
		t.Errorf("%s are there, wanted ba|", got)
	}
}

// TestAnswersAtOnce: whatever comes at once, no token is known as active and as inactive.
func TestAnswersAtOnce(t *testing.T) {
	s := newResults(50)
	var asking sync.WaitGroup
	for seed := range uint64(8) {
		asking.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			for range 5000 {
				k := keyed(0, random.IntN(200))
				switch random.IntN(10) {
				case 0:
					size := random.IntN(5 * weightUnit)
					s.put(k, &Result{active: true, claims: zeros[:size:size], until: time.Now()})
				case 1:
					s.put(k, &Result{claims: inactiveClaims})
				case 2:
					if random.IntN(500) == 0 {
						s.drop()
					}
				default:
					s.active.get(k)
					s.inactive.get(k)
				}
			}
		})
	}
	asking.Wait()
	s.active.check(t)
	s.inactive.check(t)
	for k := range s.active.byKey {
		if s.inactive.peek(k) != nil {
			t.Error("a token is known as active and as inactive")
		}
	}
}
