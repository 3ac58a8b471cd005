package introspection_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// revoking answers that every token is active, and about those of evil, once they
// are revoked, as refusal says.
type revoking struct {
	*upstream
	revoked atomic.Bool
}

func newRevoking(refusal answer) *revoking {
	r := new(revoking)
	r.upstream = newUpstream(func(token string) answer {
		if strings.HasPrefix(token, "evil") && r.revoked.Load() {
			return refusal
		}
		return answer{body: activeBody, after: 5 * time.Millisecond}
	})
	return r
}

// know has the first n of a source's tokens be known.
func know(t *testing.T, c *introspection.Client, source string, n int) {
	t.Helper()
	for i := range n {
		if got := ask(context.Background(), c, source, fmt.Sprint(source, i)); got != "active" {
			t.Fatalf("%s%d is %s", source, i, got)
		}
	}
}

// A client whose tokens were revoked asks about them and hangs up before a control
// has answered: that makes no failure the endpoint's, so nobody else is held up
// and nothing stale is served.
func TestHangingUpShutsNoWay(t *testing.T) {
	for _, test := range []struct {
		tokens   int
		patience time.Duration
		stale    time.Duration
	}{
		{3, 6 * time.Millisecond, 10 * time.Minute},
		{12, 5500 * time.Microsecond, 0},
		{12, 5500 * time.Microsecond, 10 * time.Minute},
	} {
		t.Run(fmt.Sprintf("%d tokens, %v, StaleIfError %v", test.tokens, test.patience, test.stale), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newRevoking(answer{status: 404, after: 5 * time.Millisecond})
				c := newClient(t, u.upstream, func(cfg *introspection.Config) { cfg.StaleIfError = test.stale })
				know(t, c, "evil", test.tokens+1)
				know(t, c, "known", 8)
				u.revoked.Store(true)
				elapse(31 * time.Second)
				stop := besiege(test.tokens, time.Millisecond, func(i, _ int) {
					ctx, cancel := context.WithTimeout(t.Context(), test.patience)
					defer cancel()
					askFresh(ctx, c, "evil", fmt.Sprint("evil", i))
				})
				var honest, known tally
				for i := range 200 {
					honest.add(ask(t.Context(), c, "honest", fmt.Sprint("honest", i)))
					known.add(askFresh(t.Context(), c, "known", fmt.Sprint("known", i%8)))
					if got := ask(t.Context(), c, "evil", fmt.Sprint("evil", test.tokens)); got == "active" {
						t.Error("a revoked token was accepted past its lifetime")
					}
					elapse(time.Duration(i*7%100) * time.Millisecond)
				}
				stop()
				honest.want(t, "first sights", all(200, "active"))
				known.want(t, "known tokens", all(200, "active"))
			})
		})
	}
}

// However an endpoint refuses revoked tokens, and though it is asked about nothing
// else, no such token is served past its lifetime as if there were an outage.
func TestRevokedTokensAreNeverStale(t *testing.T) {
	for _, status := range []int{401, 403, 404, 410} {
		for _, tokens := range []int{1, 2, 3, 8, 12} {
			t.Run(fmt.Sprintf("%d, %d tokens", status, tokens), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					u := newRevoking(answer{status: status, after: 5 * time.Millisecond})
					c := newClient(t, u.upstream, func(cfg *introspection.Config) { cfg.StaleIfError = 10 * time.Minute })
					know(t, c, "evil", tokens)
					u.revoked.Store(true)
					elapse(31 * time.Second)
					start := time.Now()
					for n := 0; time.Since(start) < 11*time.Minute; n++ {
						if got := ask(t.Context(), c, "evil", fmt.Sprint("evil", n%tokens)); got == "active" {
							t.Fatalf("accepted %v past its lifetime", time.Since(start))
						}
						elapse(700 * time.Millisecond)
					}
				})
			})
		}
	}
}

// The same, where others' tokens are known and the revoked ones are asked about at
// the same moment: their refusals vouch for no outage, and nobody else waits.
func TestRevokedTokensVouchForNoOutage(t *testing.T) {
	for _, status := range []int{401, 403, 404, 410} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newRevoking(answer{status: status, after: 5 * time.Millisecond})
				c := newClient(t, u.upstream, func(cfg *introspection.Config) { cfg.StaleIfError = 10 * time.Minute })
				know(t, c, "known", 6)
				know(t, c, "evil", 8)
				u.revoked.Store(true)
				elapse(31 * time.Second)
				var honest tally
				stop := besiege(4, 200*time.Millisecond, func(i, _ int) {
					if got := ask(t.Context(), c, "evil", fmt.Sprint("evil", i)); got == "active" {
						t.Error("a revoked token was accepted past its lifetime")
					}
				})
				elapse(10 * time.Millisecond)
				crowd(50, 200*time.Millisecond, func(i int) {
					honest.add(ask(t.Context(), c, "honest", fmt.Sprint("honest", i)))
				})
				stop()
				honest.want(t, "first sights", all(50, "active"))
			})
		})
	}
}

// An endpoint that hangs at revoked tokens: they hold up neither other known
// tokens nor first sights, though they were known themselves.
func TestRevokedTokensThatHangHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newRevoking(answer{after: time.Hour})
		c := newClient(t, u.upstream, nil)
		know(t, c, "evil", 64)
		know(t, c, "known", 10)
		u.revoked.Store(true)
		elapse(31 * time.Second)
		stop := besiege(64, 10*time.Millisecond, func(i, _ int) {
			ask(t.Context(), c, "evil", fmt.Sprint("evil", i))
		})
		var known, honest tally
		crowd(300, 100*time.Millisecond, func(i int) {
			source := fmt.Sprint("source", i%4)
			known.add(askFresh(t.Context(), c, source, fmt.Sprint("known", i%10)))
			honest.add(ask(t.Context(), c, source, fmt.Sprint("honest", i)))
		})
		known.want(t, "known tokens", all(300, "active"))
		honest.want(t, "first sights", all(300, "active"))
		c.Close()
		stop()
	})
}

// Whoever has all controls be his own tokens, as clients behind one proxy can, and
// revokes them has the strangers after him answered 5xx a few times at most, while
// others' tokens are served from memory: those are controls as well.
func TestOneClientsControlsAreReplaced(t *testing.T) {
	for name, sourceOf := range map[string]func(who string) string{
		"sources of their own": func(who string) string { return who },
		"behind one proxy":     func(string) string { return "proxy" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newRevoking(answer{body: `{"active":false}`})
				usual := u.answers
				u.become(func(token string) answer {
					if strings.HasPrefix(token, "odd") {
						return answer{status: 404}
					}
					return usual(token)
				})
				c := newClient(t, u.upstream, nil)
				for _, who := range []string{"known", "evil"} {
					for i := range 20 {
						if got := ask(t.Context(), c, sourceOf(who), fmt.Sprint(who, i)); got != "active" {
							t.Fatalf("%s%d is %s", who, i, got)
						}
					}
				}
				u.revoked.Store(true)
				inARow, most := 0, 0
				for i := range 100 {
					if got := ask(t.Context(), c, sourceOf("known"), fmt.Sprint("known", i%20)); got != "active" {
						t.Errorf("known%d is %s", i%20, got)
					}
					switch got := ask(t.Context(), c, sourceOf("stranger"), fmt.Sprint("odd", i)); got {
					case "refused":
						inARow = 0
					case "unavailable":
						inARow++
						most = max(most, inARow)
					default:
						t.Errorf("odd%d is %s", i, got)
					}
					elapse(200 * time.Millisecond)
				}
				if most >= 5 {
					t.Errorf("%d answers in a row were unavailable, want fewer than 5", most)
				}
			})
		})
	}
}
