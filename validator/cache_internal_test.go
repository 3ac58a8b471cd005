package validator

import (
	"container/list"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"sync"
	"testing"
)

// idOf makes a fingerprint as uniform as a real one.
func idOf(r *rand.Rand) fingerprint {
	var id fingerprint
	binary.LittleEndian.PutUint64(id[:8], r.Uint64())
	binary.LittleEndian.PutUint64(id[8:], r.Uint64())
	return id
}

func (c *cache) len() int {
	n := 0
	for i := range c.sets {
		for j := range c.sets[i].proofs {
			if c.sets[i].proofs[j].Load() != nil {
				n++
			}
		}
	}
	return n
}

func TestCacheKeepsItsBound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, entries := range []int{1, 2, 7, 8, 9, 100, 1000, 10_000} {
		c := newCache(entries)
		for range 5 * entries {
			p := &proof{id: idOf(r)}
			c.put(p)
			if c.get(&p.id) != p {
				t.Fatalf("%d entries: a proof just put is not found", entries)
			}
		}
		if n := c.len(); n > entries || n < entries*6/10 {
			t.Errorf("%d entries: holds %d", entries, n)
		}
	}
}

func TestCachePutReplacesAndDropRemoves(t *testing.T) {
	c := newCache(16)
	r := rand.New(rand.NewPCG(1, 2))
	id := idOf(r)
	first, second := &proof{id: id}, &proof{id: id}
	c.put(first)
	c.put(second)
	if c.get(&id) != second || c.len() != 1 {
		t.Error("a second proof of one token does not replace the first")
	}
	c.drop(first)
	if c.get(&id) != second {
		t.Error("dropping a replaced proof dropped its successor")
	}
	c.drop(second)
	if c.get(&id) != nil || c.len() != 0 {
		t.Error("a dropped proof is still found")
	}
}

// The tag is half of the fingerprint; the other half counts, too.
func TestCacheComparesTheWholeFingerprint(t *testing.T) {
	c := newCache(8) // one set, so that the first half does not matter for the place
	p := &proof{id: fingerprint{0: 1, 15: 9}}
	c.put(p)
	other := fingerprint{0: 2, 15: 9}
	if c.get(&other) != nil {
		t.Error("another fingerprint with the same tag hits")
	}
}

// The hit rate stays within five points of an ideal LRU of the same size.
func TestCacheHitRate(t *testing.T) {
	const tokens, entries, requests = 100_000, 1_000, 400_000
	r := rand.New(rand.NewPCG(3, 4))
	ids := make([]fingerprint, tokens)
	for i := range ids {
		ids[i] = idOf(r)
	}
	next := zipf(r, tokens)
	c, ideal := newCache(entries), newLRU(entries)
	hits, idealHits := 0, 0
	for range requests {
		n := next()
		if c.get(&ids[n]) != nil {
			hits++
		} else {
			c.put(&proof{id: ids[n]})
		}
		if ideal.use(n) {
			idealHits++
		}
	}
	got, best := 100*float64(hits)/requests, 100*float64(idealHits)/requests
	t.Logf("hit rate %.1f %%, an ideal LRU %.1f %%", got, best)
	if got < best-5 {
		t.Errorf("hit rate %.1f %%, an ideal LRU has %.1f %%", got, best)
	}
}

// zipf draws from a Zipf distribution with exponent 1.0, which math/rand's
// does not offer.
func zipf(r *rand.Rand, n int) func() int {
	sums := make([]float64, n)
	total := 0.0
	for i := range sums {
		total += 1 / float64(i+1)
		sums[i] = total
	}
	return func() int { return min(n-1, sort.SearchFloat64s(sums, r.Float64()*total)) }
}

type lru struct {
	size  int
	order *list.List
	at    map[int]*list.Element
}

func newLRU(size int) *lru { return &lru{size, list.New(), make(map[int]*list.Element)} }

func (l *lru) use(n int) bool {
	if e, ok := l.at[n]; ok {
		l.order.MoveToFront(e)
		return true
	}
	l.at[n] = l.order.PushFront(n)
	if l.order.Len() > l.size {
		delete(l.at, l.order.Remove(l.order.Back()).(int))
	}
	return false
}

func TestCacheConcurrently(t *testing.T) {
	c := newCache(64)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(5, uint64(n%2))) // pairs share their ids
			for range 20_000 {
				id := idOf(r)
				if p := c.get(&id); p != nil {
					if p.id != id {
						t.Error("got a proof of another token")
					}
					c.drop(p)
				} else {
					c.put(&proof{id: id})
				}
			}
		})
	}
	wg.Wait()
	if n := c.len(); n > 64 {
		t.Errorf("holds %d proofs, wanted at most 64", n)
	}
}

func TestFingerprints(t *testing.T) {
	f := newFingerprinter()
	signature := fmt.Sprintf("%0*d", minSignatureChars, 0)
	signed := "aa.bb." + signature
	if !looksSigned(signed) || looksSigned("aa.bb."+signature[1:]) || looksSigned(signature) || looksSigned("aa."+signature) || looksSigned("") {
		t.Error("looksSigned is wrong about the shape")
	}
	for _, token := range []string{signed, "opaque", ""} {
		first := f.sum(token)
		if first != f.sum(token) {
			t.Errorf("%q: the fingerprint changes", token)
		}
		if first == newFingerprinter().sum(token) {
			t.Errorf("%q: another process has the same fingerprint, so it depends on no key", token)
		}
	}
	hmacOnly := newFingerprinter()
	hmacOnly.gcm = nil // as in FIPS 140 mode
	if first := hmacOnly.sum(signed); first != hmacOnly.sum(signed) || first == hmacOnly.sum(signed+"A") {
		t.Error("HMAC does not serve in the place of GCM")
	}
}

// Tags are uniform: every set gets its share.
func TestCacheSpreads(t *testing.T) {
	c := newCache(8000)
	f := newFingerprinter()
	counts := make([]int, len(c.sets))
	const tokens = 100_000
	for i := range tokens {
		id := f.sum(fmt.Sprintf("token-%d", i))
		n, _ := c.place(&id)
		counts[n]++
	}
	mean := float64(tokens) / float64(len(counts))
	for n, count := range counts {
		if math.Abs(float64(count)-mean) > 7*math.Sqrt(mean) {
			t.Errorf("set %d got %d of %d fingerprints, the mean is %.0f", n, count, tokens, mean)
		}
	}
}

// sum is the fingerprint alone.
func (f *fingerprinter) sum(token string) fingerprint {
	id, _ := f.of(token)
	return id
}
