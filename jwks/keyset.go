package jwks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/m2mguard/m2mguard/observe"
)

// KeySet holds the keys of one issuer. Make one with [New], end it with
// [KeySet.Close]. Its methods may be called from many goroutines.
type KeySet struct {
	config  Config         // as compiled: defaults filled in
	limiter *rate.Limiter  // of fetches for unknown kids
	running sync.WaitGroup // the fetch under way, and timers that may fire

	// serving is the set that may be used without asking anybody. It is nil
	// before the first fetch, when the set has aged with nobody using it, when
	// it is past MaxStale, and after Close. Requests read this alone; timers
	// change it.
	serving atomic.Pointer[snapshot]
	// used is set by whoever uses the set, and cleared by timers.
	used atomic.Bool

	mu sync.Mutex // guards what follows; never held during I/O or events
	state
}

// New checks config, fills in its defaults and returns the key set. It does no
// I/O and starts nothing: the first Lookup or Ready fetches. The error joins
// every fault of config; of a fixed Set it says if that is neither a JSON Web Key
// Set nor PEM, or holds no key that can be used. Keys of it that are skipped are told
// to Observer.
func New(config Config) (*KeySet, error) {
	config, err := config.compile()
	var fixed *snapshot
	if config.Set != nil {
		var fault error
		if fixed, fault = parseAny(config.Set, config.wanted()); fault != nil {
			err = errors.Join(err, fmt.Errorf("jwks: Config.Set: %w", fault))
		}
	}
	if err != nil {
		return nil, err
	}
	s := &KeySet{config: config}
	if fixed != nil {
		s.config.Set = nil // parsed; the caller's memory is the caller's again
		s.serving.Store(fixed)
		s.emit(context.Background(), s.skipEvents(fixed.skipped))
		return s, nil
	}
	s.limiter = rate.NewLimiter(rate.Every(config.MinFetchInterval), 2)
	s.source = newSource(config)
	return s, nil
}

// Lookup returns the one key that may have signed a token of the algorithm alg
// with the given kid, or with none if hasKID is false. Where that may be several,
// none is returned: ask [KeySet.Candidates].
//
// A known key of a set in use is returned at once, without lock or allocation.
// Otherwise Lookup may wait for a fetch: of the first set, of an aged one for
// [Config.RefreshWait] at most, or of a newer one if kid is unknown, as often as
// [Config.MinFetchInterval] allows. All waiters share that fetch, and none of
// them ends it by giving up.
//
// The error is [ErrKeyNotFound], which makes the token invalid, or an
// [*UnavailableError], which says nothing of the token: the issuer could not be
// reached, ctx ended first, or the set is closed.
func (s *KeySet) Lookup(ctx context.Context, kid string, hasKID bool, alg string) (*Key, error) {
	h := Hint{KeyID: kid, HasKeyID: hasKID, Algorithm: alg}
	c, err := s.find(ctx, &h, nil)
	switch {
	case err != nil:
		return nil, err
	case c.n == 1:
		return c.keys[0], nil
	case c.n > 1:
		c.why = ambiguous
	}
	return nil, &notFoundError{c.why, kid, alg, hasKID}
}

// Usable reports whether k, returned by this set's Lookup before, may still be
// relied on: it has not left the set or changed in it, and the set is in use,
// not aged or past MaxStale. If it says no, ask Lookup. It takes no lock,
// reads no clock and allocates nothing, and it keeps the set in use, so that
// the set goes on being refreshed.
func (s *KeySet) Usable(k *Key) bool {
	return s.inUse() != nil && k != nil && !k.retired.Load()
}

// Ready returns nil if keys can be used. If there are none yet, or they have
// aged, it fetches. The error is an [*UnavailableError].
func (s *KeySet) Ready(ctx context.Context) error {
	set, _, err := s.current(ctx)
	if set != nil {
		return nil // stale keys are good keys until MaxStale
	}
	return err
}

// Close ends the background refresh and any fetch, and waits for both. After
// it no key is usable, and Lookup and Ready return an [*UnavailableError].
// Closing again is harmless.
func (s *KeySet) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		s.serving.Store(nil)
		s.stop(&s.refresh)
		s.stop(&s.expiry)
		s.stop(&s.patience)
		s.stop(&s.refill)
		if s.flight != nil {
			s.flight.cancel()
		}
	}
	s.mu.Unlock()
	s.running.Wait()
	if s.source != nil {
		s.source.close()
	}
}

// inUse returns the set that may be used without asking, or nil, and notes
// that somebody uses it. The load before the store keeps the flag's cache line
// shared between cores.
func (s *KeySet) inUse() *snapshot {
	set := s.serving.Load()
	if set != nil && !s.used.Load() {
		s.used.Store(true)
	}
	return set
}

// current returns the set in use, or fetches it. It is the newest that there
// is if its fetch began for this caller. Both set and error are there when the
// fetch failed and stale keys serve.
func (s *KeySet) current(ctx context.Context) (set *snapshot, newest bool, err error) {
	if set := s.inUse(); set != nil {
		return set, false, nil
	}
	f, newest, err := s.join(ctx)
	if err != nil {
		return nil, false, err
	}
	set, landed, err := s.waitAged(ctx, f)
	s.inUse()
	return set, newest && landed, err
}

// join returns the fetch under way, or starts one, unless the last one failed
// so short a time ago that the issuer is left alone.
func (s *KeySet) join(cause context.Context) (f *flight, started bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case s.closed:
		return nil, false, unavailable(s.config.MinFetchInterval, errClosed)
	case s.flight != nil:
		return s.flight, false, nil
	case s.serving.Load() != nil: // a fetch ended just now
		return landed(s.serving.Load()), false, nil
	case s.failure != nil && now.Before(s.notBefore):
		return nil, false, unavailable(s.notBefore.Sub(now), s.failure)
	}
	return s.start(cause), true, nil
}

// newer returns a set that may hold a key which seen lacks: one that was just
// fetched, or one that it fetches now, within the limits for unknown kids. No
// newer one is to be had if newest is true. The error says that the issuer could
// not be asked, or has not answered within RefreshWait where the caller is impatient.
func (s *KeySet) newer(ctx context.Context, seen *snapshot, impatient bool) (next *snapshot, newest bool, err error) {
	f, newest, err := s.joinForUnknown(ctx, seen)
	if err != nil {
		return nil, false, err
	}
	if impatient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.config.RefreshWait)
		defer cancel()
	}
	next, err = s.wait(ctx, f)
	return next, newest, err
}

// refillEarly is how long before the budget has room the clock is read again: a timer
// may be late.
const refillEarly = 10 * time.Millisecond

// allowed reports whether a fetch for an unknown kid is within the budget. Once it is
// spent, that is known until a fetch is allowed again: a flood of made-up kids does
// not read the clock each time.
func (s *KeySet) allowed() bool {
	if s.refill != nil {
		return false
	}
	r := s.limiter.Reserve()
	wait := r.Delay()
	if wait == 0 {
		return true
	}
	r.Cancel()
	if wait > 2*refillEarly {
		s.set(&s.refill, wait-refillEarly, func(time.Time) []*observe.Event { return nil })
	}
	return false
}

// joinForUnknown is join for a kid that seen does not hold. Whoever made the
// kid up must not be able to make us fetch at will; nor, by using up what may
// be fetched, keep us from a key that the issuer has just published: what is
// fetched for a made-up kid brings that key, too.
func (s *KeySet) joinForUnknown(cause context.Context, seen *snapshot) (f *flight, newest bool, err error) {
	if s.source == nil {
		return landed(seen), true, nil // a fixed set has nobody to ask
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, false, unavailable(s.config.MinFetchInterval, errClosed)
	case s.last != seen:
		return landed(s.last), false, nil // a fetch ended meanwhile
	case s.flight != nil:
		return s.flight, false, nil // joining costs the issuer nothing
	case s.allowed():
		return s.start(cause), true, nil
	case s.failure != nil:
		return nil, false, unavailable(s.config.MinFetchInterval, s.failure)
	}
	return landed(seen), true, nil
}
