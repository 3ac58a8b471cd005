package introspection_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

// errReset is a connection that ends after the request was sent.
var errReset = &net.OpError{Op: "read", Err: syscall.ECONNRESET}

// odd are answers that real endpoints, and firewalls before them, give about
// tokens that they do not like; and how often a token is asked about before it is
// refused for them.
var odd = []struct {
	name  string
	a     answer
	asked int
}{
	{"401", answer{status: 401}, 1},
	{"401 invalid_token", answer{status: 401, body: `{"error":"invalid_token"}`}, 1},
	{"401 invalid_client", answer{status: 401, body: `{"error":"invalid_client"}`}, 2},
	{"401 with another code", answer{status: 401, body: `{"error":"unauthorized"}`}, 2},
	{"403 HTML", answer{status: 403, body: "<html>no</html>"}, 1},
	{"403 access_denied", answer{status: 403, body: `{"error":"access_denied"}`}, 2},
	{"404", answer{status: 404, body: "not found"}, 1},
	{"410", answer{status: 410}, 1},
	{"400 unsupported_token_type", answer{status: 400, body: `{"error":"unsupported_token_type"}`}, 1},
	{"400 invalid_request", answer{status: 400, body: `{"error":"invalid_request"}`}, 2},
	{"400 without a code", answer{status: 400}, 2},
	{"400 temporarily_unavailable", answer{status: 400, body: `{"error":"temporarily_unavailable"}`}, 2},
	{"405", answer{status: 405}, 2},
	{"413", answer{status: 413}, 2},
	{"302", answer{status: 302, header: map[string]string{"Location": "/login"}}, 2},
	{"429 without Retry-After", answer{status: 429}, 2},
	{"500", answer{status: 500}, 3},
	{"502", answer{status: 502, body: "bad gateway"}, 3},
	{"reset", answer{err: errReset}, 3},
	{"no answer", answer{after: time.Hour}, 3},
	{"200 HTML", answer{body: "<html>hello</html>"}, 2},
	{"over the limit", answer{body: string(make([]byte, 70_000))}, 3},
	{"a name twice", answer{body: `{"active":true,"active":true}`}, 2},
	{"nested too deeply", answer{body: `{"active":true,"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`}, 2},
	{"active is no boolean", answer{body: `{"active":"true"}`}, 2},
}

// An endpoint that answers one token oddly refuses that token, and nobody else
// notices anything: not those known, and not those that are new.
func TestOddAnswersAreTheirTokensAlone(t *testing.T) {
	for _, test := range odd {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(func(token string) answer {
					if strings.HasPrefix(token, "good") {
						return answer{body: activeBody}
					}
					return test.a
				})
				c := newClient(t, u, nil)
				expect(t, c, "good", "active")
				var strangers sync.WaitGroup
				for i := range 10 {
					strangers.Go(func() {
						r, err := c.Introspect(t.Context(), tokenNumber(i))
						if got := verdict(r, err); got != "refused" && (got != "throttled" || test.a.after == 0) {
							t.Errorf("an odd token is %s: %v", got, err)
						}
					})
				}
				for i := range 10 {
					expect(t, c, "good-"+tokenNumber(i), "active")
				}
				strangers.Wait()
				elapse(30 * time.Second)
				expect(t, c, "good", "active")
				elapse(30 * time.Second)
				before := u.calls()
				expect(t, c, "another", "refused")
				if n := u.callsFor("another"); n != test.asked {
					t.Errorf("asked %d times about the token, want %d", n, test.asked)
				}
				if n := u.calls() - before - test.asked; n != min(test.asked, 2) {
					t.Errorf("%d controls were asked about, want one after each failure that is judged", n)
				}
			})
		})
	}
}

// Without a token that was active nobody can tell, and then it is an outage.
func TestNoControlNoVerdict(t *testing.T) {
	for _, test := range odd {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(func(token string) answer {
					if token == "inactive" {
						return answer{body: `{"active":false}`}
					}
					return test.a
				})
				c := newClient(t, u, nil)
				expect(t, c, "inactive", "inactive") // answers, but proves nothing of good ones
				for i := range 10 {
					expect(t, c, tokenNumber(i), "unavailable")
				}
			})
		})
	}
}

// Our own credentials are revoked: that is nobody's token's fault, whatever the
// endpoint says, and the operator is told.
func TestRevokedCredentials(t *testing.T) {
	for _, refusal := range []answer{
		{status: 401}, {status: 401, body: `{"error":"invalid_client"}`}, {status: 403},
		{status: 400, body: `{"error":"invalid_client"}`}, {status: 401, body: `{"error":"invalid_token"}`},
	} {
		t.Run(fmt.Sprint(refusal.status, refusal.body), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen events
				u := newUpstream(always(activeBody))
				c := newClient(t, u, func(cfg *introspection.Config) { cfg.Observer = observe.Observer{Event: seen.add} })
				for i := range 20 {
					expect(t, c, "known"+tokenNumber(i), "active")
				}
				elapse(time.Minute)
				u.become(func(string) answer { return refusal })
				start := time.Now()
				var asking sync.WaitGroup
				for i := range 40 {
					asking.Go(func() {
						if r, err := c.Introspect(t.Context(), tokenNumber(i)); verdict(r, err) != "unavailable" {
							t.Errorf("a token is %s: %v", verdict(r, err), err)
						}
					})
				}
				asking.Wait()
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("it took %v", took)
				}
				told := false
				for _, e := range seen.all() {
					told = told || e.Kind == observe.IntrospectionFailed && strings.Contains(e.Err.Error(), "Config.Auth")
				}
				if !told {
					t.Error("nobody was told of the credentials")
				}
				u.become(always(activeBody))
				elapse(5 * time.Second)
				expect(t, c, "new", "active")
			})
		})
	}
}

// A control is asked about once a second at most, and not at all where active
// answers come in anyway.
func TestControlsAreFew(t *testing.T) {
	for _, busy := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			u := newUpstream(func(token string) answer {
				if strings.HasPrefix(token, "good") {
					return answer{body: activeBody, after: time.Millisecond}
				}
				return answer{status: 500}
			})
			c := newClient(t, u, nil)
			expect(t, c, "good", "active")
			elapse(2 * time.Second)
			var strangers sync.WaitGroup
			for i := range 100 {
				strangers.Go(func() { c.Introspect(t.Context(), tokenNumber(i)) })
				elapse(100 * time.Millisecond)
				if busy {
					expect(t, c, "good-"+tokenNumber(i), "active")
				}
			}
			strangers.Wait()
			controls := u.calls() - 1
			for i := range 100 {
				controls -= u.callsFor(tokenNumber(i))
				if busy {
					controls-- // the honest new one
				}
			}
			if want := 12; controls > want {
				t.Errorf("busy %v: %d controls in 10 s, want %d at most", busy, controls, want)
			}
		})
	}
}

// A failure that is over when the token is asked about again was not its own.
func TestAskedAgainAfterTheControl(t *testing.T) {
	for _, a := range []answer{{status: 500}, {err: errReset}, {status: 405}, {status: 401, body: `{"error":"invalid_client"}`}} {
		synctest.Test(t, func(t *testing.T) {
			var failed atomic.Bool
			u := newUpstream(func(token string) answer {
				if token == "unlucky" && failed.CompareAndSwap(false, true) {
					return a
				}
				return answer{body: activeBody}
			})
			c := newClient(t, u, nil)
			expect(t, c, "good", "active")
			expect(t, c, "unlucky", "active")
		})
	}
}

// A refusal is remembered for a second, and hides no answer.
func TestRefusalsAreRememberedShortly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(token string) answer {
			if token == "good" {
				return answer{body: activeBody}
			}
			return answer{status: 404}
		})
		c := newClient(t, u, nil)
		expect(t, c, "good", "active")
		for range 10 {
			expect(t, c, "token", "refused")
		}
		if n := u.callsFor("token"); n != 1 {
			t.Errorf("asked %d times, want 1", n)
		}
		u.become(always(activeBody))
		elapse(time.Second)
		expect(t, c, "token", "active")
		u.become(func(token string) answer {
			if token == "good" {
				return answer{body: activeBody}
			}
			return answer{status: 404}
		})
		if _, err := c.IntrospectFresh(t.Context(), "token", 0); !errors.Is(err, introspection.ErrRefused) {
			t.Errorf("fresh: %v, want a refusal", err)
		}
		expect(t, c, "token", "active") // within its lifetime
	})
}

func TestInactiveStatus(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 410} {
		synctest.Test(t, func(t *testing.T) {
			u := newUpstream(func(token string) answer {
				if strings.HasPrefix(token, "good") {
					return answer{body: activeBody}
				}
				return answer{status: status, body: `{"error":"invalid_request"}`}
			})
			c := newClient(t, u, func(cfg *introspection.Config) { cfg.InactiveStatus = []int{status} })
			expect(t, c, "early", "unavailable") // nobody can tell yet
			expect(t, c, "good", "active")
			for range 9 {
				expect(t, c, "token", "inactive")
				elapse(time.Second)
			}
			if n := u.callsFor("token"); n != 1 {
				t.Errorf("%d: asked %d times, want once within NegativeLifetime", status, n)
			}
		})
	}
}

// The control speaks for the credentials that it was asked about with, and for no
// others: a token that was refused with a secret that was replaced meanwhile is
// asked about with the new one, though the refusal was none of a client.
func TestControlsBelongToTheirCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRotating("old")
		r.plain = true
		c := r.client(t, introspection.ClientSecretBasic)
		expect(t, c, "good", "active")
		expect(t, c, "another", "active")
		r.server.Store("new")
		var late sync.WaitGroup
		late.Go(func() { expectQuietly(t, c, "late") })
		elapse(500 * time.Millisecond) // it was refused, and so was one control
		r.vault.Store("new")
		late.Wait()
	})
}

// Failures without a verdict lower how many first sights are under way, to four
// and no further, and answers raise it again.
func TestFailuresLowerFirstSights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(func(string) answer { return answer{status: 500, after: 10 * time.Millisecond} })
		c := newClient(t, u, nil)
		peak := func(n int) int {
			u.mu.Lock()
			u.peak = 0
			u.mu.Unlock()
			var asking sync.WaitGroup
			for i := range n {
				asking.Go(func() { c.Introspect(t.Context(), fmt.Sprint(time.Now(), i)) })
			}
			asking.Wait()
			return u.peak
		}
		if n := peak(100); n != 32 {
			t.Errorf("%d at once at first, want 32", n)
		}
		if n := peak(100); n != 4 {
			t.Errorf("%d at once after failures, want 4", n)
		}
		u.become(func(string) answer { return answer{body: activeBody, after: 10 * time.Millisecond} })
		peak(200)
		if n := peak(100); n != 32 {
			t.Errorf("%d at once after answers, want 32", n)
		}
	})
}

// A server that grants so many first sights a second gets about as many, and none
// of its other callers hears of it.
func TestPaceAdapts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const granted = 20
		var mu sync.Mutex
		second, used := int64(0), 0
		u := newUpstream(func(token string) answer {
			mu.Lock()
			defer mu.Unlock()
			if now := time.Now().Unix(); now != second {
				second, used = now, 0
			}
			if token == "known" {
				return answer{body: activeBody}
			}
			if used++; used > granted {
				return answer{status: 429, header: map[string]string{"Retry-After": "30"}}
			}
			return answer{body: activeBody}
		})
		c := newClient(t, u, nil)
		expect(t, c, "known", "active")
		var asking sync.WaitGroup
		var active [4]atomic.Int64
		const seconds = 60
		for source := range active {
			for worker := range 25 {
				asking.Go(func() {
					for i := 0; time.Since(epoch) < seconds*time.Second; i++ {
						if _, err := askAs(c, fmt.Sprint(source), fmt.Sprint(source, worker, i)); err == nil {
							active[source].Add(1)
						}
					}
				})
			}
		}
		for range 2 * seconds {
			expect(t, c, "known", "active")
			elapse(500 * time.Millisecond)
		}
		asking.Wait()
		all, before := 0, u.calls()
		for source := range active {
			n := int(active[source].Load())
			if all += n; n < seconds {
				t.Errorf("source %d: %d in %d s, want one a second at least", source, n, seconds)
			}
		}
		t.Logf("%d of %d granted were used, with %d calls", all, granted*seconds, before)
		if all < granted*seconds/3 || before > 2*granted*seconds {
			t.Errorf("%d answers with %d calls, want a third of %d with twice as many at most", all, before, granted*seconds)
		}
	})
}

// epoch is when each bubble begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// A token that was active, and that the endpoint then refuses in its own way, is
// no trouble of others either.
func TestKnownTokensThatAreRefused(t *testing.T) {
	for _, a := range []answer{{status: 401}, {status: 404}, {status: 500}} {
		synctest.Test(t, func(t *testing.T) {
			revoked := make(map[string]bool)
			var mu sync.Mutex
			u := newUpstream(func(token string) answer {
				mu.Lock()
				defer mu.Unlock()
				if revoked[token] {
					return a
				}
				return answer{body: activeBody}
			})
			c := newClient(t, u, nil)
			for i := range 8 {
				expect(t, c, fmt.Sprint("mine", i), "active")
			}
			expect(t, c, "other", "active")
			mu.Lock()
			for i := range 8 {
				revoked[fmt.Sprint("mine", i)] = true
			}
			mu.Unlock()
			elapse(30 * time.Second)
			var asking sync.WaitGroup
			for i := range 8 {
				asking.Go(func() {
					if r, err := c.Introspect(context.Background(), fmt.Sprint("mine", i)); verdict(r, err) != "refused" {
						t.Errorf("%d: %s (%v)", a.status, verdict(r, err), err)
					}
				})
			}
			for i := range 20 {
				expect(t, c, "new"+tokenNumber(i), "active")
				elapse(100 * time.Millisecond)
			}
			expect(t, c, "other", "active")
			asking.Wait()
		})
	}
}
