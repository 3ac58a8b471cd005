package siege_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestFloodOfMadeUpKeyIDs is 2,000 requests with distinct made-up kids within
// one second of fake time, under the default knobs, and on at the same pace
// until a key that was rotated in the midst is accepted.
func TestFloodOfMadeUpKeyIDs(t *testing.T) {
	const perSecond, atOnce = 2000, 20
	const leastInterval = 5 * time.Second // the default
	for _, tc := range []struct {
		name string
		age  time.Duration // of the key set when the flood begins
	}{
		{"keys just fetched", 0},
		{"keys younger than the least interval", leastInterval - 300*time.Millisecond},
		{"keys that may be asked for", time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				a := build(t, byKeys(iss, jwks.Config{HTTPClient: iss.Client()}))
				f := newForger(iss)
				known := fresh(iss)
				expect := func(token, answer string) {
					t.Helper()
					if got := a.call(token); got != answer {
						t.Fatalf("answered %s, wanted %s", got, answer)
					}
				}
				flood := func() { // a hundredth of a second of it
					var requests sync.WaitGroup
					for range atOnce {
						token := f.madeUp()
						requests.Go(func() {
							if got := a.call(token); got != invalidToken {
								t.Errorf("a made-up kid was answered %s", got)
							}
						})
					}
					requests.Wait()
					expect(known, ok)
					elapse(time.Second * atOnce / perSecond)
				}
				expect(known, ok)
				elapse(tc.age)

				before := iss.Requests(issuertest.JWKS)
				firstSights := several(iss, perSecond/atOnce)
				var rotated string
				var at time.Time
				for i, honest := range firstSights {
					if i == len(firstSights)/2 {
						iss.Rotate()
						rotated, at = fresh(iss), time.Now()
					}
					flood()
					expect(honest, ok)
				}
				if n := iss.Requests(issuertest.JWKS) - before; n > 2 {
					t.Errorf("%d fetches within a second, wanted at most 2", n)
				}
				for a.call(rotated) != ok {
					if waited := time.Since(at); waited > leastInterval {
						t.Fatalf("the new key is still refused after %v", waited)
					}
					flood()
				}
				most := 3 + int(time.Since(at)/leastInterval)
				if n := iss.Requests(issuertest.JWKS) - before; n > most {
					t.Errorf("%d fetches since the flood began, wanted at most %d", n, most)
				}
			})
		})
	}
}

// TestFloodOfMadeUpKeyIDsOnSockets is the same flood as fast as the machine
// can, with a least interval of half a second.
func TestFloodOfMadeUpKeyIDsOnSockets(t *testing.T) {
	const requests, leastInterval = 2000, 500 * time.Millisecond
	iss := issuertest.New(t)
	a := listen(t, byKeys(iss, jwks.Config{MinFetchInterval: leastInterval}))
	f := newForger(iss)
	known := fresh(iss)
	a.become(known, ok, unavailable)
	began, before := time.Now(), iss.Requests(issuertest.JWKS)

	var sent atomic.Int64
	var stop atomic.Bool
	var flood sync.WaitGroup
	defer flood.Wait()
	defer stop.Store(true)
	for range 8 {
		flood.Go(func() {
			for !stop.Load() {
				if got := a.get(f.madeUp()); got != invalidToken {
					t.Errorf("a made-up kid was answered %s", got)
				}
				sent.Add(1)
			}
		})
	}
	honest := func(tokens []string) {
		for _, token := range tokens {
			a.want(known, ok)
			a.want(token, ok)
		}
	}
	firstSights := several(iss, 100)
	honest(firstSights[:50])
	iss.Rotate()
	rotated := fresh(iss)
	until(t, "the new key to be accepted", func() bool { // TestFloodOfMadeUpKeyIDs says when
		a.want(known, ok)
		return a.get(rotated) == ok
	})
	honest(firstSights[50:])
	until(t, fmt.Sprint(requests, " requests"), func() bool { return sent.Load() >= requests })
	most := 2 + int(time.Since(began)/leastInterval)
	if n := iss.Requests(issuertest.JWKS) - before; n > most {
		t.Errorf("%d fetches in %v, wanted at most %d", n, time.Since(began), most)
	}
}

// TestForgedSignaturesFetchNothing is 10,000 forgeries under known kids, for an
// API that could fetch every millisecond.
func TestForgedSignaturesFetchNothing(t *testing.T) {
	const each = 5000
	iss := issuertest.New(t)
	a := listen(t, byKeys(iss, jwks.Config{MinFetchInterval: time.Millisecond}))
	f := newForger(iss)
	known := fresh(iss)
	a.become(known, ok, unavailable)
	a.want(freshBy(iss, "RS256"), ok)
	before := iss.Requests(issuertest.JWKS)
	var forgers sync.WaitGroup
	for alg, size := range map[string]int{"EdDSA": 64, "RS256": 256} {
		kid := iss.CurrentKeyID(alg)
		forgers.Go(func() {
			for range each {
				if got := a.call(f.token(alg, kid, size)); got != invalidToken {
					t.Errorf("a forgery was answered %s", got)
				}
			}
		})
	}
	for range 20 {
		a.want(known, ok)
		a.want(fresh(iss), ok)
	}
	forgers.Wait()
	if n := iss.Requests(issuertest.JWKS) - before; n > 0 {
		t.Errorf("%d forgeries caused %d fetches", 2*each, n)
	}
}
