package turns

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Why a ticket was refused.
var (
	// ErrShare: the source asks for more than its share. It is the source's own
	// doing.
	ErrShare = errors.New("this source has more requests than can be served at once, and more than others")
	// ErrTooLong: no turn came within MaxWait, and the source had not asked for
	// more than others.
	ErrTooLong = errors.New("no turn came in time")
	// ErrClosed: the room was closed.
	ErrClosed = errors.New("closed")
)

// Config is how many work and wait.
type Config struct {
	AtOnce     int           // turns held at once; at least 1
	MaxWaiting int           // who may wait; 0: nobody
	MaxWait    time.Duration // for how long; 0: nobody waits
	// Pace, if set, says how long the next turn must still wait, and 0 to begin
	// it now. It is asked under the room's lock, and told how many sources wait.
	Pace func(now time.Time, sources int) time.Duration
}

// Room hands out turns. Make it with [New].
type Room struct {
	cfg     Config
	waiting atomic.Int64 // written under mu

	mu      sync.Mutex
	limit   int           // turns at once, as it is now
	hold    time.Duration // after which a turn may be taken away; 0: never
	held    list          // tickets with a turn, oldest first
	heldN   int
	queue   list // tickets that wait, oldest first
	sources map[string]*source
	ready   []ring // sources that wait, by how many turns they hold
	crowds  crowds // the same sources, by how many of theirs wait
	taking  int    // turns being taken away
	timer   *time.Timer
	wakeAt  time.Time // of timer; zero: it is not set
	closed  bool
}

// New makes a room.
func New(cfg Config) *Room {
	cfg.AtOnce = max(cfg.AtOnce, 1)
	r := &Room{cfg: cfg, limit: cfg.AtOnce, sources: make(map[string]*source), ready: make([]ring, cfg.AtOnce+1)}
	r.held.of, r.queue.of = byRoom, byRoom
	return r
}

// Ticket is one caller's place, first among those who wait and then among those
// who have a turn. It must not be copied or used twice.
type Ticket struct {
	// Done is called once: with nil when the turn has come, or with why it never
	// will. It must not block.
	Done func(error)
	// Taken, if set, is called when a turn that has lasted long is needed for a
	// source that holds fewer: whoever has it should end and Leave. It must not
	// block.
	Taken func()

	source *source
	since  time.Time // of waiting, then of the turn
	state  state
	taken  bool
	crowd  bool     // its source had more than others when it came
	links  [2]links // in the room's list and in the source's
	err    error    // for Done
	then   *Ticket  // in a chain to be notified
}

type state uint8

const (
	unused state = iota
	waiting
	working
	gone
)

// Queue asks for a turn on behalf of source. t.Done may be called before Queue
// returns.
func (r *Room) Queue(name string, t *Ticket) {
	now := time.Now()
	name = group(name)
	r.mu.Lock()
	var out notices
	switch {
	case r.closed:
		out.refuse(t, ErrClosed)
	case r.waiting.Load() == 0 && r.heldN < r.limit && r.mayBegin(now):
		r.begin(t, r.sourceOf(name), now, &out)
	default:
		r.enqueue(name, t, now, &out)
		r.dispatch(now, &out)
	}
	r.mu.Unlock()
	out.send()
}

// Enter waits for a turn. With a nil error the caller must Leave.
func (r *Room) Enter(ctx context.Context, source string, t *Ticket) error {
	done := make(chan error, 1)
	t.Done = func(err error) { done <- err }
	r.Queue(source, t)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		if r.Drop(t) {
			return context.Cause(ctx)
		}
		if err := <-done; err != nil { // it came or was refused at this very moment
			return err
		}
		return nil
	}
}

// Leave gives the turn of t back.
func (r *Room) Leave(t *Ticket) {
	now := time.Now()
	r.mu.Lock()
	var out notices
	if t.state == working {
		r.end(t)
		r.dispatch(now, &out)
	}
	r.mu.Unlock()
	out.send()
}

// Drop takes t out of those who wait, without a call of Done, and reports
// whether it was among them.
func (r *Room) Drop(t *Ticket) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.state != waiting {
		return false
	}
	r.dequeue(t)
	return true
}

// Waiting is how many wait.
func (r *Room) Waiting() int { return int(r.waiting.Load()) }

// Working is how many have a turn.
func (r *Room) Working() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heldN
}

// SetLimit says how many turns may be held at once from now on: at least 1, and
// at most Config.AtOnce. Turns that are held are not taken away.
func (r *Room) SetLimit(n int) {
	r.change(func() { r.limit = min(max(n, 1), r.cfg.AtOnce) })
}

// SetHold lets a turn that was held for d be taken away for a source that waits
// and holds fewer; 0 for never.
func (r *Room) SetHold(d time.Duration) {
	r.change(func() { r.hold = d })
}

// Wake looks again at who may begin, after the pace has changed.
func (r *Room) Wake() { r.change(func() {}) }

func (r *Room) change(what func()) {
	now := time.Now()
	r.mu.Lock()
	var out notices
	what()
	r.dispatch(now, &out)
	r.mu.Unlock()
	out.send()
}

// Flush refuses all who wait.
func (r *Room) Flush(err error) {
	r.mu.Lock()
	var out notices
	for r.queue.first != nil {
		t := r.queue.first
		r.dequeue(t)
		out.refuse(t, err)
	}
	r.mu.Unlock()
	out.send()
}

// Close refuses all who wait, and who comes later. Turns that are held go on.
func (r *Room) Close() {
	r.mu.Lock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
		r.wakeAt = time.Time{}
	}
	r.mu.Unlock()
	r.Flush(ErrClosed)
}

// notices are tickets whose owners must be told something once the lock is free.
type notices struct {
	first, last *Ticket
	taken       *Ticket // whose turn is taken away; apart, for it may stand in another's chain still
}

func (n *notices) add(t *Ticket, err error) {
	t.err, t.then = err, nil
	if n.last == nil {
		n.first = t
	} else {
		n.last.then = t
	}
	n.last = t
}

func (n *notices) refuse(t *Ticket, err error) {
	t.state = gone
	n.add(t, err)
}

func (n *notices) send() {
	for t := n.first; t != nil; {
		err, next := t.err, t.then
		t.err, t.then = nil, nil
		t.Done(err)
		t = next
	}
	if n.taken != nil {
		n.taken.Taken()
	}
}

// Group is the name under which a source is counted, for whoever counts beside a room.
func Group(name string) string { return group(name) }

// group is the name under which sources are counted: the first 56 bits of an IPv6
// address, which one customer of a network has, and a bounded piece of any name.
func group(name string) string {
	const longest = 128
	if strings.Count(name, ":") > 1 {
		if prefix, ok := networkOf(name); ok {
			return prefix
		}
	}
	if len(name) > longest {
		name = name[:longest]
	}
	return name
}
