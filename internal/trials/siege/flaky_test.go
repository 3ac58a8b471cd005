package siege_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// TestOneReplicaRefusesUs: one in ten of an endpoint's answers is from a replica
// that does not know our credentials. Hardly anybody is told that a good token is
// bad: each is asked about again, elsewhere.
func TestOneReplicaRefusesUs(t *testing.T) {
	for _, status := range []int{401, 403, 404, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var flaky bool
				var nth atomic.Int64
				d := &desk{latency: 10 * time.Millisecond}
				d.before = func(w http.ResponseWriter, _ string) bool {
					bad := flaky && nth.Add(1)*7919%100 < 10
					if bad {
						w.WriteHeader(status)
					}
					return bad
				}
				h := bubbled(t, d, introspection.Config{PositiveLifetime: 600 * time.Millisecond})
				for i := range 50 {
					h.knock("warm", "", "/orders", fmt.Sprint("good-known-", i))
				}
				flaky = true
				end := time.Now().Add(40 * time.Second) // of the bubble: long enough for chance to even out
				var all sync.WaitGroup
				for g := range 10 {
					all.Go(func() {
						for i := 0; time.Now().Before(end); i++ {
							<-time.After(50 * time.Millisecond)
							h.knock("newcomers", "", "/orders", fmt.Sprintf("good-new-%d-%d", g, i))
							h.knock("known", "", "/orders", fmt.Sprint("good-known-", g*5+i%5))
						}
					})
				}
				all.Wait()
				for _, group := range []string{"newcomers", "known"} {
					by, all, _ := h.answers(group)
					t.Logf("%s: %v", group, by)
					if by[http.StatusUnauthorized]*100 > 3*all {
						t.Errorf("%s with good tokens were answered %v, wanted hardly any 401", group, by)
					}
				}
			})
		})
	}
}
