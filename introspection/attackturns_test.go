package introspection_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// slowly answers about a stranger's tokens that they are inactive, after a while.
func slowly(after time.Duration) func(token string) answer {
	return func(token string) answer {
		if strings.HasPrefix(token, "evil") {
			return answer{body: `{"active":false}`, after: after}
		}
		return answer{body: activeBody, after: 5 * time.Millisecond}
	}
}

// A stranger with a whole network of addresses, and a request from each, takes no
// turns that others need.
func TestANetworkOfSourcesTakesNoTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, newUpstream(slowly(5*time.Millisecond)), nil)
		know(t, c, "known", 1)
		strangers := besiege(1, time.Millisecond, func(_, round int) {
			go ask(t.Context(), c, fmt.Sprintf("2001:db8:1:%x::1", round%65536), fmt.Sprint("evil", round))
		})
		elapse(20 * time.Second)
		var honest tally
		crowd(100, 50*time.Millisecond, func(i int) {
			honest.add(ask(t.Context(), c, fmt.Sprintf("192.0.2.%d", i%4), fmt.Sprint("honest", i)))
		})
		strangers()
		honest.want(t, "first sights, beside 1,000 a second of one /48", all(100, "active"))
		elapse(10 * time.Second) // theirs end
	})
}

// Answers about a stranger's tokens that are slow, but usable, do not lengthen
// what turns may last that others wait for.
func TestSlowAnswersHoldNoTurns(t *testing.T) {
	for _, timeout := range []time.Duration{5 * time.Second, 15 * time.Second} {
		for _, strangers := range []int{32, 48} {
			t.Run(fmt.Sprintf("%v, %d", timeout, strangers), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newClient(t, newUpstream(slowly(timeout-100*time.Millisecond)), func(cfg *introspection.Config) { cfg.RequestTimeout = timeout })
					know(t, c, "known", 1)
					stop := besiege(strangers, time.Nanosecond, func(i, round int) {
						ask(t.Context(), c, "evil", fmt.Sprint("evil", i, "-", round))
					})
					elapse(2 * timeout)
					var honest tally
					crowd(100, 700*time.Millisecond, func(i int) {
						honest.add(ask(t.Context(), c, fmt.Sprint("source", i%4), fmt.Sprint("honest", i)))
					})
					honest.want(t, "first sights", all(100, "active"))
					c.Close()
					stop()
				})
			})
		}
	}
}
