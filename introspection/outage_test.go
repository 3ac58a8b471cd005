package introspection_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

// An outage of a minute, with a new token every 10 ms: after three failures the
// endpoint is probed after 100 ms, 200 ms, and so on up to every 5 s.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(down)
		c := newClient(t, u, nil)
		start := time.Now()
		var probes []time.Duration
		for i := range 6000 {
			before := u.calls()
			expect(t, c, tokenNumber(i), "unavailable")
			if u.calls() > before {
				probes = append(probes, time.Since(start).Round(10*time.Millisecond))
			}
			elapse(10 * time.Millisecond)
		}
		ms := time.Millisecond
		want := []time.Duration{0, 10 * ms, 20 * ms, 120 * ms, 320 * ms, 720 * ms, 1520 * ms, 3120 * ms, 6320 * ms, 11320 * ms}
		for at := 16320 * ms; at < time.Minute; at += 5 * time.Second {
			want = append(want, at)
		}
		if diff := cmp.Diff(want, probes); diff != "" {
			t.Errorf("requests during the outage (-want +got):\n%s", diff)
		}
		u.become(always(activeBody))
		elapse(5 * time.Second)
		for i := range 10 {
			expect(t, c, tokenNumber(i), "active")
		}
	})
}

// After the gate was shut, no more than four ask at once until one is answered;
// the others wait for their turn.
func TestFewProbeAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(down)
		c := newClient(t, u, nil)
		for i := range 3 {
			expect(t, c, tokenNumber(i), "unavailable")
		}
		u.become(func(string) answer { return answer{body: activeBody, after: 100 * time.Millisecond} })
		elapse(time.Second)
		var asking sync.WaitGroup
		var mu sync.Mutex
		got := map[string]int{}
		for i := range 50 {
			asking.Go(func() {
				r, err := c.Introspect(t.Context(), tokenNumber(i))
				mu.Lock()
				defer mu.Unlock()
				got[verdict(r, err)]++
			})
		}
		elapse(50 * time.Millisecond)
		if most := u.mostAtOnce(); most != 4 {
			t.Errorf("%d asked at once, want 4", most)
		}
		asking.Wait()
		if diff := cmp.Diff(map[string]int{"active": 50}, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		expect(t, c, "another", "active")
	})
}

// Thirty time-outs at once are one reason to back off, not thirty.
func TestConcurrentFailuresShutTheGateOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(string) answer { return answer{after: time.Hour} })
		c := newClient(t, u, nil)
		var asking sync.WaitGroup
		for i := range 30 {
			asking.Go(func() { c.Introspect(t.Context(), tokenNumber(i)) })
		}
		asking.Wait()
		u.become(always(activeBody))
		elapse(100 * time.Millisecond)
		expect(t, c, "token", "active")
	})
}

func TestCachedAnswersServeDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeBody))
		c := newClient(t, u, nil)
		expect(t, c, "honest", "active")
		u.become(down)
		for i := range 29 {
			elapse(time.Second)
			expect(t, c, "honest", "active")
			expect(t, c, tokenNumber(i), "unavailable")
		}
	})
}

// oidc-provider answers 400 when it is asked about a JWT: whoever sends one must
// not keep others out. Nor may the failures of tokens that nobody has seen
// active shut the gate of those that were.
func TestATokenShutsNoGateForOthers(t *testing.T) {
	for name, bad := range map[string]answer{
		"400 unsupported_token_type": {status: 400, body: `{"error":"unsupported_token_type"}`},
		"413":                        {status: 413},
		"answer over the limit":      {body: string(make([]byte, 70_000))},
		"a name twice":               {body: `{"active":true,"authorization_details":[{"a":1,"a":2}]}`},
		"a lone surrogate":           {body: `{"active":true,"authorization_details":["\ud800"]}`},
		"nested too deeply":          {body: `{"active":true,"authorization_details":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`},
		"exp in milliseconds":        {body: `{"active":true,"exp":1795164741000}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(func(token string) answer {
					if token == "good" {
						return answer{body: activeBody}
					}
					return bad
				})
				c := newClient(t, u, nil)
				for i := range 50 {
					expect(t, c, tokenNumber(i), "unavailable")
				}
				expect(t, c, "good", "active")
			})
		})
	}
}

// A probe that learns nothing about the endpoint, because it was about a token
// that the endpoint would not judge, leaves the probing to the next caller.
func TestAProbeThatSaysNothingIsFollowedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(down)
		c := newClient(t, u, nil)
		for i := range 3 {
			expect(t, c, tokenNumber(i), "unavailable")
		}
		elapse(100 * time.Millisecond)
		u.become(func(string) answer { return answer{status: 400} })
		expect(t, c, "odd", "unavailable")
		u.become(always(activeBody))
		expect(t, c, "good", "active")
	})
}

// A server that breaks on strange tokens: those who send them are refused, and
// nobody else suffers.
func TestAServerThatBreaksOnStrangeTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(token string) answer {
			if token == "good" || token == "new" {
				return answer{body: activeBody}
			}
			return answer{status: 500}
		})
		c := newClient(t, u, nil)
		expect(t, c, "good", "active")
		elapse(30 * time.Second)
		for i := range 50 {
			expect(t, c, tokenNumber(i), "refused")
		}
		expect(t, c, "new", "active")
		expect(t, c, "good", "active")
		if asked := u.callsFor("good"); asked > 103 {
			t.Errorf("asked %d times about the good token for 50 tokens, want two controls for each at most", asked)
		}
	})
}

// A Retry-After about a token never seen active slows those alone, and one about
// a token that was slows those; only a second one, about another such token, stops
// everybody, and for half a minute at most.
func TestRetryAfter(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		value  func() string
		pause  time.Duration // after two known tokens
	}{
		{"429 seconds", 429, func() string { return "20" }, 20 * time.Second},
		{"503 seconds", 503, func() string { return "20" }, 20 * time.Second},
		{"bounded", 429, func() string { return "86400" }, 30 * time.Second},
		{"bounded, beyond all integers", 429, func() string { return "99999999999999999999" }, 30 * time.Second},
		{"a date, bounded", 503, func() string { return time.Now().Add(time.Hour).UTC().Format(http.TimeFormat) }, 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(always(activeBody))
				c := newClient(t, u, nil)
				for _, token := range []string{"a", "b", "c"} {
					expect(t, c, token, "active")
				}
				elapse(30 * time.Second)
				slowDown := func(string) answer {
					return answer{status: test.status, header: map[string]string{"Retry-After": test.value()}}
				}
				for i := range 10 {
					u.become(slowDown)
					expect(t, c, tokenNumber(i), "throttled")
					u.become(always(activeBody))
					expect(t, c, "a", "active")
					expect(t, c, "new"+tokenNumber(i), "active")
				}
				u.become(slowDown)
				for range 2 { // the same token twice
					_, err := c.Introspect(t.Context(), "b")
					if got := failure(t, err).RetryAfter; got != test.pause {
						t.Errorf("RetryAfter is %v, want %v", got, test.pause)
					}
				}
				u.become(always(activeBody))
				expect(t, c, "b", "active")
				elapse(31 * time.Second)
				u.become(slowDown)
				expect(t, c, "b", "unavailable")
				expect(t, c, "c", "unavailable")
				u.become(always(activeBody))
				before := u.calls()
				elapse(test.pause - 1)
				for _, token := range []string{"another", "a"} {
					expect(t, c, token, "unavailable")
				}
				if u.calls() != before {
					t.Fatal("asked before Retry-After")
				}
				elapse(1)
				expect(t, c, "another", "active")
				expect(t, c, "a", "active")
			})
		})
	}
}

// What is no Retry-After leaves a 429 or a 503 as any other status.
func TestNoRetryAfter(t *testing.T) {
	for _, test := range []struct {
		status int
		value  string
	}{{429, "0"}, {429, "Fri, 31 Dec 1999 23:59:59 GMT"}, {429, "soon"}, {429, "-5"}, {503, ""}, {500, "20"}} {
		t.Run(fmt.Sprint(test.status, " ", test.value), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(func(token string) answer {
					if token == "good" {
						return answer{body: activeBody}
					}
					return answer{status: test.status, header: map[string]string{"Retry-After": test.value}}
				})
				c := newClient(t, u, nil)
				expect(t, c, "good", "active")
				elapse(30 * time.Second)
				expect(t, c, "token", "refused")
				expect(t, c, "good", "active")
			})
		})
	}
}

// An answer that was under way when the endpoint asked for a pause does not end it.
func TestRetryAfterOutlastsOlderAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(always(activeBody))
		c := newClient(t, u, nil)
		expect(t, c, "a", "active")
		expect(t, c, "b", "active")
		elapse(30 * time.Second)
		u.become(func(string) answer { return answer{body: activeBody, after: 2 * time.Second} })
		var slow sync.WaitGroup
		slow.Go(func() { expectQuietly(t, c, "slow") })
		elapse(time.Second)
		u.become(func(string) answer { return answer{status: 429, header: map[string]string{"Retry-After": "20"}} })
		expect(t, c, "a", "unavailable")
		expect(t, c, "b", "unavailable")
		slow.Wait()
		expect(t, c, "other", "unavailable")
		if u.callsFor("other") != 0 {
			t.Error("asked before Retry-After")
		}
	})
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		u := newUpstream(always(activeBody))
		c := newClient(t, u, func(cfg *introspection.Config) {
			cfg.Endpoint = endpointURL + "?tenant=t-123"
			cfg.Observer = observe.Observer{Event: seen.add}
		})
		odd := func(string) answer { return answer{status: 400} }
		u.become(odd)
		for i := range 20 { // for all we know, every token is answered so; but one line will do
			expect(t, c, tokenNumber(i), "unavailable")
		}
		u.become(always(activeBody))
		expect(t, c, "a", "active")
		becomes := func(reply func(string) answer) {
			elapse(5 * time.Second)
			u.become(func(token string) answer {
				if token == "a" {
					return answer{body: activeBody}
				}
				return reply(token)
			})
		}
		becomes(odd)
		expect(t, c, "b", "refused")
		becomes(func(string) answer { return answer{status: 502} })
		expect(t, c, "b", "refused")
		u.become(down)
		expect(t, c, "c", "unavailable")
		u.become(always(`{"active":false}`))
		expect(t, c, "c", "inactive")
		expect(t, c, "d", "inactive")
		var got []string
		for _, e := range seen.all() {
			if e.URL != endpointURL {
				t.Errorf("the event names endpoint %q, want it without its query", e.URL)
			}
			if (e.Err == nil) != (e.Kind == observe.IntrospectionRecovered) {
				t.Errorf("event %v has error %v", e.Kind, e.Err)
			}
			if line := fmt.Sprint(e.Kind, " ", e.Status); len(got) == 0 || got[len(got)-1] != line {
				got = append(got, line)
			}
		}
		want := []string{
			"introspection failed 400", "token not judged 400", "introspection recovered 200",
			"token not judged 400", "token not judged 502", "introspection failed 0", "introspection recovered 200",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// Up and down again and again: every answer is right, and no restart is needed.
func TestFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(nil)
		c := newClient(t, u, nil)
		for i := range 50 {
			u.become(down)
			for j := range 10 {
				expect(t, c, tokenNumber(100*i+j), "unavailable")
			}
			u.become(always(activeBody))
			elapse(5 * time.Second)
			expect(t, c, tokenNumber(100*i), "active")
		}
	})
}
