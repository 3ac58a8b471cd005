package introspection_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

func tokenNumber(i int) string { return fmt.Sprintf("token-%d", i) }

func activeUntil(exp time.Time) string {
	return fmt.Sprintf(`{"active":true,"exp":%d}`, exp.Unix())
}

func TestLifetimes(t *testing.T) {
	for _, test := range []struct {
		name     string
		body     func() string
		lifetime time.Duration
	}{
		{"active", func() string { return activeBody }, 30 * time.Second},
		{"inactive", func() string { return `{"active":false}` }, 10 * time.Second},
		{"active, exp later", func() string { return activeUntil(time.Now().Add(time.Hour)) }, 30 * time.Second},
		{"active, exp sooner", func() string { return activeUntil(time.Now().Add(7 * time.Second)) }, 7 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(always(test.body()))
				c := newClient(t, u, nil)
				ask := func() {
					if _, err := c.Introspect(t.Context(), "token"); err != nil {
						t.Fatal(err)
					}
				}
				ask()
				elapse(test.lifetime - 1)
				if ask(); u.calls() != 1 {
					t.Fatalf("asked %d times just before the lifetime ends, want 1", u.calls())
				}
				elapse(1)
				if ask(); u.calls() != 2 {
					t.Fatalf("asked %d times when the lifetime has ended, want 2", u.calls())
				}
				if s := c.Stats(); s.Hits != 1 || s.Misses != 2 || s.Answers != 1 {
					t.Errorf("%+v, wanted 1 hit, 2 misses and 1 answer", s)
				}
			})
		})
	}
}

// The lifetime counts from the moment of asking: what the endpoint learned
// while it was slow is not in its answer.
func TestLifetimeCountsFromAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(string) answer { return answer{body: activeBody, after: 4 * time.Second} })
		c := newClient(t, u, nil)
		start := time.Now()
		r := expect(t, c, "token", "active")
		if !r.AskedAt().Equal(start) {
			t.Errorf("AskedAt is %v, want %v", r.AskedAt(), start)
		}
		if want := start.Add(30 * time.Second); !r.ValidUntil().Equal(want) {
			t.Errorf("ValidUntil is %v, want %v", r.ValidUntil(), want)
		}
	})
}

func TestPastExpIsNeverKept(t *testing.T) {
	for _, exp := range []string{"now", "past"} {
		synctest.Test(t, func(t *testing.T) {
			at := time.Now()
			if exp == "past" {
				at = at.Add(-time.Minute)
			}
			u := newUpstream(always(activeUntil(at)))
			c := newClient(t, u, nil)
			for range 3 {
				if r := expect(t, c, "token", "active"); !r.ValidUntil().IsZero() {
					t.Errorf("exp %s: ValidUntil is %v, want none", exp, r.ValidUntil())
				}
			}
			if u.calls() != 3 {
				t.Errorf("exp %s: asked %d times, want 3", exp, u.calls())
			}
		})
	}
}

// exp is judged by Config.Now, whatever the machine's clock says.
func TestExpIsJudgedByConfigNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		offset := -24 * time.Hour
		now := func() time.Time { return time.Now().Add(offset) }
		u := newUpstream(always(activeUntil(now().Add(5 * time.Second))))
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.Now = now })
		r := expect(t, c, "token", "active")
		if got := time.Until(r.ValidUntil()); got != 5*time.Second {
			t.Errorf("the result lives %v, want 5s", got)
		}
		offset += time.Minute // the token clock steps past exp, the lifetime is not over
		expect(t, c, "token", "active")
		if u.calls() != 2 {
			t.Errorf("asked %d times, want 2: the first answer's exp has come", u.calls())
		}
	})
}

func TestRefreshAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeBody))
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.RefreshAhead = 10 * time.Second })
		expect(t, c, "token", "active")
		elapse(20 * time.Second)
		expect(t, c, "token", "active")
		synctest.Wait()
		if u.calls() != 1 {
			t.Fatalf("asked %d times with RefreshAhead left, want 1", u.calls())
		}
		u.become(func(string) answer { return answer{body: activeBody, after: 4 * time.Second} })
		elapse(time.Second)
		for range 5 {
			start := time.Now()
			expect(t, c, "token", "active")
			if time.Since(start) != 0 {
				t.Fatal("a hit waited for the renewal")
			}
		}
		elapse(5 * time.Second)
		if u.calls() != 2 {
			t.Fatalf("asked %d times, want one renewal", u.calls())
		}
		elapse(10 * time.Second) // past the first lifetime, within the second
		expect(t, c, "token", "active")
		if u.calls() != 2 {
			t.Errorf("asked %d times, want the renewed answer served", u.calls())
		}
	})
}

func TestRefreshAheadFailureLeavesTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeBody))
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.RefreshAhead = 10 * time.Second })
		expect(t, c, "token", "active")
		u.become(down)
		for range 9 {
			elapse(3 * time.Second)
			expect(t, c, "token", "active")
		}
		synctest.Wait()
		if u.calls() != 2 {
			t.Errorf("asked %d times, want one attempt at a renewal", u.calls())
		}
		elapse(3 * time.Second)
		expect(t, c, "token", "unavailable")
	})
}

// A renewal cannot prolong what exp ends, so none is asked for.
func TestRefreshAheadStopsAtExp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeUntil(time.Now().Add(20 * time.Second))))
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.RefreshAhead = 10 * time.Second })
		for range 20 {
			expect(t, c, "token", "active")
			synctest.Wait()
			elapse(time.Second)
		}
		if u.calls() != 1 {
			t.Errorf("asked %d times, want 1", u.calls())
		}
	})
}

func TestRefreshAheadSeesRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeBody))
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.RefreshAhead = 10 * time.Second })
		expect(t, c, "token", "active")
		u.become(always(`{"active":false}`))
		elapse(25 * time.Second)
		expect(t, c, "token", "active")
		synctest.Wait()
		expect(t, c, "token", "inactive")
	})
}

func TestStaleIfError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeBody))
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.StaleIfError = time.Minute })
		expect(t, c, "token", "active")
		u.become(down)
		elapse(90*time.Second - 1)
		if r := expect(t, c, "token", "active"); !r.ValidUntil().Before(time.Now()) {
			t.Errorf("ValidUntil of a stale result is %v, want it in the past", r.ValidUntil())
		}
		elapse(1)
		expect(t, c, "token", "unavailable")
		expect(t, c, "another", "unavailable")
	})
}

func TestStaleIfErrorLimits(t *testing.T) {
	stale := func(cfg *introspection.Config) { cfg.StaleIfError = time.Hour }
	for _, test := range []struct {
		name   string
		change func(*introspection.Config)
		body   func() string
		then   func(string) answer
		want   string
	}{
		{"off by default", nil, func() string { return activeBody }, down, "unavailable"},
		{"served", stale, func() string { return activeBody }, down, "active"},
		{"served when the endpoint answers 503", stale, func() string { return activeBody },
			func(string) answer { return answer{status: 503} }, "active"},
		{"never past exp", stale, func() string { return activeUntil(time.Now().Add(40 * time.Second)) }, down, "unavailable"},
		{"not against the endpoint's word on the token", stale, func() string { return activeBody },
			func(string) answer { return answer{status: 400} }, "unavailable"},
		{"not against a revocation", stale, func() string { return activeBody }, always(`{"active":false}`), "inactive"},
		{"not against an odd answer about the token", stale, func() string { return activeBody },
			always(`{"active":true,"x":` + strings.Repeat("[", 11_000) + strings.Repeat("]", 11_000) + `}`), "unavailable"},
		{"never for inactive answers", stale, func() string { return `{"active":false}` }, down, "unavailable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(always(test.body()))
				c := newClient(t, u, test.change)
				c.Introspect(t.Context(), "token")
				u.become(test.then)
				elapse(45 * time.Second)
				expect(t, c, "token", test.want)
			})
		})
	}
}

// A caller that is not interested any more gets its own error, not a stale answer.
func TestStaleIfErrorIsNotForThoseWhoGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeBody))
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.StaleIfError = time.Hour })
		expect(t, c, "token", "active")
		elapse(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Introspect(ctx, "token"); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want context.Canceled", err)
		}
	})
}
