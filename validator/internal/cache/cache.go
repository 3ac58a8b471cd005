// Package cache is a table of a fixed size for what is costly to find out again,
// by a key of 128 uniform bits.
package cache

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
)

// ID is what an entry is found by. Both halves must be uniform, and nobody outside
// may be able to choose them.
type ID [16]byte

// Entry is a value with its place in a cache.
type Entry[T any] struct {
	ID    ID
	Value T
	bytes int32         // so that an entry is one of a smaller class
	stamp atomic.Uint32 // the cache's tick at the last use
}

// Cache is a set-associative table of values. A read takes no lock and writes
// nothing but, now and then, the stamp of what it found. A write locks one
// stripe of sets. The size is fixed when it is made, so a flood of new values can
// push out others, never grow it.
//
// Within a set the entry with the oldest stamp goes. Stamps count in steps of
// a sixty-fourth of the cache's size in insertions, which is fine enough to
// stay close to a true LRU and coarse enough that a busy value's stamp is
// seldom written.
//
// Its bound in bytes is that of a table full of values of the usual size at most.
// Larger ones are kept in what the others leave of that, and go when it is used
// up: to make a large one anew at every request would cost more.
type Cache[T any] struct {
	sets    []set[T]
	ways    int
	step    uint64
	inserts atomic.Uint64
	tick    atomic.Uint32
	stripes [64]sync.Mutex

	usual   int64        // bytes of a value that needs no room of others
	room    int64        // bytes of all
	held    atomic.Int64 // bytes now
	entries atomic.Int64 // values now
	large   large[T]     // the entries above the usual size
}

const maxWays = 8

// set keeps part of each ID beside the pointers, so that a miss reads one cache
// line.
type set[T any] struct {
	tags    [maxWays]atomic.Uint64
	entries [maxWays]atomic.Pointer[Entry[T]]
}

// New makes a cache of at most so many entries, of which each usually takes no
// more than usual bytes.
func New[T any](entries, usual int) *Cache[T] {
	ways := min(entries, maxWays)
	c := &Cache[T]{
		sets:  make([]set[T], max(1, entries/ways)),
		ways:  ways,
		step:  uint64(max(1, entries/64)),
		usual: int64(usual),
		large: large[T]{entries: make(map[*Entry[T]]struct{})},
	}
	c.room = c.usual * int64(c.Size())
	return c
}

// Size is how many entries there can be.
func (c *Cache[T]) Size() int { return len(c.sets) * c.ways }

// Len is how many entries there are.
func (c *Cache[T]) Len() int { return int(c.entries.Load()) }

// place splits an ID into the number of its set and its tag: a multiplication
// spreads the first half over the sets.
func (c *Cache[T]) place(id *ID) (n int, tag uint64) {
	hi, _ := bits.Mul64(binary.LittleEndian.Uint64(id[:8]), uint64(len(c.sets)))
	return int(hi), binary.LittleEndian.Uint64(id[8:])
}

// Get returns the value with this ID, or nil.
func (c *Cache[T]) Get(id *ID) *T {
	n, tag := c.place(id)
	s := &c.sets[n]
	for i := range c.ways {
		if s.tags[i].Load() != tag {
			continue
		}
		if e := s.entries[i].Load(); e != nil && e.ID == *id {
			if now := c.tick.Load(); e.stamp.Load() != now {
				e.stamp.Store(now)
			}
			return &e.Value
		}
	}
	return nil
}

// Put stores e, which takes so many bytes, in the place of an older entry with its
// ID, in an empty place, or in that of the entry unused for longest. What can never
// fit is not stored. An entry is put once.
func (c *Cache[T]) Put(e *Entry[T], bytes int) {
	if int64(bytes) > c.room || bytes > math.MaxInt32 {
		return
	}
	if c.inserts.Add(1)%c.step == 0 {
		c.tick.Add(1)
	}
	now := c.tick.Load()
	e.stamp.Store(now)
	e.bytes = int32(bytes)
	c.held.Add(int64(e.bytes))
	defer c.shrink(e)
	n, tag := c.place(&e.ID)
	s := &c.sets[n]
	lock := &c.stripes[n%len(c.stripes)]
	lock.Lock()
	defer lock.Unlock()
	victim, oldest := 0, uint64(0)
	for i := range c.ways {
		age := uint64(math.MaxUint64) // an empty place comes before any entry's
		if old := s.entries[i].Load(); old != nil {
			if old.ID == e.ID {
				victim = i
				break
			}
			age = uint64(now - old.stamp.Load()) // in uint32, so that ticks may wrap
		}
		if age > oldest {
			victim, oldest = i, age
		}
	}
	s.tags[victim].Store(tag)
	c.entries.Add(1) // first, since Drop may come at any moment
	if old := s.entries[victim].Swap(e); old != nil {
		c.left(old)
		c.entries.Add(-1)
	}
	if int64(e.bytes) > c.usual {
		c.large.add(e)
		if s.entries[victim].Load() != e { // dropped before it was on the list
			c.large.remove(e)
		}
	}
}

// Drop removes the value v, which has this ID, if it is still there.
func (c *Cache[T]) Drop(id *ID, v *T) {
	n, _ := c.place(id)
	s := &c.sets[n]
	for i := range c.ways {
		if e := s.entries[i].Load(); e != nil && &e.Value == v && s.entries[i].CompareAndSwap(e, nil) {
			c.left(e)
			c.entries.Add(-1)
			return
		}
	}
}
