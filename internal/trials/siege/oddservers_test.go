package siege_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// breaksAt reports whether a token has the shape of a JWT and a payload that is
// JSON but no object: what two servers were seen to break at.
func breaksAt(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) < 3 {
		return strings.HasPrefix(token, "odd") // beside what was seen, a text without dots
	}
	for _, payload := range notObjects {
		if parts[1] == segment([]byte(payload)) {
			return true
		}
	}
	return false
}

var notObjects = []string{`null`, `[]`, `"a"`, `1`, `true`, `false`, `[{}]`, `-0`, ` null `, `1e9`}

// oddTokens are such tokens.
func oddTokens(i int) string {
	header := `{"alg":"none"}`
	switch i % 4 {
	case 1:
		header = `{"alg":"RS256","typ":"JWT"}`
	case 2:
		return fmt.Sprintf("odd-opaque-%d", i)
	case 3:
		header = fmt.Sprintf(`{"typ":"x%d"}`, i) // no alg: opaque to others
	}
	return segment([]byte(header)) + "." + segment([]byte(notObjects[i%len(notObjects)])) + "." + segment(fmt.Append(nil, i))
}

// TestServersThatBreakAtOddTokens plays LemonLDAP::NG 2.16.1, which answers 500,
// and a server on zitadel's op 3.45.0, which drops the connection. Every token
// that is new and good passes, whether the strangers have a source of their own
// or all come through one proxy.
func TestServersThatBreakAtOddTokens(t *testing.T) {
	for name, breaks := range map[string]http.HandlerFunc{
		"LemonLDAP":    saysOf(500, "text/html; charset=utf-8", "<html><body>Internal Server Error</body></html>"),
		"zitadel's op": drops,
		"reset":        resets,
	} {
		for _, one := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", one source ", one), func(t *testing.T) {
				oddServer(t, breaks, one)
			})
		}
	}
}

func oddServer(t *testing.T, breaks http.HandlerFunc, one bool) {
	const newcomers, newcomersEvery, oddEvery = 75, 20 * time.Millisecond, 50 * time.Millisecond
	d := &desk{latency: 3 * time.Millisecond}
	d.others = func(w http.ResponseWriter, r *http.Request) {
		if breaksAt(r.PostForm.Get("token")) {
			breaks(w, r)
			return
		}
		inactive(w, r)
	}
	h := openHouse(t, d, introspection.Config{}, nil)
	h.warm(3)
	var stop atomic.Bool
	var callers, requests sync.WaitGroup
	call := func(group, source string, every time.Duration, token func(i int) string, more func(i int) bool) {
		if one {
			source = "proxy"
		}
		callers.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for i := 0; more(i); i++ {
				requests.Go(func() { h.get(group, source, "/orders", token(i)) })
				<-tick.C
			}
		})
	}
	call("strangers", "stranger", oddEvery, oddTokens, func(int) bool { return !stop.Load() })
	call("newcomers", "honest", newcomersEvery, func(i int) string { return fmt.Sprint("good-new-", i) }, func(i int) bool {
		stop.Store(i == newcomers)
		return i < newcomers
	})
	callers.Wait()
	requests.Wait()
	by, all, _ := h.answers("newcomers")
	theirs, _, run := h.answers("strangers")
	t.Logf("newcomers %v, strangers %v with %d 5xx in a row, %d calls", by, theirs, run, d.asked())
	if by[http.StatusOK] != all || all != newcomers {
		t.Errorf("newcomers were answered %v: %v", by, h.why)
	}
	if run >= 5 {
		t.Errorf("strangers had %d 5xx in a row", run)
	}
	if theirs[http.StatusOK] > 0 {
		t.Errorf("strangers were let in: %v", theirs)
	}
}

// TestOddTokensAtASlowEndpoint: the slower an endpoint, the more must be under
// way at once, and odd tokens keep lowering how many may be.
func TestOddTokensAtASlowEndpoint(t *testing.T) {
	for _, latency := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond} {
		for _, honest := range []int{20, 60} {
			t.Run(fmt.Sprint(latency, " ", honest), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := bubbled(t, &desk{latency: latency, others: saysOf(500, "", "")}, introspection.Config{})
					h.knock("warm", "", "/orders", "good-known")
					end := time.Now().Add(15 * time.Second)
					var all sync.WaitGroup
					for prefix, rate := range map[string]int{"odd": 20, "good": honest} {
						all.Go(func() {
							for i := 0; time.Now().Before(end); i++ {
								all.Go(func() { h.knock(prefix, prefix, "/orders", fmt.Sprint(prefix, i)) })
								<-time.After(time.Second / time.Duration(rate))
							}
						})
					}
					all.Wait()
					if by, all, _ := h.answers("good"); by[http.StatusOK] != all {
						t.Errorf("newcomers were answered %v: %v", by, h.why)
					}
				})
			})
		}
	}
}
