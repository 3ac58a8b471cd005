package siege_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// bubbled is a house in a synctest bubble.
func bubbled(t *testing.T, d *desk, ask introspection.Config) *house {
	t.Helper()
	ask.Endpoint, ask.HTTPClient = "https://id.example.test/introspect", &http.Client{Transport: inMemory{d}}
	return furnish(t, d, ask, nil)
}

// glimpse asks and gives up after a while.
func (h *house) glimpse(source, path, token string, after time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), after)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Source", source)
	h.routes.ServeHTTP(httptest.NewRecorder(), r)
}

// TestFreshFloodOfOneToken: whoever calls a RequireFresh(0) route with one token,
// waiting for the answers or going away at once, takes the turns of nobody else:
// his calls are one under way and one next.
func TestFreshFloodOfOneToken(t *testing.T) {
	for _, latency := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond} {
		for name, after := range map[string]time.Duration{"waits": time.Hour, "goes away": 500 * time.Microsecond} {
			for _, token := range []string{"good-greedy", "made-up"} {
				for _, attackers := range []int{1, 100} {
					t.Run(fmt.Sprint(latency, " ", name, " ", token, " ", attackers), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { freshFlood(t, latency, after, token, attackers) })
					})
				}
			}
		}
	}
}

func freshFlood(t *testing.T, latency, after time.Duration, token string, attackers int) {
	const lasts, holders = 2 * time.Second, 10
	d := &desk{latency: latency}
	h := bubbled(t, d, introspection.Config{PositiveLifetime: 600 * time.Millisecond})
	for i := range holders {
		h.knock("warm", "warm", "/orders", "good-known-"+strconv.Itoa(i))
	}
	h.knock("warm", "warm", "/orders", token)
	before := d.asked()
	end := time.Now().Add(lasts)
	var all sync.WaitGroup
	for range attackers {
		all.Go(func() {
			for time.Now().Before(end) {
				h.glimpse("greedy", "/fresh", token, after)
				<-time.After(100 * time.Microsecond * time.Duration(attackers))
			}
		})
	}
	for i := range holders {
		all.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				<-time.After(100 * time.Millisecond)
				h.knock("holders", "holder", "/orders", "good-known-"+strconv.Itoa(i))
				h.knock("newcomers", "honest", "/orders", fmt.Sprintf("good-new-%d-%d", i, n))
			}
		})
	}
	all.Wait()
	for _, group := range []string{"holders", "newcomers"} {
		if by, all, _ := h.answers(group); by[http.StatusOK] != all {
			t.Errorf("%s were answered %v: %v", group, by, h.why)
		}
	}
	_, news, _ := h.answers("newcomers")
	renewals := holders * int(lasts/(600*time.Millisecond)+1)
	mine := d.asked() - before - news - renewals
	if most := int(lasts/latency) + 3; mine > most {
		t.Errorf("one token cost about %d calls in %v, wanted at most %d: one after another", mine, lasts, most)
	}
}

// TestFreshCallsShareTheNextOne: who comes while a fresh call is under way waits
// for the next one, of which there is one; one that nobody waits for any more is
// not made; and a remembered inactive answer serves them.
func TestFreshCallsShareTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{latency: time.Second}
		h := bubbled(t, d, introspection.Config{})
		var all sync.WaitGroup
		fresh := func(n int, after time.Duration) {
			for range n {
				all.Go(func() { h.glimpse("greedy", "/fresh", "good", after) })
			}
			synctest.Wait()
		}
		fresh(1, time.Hour)
		fresh(100, time.Hour)
		<-time.After(300 * time.Millisecond)
		fresh(100, time.Hour)
		all.Wait()
		if n := d.asked(); n != 2 {
			t.Errorf("%d calls, wanted one, and one for all who came during it", n)
		}
		fresh(1, time.Hour)
		fresh(100, 300*time.Millisecond) // they go before their call is sent
		all.Wait()
		if n := d.asked(); n != 3 {
			t.Errorf("%d calls, wanted 3: nobody waited for a fourth", n)
		}
		if got := h.knock("x", "x", "/fresh", "made-up"); got != http.StatusUnauthorized {
			t.Errorf("a made-up token was answered %d", got)
		}
		before := d.asked()
		for range 10 {
			h.knock("x", "x", "/fresh", "made-up")
		}
		if n := d.asked() - before; n != 0 {
			t.Errorf("%d calls for a token that was inactive a moment ago", n)
		}
	})
}

// TestStaleIsForTheEndpointsTrouble: a revoked token is not served from the past
// while the endpoint is well and only our own bounds are full, nor because a
// stranger's token made the server ask for a pause.
func TestStaleIsForTheEndpointsTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var revoked, held bool
		hold := make(chan struct{})
		d := &desk{}
		d.before = func(w http.ResponseWriter, token string) bool {
			switch {
			case strings.HasPrefix(token, "good-greedy") && held:
				<-hold
			case token == "good-stolen" && revoked:
				inactive(w, nil)
				return true
			case strings.Contains(token, "passwd"):
				saysOf(429, "", "", "Retry-After", "86400")(w, nil)
				return true
			}
			return false
		}
		h := bubbled(t, d, introspection.Config{PositiveLifetime: 100 * time.Millisecond, StaleIfError: 10 * time.Minute, MaxConcurrent: 4})
		h.knock("warm", "warm", "/orders", "good-stolen")
		for i := range 4 {
			h.knock("warm", "warm", "/orders", "good-greedy-"+strconv.Itoa(i))
		}
		held = true
		var greedy sync.WaitGroup
		for i := range 4 {
			greedy.Go(func() { h.glimpse("greedy", "/fresh", "good-greedy-"+strconv.Itoa(i), time.Hour) })
		}
		synctest.Wait()
		h.knock("strangers", "stranger", "/orders", "etc/passwd")
		revoked = true
		<-time.After(200 * time.Millisecond)
		if got := h.knock("stolen", "thief", "/orders", "good-stolen"); got == http.StatusOK {
			t.Error("a revoked token was served from the past though the endpoint is well")
		}
		close(hold)
		greedy.Wait()
		if got := h.knock("stolen", "thief", "/orders", "good-stolen"); got != http.StatusUnauthorized {
			t.Errorf("it was answered %d when a turn was free, wanted 401", got)
		}
	})
}
