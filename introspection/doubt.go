package introspection

import (
	"sync"
	"time"
)

const (
	doubtFor   = time.Second // how long a refusal is remembered
	mostDoubts = 8192        // in each of two seconds
)

// doubts remember for a second which tokens the endpoint refused in its own way,
// so that one that is repeated costs it little. They have a table of their own and
// are asked last: they hide no answer.
type doubts struct {
	mu         sync.Mutex
	now, older map[cacheKey]doubt
	since      time.Time // of now
}

type doubt struct {
	until time.Time
	err   *RefusedError
}

func (d *doubts) put(key cacheKey, err *RefusedError) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.turn(now)
	if d.now == nil {
		d.now = make(map[cacheKey]doubt)
	}
	if len(d.now) < mostDoubts {
		d.now[key] = doubt{now.Add(doubtFor), err}
	}
}

func (d *doubts) get(key cacheKey) *RefusedError {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.turn(now)
	for _, table := range []map[cacheKey]doubt{d.now, d.older} {
		if known, ok := table[key]; ok && now.Before(known.until) {
			return known.err
		}
	}
	return nil
}

func (d *doubts) forget(key cacheKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.now, key)
	delete(d.older, key)
}

func (d *doubts) turn(now time.Time) {
	if passed := now.Sub(d.since); passed >= 2*doubtFor {
		d.now, d.older, d.since = nil, nil, now
	} else if passed >= doubtFor {
		d.now, d.older, d.since = nil, d.now, now
	}
}
