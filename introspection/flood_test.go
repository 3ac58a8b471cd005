package introspection_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

func TestConcurrentCallersShareOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(string) answer { return answer{body: activeBody, after: time.Second} })
		c := newClient(t, u, nil)
		var asking sync.WaitGroup
		for range 500 {
			asking.Go(func() { expectQuietly(t, c, "token") })
		}
		asking.Wait()
		if u.calls() != 1 {
			t.Errorf("asked %d times for 500 callers, want 1", u.calls())
		}
	})
}

// The caller that started the request gives up; the others get the answer, and
// so does the cache.
func TestACallerThatGivesUpHarmsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(string) answer { return answer{body: activeBody, after: 2 * time.Second} })
		c := newClient(t, u, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() {
			_, err := c.Introspect(ctx, "token")
			if failure(t, err); !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v, want context.Canceled", err)
			}
		})
		synctest.Wait()
		for range 10 {
			asking.Go(func() { expectQuietly(t, c, "token") })
		}
		elapse(time.Second)
		cancel()
		asking.Wait()
		expect(t, c, "token", "active")
		if u.calls() != 1 {
			t.Errorf("asked %d times, want 1", u.calls())
		}
	})
}

func TestEndedContextAsksNobody(t *testing.T) {
	u := newUpstream(always(activeBody))
	c := newClient(t, u, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Introspect(ctx, "token"); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
	if u.calls() != 0 {
		t.Error("asked for a caller that had already gone")
	}
}

func TestMaxConcurrent(t *testing.T) {
	for _, test := range []struct{ limit, peak, answered int }{{0, 32, 96}, {3, 3, 9}} { // in three rounds
		synctest.Test(t, func(t *testing.T) {
			u := newUpstream(func(string) answer { return answer{body: activeBody, after: 900 * time.Millisecond} })
			c := newClient(t, u, func(cfg *introspection.Config) { cfg.MaxConcurrent = test.limit })
			start := time.Now()
			var asking sync.WaitGroup
			var answered atomic.Int64
			for i := range 100 {
				asking.Go(func() {
					_, err := c.Introspect(t.Context(), tokenNumber(i))
					if err == nil {
						answered.Add(1)
						return
					}
					if waited := time.Since(start); waited != 2*time.Second || !errors.Is(err, introspection.ErrThrottled) {
						t.Errorf("refused after %v: %v", waited, err)
					}
				})
			}
			asking.Wait()
			if u.peak != test.peak || answered.Load() != int64(test.answered) {
				t.Errorf("%d requests at once, %d answered, want %d and %d", u.peak, answered.Load(), test.peak, test.answered)
			}
		})
	}
}

// A burst that the endpoint works off in time is not refused.
func TestTurnsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(string) answer { return answer{body: activeBody, after: 10 * time.Millisecond} })
		c := newClient(t, u, nil)
		var asking sync.WaitGroup
		for i := range 400 {
			asking.Go(func() { expectQuietly(t, c, tokenNumber(i)) })
		}
		asking.Wait()
	})
}

// The flood of 50,000 made-up tokens, against a slow endpoint, across the end of
// the honest tokens' lifetime: whoever was active before is answered throughout.
func TestFloodOfMadeUpTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const honest, madeUp, perSecond = 20, 50_000, 1000
		u := newUpstream(func(token string) answer {
			if strings.HasPrefix(token, "honest") {
				return answer{body: activeBody, after: 50 * time.Millisecond}
			}
			return answer{body: `{"active":false}`, after: 200 * time.Millisecond}
		})
		c := newClient(t, u, nil)
		for i := range honest {
			expect(t, c, "honest-"+tokenNumber(i), "active")
		}
		u.peak = 0
		var flood sync.WaitGroup
		for i := range madeUp {
			flood.Go(func() {
				if r, err := c.Introspect(t.Context(), tokenNumber(i)); verdict(r, err) == "active" {
					t.Error("a made-up token is active")
				}
			})
			if i%perSecond == 0 {
				for j := range honest {
					expect(t, c, "honest-"+tokenNumber(j), "active")
				}
				elapse(time.Second)
			}
		}
		flood.Wait()
		if u.peak > 64 {
			t.Errorf("%d requests at once, want at most twice MaxConcurrent", u.peak)
		}
		if got := u.callsFor("honest-token-0"); got < 2 {
			t.Errorf("the honest token was asked about %d times, want a renewal during the flood", got)
		}
		expect(t, c, "stranger", "inactive")
	})
}

// Negatives have a store of their own: any number of them leaves the positives
// where they are, and the number kept is bounded.
func TestNegativesPushOutNoPositives(t *testing.T) {
	const entries, madeUp = 100, 10_000
	u := newUpstream(func(token string) answer {
		if strings.HasPrefix(token, "honest") {
			return answer{body: activeBody}
		}
		return answer{body: `{"active":false}`}
	})
	c := newClient(t, u, func(cfg *introspection.Config) {
		cfg.CacheEntries = entries
		cfg.MaxPerSecond = -1
		cfg.PositiveLifetime, cfg.NegativeLifetime = time.Hour, time.Hour
	})
	for i := range entries {
		expect(t, c, "honest-"+tokenNumber(i), "active")
	}
	for i := range madeUp {
		expect(t, c, tokenNumber(i), "inactive")
	}
	before := u.calls()
	for i := range entries {
		expect(t, c, "honest-"+tokenNumber(i), "active")
	}
	if asked := u.calls() - before; asked != 0 {
		t.Errorf("%d of %d positives were gone after the flood", asked, entries)
	}
	before = u.calls()
	for i := range madeUp {
		expect(t, c, tokenNumber(i), "inactive")
	}
	if kept := madeUp - (u.calls() - before); kept > entries {
		t.Errorf("%d negatives were kept, want at most %d", kept, entries)
	}
}

// Large answers count for several entries, so the bytes kept are bounded too.
func TestLargeAnswersCountForSeveral(t *testing.T) { synctest.Test(t, testLargeAnswersCountForSeveral) }

func testLargeAnswersCountForSeveral(t *testing.T) {
	const entries, size = 64, 16 << 10 // each answer counts for four
	u := newUpstream(always(`{"active":true,"pad":"` + strings.Repeat("x", size-24) + `"}`))
	c := newClient(t, u, func(cfg *introspection.Config) {
		cfg.CacheEntries = entries
		cfg.MaxPerSecond = -1
		cfg.PositiveLifetime = time.Hour
	})
	for i := range 10 * entries {
		expect(t, c, tokenNumber(i), "active")
	}
	// From now on whatever is not remembered fails, and failures are not kept:
	// what is active still was there.
	u.become(down)
	kept := 0
	for i := range 10 * entries {
		if r, err := c.Introspect(t.Context(), tokenNumber(i)); verdict(r, err) == "active" {
			kept++
		}
	}
	if kept < 1 || kept > entries/4 {
		t.Errorf("%d answers of %d bytes were kept, want 1 to %d", kept, size, entries/4)
	}
}
