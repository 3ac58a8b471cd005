package validator

import "sync"

// large are the proofs in a cache that are above its usual size.
type large struct {
	mu     sync.Mutex
	proofs map[*proof]struct{}
}

// bound makes room for as many proofs of a usual size as c has places.
func (c *cache) bound(usual int) {
	c.usual = int64(usual)
	c.room = c.usual * int64(len(c.sets)*c.ways)
	c.large.proofs = make(map[*proof]struct{})
}

// fits reports whether a proof of so many bytes can be kept at all.
func (c *cache) fits(bytes int) bool { return int64(bytes) <= c.room }

// left takes a proof off the count that was removed from its place, once.
func (c *cache) left(p *proof) {
	c.held.Add(-p.bytes)
	if p.bytes > c.usual {
		c.large.remove(p)
	}
}

// shrink drops large proofs, the newest one last, until what is held fits: the
// others fit by their number.
func (c *cache) shrink(newest *proof) {
	for c.held.Load() > c.room {
		p := c.large.pick(newest)
		if p == nil {
			return
		}
		c.drop(p)
	}
}

func (l *large) add(p *proof) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proofs[p] = struct{}{}
}

func (l *large) remove(p *proof) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.proofs, p)
}

// pick takes the one of a few that was unused for longest off the list.
func (l *large) pick(newest *proof) *proof {
	l.mu.Lock()
	defer l.mu.Unlock()
	var oldest *proof
	seen := 0
	for p := range l.proofs {
		if p == newest {
			continue
		}
		if oldest == nil || int32(p.stamp.Load()-oldest.stamp.Load()) < 0 {
			oldest = p
		}
		if seen++; seen == maxWays {
			break
		}
	}
	if oldest == nil && len(l.proofs) > 0 {
		oldest = newest
	}
	delete(l.proofs, oldest)
	return oldest
}
