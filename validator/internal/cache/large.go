package cache

import "sync"

// large are the entries of a cache that are above its usual size.
type large[T any] struct {
	mu      sync.Mutex
	entries map[*Entry[T]]struct{}
}

// left takes an entry off the count that was removed from its place, once.
func (c *Cache[T]) left(e *Entry[T]) {
	c.held.Add(-int64(e.bytes))
	if int64(e.bytes) > c.usual {
		c.large.remove(e)
	}
}

// shrink drops large entries, the newest one last, until what is held fits: the
// others fit by their number.
func (c *Cache[T]) shrink(newest *Entry[T]) {
	for c.held.Load() > c.room {
		e := c.large.pick(newest)
		if e == nil {
			return
		}
		c.Drop(&e.ID, &e.Value)
	}
}

func (l *large[T]) add(e *Entry[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[e] = struct{}{}
}

func (l *large[T]) remove(e *Entry[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.entries, e)
}

// pick takes the one of a few that was unused for longest off the list.
func (l *large[T]) pick(newest *Entry[T]) *Entry[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	var oldest *Entry[T]
	seen := 0
	for e := range l.entries {
		if e == newest {
			continue
		}
		if oldest == nil || int32(e.stamp.Load()-oldest.stamp.Load()) < 0 {
			oldest = e
		}
		if seen++; seen == maxWays {
			break
		}
	}
	if oldest == nil && len(l.entries) > 0 {
		oldest = newest
	}
	delete(l.entries, oldest)
	return oldest
}
