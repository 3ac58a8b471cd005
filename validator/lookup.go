package validator

import (
	"context"
	"errors"
	"strings"

	"github.com/m2mguard/m2mguard/internal/turns"
)

// lookup is one call of the Resolver, for all who wait for the same issuer. While
// it waits for its turn it ends with the last of them.
type lookup struct {
	turns.Ticket
	url   string
	done  chan struct{}
	cause context.Context // whose request began it, for an Observer that asks; it never ends

	// Guarded by resolved.mu.
	waiters   int
	started   bool
	forgotten bool // ForgetIssuer was called meanwhile

	issuer *issuer // set before done is closed
	err    error
}

// join finds or makes the look-up of an issuer, and reports whether it is new and
// must be queued. It returns nil once the Validator is closed.
func (r *resolved) join(ctx context.Context, url string) (*lookup, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, false
	}
	if l := r.lookups[url]; l != nil {
		l.waiters++
		return l, false
	}
	l := &lookup{url: strings.Clone(url), waiters: 1, done: make(chan struct{})} // it is a piece of a token, which is not to be kept
	l.Done = func(err error) { r.turn(l, err) }
	if r.observer.Start != nil {
		l.cause = context.WithoutCancel(ctx)
	}
	r.lookups[l.url] = l
	r.pending.Add(1)
	return l, true
}

// leave is for a caller that gave up.
func (r *resolved) leave(l *lookup) {
	r.mu.Lock()
	l.waiters--
	dropped := l.waiters == 0 && !l.started && r.room.Drop(&l.Ticket)
	if dropped {
		delete(r.lookups, l.url)
	}
	r.mu.Unlock()
	if dropped {
		r.pending.Done()
	}
}

// turn is told that the turn of a look-up has come, or why it never will.
func (r *resolved) turn(l *lookup, refused error) {
	if refused != nil {
		r.finish(l, nil, lookupRefused(refused))
		return
	}
	r.mu.Lock()
	l.started = true
	r.mu.Unlock()
	go func() {
		i, err := r.resolve(l.url, l.cause)
		r.room.Leave(&l.Ticket)
		r.finish(l, i, err)
	}()
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
