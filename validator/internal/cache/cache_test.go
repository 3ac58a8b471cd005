package cache

import (
	"container/list"
	"encoding/binary"
	"math/rand/v2"
	"sort"
	"sync"
	"testing"
)

// idOf makes an ID as uniform as a real one.
func idOf(r *rand.Rand) ID {
	var id ID
	binary.LittleEndian.PutUint64(id[:8], r.Uint64())
	binary.LittleEndian.PutUint64(id[8:], r.Uint64())
	return id
}

const usualBytes = 1 << 10

// len counts what is there.
func (c *Cache[T]) len() int {
	n := 0
	for i := range c.sets {
		for j := range c.sets[i].entries {
			if c.sets[i].entries[j].Load() != nil {
				n++
			}
		}
	}
	return n
}

func TestKeepsItsBound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, entries := range []int{1, 2, 7, 8, 9, 100, 1000, 10_000} {
		c := New[int](entries, usualBytes)
		for range 5 * entries {
			p := &Entry[int]{ID: idOf(r)}
			c.Put(p, 1)
			if c.Get(&p.ID) != &p.Value {
				t.Fatalf("%d entries: an entry just put is not found", entries)
			}
		}
		if n := c.len(); n > entries || n < entries*6/10 {
			t.Errorf("%d entries: holds %d", entries, n)
		}
	}
}

func TestPutReplacesAndDropRemoves(t *testing.T) {
	c := New[int](16, usualBytes)
	r := rand.New(rand.NewPCG(1, 2))
	id := idOf(r)
	first, second := &Entry[int]{ID: id}, &Entry[int]{ID: id}
	c.Put(first, 1)
	c.Put(second, 1)
	if c.Get(&id) != &second.Value || c.len() != 1 {
		t.Error("a second entry with one ID does not replace the first")
	}
	c.Drop(&id, &first.Value)
	if c.Get(&id) != &second.Value {
		t.Error("dropping a replaced entry dropped its successor")
	}
	c.Drop(&id, &second.Value)
	if c.Get(&id) != nil || c.len() != 0 {
		t.Error("a dropped entry is still found")
	}
}

// The tag is half of an ID; the other half counts, too.
func TestComparesTheWholeFingerprint(t *testing.T) {
	c := New[int](8, usualBytes) // one set, so that the first half does not matter for the place
	p := &Entry[int]{ID: ID{0: 1, 15: 9}}
	c.Put(p, 1)
	other := ID{0: 2, 15: 9}
	if c.Get(&other) != nil {
		t.Error("another ID with the same tag hits")
	}
}

// The hit rate stays within five points of an ideal LRU of the same size.
func TestHitRate(t *testing.T) {
	const tokens, entries, requests = 100_000, 1_000, 400_000
	r := rand.New(rand.NewPCG(3, 4))
	ids := make([]ID, tokens)
	for i := range ids {
		ids[i] = idOf(r)
	}
	next := zipf(r, tokens)
	c, ideal := New[int](entries, usualBytes), newLRU(entries)
	hits, idealHits := 0, 0
	for range requests {
		n := next()
		if c.Get(&ids[n]) != nil {
			hits++
		} else {
			c.Put(&Entry[int]{ID: ids[n]}, 1)
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

func TestConcurrently(t *testing.T) {
	c := New[int](64, usualBytes)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(5, uint64(n%2))) // pairs share their ids
			for range 20_000 {
				id := idOf(r)
				if v := c.Get(&id); v != nil {
					if *v != int(id[0]) {
						t.Error("got what another ID stands for")
					}
					c.Drop(&id, v)
				} else {
					c.Put(&Entry[int]{ID: id, Value: int(id[0])}, 1)
				}
			}
		})
	}
	wg.Wait()
	if n := c.len(); n > 64 {
		t.Errorf("holds %d entries, wanted at most 64", n)
	}
}
