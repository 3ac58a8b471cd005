package introspection_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

// answering is a transport in memory that sees the whole request.
type answering func(req *http.Request) answer

func (f answering) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body == nil {
		req.Body = http.NoBody
	}
	a := f(req)
	return newUpstream(func(string) answer { return a }).RoundTrip(req)
}

// The issuer's document names an endpoint that is not live yet, and the old one,
// which works, is no control for it: nobody's good token is refused meanwhile.
func TestAnEndpointThatIsNotLiveYetRefusesNobody(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 410, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var moved, blip, live atomic.Bool
				const issuer = "https://id.example.com"
				c := newClient(t, nil, func(cfg *introspection.Config) {
					cfg.Issuer, cfg.Endpoint = issuer, ""
					cfg.HTTPClient = &http.Client{Transport: answering(func(req *http.Request) answer {
						switch v2 := req.URL.Path == "/v2/introspect"; {
						case strings.Contains(req.URL.Path, ".well-known"):
							path := "/introspect"
							if moved.Load() {
								path = "/v2/introspect"
							}
							return answer{body: `{"issuer":"` + issuer + `","introspection_endpoint":"` + issuer + path + `"}`}
						case v2 && !live.Load():
							return answer{status: status}
						case !v2 && blip.Load():
							return answer{status: 502}
						}
						return answer{body: activeBody}
					})}
				})
				know(t, c, "good", 8)
				moved.Store(true)
				blip.Store(true)
				ask(t.Context(), c, "honest", "during the blip") // has the endpoint discovered anew
				blip.Store(false)
				elapse(5 * time.Second)
				var before tally
				for i := range 120 {
					before.add(ask(t.Context(), c, "honest", fmt.Sprint("before", i)))
					elapse(500 * time.Millisecond)
				}
				before.want(t, "before the endpoint is live", all(120, "unavailable"))
				live.Store(true)
				elapse(6 * time.Second) // the longest that the way is shut
				var after tally
				for i := range 20 {
					after.add(ask(t.Context(), c, "honest", fmt.Sprint("after", i)))
					elapse(500 * time.Millisecond)
				}
				after.want(t, "when it is live", all(20, "active"))
			})
		})
	}
}

// An endpoint that fails every other moment, with whatever status, refuses hardly
// any good token, though a control may be asked about in a good moment and the
// token in two bad ones; and none where a moment is longer than that takes.
func TestFlappingEndpoint(t *testing.T) {
	for _, test := range []struct {
		period  time.Duration
		refused int // at most
	}{
		{70 * time.Millisecond, 5},
		{130 * time.Millisecond, 5},
		{200 * time.Millisecond, 0},
		{time.Second, 0},
		{2 * time.Second, 0},
		{4 * time.Second, 0},
	} {
		for _, status := range []int{404, 503} {
			t.Run(fmt.Sprintf("%v, %d", test.period, status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					u := newUpstream(func(string) answer {
						if time.Since(start)%test.period < test.period/2 {
							return answer{status: status, after: 3 * time.Millisecond}
						}
						return answer{body: activeBody, after: 20 * time.Millisecond}
					})
					c := newClient(t, u, nil)
					elapse(test.period/2 + time.Millisecond)
					know(t, c, "good", 1)
					var honest tally
					crowd(600, 37*time.Millisecond, func(i int) {
						honest.add(ask(t.Context(), c, fmt.Sprint("source", i%4), fmt.Sprint("honest", i)))
					})
					if n := honest.of["refused"]; n > test.refused || n+honest.of["active"]+honest.of["unavailable"] != 600 {
						t.Errorf("good tokens were %v, want at most %d refused", honest.of, test.refused)
					}
				})
			})
		}
	}
}

// Credentials that were revoked, where nothing is remembered of known tokens: they
// are asked about a few times in all, and never taken for bad.
func TestRevokedCredentialsAndManyKnownTokens(t *testing.T) {
	for _, entries := range []int{0, -1} {
		t.Run(fmt.Sprint("CacheEntries ", entries), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(always(activeBody))
				var seen events
				c := newClient(t, u, func(cfg *introspection.Config) {
					cfg.CacheEntries, cfg.Observer = entries, observe.Observer{Event: seen.add}
				})
				know(t, c, "good", 8)
				u.become(func(string) answer { return answer{status: 401, body: `{"error":"invalid_client"}`} })
				elapse(31 * time.Second)
				before := u.calls()
				var honest tally
				for i := range 20 {
					honest.add(ask(context.Background(), c, "honest", fmt.Sprint("good", i%8)))
				}
				honest.want(t, "known tokens", all(20, "unavailable"))
				if n := u.calls() - before; n > 8 {
					t.Errorf("asked %d times, want a few", n)
				}
				told := 0
				for _, e := range seen.all() {
					if e.Kind == observe.IntrospectionFailed {
						told++
					}
				}
				if told != 1 {
					t.Errorf("told of %d failures, want 1", told)
				}
			})
		})
	}
}
