package jwks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/m2mguard/m2mguard/observe"
)

// A refresh comes early by chance, between these parts of the set's age, so
// that many processes do not ask an issuer all at once.
const (
	earliest = 0.85
	latest   = 0.95
)

// state is what fetches and timers know, under KeySet.mu.
type state struct {
	closed bool
	source source  // nil for a fixed set
	flight *flight // the fetch under way

	sets     int           // how many were adopted
	last     *snapshot     // the last good set, serving or not
	fetched  time.Time     // when the last good fetch ended
	lifetime time.Duration // the age at which last is refreshed
	lastUsed time.Time     // about when last was in use, as seen by timers
	address  string        // where the last fetch asked, for events

	failure   error     // what the last fetch met, nil after a good one
	failures  int       // in a row
	notBefore time.Time // end of the back-off after a failure
	stale     bool      // StaleKeysInUse was reported for this outage

	refresh, expiry, patience, refill *time.Timer
}

// flight is one shared fetch. Its context is its own: it ends by its time-out
// or by Close, and not because a caller gave up.
type flight struct {
	cancel    context.CancelFunc
	impatient chan struct{} // closed when the last good keys serve meanwhile
	done      chan struct{}
	set       *snapshot // after done: the set to use, nil if there is none
	err       error     // after done: why the fetch failed
}

// nobody is the cause of what no request asked for.
var nobody context.Context

// start begins a fetch for the caller with context cause, or for nobody. The
// caller holds mu, no fetch is under way, and the set is not closed.
func (s *KeySet) start(cause context.Context) *flight {
	ctx, cancel := context.WithCancel(context.Background())
	f := &flight{cancel: cancel, impatient: make(chan struct{}), done: make(chan struct{})}
	s.flight = f
	s.stop(&s.refresh)
	if s.serving.Load() == nil && s.last != nil {
		s.set(&s.patience, s.config.RefreshWait, s.onPatience)
	}
	s.running.Add(1)
	last := s.last
	op := observe.Operation{Kind: observe.FetchKeys, Issuer: s.config.Issuer, URL: s.address, Cause: cause}
	go func() {
		defer s.running.Done()
		defer cancel()
		ended := func(error) {}
		if s.config.File == "" {
			ctx, ended = s.config.Observer.Begin(ctx, op)
		}
		got, err := s.source.fetch(ctx, last)
		ended(err)
		s.mu.Lock()
		s.flight = nil
		events := s.land(f, got, err, time.Now())
		s.mu.Unlock()
		close(f.done)
		s.emit(ctx, events)
	}()
	return f
}

// landed is a fetch that need not be made: set is the answer.
func landed(set *snapshot) *flight { return &set.landed }

var over = func() chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}()

// wait returns what f brought, or an error when ctx ends first. What is there
// already counts, whatever became of ctx.
func (s *KeySet) wait(ctx context.Context, f *flight) (*snapshot, error) {
	select {
	case <-f.done:
		return f.set, f.err
	default:
	}
	select {
	case <-f.done:
		return f.set, f.err
	case <-ctx.Done():
		return nil, unavailable(s.config.MinFetchInterval, ctx.Err())
	}
}

// waitAged is wait for the set that is to be used. It ends early, with landed
// false, once the last good keys serve.
func (s *KeySet) waitAged(ctx context.Context, f *flight) (set *snapshot, landed bool, err error) {
	select {
	case <-f.impatient:
		if set := s.serving.Load(); set != nil {
			return set, false, nil
		}
	case <-f.done:
	case <-ctx.Done():
	}
	set, err = s.wait(ctx, f)
	return set, true, err
}

// land takes in the result of a fetch, under mu, and returns what to report.
func (s *KeySet) land(f *flight, got fetched, err error, now time.Time) []*observe.Event {
	s.stop(&s.patience)
	s.address = got.address
	if s.closed {
		f.err = unavailable(s.config.MinFetchInterval, errClosed)
		return nil
	}
	if err != nil {
		events := s.fail(err, now)
		f.set = s.serving.Load()
		f.err = unavailable(min(s.notBefore.Sub(now), s.config.MinFetchInterval), err)
		return events
	}
	events := s.adopt(got, now)
	f.set = s.last
	return events
}

// adopt makes the fetched set the one in use.
func (s *KeySet) adopt(got fetched, now time.Time) []*observe.Event {
	var events []*observe.Event
	if got.discovery != nil {
		events = append(events, s.event(observe.DiscoveryFailed, got.discovery))
	}
	events = append(events, s.skipEvents(s.last.newlySkipped(got.set))...)
	set, added, removed := s.last.succeed(got.set)
	s.sets++
	for _, k := range added {
		k.generation = s.sets
	}
	if len(added)+len(removed) > 0 {
		e := s.event(observe.KeySetChanged, nil)
		e.Routine = s.last == nil && s.failure == nil
		e.Added, e.Removed = names(added), names(removed)
		events = append(events, e)
	}

	s.last, s.fetched, s.lifetime = set, now, s.ageLimit(got)
	s.failure, s.failures, s.notBefore, s.stale = nil, 0, time.Time{}, false
	s.lastUsed = now
	s.used.Store(false)
	s.serving.Store(set)
	for _, k := range removed {
		k.retired.Store(true)
	}
	s.set(&s.refresh, between(s.lifetime, earliest, latest), s.onRefresh)
	s.set(&s.expiry, s.config.MaxStale, s.onExpiry)
	return events
}

// ageLimit is the age at which the fetched set is to be refreshed.
func (s *KeySet) ageLimit(got fetched) time.Duration {
	switch {
	case s.config.RefreshInterval != 0:
		return s.config.RefreshInterval
	case got.unmodified && !got.hasCacheControl:
		return s.lifetime // RFC 9111 §4.3.4: what the 304 leaves out stays as it was
	case got.maxAge < 0:
		return defaultRefreshInterval
	}
	return min(max(got.maxAge, minCacheControl), maxCacheControl, s.config.MaxStale/2)
}

// fail notes a failed fetch. The last good keys go on serving within MaxStale,
// and only then is there a timer for the next try: without keys, the next
// request tries.
func (s *KeySet) fail(err error, now time.Time) []*observe.Event {
	told := s.config.File != "" && s.failure != nil && s.failure.Error() == err.Error() // a poll of the same bad content
	s.failure = err
	s.failures++
	set := s.lastGood(now)
	limit := s.config.MinFetchInterval
	if set != nil {
		limit = s.lifetime / 4
	}
	s.notBefore = now.Add(backoff(s.config.MinFetchInterval/5, limit, s.failures))
	var events []*observe.Event
	if !told {
		events = append(events, s.event(observe.RefreshFailed, err))
	}
	if set != nil {
		events = append(events, s.serveStale(set, now)...)
	}
	return events
}

// serveStale lets the last good set serve, reopening it if it had aged unused,
// and arms the next try.
func (s *KeySet) serveStale(set *snapshot, now time.Time) []*observe.Event {
	reopened := s.serving.Load() == nil
	if reopened {
		s.serving.Store(set)
	}
	s.set(&s.refresh, s.notBefore.Sub(now), s.onRefresh)
	if s.stale || !reopened && now.Sub(s.fetched) < s.lifetime {
		return nil
	}
	s.stale = true
	return []*observe.Event{s.event(observe.StaleKeysInUse, s.failure)}
}

// lastGood returns the last good set if it is within MaxStale.
func (s *KeySet) lastGood(now time.Time) *snapshot {
	if s.last == nil || now.Sub(s.fetched) >= s.config.MaxStale {
		return nil
	}
	return s.last
}

// onRefresh runs when a refresh is due. A set that nobody uses is put aside
// instead: the next one to ask waits for a fetch. A file costs nobody anything.
func (s *KeySet) onRefresh(now time.Time) []*observe.Event {
	if s.used.Swap(false) {
		s.lastUsed = now
	}
	if idle := now.Sub(s.lastUsed); idle >= part(s.lifetime, earliest) && s.config.File == "" {
		s.serving.Store(nil)
		return nil
	}
	if s.flight == nil {
		s.start(nobody)
	}
	return nil
}

// onPatience runs RefreshWait after the fetch of an aged set began: the last good
// set serves while that goes on.
func (s *KeySet) onPatience(now time.Time) []*observe.Event {
	set := s.lastGood(now)
	if set == nil {
		return nil
	}
	s.serving.Store(set)
	close(s.flight.impatient)
	if s.stale {
		return nil
	}
	s.stale = true
	return []*observe.Event{s.event(observe.StaleKeysInUse, fmt.Errorf("no answer within %v (Config.RefreshWait)", s.config.RefreshWait))}
}

// onExpiry runs MaxStale after the last good fetch. It keeps last, so that keys
// which the issuer still has are the same keys when it comes back.
func (s *KeySet) onExpiry(now time.Time) []*observe.Event {
	s.serving.Store(nil)
	s.stop(&s.refresh)
	if s.failure == nil {
		return nil // nobody asked: nothing is known to be wrong
	}
	if limit := now.Add(s.config.MinFetchInterval); s.notBefore.After(limit) {
		s.notBefore = limit
	}
	return []*observe.Event{s.event(observe.KeysExpired, s.failure)}
}

// set arms t to call f under mu after d, in place of what it was armed for.
func (s *KeySet) set(t **time.Timer, d time.Duration, f func(now time.Time) []*observe.Event) {
	s.stop(t)
	s.running.Add(1)
	var armed *time.Timer
	armed = time.AfterFunc(d, func() {
		defer s.running.Done()
		s.mu.Lock()
		var events []*observe.Event
		if *t == armed { // else it was stopped or armed anew while it fired
			*t = nil
			events = f(time.Now())
		}
		s.mu.Unlock()
		s.emit(context.Background(), events)
	})
	*t = armed
}

// stop disarms t.
func (s *KeySet) stop(t **time.Timer) {
	if *t != nil && (*t).Stop() {
		s.running.Done()
	}
	*t = nil
}

// backoff returns the wait after so many failures in a row: first, then twice
// as long each time, up to limit, and up to a quarter less by chance.
func backoff(first, limit time.Duration, failures int) time.Duration {
	d := first
	for range failures - 1 {
		if d >= limit {
			break
		}
		d *= 2
	}
	return between(min(d, limit), 0.75, 1)
}

// between returns a random part of d.
func between(d time.Duration, low, high float64) time.Duration {
	return part(d, low+(high-low)*rand.Float64())
}

func part(d time.Duration, p float64) time.Duration { return time.Duration(float64(d) * p) }
