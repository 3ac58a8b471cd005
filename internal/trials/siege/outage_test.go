package siege_test

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestRotationAndRetirementUnderLoad: while clients come without a pause, each
// new key is accepted, the old one serves until it leaves the set, and takes
// its tokens along, cached or not. Nobody with a current token is ever refused.
func TestRotationAndRetirementUnderLoad(t *testing.T) {
	const rounds = 5
	iss := issuertest.New(t)
	keys := quick()
	keys.RequestTimeout = 5 * time.Second // no fetch fails here, however busy the machine
	a := listen(t, byKeys(iss, keys))
	var current atomic.Pointer[string]
	use := func(token string) { current.Store(&token) }
	token := fresh(iss)
	a.want(token, ok)
	use(token)
	var stop atomic.Bool
	var clients sync.WaitGroup
	defer clients.Wait()
	defer stop.Store(true)
	for range 4 {
		clients.Go(func() {
			for !stop.Load() {
				token := *current.Load()
				// A client may hold its token for a moment after the key was retired.
				if got := a.get(token); got != ok && token == *current.Load() {
					t.Errorf("a current token was answered %s", got)
				}
			}
		})
	}
	for range rounds {
		cached, unseen := token, fresh(iss)
		iss.Rotate()
		token = fresh(iss)
		a.become(token, ok, invalidToken) // the issuer is there, so never 503
		use(token)
		a.want(cached, ok)
		a.want(unseen, ok)
		iss.Retire()
		a.become(cached, invalidToken, ok)
		a.want(cached, invalidToken)
		a.want(token, ok)
	}
	if n := len(a.events.of(observe.RefreshFailed)); n > 0 {
		t.Errorf("%d refreshes failed", n)
	}
}

// TestIssuerDownForHours: under the default knobs an API serves on for MaxStale,
// first sights included, says 503 after it, tells the operator each once, leaves
// the issuer in peace, and recovers within the least interval.
func TestIssuerDownForHours(t *testing.T) {
	t.Parallel()
	const maxStale, leastInterval = 24 * time.Hour, 5 * time.Second
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		a := build(t, byKeys(iss, jwks.Config{HTTPClient: iss.Client()}))
		known := fresh(iss)
		expect := func(token, answer string) {
			t.Helper()
			if got := a.call(token); got != answer {
				t.Fatalf("answered %s at %v, wanted %s", got, time.Now(), answer)
			}
		}
		expect(known, ok)
		began := time.Now() // of the outage, right after the last good fetch
		iss.SetFault(issuertest.JWKS, issuertest.Down())
		iss.SetFault(issuertest.Discovery, issuertest.Down())
		before := iss.Requests(issuertest.JWKS)
		for time.Since(began) < maxStale-2*time.Minute {
			expect(known, ok)
			expect(fresh(iss), ok)
			elapse(2 * time.Minute)
		}
		elapse(time.Until(began.Add(maxStale - time.Second)))
		expect(known, ok)
		elapse(2 * time.Second)
		expect(known, unavailable)
		expect(fresh(iss), unavailable)
		// Retries of a set that issuertest calls fresh for 5 min come after a quarter
		// of that, or up to a quarter sooner by chance; a first few come faster.
		if n, most := iss.Requests(issuertest.JWKS)-before, int(maxStale/(56*time.Second))+20; n > most {
			t.Errorf("%d fetches in a day of outage, wanted at most %d", n, most)
		}
		for kind, want := range map[observe.Kind]int{observe.StaleKeysInUse: 1, observe.KeysExpired: 1, observe.KeySetChanged: 1} {
			if got := len(a.events.of(kind)); got != want {
				t.Errorf("%d events %q, wanted %d", got, kind, want)
			}
		}

		for range 100 { // clients keep trying
			expect(known, unavailable)
			elapse(time.Second)
		}
		iss.ClearFaults()
		elapse(leastInterval)
		expect(known, ok)
		expect(fresh(iss), ok)
	})
}

// TestSlowIssuerIsNobodyElsesTrouble: one of two issuers answers byte by byte,
// and never to the end. Its own first sights wait for the time-out and are told
// 503; what is known of it, and the other issuer, are served as ever.
func TestSlowIssuerIsNobodyElsesTrouble(t *testing.T) {
	const waiting = 40
	for name, fault := range map[string]issuertest.Fault{"header": headerLoris(), "body": issuertest.Drip(5 * time.Millisecond), "silence": hang()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slow, healthy := issuertest.New(t), issuertest.New(t)
			fetches := &gauge{next: slow.Client().Transport}
			keys := jwks.Config{RequestTimeout: time.Second, MinFetchInterval: time.Millisecond, HTTPClient: &http.Client{Transport: fetches}}
			config := byKeys(slow, keys)
			config.Issuers = append(config.Issuers, byKeys(healthy, jwks.Config{}).Issuers...)
			a := listen(t, config)
			known, other := fresh(slow), fresh(healthy)
			a.become(known, ok, unavailable)
			a.become(other, ok, unavailable)

			doors := newTurnstile(nil)
			slow.SetFault(issuertest.JWKS, doors.pass(fault))
			slow.Rotate()
			tokens := make([]string, waiting)
			for i := range tokens { // before the first is sent: signing takes long on a busy machine
				tokens[i] = fresh(slow)
			}
			var unknown sync.WaitGroup
			var left atomic.Int64
			left.Store(waiting)
			for _, token := range tokens {
				unknown.Go(func() {
					defer left.Add(-1)
					if got := a.get(token); got != unavailable {
						t.Errorf("answered %s, wanted %s", got, unavailable)
					}
				})
			}
			until(t, "the slow fetch", func() bool { return doors.peaks()[0] > 0 })
			served := 0
			until(t, "the waiting to be told", func() bool {
				a.want(known, ok)
				a.want(other, ok)
				a.want(fresh(healthy), ok)
				served++
				return left.Load() == 0
			})
			unknown.Wait()
			if served < 2 {
				t.Error("nobody else was served meanwhile: the test does not test")
			}
			if n := fetches.most.Load(); n > 1 {
				t.Errorf("%d fetches at once, wanted one that all share", n)
			}
			slow.ClearFaults()
			a.become(fresh(slow), ok, unavailable, invalidToken)
		})
	}
}

// gauge counts the requests that are under way where they are made: a server
// notices some time later that one was given up.
type gauge struct {
	next      http.RoundTripper
	now, most atomic.Int64
}

func (g *gauge) RoundTrip(r *http.Request) (*http.Response, error) {
	n := g.now.Add(1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
	response, err := g.next.RoundTrip(r)
	if err != nil {
		g.now.Add(-1)
		return nil, err
	}
	response.Body = &gauged{ReadCloser: response.Body, gauge: g}
	return response, nil
}

// gauged ends a request when its body is closed.
type gauged struct {
	io.ReadCloser
	gauge *gauge
	once  sync.Once
}

func (b *gauged) Close() error {
	b.once.Do(func() { b.gauge.now.Add(-1) })
	return b.ReadCloser.Close()
}

// TestFlappingIssuer fails every second request of both kinds. What is known
// never suffers, and what is new gets through.
func TestFlappingIssuer(t *testing.T) {
	iss := issuertest.New(t)
	keys := quick()
	keys.RequestTimeout = 5 * time.Second
	config := byKeys(iss, keys)
	config.Issuers[0].Introspection = asked(iss, introspection.Config{})
	a := listen(t, config)
	jwt, token := fresh(iss), opaque(iss)
	a.want(jwt, ok)
	a.want(token, ok)
	iss.SetFault(issuertest.JWKS, issuertest.Flapping())
	iss.SetFault(issuertest.Introspection, issuertest.Flapping())
	for range 10 {
		a.become(opaque(iss), ok, unavailable)
		iss.Rotate()
		a.become(fresh(iss), ok, unavailable, invalidToken)
		a.want(jwt, ok)
		a.want(token, ok)
	}
}
