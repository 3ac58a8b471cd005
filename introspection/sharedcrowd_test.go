package introspection_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

// watchedShelf is a shelf that says who loads, and for how long leases are.
type watchedShelf struct {
	*shelf
	load  func(ctx context.Context) error
	lease func(keep time.Duration)
}

func (s watchedShelf) Load(ctx context.Context, q introspection.SharedKey) ([]byte, error) {
	if s.load != nil {
		if err := s.load(ctx); err != nil {
			return nil, err
		}
	}
	return s.shelf.Load(ctx, q)
}

func (s watchedShelf) Lease(ctx context.Context, q introspection.SharedKey, keep time.Duration) (bool, error) {
	if s.lease != nil {
		s.lease(keep)
	}
	return s.shelf.Lease(ctx, q, keep)
}

// TestSharedCrowdWaits: of a cold start, not all look at once, and all are served.
func TestSharedCrowdWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(`{"active":false}`))
		var under, most atomic.Int64
		s := watchedShelf{shelf: newShelf(), load: func(context.Context) error {
			now := under.Add(1)
			defer under.Add(-1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			elapse(10 * time.Millisecond)
			return nil
		}}
		c := instance(t, u, s, nil)
		var asking sync.WaitGroup
		for n := range 1000 {
			asking.Go(func() { expect(t, c, tokenNumber(n), "inactive") })
		}
		asking.Wait()
		if n := most.Load(); n != 64 {
			t.Errorf("%d looked at once, wanted 64", n)
		}
	})
}

// TestSharedOddFailure: one call that fails while the store serves others is no reason to
// leave it alone; many are.
func TestSharedOddFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeBody))
		var odd atomic.Bool
		s := watchedShelf{shelf: newShelf(), load: func(context.Context) error {
			if odd.CompareAndSwap(true, false) {
				elapse(30 * time.Millisecond)
				return errors.New("connection reset")
			}
			return nil
		}}
		var told events
		c := instance(t, u, s, func(cfg *introspection.Config) { cfg.Observer.Event = told.add })
		var number atomic.Int64
		next := func() { expect(t, c, tokenNumber(int(number.Add(1))), "active"); synctest.Wait() }
		for failures := 1; len(told.all()) == 0; failures++ {
			if failures > 100 {
				t.Fatal("nothing was told of 100 failures")
			}
			odd.Store(true)
			var failing sync.WaitGroup
			failing.Go(next)
			elapse(10 * time.Millisecond)
			before := s.called()
			next()
			failing.Wait()
			after := s.called()
			next()
			switch more := s.called() > after; {
			case after == before:
				t.Fatal("nobody looked beside the one that failed")
			case failures <= 64 && !more:
				t.Fatalf("after %d failures the store is left alone", failures)
			case failures == 65 && more:
				t.Fatal("after 65 failures it is not")
			}
		}
		if got := told.all(); got[0].Kind != observe.SharedFailed {
			t.Errorf("told %v", got)
		}
	})
}

// TestSharedLeaseOutlastsTurn: who has a lease may wait for its turn and ask before it ends.
func TestSharedLeaseOutlastsTurn(t *testing.T) {
	for wait, wanted := range map[time.Duration]time.Duration{0: 3 * time.Second, 20 * time.Second: 21 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var keeps []time.Duration
			s := watchedShelf{shelf: newShelf(), lease: func(keep time.Duration) { keeps = append(keeps, keep) }}
			c := instance(t, newUpstream(always(activeBody)), s, func(cfg *introspection.Config) { cfg.MaxWait = wait })
			expect(t, c, "token", "active")
			if len(keeps) != 1 || keeps[0] != wanted {
				t.Errorf("leases for %v with a MaxWait of %v, wanted one for %v", keeps, wait, wanted)
			}
		})
	}
}

// slowShelf is one whose calls take a while.
func slowShelf(takes time.Duration) watchedShelf {
	return watchedShelf{shelf: newShelf(), load: func(context.Context) error { elapse(takes); return nil }, lease: func(time.Duration) { elapse(takes) }}
}

// TestSharedTurnsAreFair: a crowd of tokens that another instance asks about, so that they
// are looked for again and again, holds up nobody else's first look, of its own source
// neither.
func TestSharedTurnsAreFair(t *testing.T) {
	for _, source := range []string{"client", "2001:db8:1:1::1"} {
		t.Run(source, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const tokens, takes = 1000, 20 * time.Millisecond
				u := newUpstream(func(token string) answer {
					if token == "good" {
						return answer{body: activeBody, after: 20 * time.Millisecond}
					}
					return answer{body: `{"active":false}`, after: 500 * time.Millisecond}
				})
				s := slowShelf(takes)
				c, other := instance(t, u, s, nil), instance(t, u, s, nil)
				var asking sync.WaitGroup
				for _, at := range []*introspection.Client{other, c} {
					for n := range tokens {
						asking.Go(func() {
							_, _ = at.Ask(t.Context(), introspection.Question{Token: tokenNumber(n), Source: "2001:db8:1:2::1"})
						})
					}
					elapse(time.Second)
				}
				began := time.Now()
				r, err := c.Ask(t.Context(), introspection.Question{Token: "good", Source: source})
				if took := time.Since(began); err != nil || !r.Active() || took > 300*time.Millisecond {
					t.Errorf("answered after %v: %v", took, err)
				}
				asking.Wait()
				elapse(20 * time.Second) // theirs end
			})
		})
	}
}

// TestSharedLookersOfASource: those of one source leave room for others to look, and have
// turns at the endpoint at once.
func TestSharedLookersOfASource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(string) answer { return answer{body: activeBody, after: time.Millisecond} })
		var looks atomic.Int64
		s := watchedShelf{shelf: newShelf(), load: func(context.Context) error { looks.Add(1); elapse(40 * time.Millisecond); return nil }}
		c := instance(t, u, s, func(cfg *introspection.Config) { cfg.MaxWaiting = 16 })
		ask := func(n int, source string) {
			if _, err := c.Ask(t.Context(), introspection.Question{Token: tokenNumber(n), Source: source}); err != nil {
				t.Errorf("token %d: %v", n, err)
			}
		}
		var asking sync.WaitGroup
		for n := range 16 {
			asking.Go(func() { ask(n, "2001:db8:1:2::1") })
		}
		elapse(30 * time.Millisecond)
		if asked, n := u.calls(), looks.Load(); asked != 8 || n != 8 {
			t.Errorf("before the store had answered the endpoint was asked about %d, and %d looked, wanted 8 of both", asked, n)
		}
		asking.Go(func() { ask(100, "client") })
		synctest.Wait()
		if looks.Load() != 9 {
			t.Error("nobody else may look")
		}
		asking.Wait()
		elapse(time.Second)
	})
}
