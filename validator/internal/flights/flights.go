// Package flights lets one caller work for all that want the same.
package flights

import (
	"context"
	"errors"
	"sync"
)

// Group lets one caller do a piece of work while others that want the same wait
// for what it finds. Go's singleflight would run the work for a caller that may
// give up; here the one who works gives the place on.
type Group[K comparable, V any] struct {
	again func(error) bool
	mu    sync.Mutex
	now   map[K]*flight[V]
}

type flight[V any] struct {
	done  chan struct{} // made by the first who waits
	value V             // set before done is closed
	err   error
}

// ErrEnded is what a caller gets whose context ended while it waited.
var ErrEnded = errors.New("the context ended while another caller worked")

// errBroken is the error of work that did not return.
var errBroken = errors.New("the work broke off")

// New makes a group. again says which errors concern only the one who worked: the
// others then try for themselves.
func New[K comparable, V any](again func(error) bool) *Group[K, V] {
	return &Group[K, V]{again: again, now: make(map[K]*flight[V])}
}

// Do returns what work returns, run by this caller or by another one that wants
// the same.
func (g *Group[K, V]) Do(ctx context.Context, of K, work func() (V, error)) (V, error) {
	for {
		g.mu.Lock()
		other := g.now[of]
		if other == nil {
			mine := new(flight[V])
			g.now[of] = mine
			g.mu.Unlock()
			return g.lead(of, mine, work)
		}
		if other.done == nil {
			other.done = make(chan struct{})
		}
		g.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			var none V
			return none, ErrEnded
		}
		if other.err != errBroken && !g.again(other.err) {
			return other.value, other.err
		}
	}
}

func (g *Group[K, V]) lead(of K, mine *flight[V], work func() (V, error)) (V, error) {
	// The place is given up even if work panics; the others then try.
	mine.err = errBroken
	defer func() {
		g.mu.Lock()
		delete(g.now, of)
		if mine.done != nil {
			close(mine.done)
		}
		g.mu.Unlock()
	}()
	mine.value, mine.err = work()
	return mine.value, mine.err
}
