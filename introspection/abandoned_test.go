package introspection_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

// A client whose tokens were active, and that the endpoint then refuses in its own
// way, shows them all at once and does not wait for the answer: that is no
// failure of the endpoint.
func TestGivingUpMakesNoFailureTheEndpoints(t *testing.T) {
	for _, a := range []answer{{status: 401}, {status: 500}} {
		synctest.Test(t, func(t *testing.T) {
			var revoked atomic.Bool
			a.after = 10 * time.Millisecond
			u := newUpstream(func(token string) answer {
				if revoked.Load() && strings.HasPrefix(token, "mine") {
					return a
				}
				return answer{body: activeBody, after: 10 * time.Millisecond}
			})
			c := newClient(t, u, nil)
			const mine = 12
			for i := range mine {
				expect(t, c, fmt.Sprint("mine", i), "active")
			}
			expect(t, c, "other", "active")
			revoked.Store(true)
			elapse(time.Minute)
			for range 50 {
				var asking sync.WaitGroup
				for i := range mine {
					asking.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
						defer cancel()
						c.Introspect(ctx, fmt.Sprint("mine", i))
					})
				}
				elapse(60 * time.Millisecond)
				if r, err := c.IntrospectFresh(t.Context(), "other", 0); verdict(r, err) != "active" {
					t.Fatalf("%d: another's token is %s: %v", a.status, verdict(r, err), err)
				}
				asking.Wait()
			}
		})
	}
}

// With or without a cache, revoked credentials of ours are found out and told.
func TestRevokedCredentialsWithoutACache(t *testing.T) {
	for _, entries := range []int{1, -1} {
		synctest.Test(t, func(t *testing.T) {
			var seen events
			u := newUpstream(always(activeBody))
			c := newClient(t, u, func(cfg *introspection.Config) {
				cfg.Observer, cfg.CacheEntries = observe.Observer{Event: seen.add}, entries
			})
			for i := range 20 {
				expect(t, c, fmt.Sprint("known", i), "active")
			}
			u.become(func(string) answer { return answer{status: 401, body: `{"error":"invalid_client"}`} })
			for i := range 10 {
				expect(t, c, fmt.Sprint("new", i), "unavailable")
			}
			for _, e := range seen.all() {
				if e.Kind == observe.IntrospectionFailed && strings.Contains(e.Err.Error(), "Config.Auth") {
					return
				}
			}
			t.Errorf("CacheEntries %d: nobody was told of the credentials", entries)
		})
	}
}
