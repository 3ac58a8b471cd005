package cache

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// bytesHeld adds up what the entries count for.
func (c *Cache[T]) bytesHeld() (n int64) {
	for i := range c.sets {
		for j := range c.sets[i].entries {
			if p := c.sets[i].entries[j].Load(); p != nil {
				n += int64(p.bytes)
			}
		}
	}
	return n
}

// TestLargeEntriesHaveTheRoomThatOthersLeave: they are kept while it lasts, the
// bound holds, and no other entry goes for one.
func TestLargeEntriesHaveTheRoomThatOthersLeave(t *testing.T) {
	const entries, usual = 64, 100
	r := rand.New(rand.NewPCG(1, 2))
	c := New[int](entries, usual)
	put := func(bytes int) *Entry[int] {
		p := &Entry[int]{ID: idOf(r)}
		c.Put(p, bytes)
		if c.held.Load() != c.bytesHeld() || c.bytesHeld() > entries*usual {
			t.Fatalf("after one of %d bytes: counts %d, holds %d, wanted at most %d", bytes, c.held.Load(), c.bytesHeld(), entries*usual)
		}
		return p
	}
	if over := put(entries*usual + 1); c.Get(&over.ID) != nil {
		t.Error("what can never fit is stored")
	}
	small, big := put(1), put(3000)
	for range 20 {
		last := put(3000)
		if c.Get(&last.ID) != &last.Value {
			t.Fatal("the newest large entry is not there")
		}
		if c.Get(&small.ID) != &small.Value {
			small = put(1) // its set was full
		}
	}
	if c.Get(&big.ID) == &big.Value {
		t.Error("22 large entries are there, and room is for two")
	}
	for range 1000 {
		put(usual) // now the others need all of it
	}
	if len(c.large.entries) > 0 && c.held.Load() > entries*usual {
		t.Errorf("%d large entries beside a full cache", len(c.large.entries))
	}
	all := put(entries * usual)
	if c.Get(&all.ID) != nil && c.bytesHeld() > entries*usual {
		t.Error("one entry has all the room, and others are there")
	}
	for p := range c.large.entries {
		c.Drop(&p.ID, &p.Value)
	}
	if len(c.large.entries) != 0 {
		t.Errorf("%d entries are listed that are not there", len(c.large.entries))
	}
}

// TestLargeEntriesConcurrently keeps the count right whoever removes what.
func TestLargeEntriesConcurrently(t *testing.T) {
	const entries, usual = 64, 100
	c := New[int](entries, usual)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(n%2)))
			for range 5000 {
				id := idOf(r)
				if v := c.Get(&id); v != nil {
					c.Drop(&id, v)
				}
				c.Put(&Entry[int]{ID: id}, r.IntN(400))
			}
		})
	}
	wg.Wait()
	if c.held.Load() != c.bytesHeld() || c.bytesHeld() > entries*usual {
		t.Errorf("counts %d, holds %d, wanted at most %d", c.held.Load(), c.bytesHeld(), entries*usual)
	}
	large := 0
	for i := range c.sets {
		for j := range c.sets[i].entries {
			if p := c.sets[i].entries[j].Load(); p != nil && p.bytes > usual {
				large++
			}
		}
	}
	if large != len(c.large.entries) {
		t.Errorf("%d large entries are listed, %d are there", len(c.large.entries), large)
	}
}
