package introspection_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowDown wants to be left alone for a while.
func slowDown(seconds int) answer {
	return answer{status: 429, header: map[string]string{"Retry-After": fmt.Sprint(seconds)}, after: 5 * time.Millisecond}
}

// A server that bounds the requests about each client's tokens slows that client
// down, and where there are others, his tokens together stop none of them.
func TestOneClientsRetryAfterStopsNobodyElse(t *testing.T) {
	for _, tokens := range []int{2, 5} {
		t.Run(fmt.Sprint(tokens, " tokens"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var limited atomic.Bool
				u := newUpstream(func(token string) answer {
					if strings.HasPrefix(token, "evil") && limited.Load() {
						return slowDown(300)
					}
					return answer{body: activeBody, after: 5 * time.Millisecond}
				})
				c := newClient(t, u, nil)
				know(t, c, "honest", 1)
				know(t, c, "evil", tokens)
				limited.Store(true)
				var honest tally
				for i := range 600 {
					askFresh(t.Context(), c, "evil", fmt.Sprint("evil", i%tokens))
					honest.add(ask(t.Context(), c, "honest", fmt.Sprint("another", i)))
					elapse(100 * time.Millisecond)
				}
				honest.want(t, "first sights", all(600, "active"))
			})
		})
	}
}

// A server that answers 429 to one kind of text and serves all others is not a
// server that wants fewer requests.
func TestATextThatIsSlowedDownPacesNobody(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 200 * time.Millisecond, 50 * time.Millisecond} {
		t.Run(fmt.Sprint("each ", every), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(func(token string) answer {
					if strings.HasPrefix(token, "odd") {
						return slowDown(5)
					}
					return answer{body: activeBody, after: 5 * time.Millisecond}
				})
				c := newClient(t, u, nil)
				expect(t, c, "good", "active")
				stop := besiege(1, every, func(_, round int) {
					ask(t.Context(), c, "stranger", fmt.Sprint("odd", round))
				})
				var honest tally
				crowd(1000, 20*time.Millisecond, func(i int) {
					honest.add(ask(t.Context(), c, "gateway", fmt.Sprint("honest", i)))
				})
				stop()
				honest.want(t, "first sights, 50 a second", all(1000, "active"))
			})
		})
	}
}

// A server that fails at a token and slows down whoever asks again: the stranger
// who has it do so is told to come less often, which is no 5xx.
func TestFailingThenSlowingDownIsNo5xx(t *testing.T) {
	for _, first := range []int{500, 502, 404, 200} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				seen := make(map[string]bool)
				u := newUpstream(func(token string) answer {
					if !strings.HasPrefix(token, "odd") {
						return answer{body: activeBody}
					}
					mu.Lock()
					defer mu.Unlock()
					if seen[token] {
						return slowDown(1)
					}
					seen[token] = true
					return answer{status: first, body: "rubbish"}
				})
				c := newClient(t, u, nil)
				know(t, c, "good", 2)
				for i := range 20 {
					got := ask(t.Context(), c, "stranger", fmt.Sprint("odd", i))
					if got != "throttled" && (got != "refused" || first != 404) {
						t.Errorf("token %d is %s", i, got)
					}
					elapse(100 * time.Millisecond)
				}
			})
		})
	}
}
