package validator

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// bytesHeld adds up what the proofs in a cache count for.
func (c *cache) bytesHeld() (n int64) {
	for i := range c.sets {
		for j := range c.sets[i].proofs {
			if p := c.sets[i].proofs[j].Load(); p != nil {
				n += p.bytes
			}
		}
	}
	return n
}

// TestLargeProofsHaveTheRoomThatOthersLeave: they are kept while it lasts, the
// bound holds, and no other proof goes for one.
func TestLargeProofsHaveTheRoomThatOthersLeave(t *testing.T) {
	const entries, usual = 64, 100
	r := rand.New(rand.NewPCG(1, 2))
	c := newCache(entries)
	c.bound(usual)
	put := func(bytes int64) *proof {
		p := &proof{id: idOf(r), bytes: bytes}
		c.put(p)
		if c.held.Load() != c.bytesHeld() || c.bytesHeld() > entries*usual {
			t.Fatalf("after one of %d bytes: counts %d, holds %d, wanted at most %d", bytes, c.held.Load(), c.bytesHeld(), entries*usual)
		}
		return p
	}
	if !c.fits(entries*usual) || c.fits(entries*usual+1) {
		t.Error("what fits is wrong")
	}
	small, big := put(1), put(3000)
	for range 20 {
		last := put(3000)
		if c.get(&last.id) != last {
			t.Fatal("the newest large proof is not there")
		}
		if c.get(&small.id) != small {
			small = put(1) // its set was full
		}
	}
	if c.get(&big.id) == big {
		t.Error("22 large proofs are there, and room is for two")
	}
	for range 1000 {
		put(usual) // now the others need all of it
	}
	if len(c.large.proofs) > 0 && c.held.Load() > entries*usual {
		t.Errorf("%d large proofs beside a full cache", len(c.large.proofs))
	}
	all := put(entries * usual)
	if c.get(&all.id) != nil && c.bytesHeld() > entries*usual {
		t.Error("one proof has all the room, and others are there")
	}
	for p := range c.large.proofs {
		c.drop(p)
	}
	if len(c.large.proofs) != 0 {
		t.Errorf("%d proofs are listed that are not there", len(c.large.proofs))
	}
}

// TestLargeProofsConcurrently keeps the count right whoever removes what.
func TestLargeProofsConcurrently(t *testing.T) {
	const entries, usual = 64, 100
	c := newCache(entries)
	c.bound(usual)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(n%2)))
			for range 5000 {
				id := idOf(r)
				if p := c.get(&id); p != nil {
					c.drop(p)
				}
				c.put(&proof{id: id, bytes: int64(r.IntN(400))})
			}
		})
	}
	wg.Wait()
	if c.held.Load() != c.bytesHeld() || c.bytesHeld() > entries*usual {
		t.Errorf("counts %d, holds %d, wanted at most %d", c.held.Load(), c.bytesHeld(), entries*usual)
	}
	large := 0
	for i := range c.sets {
		for j := range c.sets[i].proofs {
			if p := c.sets[i].proofs[j].Load(); p != nil && p.bytes > usual {
				large++
			}
		}
	}
	if large != len(c.large.proofs) {
		t.Errorf("%d large proofs are listed, %d are there", len(c.large.proofs), large)
	}
}
