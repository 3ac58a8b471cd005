package siege_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
)

// logged collects the lines of a log from level Warn.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(line))
	return len(line), nil
}

func (l *logged) observer() func(context.Context, *observe.Event) {
	return validator.LogEvents(slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelWarn}))).Event
}

// holds reports whether some line has all the words.
func (l *logged) holds(words ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		found := 0
		for _, word := range words {
			if strings.Contains(line, word) {
				found++
			}
		}
		if found == len(words) {
			return true
		}
	}
	return false
}

// TestOurCredentialsAreRevoked: while 20 newcomers and 20 strangers a second
// come, our own credentials are refused from some moment on, and taken again from
// another. No newcomer is ever told that his token is bad, and the log says what
// is.
func TestOurCredentialsAreRevoked(t *testing.T) {
	for name, refusal := range map[string]http.HandlerFunc{
		"401 invalid_client":         saysOf(401, "application/json", `{"error":"invalid_client"}`),
		"401 with another code":      saysOf(401, "application/json", `{"error":"go_away"}`),
		"401, empty":                 saysOf(401, "", ""),
		"401 with text":              saysOf(401, "text/plain", "Unauthorized"),
		"401 as about a token":       saysOf(401, "application/json", `{"error":"invalid_token"}`),
		"403, empty":                 saysOf(403, "", ""),
		"403 with a page":            saysOf(403, "text/html", "<h1>Forbidden</h1>"),
		"400 invalid_client":         saysOf(400, "application/json", `{"error":"invalid_client"}`),
		"401, as made-up tokens get": nil,
	} {
		for _, inactiveBy := range [][]int{nil, {401, 403, 404}} {
			t.Run(fmt.Sprint(name, " ", inactiveBy), func(t *testing.T) {
				t.Parallel()
				d := &desk{latency: 3 * time.Millisecond}
				refuse := refusal
				if refuse == nil {
					refuse = saysOf(401, "", "")
					d.others = refuse
				}
				revokedCredentials(t, d, refuse, inactiveBy)
			})
		}
	}
}

func revokedCredentials(t *testing.T, d *desk, refusal http.HandlerFunc, inactiveBy []int) {
	const every = 50 * time.Millisecond
	var revoked atomic.Bool
	d.before = func(w http.ResponseWriter, _ string) bool {
		if revoked.Load() {
			refusal(w, nil)
		}
		return revoked.Load()
	}
	var log logged
	ask := introspection.Config{InactiveStatus: inactiveBy}
	h := openHouse(t, d, ask, log.observer())
	h.warm(10)
	var stop atomic.Bool
	var callers, requests sync.WaitGroup
	var lastIn atomic.Int64
	for _, caller := range []struct{ group, prefix string }{{"newcomers", "good-new"}, {"strangers", "made-up"}} {
		callers.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for i := 0; !stop.Load(); i++ {
				requests.Go(func() {
					if h.get(caller.group, caller.group, "/orders", fmt.Sprintf("%s-%d", caller.prefix, i)) == http.StatusOK {
						lastIn.Store(time.Now().UnixNano())
					}
				})
				<-tick.C
			}
		})
	}
	<-time.After(500 * time.Millisecond)
	if by, all, _ := h.answers("newcomers"); by[http.StatusOK] == 0 || by[http.StatusOK] < all {
		t.Errorf("newcomers were answered %v while all was well", by)
	}
	began := time.Now()
	revoked.Store(true)
	named := func() bool { return log.holds("credentials", "Config.Auth") || log.holds("rights", "Config.Auth") }
	until(t, "the log to name the credentials", named)
	told := time.Since(began)
	if told > 2*time.Second {
		t.Errorf("the log named the credentials after %v", told)
	}
	<-time.After(max(0, 2500*time.Millisecond-told))
	by, _, _ := h.answers("newcomers")
	inVain := by[http.StatusUnauthorized]
	restored := time.Now()
	revoked.Store(false)
	until(t, "newcomers to pass again", func() bool { return lastIn.Load() > restored.UnixNano() })
	recovery := time.Since(restored)
	<-time.After(300 * time.Millisecond)
	stop.Store(true)
	callers.Wait()
	requests.Wait()
	by, _, _ = h.answers("newcomers")
	theirs, _, _ := h.answers("strangers")
	t.Logf("%d newcomers had 401 when they were restored; logged after %v in %d lines; let in again after %v; newcomers %v, strangers %v; %d calls", inVain, told.Round(time.Millisecond), len(log.lines), recovery.Round(time.Millisecond), by, theirs, d.asked())
	if by[http.StatusUnauthorized] > 0 {
		t.Errorf("newcomers were told that their tokens are bad: %v", by)
	}
}
