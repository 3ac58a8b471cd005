package introspection_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

func askAs(c *introspection.Client, source, token string) (*introspection.Result, error) {
	return c.Ask(context.Background(), introspection.Question{Token: token, Source: source})
}

// While one source's tokens wait by the thousand, another's is asked about next.
func TestTurnsAreFairBySource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(string) answer { return answer{body: `{"active":false}`, after: 100 * time.Millisecond} })
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.MaxConcurrent = 1 })
		var crowd sync.WaitGroup
		var throttled atomic.Int64
		for i := range 50_000 {
			crowd.Go(func() {
				if _, err := askAs(c, "crowd", tokenNumber(i)); errors.Is(err, introspection.ErrThrottled) {
					throttled.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		if r, err := askAs(c, "one", "one"); verdict(r, err) != "inactive" {
			t.Errorf("%s: %v", verdict(r, err), err)
		}
		if waited := time.Since(start); waited > 200*time.Millisecond {
			t.Errorf("waited %v, want two turns at most", waited)
		}
		crowd.Wait()
		if n := throttled.Load(); n < 49_900 {
			t.Errorf("%d were throttled", n)
		}
	})
}

// Tokens that hang do not keep others' from being asked about, though they hold
// every turn there is.
func TestTurnsThatHangAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(token string) answer {
			if token[0] == 'g' {
				return answer{body: activeBody, after: 5 * time.Millisecond}
			}
			return answer{after: time.Hour}
		})
		c := newClient(t, u, nil)
		expect(t, c, "good", "active")
		var strangers sync.WaitGroup
		for i := range 48 {
			strangers.Go(func() {
				r, err := askAs(c, fmt.Sprint("stranger", i%4), tokenNumber(i))
				if got := verdict(r, err); got != "throttled" && got != "refused" {
					t.Errorf("a token that hangs is %s: %v", got, err)
				}
			})
		}
		elapse(10 * time.Millisecond)
		for i := range 40 {
			if r, err := askAs(c, "client", fmt.Sprint("good", i)); verdict(r, err) != "active" {
				t.Errorf("%d: %s (%v)", i, verdict(r, err), err)
			}
			elapse(100 * time.Millisecond)
		}
		strangers.Wait()
	})
}

// Calls of RequireFresh with one token: one is under way, and one is next.
func TestFreshCallsCoalesce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(string) answer { return answer{body: activeBody, after: time.Second} })
		c := newClient(t, u, nil)
		expect(t, c, "token", "active")
		var callers sync.WaitGroup
		for range 500 {
			callers.Go(func() {
				began := time.Now()
				r, err := c.IntrospectFresh(t.Context(), "token", 0)
				if verdict(r, err) != "active" || r.AskedAt().Before(began) {
					t.Errorf("%s, asked %v before the call", verdict(r, err), began.Sub(r.AskedAt()))
				}
			})
			elapse(time.Millisecond)
		}
		callers.Wait()
		if n := u.calls(); n != 3 {
			t.Errorf("asked %d times, want once, and twice for 500 callers", n)
		}
	})
}

// Whoever gives up before the call was sent causes none.
func TestAbandonedCallsAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(string) answer { return answer{body: activeBody, after: time.Second} })
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.MaxConcurrent = 1 })
		expect(t, c, "token", "active")
		for range 1000 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			if _, err := c.IntrospectFresh(ctx, "token", 0); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			cancel()
		}
		if n := u.calls(); n > 3 {
			t.Errorf("asked %d times within a second, want once at a time", n)
		}
		var busy sync.WaitGroup
		busy.Go(func() { expectQuietly(t, c, "busy") })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		c.Introspect(ctx, "abandoned")
		busy.Wait()
		elapse(time.Second)
		if n := u.callsFor("abandoned"); n != 0 {
			t.Errorf("asked %d times for a caller that had gone", n)
		}
	})
}

// Our own bounds are not the endpoint's trouble: nothing stale is served for them.
func TestStaleIsNotForOurOwnBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		u := newUpstream(func(token string) answer {
			if slow.Load() && token != "stolen" {
				return answer{body: activeBody, after: 4 * time.Second}
			}
			return answer{body: activeBody}
		})
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.MaxConcurrent, cfg.StaleIfError = 2, time.Hour })
		for _, token := range []string{"a", "b", "stolen"} {
			expect(t, c, token, "active")
		}
		elapse(31 * time.Second)
		slow.Store(true)
		var busy sync.WaitGroup
		for _, token := range []string{"a", "b"} {
			busy.Go(func() { expectQuietly(t, c, token) })
		}
		synctest.Wait()
		if r, err := c.Introspect(t.Context(), "stolen"); err == nil {
			t.Errorf("%s was served though the endpoint is well", verdict(r, err))
		}
		busy.Wait()
	})
}

// A ClientAuth that hangs is bounded by RequestTimeout, and Close does not wait
// for it.
func TestHangingClientAuth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeBody))
		block := make(chan struct{})
		var called atomic.Int64
		c := newClient(t, u, func(cfg *introspection.Config) {
			cfg.Auth = introspection.ClientSecretBasic("api", func(context.Context) (string, error) { // ignores its context
				called.Add(1)
				<-block
				return secretText, nil
			})
			cfg.MaxConcurrent = 4
		})
		for i := range 100 {
			start := time.Now()
			expect(t, c, tokenNumber(i), "unavailable")
			if waited := time.Since(start); waited > 5*time.Second {
				t.Errorf("waited %v, want RequestTimeout at most", waited)
			}
			elapse(5 * time.Second)
		}
		if n := called.Load(); n > 17 {
			t.Errorf("%d calls hang, want four for each of MaxConcurrent", n)
		}
		start := time.Now()
		c.Close()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Close waited %v", waited)
		}
		close(block)
	})
}

// The log of an endpoint that never worked has one line, not one for each token.
func TestOneWarningBeforeTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		u := newUpstream(func(string) answer { return answer{status: 400} })
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.Observer = observe.Observer{Event: seen.add} })
		for i := range 1000 {
			expect(t, c, tokenNumber(i), "unavailable")
		}
		warnings := 0
		for _, e := range seen.all() {
			if e.Kind == observe.IntrospectionFailed {
				warnings++
			}
		}
		if warnings != 1 {
			t.Errorf("%d warnings for 1,000 tokens, want 1", warnings)
		}
	})
}
