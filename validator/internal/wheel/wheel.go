// Package wheel watches what lasts for long, with one goroutine for all of it: each
// thing is looked at when it asked for that, and all of them when something has
// changed.
package wheel

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// tick is how late a look may be.
	tick = time.Second
	// slotCount is of slots of a tick each, so that a thing waits for 15 s at most.
	slotCount = 16
	// MaxWait is how long a thing is not looked at, whatever it asked for.
	MaxWait = (slotCount - 1) * tick
	// pace is the least time between two looks at everything, so that changes that come
	// by the hundred cost no more than ten in a second.
	pace = 100 * time.Millisecond
)

// Watched is one thing. Its methods are called without a lock held.
type Watched interface {
	// Look ends what is over, and else says for how long it need not be looked at.
	Look() (wait time.Duration, over bool)
	// End ends it, because the wheel is closed.
	End()
}

// Source is what makes a look at everything worth while.
type Source interface {
	// Changed returns a channel that is closed at the next change.
	Changed() <-chan struct{}
	// Generation is another one after each change.
	Generation() uint64
}

// Place is where a thing is in a Wheel. The zero value is nowhere.
type Place struct {
	of    Watched
	slot  int // and one more, so that 0 is none
	index int
}

// Wheel is made with New. Its goroutine runs while there is something to watch, and a
// tick longer.
type Wheel struct {
	source Source // or nil
	begun  time.Time
	n      atomic.Int64

	mu      sync.Mutex
	slots   [slotCount][]*Place
	turned  int64 // ticks that were done
	running bool
	closed  bool
	stop    chan struct{}
	ended   sync.WaitGroup

	crowd []*Place // of the goroutine, for looks without the lock
}

// New makes a wheel. The source may be nil.
func New(source Source) *Wheel {
	return &Wheel{source: source, begun: time.Now(), stop: make(chan struct{})}
}

// Len is how many things are watched.
func (w *Wheel) Len() int { return int(w.n.Load()) }

// Add watches of, whose place is p, from now on. What changed before is for the caller
// to see, who looks when Add has returned. It reports whether the wheel is open.
func (w *Wheel) Add(p *Place, of Watched, wait time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	now := time.Now()
	if !w.running {
		w.running, w.turned = true, w.ticksAt(now)
		w.ended.Go(w.run)
	}
	p.of = of
	w.put(p, now, wait)
	w.n.Add(1)
	return true
}

// Remove ends the watch. Removing again is harmless.
func (w *Wheel) Remove(p *Place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove(p)
}

func (w *Wheel) remove(p *Place) (was bool) {
	if p.slot == 0 {
		return false
	}
	w.take(p)
	w.n.Add(-1)
	return true
}

// Close ends all that is watched, and waits for the goroutine.
func (w *Wheel) Close() {
	w.mu.Lock()
	again := w.closed
	w.closed = true
	w.mu.Unlock()
	if !again {
		close(w.stop)
	}
	w.ended.Wait()
	w.mu.Lock()
	left := slices.Concat(w.slots[:]...)
	for _, p := range left {
		p.slot = 0
	}
	w.slots = [slotCount][]*Place{}
	w.n.Store(0)
	w.mu.Unlock()
	for _, p := range left {
		p.of.End()
	}
}

// at copies what is in a slot.
func (w *Wheel) at(n int) []*Place {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.crowd = append(w.crowd[:0], w.slots[n]...)
	return w.crowd
}

func (w *Wheel) ticksAt(now time.Time) int64 { return int64(now.Sub(w.begun) / tick) }

// put places p in the slot of the first tick that is no sooner than after wait. The
// caller holds mu.
func (w *Wheel) put(p *Place, now time.Time, wait time.Duration) {
	at := now.Sub(w.begun) + min(max(wait, 0), MaxWait)
	due := max(int64((at+tick-1)/tick), w.turned+1)
	n := int(min(due, w.turned+slotCount-1) % slotCount)
	p.slot, p.index = n+1, len(w.slots[n])
	w.slots[n] = append(w.slots[n], p)
}

// take takes p out of its slot. The caller holds mu.
func (w *Wheel) take(p *Place) {
	slot := w.slots[p.slot-1]
	last := len(slot) - 1
	slot[p.index] = slot[last]
	slot[p.index].index = p.index
	slot[last] = nil
	w.slots[p.slot-1] = slot[:last]
	p.slot = 0
}

// run turns the wheel until it is empty or closed.
func (w *Wheel) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var seen uint64
	var looked time.Time
	for {
		var changed <-chan struct{}
		now := time.Now()
		next := w.begun.Add(time.Duration(w.ticksAt(now)+1) * tick)
		if w.source != nil {
			changed = w.source.Changed() // before the look
			if generation := w.source.Generation(); generation != seen || looked.IsZero() {
				if again := looked.Add(pace); looked.IsZero() || !now.Before(again) {
					seen, looked = generation, now
					for n := range w.slots {
						w.look(n, false)
					}
				} else {
					changed = nil
					if again.Before(next) {
						next = again
					}
				}
			}
		}
		timer.Reset(time.Until(next))
		select {
		case <-w.stop:
			return
		case <-changed:
		case <-timer.C:
			if !w.turn() {
				return
			}
		}
	}
}

// turn makes the ticks that are due, and reports whether there is anything left.
func (w *Wheel) turn() bool {
	due := w.ticksAt(time.Now())
	for {
		w.mu.Lock()
		if w.n.Load() == 0 {
			w.slots, w.crowd, w.running = [slotCount][]*Place{}, nil, false // of no room for a crowd that has gone
			w.mu.Unlock()
			return false
		}
		if w.turned >= due {
			w.mu.Unlock()
			return true
		}
		w.turned++
		n := int(w.turned % slotCount)
		w.mu.Unlock()
		w.look(n, true)
	}
}

// look looks at all that is in a slot, and places it anew where its time had come.
func (w *Wheel) look(n int, due bool) {
	for _, p := range w.at(n) {
		wait, over := p.of.Look()
		if !over && !due {
			continue
		}
		w.mu.Lock()
		switch {
		case p.slot == 0: // removed meanwhile
		case over:
			w.remove(p)
		default:
			w.take(p)
			w.put(p, time.Now(), wait)
		}
		w.mu.Unlock()
	}
}
