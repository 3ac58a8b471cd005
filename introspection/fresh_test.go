package introspection_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

func TestFreshAge(t *testing.T) {
	for _, test := range []struct {
		name   string
		age    time.Duration
		maxAge time.Duration
		asked  int
	}{
		{"young enough", 5 * time.Second, 5 * time.Second, 1},
		{"too old", 5*time.Second + 1, 5 * time.Second, 2},
		{"zero asks at the same instant", 0, 0, 2},
		{"negative is zero", 0, -time.Second, 2},
		{"never past the lifetime", 31 * time.Second, time.Hour, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(always(activeBody))
				c := newClient(t, u, nil)
				expect(t, c, "token", "active")
				elapse(test.age)
				r, err := c.IntrospectFresh(t.Context(), "token", test.maxAge)
				if err != nil {
					t.Fatal(err)
				}
				if age := time.Since(r.AskedAt()); age > max(test.maxAge, 0) {
					t.Errorf("the answer is %v old, want at most %v", age, test.maxAge)
				}
				if u.calls() != test.asked {
					t.Errorf("asked %d times, want %d", u.calls(), test.asked)
				}
			})
		})
	}
}

func TestFreshTakesRevocationToEveryone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeBody))
		c := newClient(t, u, nil)
		expect(t, c, "token", "active")
		u.become(always(`{"active":false}`))
		expect(t, c, "token", "active") // from the cache
		if r, err := c.IntrospectFresh(t.Context(), "token", 0); verdict(r, err) != "inactive" {
			t.Fatalf("fresh is %s, want inactive", verdict(r, err))
		}
		expect(t, c, "token", "inactive")
		if u.calls() != 2 {
			t.Errorf("asked %d times, want 2", u.calls())
		}
	})
}

// A request that was under way before the call may have been answered before a
// revocation: it is not joined, and its late answer does not undo what was
// learned meanwhile.
func TestFreshJoinsNothingUnderWay(t *testing.T) {
	for _, lifetime := range []time.Duration{0, -1} { // negative answers are remembered, or only marked
		synctest.Test(t, func(t *testing.T) {
			u := newUpstream(func(string) answer { return answer{body: activeBody, after: 3 * time.Second} })
			c := newClient(t, u, func(cfg *introspection.Config) { cfg.NegativeLifetime = lifetime })
			var slow sync.WaitGroup
			slow.Go(func() {
				if r, err := c.Introspect(t.Context(), "token"); verdict(r, err) != "inactive" {
					t.Errorf("the overtaken answer is %s, want inactive: the revocation is known", verdict(r, err))
				}
			})
			elapse(time.Second)
			u.become(always(`{"active":false}`))
			start := time.Now()
			if r, err := c.IntrospectFresh(t.Context(), "token", 0); verdict(r, err) != "inactive" {
				t.Fatalf("fresh is %s, want inactive", verdict(r, err))
			}
			if time.Since(start) != 0 {
				t.Error("fresh waited for the request under way")
			}
			slow.Wait()
			if u.calls() != 2 {
				t.Errorf("asked %d times, want 2", u.calls())
			}
			expect(t, c, "token", "inactive")
		})
	}
}

// Of two requests that were under way at the same time, the one that was sent
// later may have been judged first. A revocation that one of them saw stays
// seen, in whichever order they were sent and answered.
func TestRevocationSeenByOverlappingRequests(t *testing.T) {
	const inactive = `{"active":false}`
	for name, answers := range map[string][2]answer{
		"the inactive one was sent first and is first": {{body: inactive, after: 2 * time.Second}, {body: activeBody, after: 3 * time.Second}},
		"the inactive one was sent first and is last":  {{body: inactive, after: 3 * time.Second}, {body: activeBody, after: time.Second}},
		"the inactive one was sent last and is first":  {{body: activeBody, after: 3 * time.Second}, {body: inactive, after: time.Second}},
		"the inactive one was sent last and is last":   {{body: activeBody, after: 2 * time.Second}, {body: inactive, after: 3 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(func(string) answer { return answers[0] })
				c := newClient(t, u, nil)
				var asking sync.WaitGroup
				ask := func() { _, _ = c.IntrospectFresh(t.Context(), "token", 0) }
				asking.Go(ask)
				elapse(500 * time.Millisecond)
				u.become(func(string) answer { return answers[1] })
				asking.Go(ask)
				elapse(500 * time.Millisecond)
				u.become(always(inactive))
				asking.Wait()
				expect(t, c, "token", "inactive")
				elapse(9 * time.Second)
				expect(t, c, "token", "inactive")

				elapse(time.Second)
				u.become(always(activeBody)) // asked for after all that, an active answer counts
				if r, err := c.IntrospectFresh(t.Context(), "token", 0); verdict(r, err) != "active" {
					t.Errorf("fresh is %s, want active", verdict(r, err))
				}
				expect(t, c, "token", "active")
			})
		})
	}
}

// A token that turns active leaves no inactive answer behind that would come
// back when the active one ends.
func TestActiveTakesThePlaceOfInactive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(`{"active":false}`))
		c := newClient(t, u, nil)
		expect(t, c, "token", "inactive")
		u.become(always(activeBody))
		elapse(time.Second)
		if r, err := c.IntrospectFresh(t.Context(), "token", 0); verdict(r, err) != "inactive" {
			t.Fatalf("fresh is %s, want what is remembered of an inactive token", verdict(r, err))
		}
		elapse(9 * time.Second)
		if r, err := c.IntrospectFresh(t.Context(), "token", 0); verdict(r, err) != "active" {
			t.Fatalf("fresh is %s, want active", verdict(r, err))
		}
		elapse(30 * time.Second)
		expect(t, c, "token", "active")
		if u.calls() != 3 {
			t.Errorf("asked %d times, want 3", u.calls())
		}
	})
}

func TestFreshWithAnAgeJoinsWhatIsYoungEnough(t *testing.T) {
	for _, test := range []struct {
		maxAge time.Duration
		asked  int
	}{{2 * time.Second, 1}, {500 * time.Millisecond, 2}} {
		synctest.Test(t, func(t *testing.T) {
			u := newUpstream(func(string) answer { return answer{body: activeBody, after: 3 * time.Second} })
			c := newClient(t, u, nil)
			var first sync.WaitGroup
			first.Go(func() { expectQuietly(t, c, "token") })
			elapse(time.Second)
			start := time.Now()
			r, err := c.IntrospectFresh(t.Context(), "token", test.maxAge)
			if err != nil {
				t.Fatal(err)
			}
			if r.AskedAt().Before(start.Add(-test.maxAge)) {
				t.Errorf("asked at %v, want at most %v before %v", r.AskedAt(), test.maxAge, start)
			}
			first.Wait()
			if u.calls() != test.asked {
				t.Errorf("maxAge %v: asked %d times, want %d", test.maxAge, u.calls(), test.asked)
			}
		})
	}
}

func expectQuietly(t *testing.T, c *introspection.Client, token string) {
	if _, err := c.Introspect(t.Context(), token); err != nil {
		t.Error(err)
	}
}

func TestFreshServesNothingStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeBody))
		c := newClient(t, u, func(cfg *introspection.Config) { cfg.StaleIfError = time.Hour })
		expect(t, c, "token", "active")
		u.become(down)
		if _, err := c.IntrospectFresh(t.Context(), "token", 0); !errors.Is(err, introspection.ErrUnavailable) {
			t.Errorf("error is %v, want unavailable", err)
		}
		expect(t, c, "token", "active") // the failure leaves what was known
	})
}
