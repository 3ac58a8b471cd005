package introspection_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

func TestCloseEndsRequestsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		u := newUpstream(func(string) answer { return answer{after: time.Hour} })
		c := newClient(t, u, func(cfg *introspection.Config) {
			cfg.Observer = observe.Observer{Event: seen.add}
			cfg.MaxConcurrent = 2
		})
		var asking sync.WaitGroup
		for i := range 5 { // two ask, three wait for their turn
			asking.Go(func() {
				r, err := c.Introspect(t.Context(), tokenNumber(i))
				if verdict(r, err) != "unavailable" {
					t.Errorf("a caller got %s (%v) from Close, want unavailable", verdict(r, err), err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		c.Close()
		asking.Wait()
		if time.Since(start) != 0 {
			t.Error("Close waited for the endpoint")
		}
		if len(seen.all()) != 0 {
			t.Errorf("events %v, want none: the endpoint did not fail", seen.all())
		}
	})
}

func TestAfterClose(t *testing.T) {
	u := newUpstream(always(activeBody))
	c := newClient(t, u, nil)
	expect(t, c, "token", "active")
	c.Close()
	c.Close()
	expect(t, c, "token", "unavailable") // the cache is gone, too
	_, err := c.IntrospectFresh(t.Context(), "token", time.Hour)
	failure(t, err)
	if u.calls() != 1 {
		t.Errorf("asked %d times, want nothing after Close", u.calls())
	}
}

func TestCloseDuringRequests(t *testing.T) {
	u := newUpstream(always(activeBody))
	c := newClient(t, u, func(cfg *introspection.Config) { cfg.RefreshAhead = 29 * time.Second })
	var asking sync.WaitGroup
	for caller := range 8 {
		asking.Go(func() {
			for i := range 200 {
				if r, err := c.Introspect(t.Context(), tokenNumber(i)); verdict(r, err) == "inactive" {
					t.Errorf("caller %d was told inactive", caller)
				}
				if i == 100 && caller%2 == 0 {
					c.Close()
				}
			}
		})
	}
	asking.Wait()
}
