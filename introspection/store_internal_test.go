package introspection

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
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

// begun is when every test begins.
var begun = time.Unix(1e9, 0)

// weighing is an entry that counts for so many, and is not over for an hour.
func weighing(n int) *entry {
	return &entry{Result: &Result{claims: zeros[: n*weightUnit : n*weightUnit], until: begun.Add(time.Hour)}}
}

// see is what a request does: it looks, and keeps an answer if there is none.
func (s *store) see(k cacheKey, client string, weight int) (hit bool) {
	if s.get(k) != nil {
		return true
	}
	s.set(k, client, weighing(weight), begun)
	return false
}

// check holds everything in a store against everything else.
func (s *store) check(t *testing.T) {
	t.Helper()
	weight, all, inShares, chained := uint32(0), 0, 0, 0
	for size, like := range s.sized {
		for _, p := range like[len(like):cap(like)] {
			if p != nil {
				t.Fatal("one that was dropped is held")
			}
		}
		for n, p := range like {
			if p.at != n || p.weight>>size != 1 || s.find(p.key) != p || *s.findShare(p.of.client) != p.of {
				t.Fatalf("place %d of %d of size %d is not where it is looked for", n, len(like), size)
			}
			weight += p.weight
			all++
		}
	}
	for _, p := range s.byKey {
		for ; p != nil; p = p.chained {
			chained++
		}
	}
	for _, of := range s.shares {
		for ; of != nil; of = of.chained {
			weight := uint32(0)
			var older *place
			for p := of.oldest; p != nil; p = p.newer {
				if p.of != of || p.older != older || older != nil && older.used > p.used {
					t.Fatal("a place does not fit its neighbours, or was used before the one that is older")
				}
				older = p
				inShares++
				weight += p.weight
			}
			if older == nil || of.newest != older || of.weight != weight {
				t.Fatalf("a share of weight %d says that it has %d, or has another end, or is empty", weight, of.weight)
			}
		}
	}
	if weight != s.weight || weight > s.limit || inShares != all || chained != all || s.size() != all {
		t.Fatalf("%d places of weight %d, at most %d, said to be %d; %d in shares, %d in chains", all, weight, s.limit, s.weight, inShares, chained)
	}
}

// TestStore does everything to a store in any order: it never holds more than it may,
// nor anything but what was last kept, nor what was removed; and no more is dropped than
// the new one counts for.
func TestStore(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		limit := 1 + random.IntN(25)
		s, kept := newStore(limit), make(map[cacheKey]*entry)
		for range 1000 {
			k, before := keyed(0, random.IntN(2*limit+1)), s.size()
			switch action := random.IntN(100); {
			case action < 50:
				if e := s.get(k); e != nil && e != kept[k] {
					t.Fatalf("seed %d: an entry is there that was not kept, or was replaced", seed)
				}
				if s.size() != before {
					t.Fatalf("seed %d: a use dropped something", seed)
				}
			case action < 90:
				weight := []int{1, 1, 1, 2, 3, limit, limit + 1}[random.IntN(7)]
				kept[k] = weighing(weight)
				s.set(k, strconv.Itoa(random.IntN(5)), kept[k], begun.Add(time.Duration(random.IntN(2))*time.Hour*2))
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

// letters lists what is in a store whose keys are of letters: each client's, by last use,
// in the order of their first letters.
func (s *store) letters() string {
	var all []string
	for _, of := range s.shares {
		for ; of != nil; of = of.chained {
			var b strings.Builder
			for p := of.oldest; p != nil; p = p.newer {
				for c := range byte(26) {
					if p.key == keyed('a'+c, 0) {
						b.WriteByte('a' + c)
					}
				}
			}
			all = append(all, b.String())
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// seeAll shows tokens: letters, each with its client's number if that is not 0, and with
// how many it counts for if that is not one.
func (s *store) seeAll(tokens string) {
	for _, token := range strings.Fields(tokens) {
		weight := 1
		token, number, large := strings.Cut(token, "/")
		if large {
			weight, _ = strconv.Atoi(number)
		}
		s.see(keyed(token[0], 0), token[1:], weight)
	}
}

// TestPlaces: which tokens are left, after others were shown to a small store, of which
// all are drawn, or so good as all.
func TestPlaces(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limit  int
		tokens string
		want   string // by client
	}{
		{"a client's are in the order of last use", 10, "a b c a", "bca"},
		{"each client has its own", 10, "a1 b2 c1 a1", "b ca"},
		{"the one not used for longest goes", 3, "a b c a d", "cad"},
		{"the clients' as well", 3, "a1 b2 c3 a1 d4", "a c d"},
		{"who has most gives up its own", 4, "a1 b2 c2 d2 e3", "a cd e"},
		{"also where it comes itself", 4, "a1 b1 c2 d2 a1 b1 e2", "ab de"},
		{"for which what comes counts as well", 2, "b2 a1 c1", "b c"},
		{"and where it had one, too", 3, "a1 b2 c3 b2 c3 a1 a1 a1 d3", "a b d"},
		{"unless another's was not used for as many times as long", 3, "a1 b2 c2 c2 b2 c2 b2 c2 b2 c2 d3", "bc d"},
		{"a large one costs as many", 4, "a1 b2/3 c3", "a c"},
		{"one that is too large is not kept", 4, "a b/5", "a"},
		{"one that fills the store is", 4, "a1 b2 c3 d4/4", "d"},
		{"where there is one place, the newest has it", 1, "a1 b2", "b"},
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
// counts for more or less, or is another client's.
func TestRenewedKeepsItsPlace(t *testing.T) {
	for _, tc := range []struct {
		name   string
		client string
		weight int
		want   string
	}{
		{"as it was", "1", 1, "abc"},
		{"grew", "1", 2, "bca"},
		{"of another client", "2", 1, "a bc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStore(10)
			s.seeAll("a1 b1 c1")
			e := weighing(tc.weight)
			s.set(keyed('a', 0), tc.client, e, begun)
			s.check(t)
			if got := s.letters(); got != tc.want || s.peek(keyed('a', 0)) != e {
				t.Errorf("%s are there, wanted %s with the new answer", got, tc.want)
			}
		})
	}
}

// TestLookingIsNoUse: that a Client looks what it knows of a token says nothing of how
// often it is shown.
func TestLookingIsNoUse(t *testing.T) {
	s := newResults(10, 0)
	for _, active := range []bool{true, false} {
		for n := range 2 {
			s.put(keyed('a'+byte(n), 0), &Result{active: active})
		}
		s.lastActive(keyed('a', 0))
		s.lastInactive(keyed('a', 0))
		s.put(keyed('a', 0), &Result{active: active})
		of := s.inactive
		if active {
			of = s.active
		}
		if got := of.letters(); got != "ab" {
			t.Errorf("%s are there, wanted ab", got)
		}
	}
}

// TestNothingIsLeftOfWhatIsForgotten: nor of its client.
func TestNothingIsLeftOfWhatIsForgotten(t *testing.T) {
	s := newStore(3)
	s.seeAll("a1 b1 c2 d3")
	s.clear()
	s.check(t)
	if s.size() != 0 || s.letters() != "" || s.weight != 0 {
		t.Errorf("%s are left", s.letters())
	}
	s.seeAll("a1 b2 c2")
	for _, token := range "abc" {
		s.remove(keyed(byte(token), 0))
		s.check(t)
	}
	if s.size() != 0 || s.letters() != "" {
		t.Errorf("%s are left", s.letters())
	}
}

// TestGraceCounts: an answer that StaleIfError still serves is not over, and one past that
// goes before others.
func TestGraceCounts(t *testing.T) {
	now := time.Now()
	for ended, left := range map[time.Duration]string{time.Minute: "b c d", time.Hour: "a c d"} {
		s := newResults(3, 10*time.Minute)
		for n, until := range []time.Time{now.Add(time.Hour), now.Add(-ended), now.Add(time.Hour), now.Add(time.Hour)} {
			letter := 'a' + byte(n)
			s.put(keyed(letter, 0), &Result{active: true, until: until, claims: fmt.Appendf(nil, `{"active":true,"client_id":"%c"}`, letter)})
			s.active.get(keyed(letter, 0))
		}
		if got := s.active.letters(); got != left {
			t.Errorf("after an answer that ended %v ago %s are there, wanted %s", ended, got, left)
		}
	}
}

// TestWhoseAnswerItIs: the client that an answer names, or its subject.
func TestWhoseAnswerItIs(t *testing.T) {
	for claims, want := range map[string]string{
		`{"active":true,"client_id":"a","sub":"b"}`: "a",
		`{"active":true,"sub":"b"}`:                 "b",
		`{"active":true,"client_id":"","sub":"b"}`:  "b",
		`{"active":true,"client_id":1}`:             "",
		`{"active":true}`:                           "",
		``:                                          "",
	} {
		if got := (&Result{claims: []byte(claims)}).client(); got != want {
			t.Errorf("%s is about a token of %q, wanted %q", claims, got, want)
		}
	}
}

// TestAnswersAtOnce: whatever comes at once, no token is known as active and as inactive.
func TestAnswersAtOnce(t *testing.T) {
	s := newResults(50, 0)
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
	for _, like := range s.active.sized {
		for _, p := range like {
			if s.inactive.peek(p.key) != nil {
				t.Error("a token is known as active and as inactive")
			}
		}
	}
}
