package validator

import (
	"context"
	"errors"
	"strings"

	"github.com/m2mguard/m2mguard/internal/turns"
)

// lookup is one call of the Resolver, for all who wait for the same issuer. It
// takes part in the queue for each source that waits for it, so that nobody waits
// in the place of another who wants more: the first turn starts it. While it waits
// it ends with the last of them.
type lookup struct {
	url  string
	done chan struct{}

	// Guarded by resolved.mu.
	seats     map[string]*seat // by source, until it is started
	turn      *seat            // on whose turn it was started
	cancel    context.CancelCauseFunc
	forgotten bool // ForgetIssuer was called meanwhile

	issuer *issuer // set before done is closed
	err    error
}

// seat is the place of a source's callers in the queue.
type seat struct {
	turns.Ticket
	source  string
	cause   context.Context // whose request took it, for an Observer that asks; it never ends
	waiters int             // guarded by resolved.mu
	refused chan struct{}   // closed if it gets no turn
	err     error           // why; set before
}

// errTaken is why a look-up ends whose turn somebody else needs more.
var errTaken = errors.New("it took long, and its source has more look-ups under way than others")

// join finds or makes the look-up of an issuer, and a seat for the source if it
// was not started. It returns nil once the Validator is closed.
func (r *resolved) join(ctx context.Context, url, source string) (*lookup, *seat) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, nil
	}
	l := r.lookups[url]
	if l == nil {
		url = strings.Clone(url) // it is a piece of a token, which is not to be kept
		l = &lookup{url: url, done: make(chan struct{}), seats: make(map[string]*seat)}
		r.lookups[url] = l
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
	if r.observer.Start != nil {
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
func (r *resolved) leave(l *lookup, s *seat) {
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
func (r *resolved) vacate(l *lookup, s *seat) {
	delete(l.seats, s.source)
	if len(l.seats) == 0 {
		delete(r.lookups, l.url)
		r.pending.Done()
	}
}

// turn is told that the turn of a seat has come, or why it never will.
func (r *resolved) turn(l *lookup, s *seat, refused error) {
	r.mu.Lock()
	switch {
	case l.turn != nil: // another's came first
		r.mu.Unlock()
		r.room.Leave(&s.Ticket)
		return
	case refused != nil:
		s.err = lookupRefused(refused)
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
		i, err := r.resolve(ctx, l.url, s.cause)
		r.room.Leave(&s.Ticket)
		r.finish(l, i, err)
	}()
}

// take ends a look-up whose turn somebody else needs more.
func (r *resolved) take(l *lookup, s *seat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.turn == s {
		l.cancel(errTaken)
	}
}

func (r *resolved) finish(l *lookup, i *issuer, err error) {
	r.mu.Lock()
	delete(r.lookups, l.url)
	r.mu.Unlock()
	l.issuer, l.err = i, err
	close(l.done)
	r.pending.Done()
}

func lookupRefused(err error) *Error {
	switch {
	case errors.Is(err, turns.ErrClosed):
		return errClosed
	case errors.Is(err, turns.ErrShare):
		return throttled(err)
	}
	e := unavailable(0, err)
	e.text = "too many new issuers are being looked up (Config.ResolvesPerSecond)"
	return e
}

// resolverPanic takes a panic of the Resolver to the requests that wait for it:
// there net/http recovers it, and here nobody could.
type resolverPanic struct{ value any }

func (p *resolverPanic) Error() string { return "the Resolver panicked" }
