package siege_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// turnstile counts an endpoint's requests, in all and at once, apart for tokens
// that are known to be honest.
type turnstile struct {
	honest map[string]bool

	mu        sync.Mutex
	now, peak [2]int // strangers, honest
	renewed   map[string]int
}

func (c *turnstile) pass(answer issuertest.Fault) issuertest.Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		token := r.PostForm.Get("token")
		lane := 0
		if c.honest[token] {
			lane = 1
		}
		c.mu.Lock()
		if c.honest[token] {
			c.renewed[token]++
		}
		c.now[lane]++
		c.peak[lane] = max(c.peak[lane], c.now[lane])
		c.mu.Unlock()
		defer func() {
			c.mu.Lock()
			c.now[lane]--
			c.mu.Unlock()
		}()
		answer(w, r, next)
	}
}

func (c *turnstile) peaks() [2]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peak
}

// leastRenewed is how often the honest token was asked about that was asked
// about least.
func (c *turnstile) leastRenewed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	least := len(c.honest) * 1000
	for token := range c.honest {
		least = min(least, c.renewed[token])
	}
	return least
}

func newTurnstile(honest []string) *turnstile {
	c := &turnstile{honest: make(map[string]bool), renewed: make(map[string]int)}
	for _, token := range honest {
		c.honest[token] = true
	}
	return c
}

// heap is what is in use after the garbage has gone.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // the second one empties what pools kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestFloodOfOpaqueTokens is 50,000 random tokens within 34 seconds of fake
// time, under the default knobs, at an endpoint that takes 100 ms for each.
func TestFloodOfOpaqueTokens(t *testing.T) {
	const (
		strangers, seconds = 50_000, 34
		maxConcurrent      = 32     // the default
		cacheEntries       = 10_000 // the default
		bookkeeping        = 300    // bytes for each entry, as documented
		noise              = 1 << 20
	)
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		a := build(t, byAsking(iss, introspection.Config{HTTPClient: iss.Client(), MaxPerSecond: -1}))
		var honest []string
		for range 20 {
			honest = append(honest, opaque(iss))
		}
		doors := newTurnstile(honest)
		iss.SetFault(issuertest.Introspection, doors.pass(issuertest.Slow(100*time.Millisecond)))
		asHonest := func() {
			for _, token := range honest {
				if got := a.call(token); got != ok {
					t.Fatalf("an honest token was answered %s", got)
				}
			}
		}
		asHonest()
		manyGoroutines() // the runtime keeps what goroutines left behind
		before := heap()

		var flood sync.WaitGroup
		const atOnce = 10
		for i := range strangers / atOnce {
			for range atOnce {
				token := rand.Text()
				flood.Go(func() {
					if got := a.call(token); got != invalidToken && got != throttled {
						t.Errorf("a made-up token was answered %s", got)
					}
				})
			}
			elapse(seconds * time.Second * atOnce / strangers)
			if i%(strangers/atOnce/seconds) == 0 { // once a second
				asHonest()
			}
		}
		flood.Wait()
		asHonest()

		if peak := doors.peaks(); peak[0] > maxConcurrent || peak[1] > maxConcurrent {
			t.Errorf("%d requests at once for strangers and %d for the honest, wanted at most %d each", peak[0], peak[1], maxConcurrent)
		}
		if n := iss.Requests(issuertest.Introspection); n < cacheEntries {
			t.Errorf("%d requests came through: too few to fill the cache", n)
		}
		if doors.leastRenewed() < 2 {
			t.Error("an honest token did not outlive its cached answer: the flood is too short")
		}
		grown := int64(heap()) - int64(before)
		if most := int64(cacheEntries*bookkeeping + noise); grown > most {
			t.Errorf("the flood left %d bytes behind, wanted at most %d", grown, most)
		}
	})
}

// TestLargeAnswersKeepTheBound: whoever can get tokens with large answers gets
// fewer of them remembered, not more memory.
func TestLargeAnswersKeepTheBound(t *testing.T) {
	const entries, size, unit, noise = 256, 32 << 10, 4 << 10, 1 << 20
	iss := issuertest.NewInMemory(t)
	config := byAsking(iss, introspection.Config{HTTPClient: iss.Client(), CacheEntries: entries, MaxPerSecond: -1, PositiveLifetime: time.Hour})
	config.CacheEntries = -1 // the bound of that cache is another
	a := build(t, config)
	iss.SetFault(issuertest.Introspection, body(fmt.Sprintf(`{"active":true,"aud":%q,"scope":%q,"pad":%q}`, issuertest.Audience, scope, strings.Repeat("x", size))))
	before := heap()
	for range 2 * entries {
		if got := a.call(rand.Text()); got != ok {
			t.Fatalf("answered %s, wanted %s", got, ok)
		}
	}
	if grown, most := int64(heap())-int64(before), int64(entries*unit+noise); grown > most {
		t.Errorf("%d bytes are held, wanted at most %d", grown, most)
	}
}

// TestFloodOfOpaqueTokensOnSockets floods a slow endpoint as fast as the machine
// can, until every honest token was renewed several times.
func TestFloodOfOpaqueTokensOnSockets(t *testing.T) {
	const maxConcurrent, maxPerSecond, renewals = 4, 200, 5
	iss := issuertest.New(t)
	a := listen(t, byAsking(iss, introspection.Config{
		MaxConcurrent: maxConcurrent, MaxPerSecond: maxPerSecond, PositiveLifetime: 100 * time.Millisecond,
	}))
	honest := []string{opaque(iss), opaque(iss), opaque(iss)}
	doors := newTurnstile(honest)
	iss.SetFault(issuertest.Introspection, doors.pass(issuertest.Slow(10*time.Millisecond)))
	for _, token := range honest {
		a.want(token, ok)
	}
	var stop atomic.Bool
	var flood sync.WaitGroup
	defer flood.Wait()
	defer stop.Store(true)
	began, before := time.Now(), iss.Requests(issuertest.Introspection)
	for range 100 {
		flood.Go(func() {
			for !stop.Load() {
				if got := a.get(rand.Text()); got != invalidToken && got != unavailable {
					t.Errorf("a made-up token was answered %s", got)
				}
			}
		})
	}
	for doors.leastRenewed() < 1+renewals && time.Since(began) < patience {
		for _, token := range honest {
			a.want(token, ok)
		}
	}
	if peak := doors.peaks(); peak[0] > maxConcurrent || peak[1] > maxConcurrent {
		t.Errorf("%v requests at once for strangers and the honest, wanted at most %d each", peak, maxConcurrent)
	}
	if doors.leastRenewed() < 1+renewals {
		t.Errorf("an honest token was not renewed %d times", renewals)
	}
	// The seconds begun, a burst of as many, and the renewals.
	most := maxPerSecond*(2+int(time.Since(began)/time.Second)) + len(honest)*(1+int(time.Since(began)/(100*time.Millisecond)))
	if n := iss.Requests(issuertest.Introspection) - before; n > most {
		t.Errorf("%d requests in %v, wanted at most %d", n, time.Since(began), most)
	}
}

// manyGoroutines has many goroutines exist at once.
func manyGoroutines() {
	var all sync.WaitGroup
	release := make(chan struct{})
	for range 7_000 { // the race detector bears little more
		all.Go(func() { <-release })
	}
	close(release)
	all.Wait()
}

// TestHangingEndpoint: opaque tokens wait for an endpoint that never answers, no
// longer than is configured, and the JWTs of the same API notice nothing.
func TestHangingEndpoint(t *testing.T) {
	const maxConcurrent, waiting = 4, 40
	iss := issuertest.New(t)
	requests := &gauge{next: iss.Client().Transport}
	ask := introspection.Config{
		MaxConcurrent:  maxConcurrent,
		RequestTimeout: 500 * time.Millisecond,
		HTTPClient:     &http.Client{Transport: requests},
	}
	a := listen(t, trusting(validator.Issuer{URL: iss.URL(), Keys: &jwks.Config{}, Introspection: asked(iss, ask)}))
	known := fresh(iss)
	a.become(known, ok, unavailable)
	iss.SetFault(issuertest.Introspection, hang())
	var opaques sync.WaitGroup
	var left atomic.Int64
	left.Store(waiting)
	for range waiting {
		token := rand.Text()
		opaques.Go(func() {
			defer left.Add(-1)
			if got := a.get(token); got != unavailable && got != throttled { // all are of one source
				t.Errorf("answered %s, wanted %s or %s", got, unavailable, throttled)
			}
		})
	}
	until(t, "the endpoint to be busy", func() bool { return requests.most.Load() == maxConcurrent })
	served := 0
	until(t, "the waiting to be told", func() bool {
		a.want(known, ok)
		a.want(fresh(iss), ok)
		served++
		return left.Load() == 0
	})
	opaques.Wait()
	if peak := requests.most.Load(); peak > maxConcurrent {
		t.Errorf("%d requests at once, wanted at most %d", peak, maxConcurrent)
	}
	if served < 2 {
		t.Error("no JWT was served meanwhile: the test does not test")
	}
	iss.ClearFaults()
	a.become(opaque(iss), ok, unavailable)
}
