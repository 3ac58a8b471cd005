// Package registry holds what is looked up by name at run time, and bounds what
// looking up can cost.
package registry

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/internal/turns"
)

// Bounds of what made-up names can cost.
const (
	askTimeout = 5 * time.Second
	unknownFor = 10 * time.Second // how long a refusal is remembered
	maxUnknown = 1000
)

// Bounds of looking up: calls under way, and who waits for a turn. Until a
// thousand look-ups in a row found nothing, no rate holds up those that come after
// a deploy.
const (
	atOnce     = 16
	patience   = 1000
	maxWaiting = 8192
	maxWait    = 2 * time.Second
	hold       = maxWait / 4 // after which a turn is taken for a source that has fewer
	maxStuck   = 64          // calls that ignore their context's end
)

// Why nothing was found. What the room of turns says is passed on, too, and a
// context's end as it is.
var (
	ErrUnknown   = errors.New("unknown")
	ErrClosed    = errors.New("closed")
	ErrForgotten = errors.New("forgotten while it was being looked up")
	// ErrTaken: the look-up took long, and its source had more of them under way
	// than others.
	ErrTaken = errors.New("it took long, and its source has more look-ups under way than others")
)

// AskError is an error of Config.Ask.
type AskError struct{ Err error }

func (e *AskError) Error() string { return e.Err.Error() }
func (e *AskError) Unwrap() error { return e.Err }

// Config says how to look up, and what to do with what was found.
type Config[A, T any] struct {
	Limit     int     // values held at once; at least 1
	PerSecond float64 // look-ups, while nearly none finds anything

	// Ask looks a name up. Calls for one name are shared, and end after 5 s, or
	// after half a second if others need the turn more; one that does not return by
	// then is left behind. A panic in it, or in Make, is passed on to all who wait.
	Ask func(ctx context.Context, name string) (A, error)
	// Unknown says which errors of Ask mean that there is no such name, for which
	// it is not asked again for a while.
	Unknown func(error) bool
	// Make turns an answer into what is held, and Close ends that.
	Make  func(name string, answer A) (T, error)
	Close func(T)
	// Use is where a value's last use is written down.
	Use func(T) *Use
	// Begin, if set, is called before each call of Ask, with the context of the
	// request that caused it, and what it returns after it. They must not panic.
	Begin func(ctx context.Context, name string, cause context.Context) (context.Context, func(error))
}

// Registry holds what was found. Only what exists enters, so a flood of made-up
// names pushes out nothing; it competes only for the rate of new look-ups.
type Registry[A, T any] struct {
	cfg   Config[A, T]
	room  *turns.Room
	pace  turns.Pace
	stuck atomic.Int64
	ended context.Context // done when Close begins
	end   context.CancelFunc

	known sync.Map     // string → T; written under mu
	clock atomic.Int64 // counts uses of another value than the last one

	mu      sync.Mutex
	count   int                   // of known
	unknown map[string]time.Time  // until when
	lookups map[string]*lookup[T] // that wait or are under way
	closed  bool
	pending sync.WaitGroup // look-ups, and what they close
}

// Use tells when a value was used. The clock moves on only when the value used is
// another one than the last, so that a run of uses of one writes nothing.
type Use struct {
	clock *atomic.Int64 // nil before it is held
	stamp atomic.Int64
}

// Mark notes a use.
func (u *Use) Mark() {
	if u.stamp.Load() != u.clock.Load() {
		u.stamp.Store(u.clock.Add(1))
	}
}

// New makes a registry. Nothing runs until something is looked up.
func New[A, T any](cfg Config[A, T]) *Registry[A, T] {
	r := &Registry[A, T]{
		cfg:     cfg,
		pace:    turns.Pace{Patience: patience, OneIn: 10, Rates: []float64{cfg.PerSecond}},
		unknown: make(map[string]time.Time),
		lookups: make(map[string]*lookup[T]),
	}
	r.ended, r.end = context.WithCancel(context.Background())
	r.room = turns.New(turns.Config{AtOnce: atOnce, MaxWaiting: maxWaiting, MaxWait: maxWait,
		Pace: func(now time.Time, _ int) time.Duration { return r.pace.Take(now) }})
	r.room.SetHold(hold)
	return r
}

// Waiting is how many look-ups wait for a turn.
func (r *Registry[A, T]) Waiting() int { return r.room.Waiting() }

// Working is how many look-ups are under way.
func (r *Registry[A, T]) Working() int { return r.room.Working() }

// All yields what is held.
func (r *Registry[A, T]) All(yield func(T) bool) {
	r.known.Range(func(_, value any) bool { return yield(value.(T)) })
}

// Find returns what a name stands for, from memory or by asking. Turns to ask are
// fair by source.
func (r *Registry[A, T]) Find(ctx context.Context, name, source string) (found T, err error) {
	if found, ok := r.remembered(name); ok {
		return found, nil
	}
	if r.isUnknown(name) {
		return found, ErrUnknown
	}
	for {
		l, mine := r.join(ctx, name, source)
		if l == nil {
			return found, ErrClosed
		}
		var refused chan struct{}
		if mine != nil {
			refused = mine.refused
		}
		select {
		case <-l.done:
			if p, ok := l.err.(*askPanic); ok {
				panic(p.value)
			}
			if errors.Is(l.err, ErrTaken) && l.turn.source != source {
				continue // the share of the source whose turn it was is not this one's
			}
			return l.found, l.err
		case <-refused:
			return found, mine.err
		case <-ctx.Done():
			r.leave(l, mine)
			return found, ctx.Err()
		}
	}
}

// Held is what Find returns without asking: what is remembered, if anything.
func (r *Registry[A, T]) Held(name string) (found T, ok bool) { return r.remembered(name) }

func (r *Registry[A, T]) remembered(name string) (found T, ok bool) {
	value, ok := r.known.Load(name)
	if ok {
		found = value.(T)
	}
	return found, ok
}

func (r *Registry[A, T]) isUnknown(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.unknown[name]
	return ok && time.Now().Before(until)
}

// resolve asks, for the request with context cause.
func (r *Registry[A, T]) resolve(ctx context.Context, name string, cause context.Context) (none T, err error) {
	if found, ok := r.remembered(name); ok {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ended := func(error) {}
	if r.cfg.Begin != nil {
		ctx, ended = r.cfg.Begin(ctx, name, cause)
	}
	answer, err := r.call(ctx, name)
	ended(err)
	switch {
	case err == nil:
	case context.Cause(ctx) == ErrTaken:
		return none, ErrTaken
	case r.cfg.Unknown(err):
		r.rememberUnknown(name)
		return none, ErrUnknown
	default:
		if _, panicked := err.(*askPanic); panicked {
			return none, err
		}
		return none, &AskError{err}
	}
	r.pace.Good(time.Now())
	made, err := r.make(name, answer)
	if err != nil {
		return none, err
	}
	if err := r.remember(name, made); err != nil {
		r.cfg.Close(made)
		return none, err
	}
	return made, nil
}

// rememberUnknown keeps a bounded number of refusals; a full table starts anew.
func (r *Registry[A, T]) rememberUnknown(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.lookups[name]; l != nil && l.forgotten {
		return
	}
	if len(r.unknown) >= maxUnknown {
		clear(r.unknown)
	}
	r.unknown[name] = time.Now().Add(unknownFor)
}

// remember keeps what was made, in the place of what was unused for longest if
// need be.
func (r *Registry[A, T]) remember(name string, made T) error {
	r.mu.Lock()
	switch {
	case r.closed:
		r.mu.Unlock()
		return ErrClosed
	case r.lookups[name] != nil && r.lookups[name].forgotten:
		r.mu.Unlock()
		return ErrForgotten
	}
	var oldest T
	full := r.count >= r.cfg.Limit
	if full {
		oldest = r.takeOldest()
	}
	use := r.cfg.Use(made)
	use.clock = &r.clock
	use.stamp.Store(r.clock.Add(1))
	r.known.Store(name, made)
	r.count++
	r.mu.Unlock()
	if full {
		r.cfg.Close(oldest) // outside the lock: it may wait for calls under way
	}
	return nil
}

// takeOldest removes what was unused for longest. It is called with r.mu held, and
// something is there.
func (r *Registry[A, T]) takeOldest() (oldest T) {
	var name any
	var last int64
	r.known.Range(func(key, value any) bool {
		if stamp := r.cfg.Use(value.(T)).stamp.Load(); name == nil || stamp < last {
			name, oldest, last = key, value.(T), stamp
		}
		return true
	})
	r.known.Delete(name)
	r.count--
	return oldest
}

// Forget drops what is known of a name, and waits until that is closed.
func (r *Registry[A, T]) Forget(name string) {
	r.mu.Lock()
	delete(r.unknown, name)
	if l := r.lookups[name]; l != nil {
		l.forgotten = true // its answer may be from before
	}
	found, ok := r.known.LoadAndDelete(name)
	if ok {
		r.count--
	}
	r.mu.Unlock()
	if ok {
		r.cfg.Close(found.(T))
	}
}

// Close ends all look-ups, and closes what is held.
func (r *Registry[A, T]) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.room.Close()
	r.end()
	r.pending.Wait()
	for {
		value, ok := r.takeAny()
		if !ok {
			return
		}
		r.cfg.Close(value)
	}
}

// takeAny removes something, if there is anything.
func (r *Registry[A, T]) takeAny() (value T, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, found := range r.known.Range {
		r.known.Delete(name)
		r.count--
		return found.(T), true
	}
	return value, false
}
