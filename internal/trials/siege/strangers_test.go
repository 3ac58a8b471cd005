package siege_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// besieged is one run of strangers, honest newcomers and known callers, all at
// once.
type besieged struct {
	*house
	known  []string
	took   time.Duration
	before int // calls of the endpoint
	// newcomers who were let in, by source
	in [4]atomic.Int64
}

const (
	strangersAll, strangersAtOnce = 480, 48
	newcomersLeast                = 500
	knownTokens                   = 100
)

// besiege runs until the strangers have asked 480 times, so many honest first
// sights came and each known token was renewed.
func besiege(t *testing.T, h *house, least int64) *besieged {
	d, b := h.desk, &besieged{house: h}
	b.known = b.warm(knownTokens)
	b.before = d.asked()
	began := time.Now()
	end := began.Add(patience)
	var strangers, others sync.WaitGroup
	var done atomic.Bool
	var newcomers atomic.Int64
	for source := range 4 {
		var sent atomic.Int64
		for range strangersAtOnce / 4 {
			strangers.Go(func() {
				for i := sent.Add(1); i <= strangersAll/4 && time.Now().Before(end); i = sent.Add(1) {
					b.get("strangers", fmt.Sprint("stranger-", source), "/orders", fmt.Sprintf("made-up-%d-%d", source, i))
				}
			})
		}
		for worker := range 3 {
			others.Go(func() {
				for i := 0; !done.Load() || newcomers.Load() < least; i++ {
					newcomers.Add(1)
					if b.get("newcomers", fmt.Sprint("honest-", source), "/orders", fmt.Sprintf("good-new-%d-%d-%d", source, worker, i)) == http.StatusOK {
						b.in[source].Add(1)
					}
					<-time.After(12 * time.Millisecond)
					if time.Now().After(end) {
						return
					}
				}
			})
		}
	}
	for part := range 5 {
		others.Go(func() {
			for i := part; !done.Load() || newcomers.Load() < least; i += 5 {
				b.get("known", "known-"+strconv.Itoa(part), "/orders", b.known[i%knownTokens])
				elapse(8 * time.Millisecond)
				if time.Now().After(end) {
					return
				}
			}
		})
	}
	strangers.Wait()
	for d.leastAsked(b.known) < 2 && time.Now().Before(end) {
		elapse(5 * time.Millisecond)
	}
	done.Store(true)
	others.Wait()
	b.took = time.Since(began)
	b.show(t)
	return b
}

func (b *besieged) show(t *testing.T) {
	for _, group := range []string{"strangers", "newcomers", "known"} {
		by, all, run := b.answers(group)
		t.Logf("%-9s %5d answers %v, most 5xx in a row %d", group, all, by, run)
	}
	b.mu.Lock()
	for why, n := range b.why {
		if t.Failed() || !strings.HasPrefix(why, "stranger") {
			t.Logf("%d × %s", n, why)
		}
	}
	b.mu.Unlock()
	t.Logf("%v; at the endpoint %d calls, %d at once at most; %d waited at most; known ones renewed %d times at least", b.took.Round(10*time.Millisecond),
		b.desk.asked()-b.before, b.desk.peak, b.peakWaiting, b.desk.leastAsked(b.known)-1)
}

// check wants what is promised whatever strangers send.
func (b *besieged) check(t *testing.T) {
	if by, all, _ := b.answers("known"); by[http.StatusOK] != all {
		t.Errorf("known tokens were answered %v", by)
	}
	if b.desk.leastAsked(b.known) < 2 {
		t.Error("a known token was not renewed: the test does not test")
	}
	by, all, run := b.answers("strangers")
	if all != strangersAll {
		t.Errorf("strangers asked %d times, wanted %d", all, strangersAll)
	}
	if by[http.StatusOK] > 0 {
		t.Errorf("strangers were let in: %v", by)
	}
	if run >= 5 {
		t.Errorf("strangers got %d answers of 5xx in a row", run)
	}
}

// scaled are knobs a fifth of the defaults.
func scaled() introspection.Config {
	return introspection.Config{
		PositiveLifetime: 600 * time.Millisecond,
		MaxWait:          400 * time.Millisecond,
		RequestTimeout:   time.Second,
	}
}

// TestStrangersAndNewcomers: whatever an endpoint answers about tokens that
// strangers made up, those with new and with known tokens are served.
func TestStrangersAndNewcomers(t *testing.T) {
	const page = "<html><h1>No</h1></html>"
	hung := scaled()
	hung.RequestTimeout = 300 * time.Millisecond
	few := scaled()
	few.MaxConcurrent, few.MaxWait = 8, 300*time.Millisecond
	for _, row := range []struct {
		name   string
		others http.HandlerFunc
		ask    introspection.Config
	}{
		{"inactive", inactive, scaled()},
		{"401 invalid_token", saysOf(401, "application/json", `{"error":"invalid_token"}`), scaled()},
		{"401 with another code", saysOf(401, "application/json", `{"error":"no_such_token"}`), scaled()},
		{"401 invalid_client", saysOf(401, "application/json", `{"error":"invalid_client"}`), scaled()},
		{"401, empty", saysOf(401, "", ""), scaled()},
		{"400 invalid_request", saysOf(400, "application/json", `{"error":"invalid_request"}`), scaled()},
		{"403 with a page", saysOf(403, "text/html", page), scaled()},
		{"404", saysOf(404, "text/plain", "not found"), scaled()},
		{"405", saysOf(405, "text/plain", ""), scaled()},
		{"302", saysOf(302, "", "", "Location", "/login"), scaled()},
		{"500", saysOf(500, "text/plain", "oops"), scaled()},
		{"502", saysOf(502, "text/html", page), scaled()},
		{"reset", resets, scaled()},
		{"200 with a page", saysOf(200, "text/html", page), scaled()},
		{"late", late(200*time.Millisecond, inactive), few},
		{"never", late(time.Hour, inactive), hung},
	} {
		run := func(t *testing.T, h *house) {
			b := besiege(t, h, newcomersLeast)
			b.check(t)
			if by, all, _ := b.answers("newcomers"); all < newcomersLeast || by[http.StatusOK]*100 < all*99 {
				t.Errorf("newcomers were answered %v, wanted 99 %% of at least %d let in", by, newcomersLeast)
			}
		}
		t.Run(row.name, func(t *testing.T) {
			run(t, openHouse(t, &desk{latency: 5 * time.Millisecond, others: row.others}, row.ask, nil))
		})
		t.Run(row.name+" in fake time", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{latency: 5 * time.Millisecond, others: row.others}
				row.ask.Endpoint, row.ask.HTTPClient = "https://id.example.test/introspect", &http.Client{Transport: inMemory{d}}
				run(t, furnish(t, d, row.ask, nil))
			})
		})
	}
}
