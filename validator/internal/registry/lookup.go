package registry

import (
	"context"
	"strings"

	"github.com/m2mguard/m2mguard/internal/turns"
)

// lookup is one call of Ask, for all who wait for the same name. It
// takes part in the queue for each source that waits for it, so that nobody waits
// in the place of another who wants more: the first turn starts it. While it waits
// it ends with the last of them.
type lookup[T any] struct {
	name string
	done chan struct{}

	// Guarded by Registry.mu.
	seats     map[string]*seat // by source, until it is started
	turn      *seat            // on whose turn it was started
	cancel    context.CancelCauseFunc
	forgotten bool // Forget was called meanwhile

	found T // set before done is closed
	err   error
}

// seat is the place of a source's callers in the queue.
type seat struct {
	turns.Ticket
	source  string
	cause   context.Context // whose request took it, for who asks; it never ends
	waiters int             // guarded by Registry.mu
	refused chan struct{}   // closed if it gets no turn
	err     error           // why; set before
}

// join finds or makes the look-up of a name, and a seat for the source if it
// was not started. It returns nil once the registry is closed.
func (r *Registry[A, T]) join(ctx context.Context, name, source string) (*lookup[T], *seat) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, nil
	}
	l := r.lookups[name]
	if l == nil {
		name = strings.Clone(name) // it is a piece of a token, which is not to be kept
		l = &lookup[T]{name: name, done: make(chan struct{}), seats: make(map[string]*seat)}
		r.lookups[name] = l
		r.pending.Add(1)
	}
	s := l.seats[source]
	if s != nil || l.turn != nil {
		if s != nil {
			s.waiters++
		}
		r.mu.Unlock()
		return l, s
	}
	s = &seat{source: source, waiters: 1, refused: make(chan struct{})}
	s.Done = func(err error) { r.turn(l, s, err) }
	s.Taken = func() { r.take(l, s) }
	if r.cfg.Begin != nil {
		s.cause = context.WithoutCancel(ctx)
	}
	l.seats[source] = s
	r.mu.Unlock()
	r.room.Queue(source, &s.Ticket)
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.turn != nil && l.turn != s {
		r.room.Drop(&s.Ticket) // another's turn came before it was queued
	}
	return l, s
}

// leave is for a caller that gave up. Nobody waits in a seat once its look-up was
// started.
func (r *Registry[A, T]) leave(l *lookup[T], s *seat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s == nil || l.turn != nil {
		return
	}
	if s.waiters--; s.waiters == 0 && r.room.Drop(&s.Ticket) {
		r.vacate(l, s)
	}
}

// vacate takes a seat away, and with the last one the look-up. It is called with
// r.mu held.
func (r *Registry[A, T]) vacate(l *lookup[T], s *seat) {
	delete(l.seats, s.source)
	if len(l.seats) == 0 {
		delete(r.lookups, l.name)
		r.pending.Done()
	}
}

// turn is told that the turn of a seat has come, or why it never will.
func (r *Registry[A, T]) turn(l *lookup[T], s *seat, refused error) {
	r.mu.Lock()
	switch {
	case l.turn != nil: // another's came first
		r.mu.Unlock()
		r.room.Leave(&s.Ticket)
		return
	case refused != nil:
		s.err = refused
		close(s.refused)
		r.vacate(l, s)
		r.mu.Unlock()
		return
	}
	ctx, cancel := context.WithCancelCause(r.ended)
	l.turn, l.cancel = s, cancel
	for _, other := range l.seats {
		r.room.Drop(&other.Ticket)
	}
	l.seats = nil
	r.mu.Unlock()
	go func() {
		defer cancel(nil)
		found, err := r.resolve(ctx, l.name, s.cause)
		r.room.Leave(&s.Ticket)
		r.finish(l, found, err)
	}()
}

// take ends a look-up whose turn somebody else needs more.
func (r *Registry[A, T]) take(l *lookup[T], s *seat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.turn == s {
		l.cancel(ErrTaken)
	}
}

func (r *Registry[A, T]) finish(l *lookup[T], found T, err error) {
	r.mu.Lock()
	delete(r.lookups, l.name)
	r.mu.Unlock()
	l.found, l.err = found, err
	close(l.done)
	r.pending.Done()
}
