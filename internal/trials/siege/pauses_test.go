package siege_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// TestOneAnswerPausesNobody: a Retry-After that a made-up token provoked is no
// reason to keep a known token waiting, nor to serve one that is revoked.
func TestOneAnswerPausesNobody(t *testing.T) {
	for _, status := range []int{429, 503} {
		for _, stale := range []time.Duration{0, 10 * time.Minute} {
			t.Run(fmt.Sprint(status, " ", stale), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					revoked := false
					d := &desk{others: saysOf(status, "", "", "Retry-After", "86400")}
					d.before = func(w http.ResponseWriter, token string) bool {
						if token == "good-stolen" && revoked {
							inactive(w, nil)
							return true
						}
						return false
					}
					h := bubbled(t, d, introspection.Config{PositiveLifetime: 50 * time.Millisecond, StaleIfError: stale})
					h.knock("warm", "warm", "/orders", "good-known")
					h.knock("warm", "warm", "/orders", "good-stolen")
					var flood sync.WaitGroup
					for i := range 1000 {
						flood.Go(func() {
							h.knock("strangers", "stranger", "/orders", "etc/passwd/"+strconv.Itoa(i))
						})
					}
					revoked = true
					for range 20 {
						<-time.After(60 * time.Millisecond)
						if got := h.knock("known", "known", "/orders", "good-known"); got != http.StatusOK {
							t.Fatalf("a known token was answered %d: %v", got, h.why)
						}
						if got := h.knock("stolen", "thief", "/orders", "good-stolen"); got != http.StatusUnauthorized {
							t.Fatalf("a revoked token was answered %d", got)
						}
					}
					flood.Wait()
					if got := h.knock("newcomers", "honest", "/orders", "good-new"); got != http.StatusOK {
						t.Errorf("a new token was answered %d", got)
					}
					if _, _, run := h.answers("strangers"); run >= 5 {
						t.Errorf("strangers had %d 5xx in a row", run)
					}
				})
			})
		}
	}
}

// TestServerThatPausesKnownTokens: one known token that is told to wait halves
// the pace of all; a second one stops them, for 30 s at most.
func TestServerThatPausesKnownTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := map[string]bool{}
		d := &desk{}
		d.before = func(w http.ResponseWriter, token string) bool {
			if slow[token] {
				saysOf(429, "", "", "Retry-After", "300")(w, nil)
			}
			return slow[token]
		}
		h := bubbled(t, d, introspection.Config{PositiveLifetime: 50 * time.Millisecond})
		tokens := []string{"good-1", "good-2", "good-3"}
		ask := func(token string) int { return h.knock("known", "known", "/orders", token) }
		for _, token := range tokens {
			ask(token)
		}
		<-time.After(time.Second)
		slow["good-1"] = true
		for range 3 {
			if got := ask("good-1"); got == http.StatusOK {
				t.Errorf("a token about which nothing was heard passed")
			}
			if got := ask("good-2"); got != http.StatusOK {
				t.Errorf("another known token was answered %d after one Retry-After", got)
			}
			<-time.After(time.Second)
		}
		slow["good-2"] = true
		if got := ask("good-2"); got != http.StatusServiceUnavailable {
			t.Errorf("the second was answered %d", got)
		}
		before := d.asked()
		for range 5 {
			if got := ask("good-3"); got != http.StatusServiceUnavailable {
				t.Errorf("a third was answered %d during the pause", got)
			}
			<-time.After(5 * time.Second)
		}
		if n := d.asked() - before; n != 0 {
			t.Errorf("%d calls during the pause", n)
		}
		clear(slow)
		<-time.After(6 * time.Second)
		if got := ask("good-3"); got != http.StatusOK {
			t.Errorf("it was answered %d after 30 s, wanted that no pause is longer", got)
		}
	})
}

// TestFewOddTokensAreNoOutage: an endpoint, or a firewall before it, fails at
// some strings, of which an anonymous client sends a few a second, in bursts.
func TestFewOddTokensAreNoOutage(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"403": saysOf(403, "", ""), "500": saysOf(500, "", ""), "dropped": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"200 with a page": saysOf(200, "text/html", "<h1>no</h1>"), "302": saysOf(302, "", "", "Location", "/"),
	} {
		for _, rate := range []int{1, 3, 12, 24, 48} {
			t.Run(fmt.Sprint(name, " ", rate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := &desk{latency: 20 * time.Millisecond}
					d.before = func(w http.ResponseWriter, token string) bool {
						if odd := strings.Contains(token, "etc/passwd"); !odd {
							return false
						}
						answer(w, nil)
						return true
					}
					h := bubbled(t, d, introspection.Config{})
					h.knock("warm", "", "/orders", "good-known")
					end := time.Now().Add(12 * time.Second)
					var all sync.WaitGroup
					all.Go(func() {
						for i := 0; time.Now().Before(end); i++ {
							for k := range 3 {
								all.Go(func() { h.knock("strangers", "", "/orders", fmt.Sprintf("../../../../etc/passwd/%d/%d", k, i)) })
							}
							<-time.After(3 * time.Second / time.Duration(rate))
						}
					})
					for g := range 4 {
						all.Go(func() {
							for i := 0; time.Now().Before(end); i++ {
								<-time.After(300 * time.Millisecond)
								h.knock("newcomers", "", "/orders", fmt.Sprintf("good-%d-%d", g, i))
							}
						})
					}
					all.Wait()
					if by, all, _ := h.answers("newcomers"); by[http.StatusOK] != all {
						t.Errorf("newcomers were answered %v: %v", by, h.why)
					}
					if by, _, run := h.answers("strangers"); run >= 5 {
						t.Errorf("strangers were answered %v, %d 5xx in a row", by, run)
					}
				})
			})
		}
	}
}
