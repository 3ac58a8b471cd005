package jwks_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

func TestIdleSetIsNotRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ed("a")
		iss := &issuer{}
		iss.keys(k)
		s := open(t, iss, jwks.Config{})
		got := wantKey(t, s, k)
		elapse(15 * time.Minute) // in use since the fetch: refreshed once
		wantCount(t, iss, 2)
		elapse(10 * time.Hour) // and then no more
		wantCount(t, iss, 2)
		if s.Usable(got) {
			t.Error("a key of an aged set is usable without asking")
		}
		if again := wantKey(t, s, k); again != got {
			t.Error("the key got another pointer")
		}
		wantCount(t, iss, 3)
		if !s.Usable(got) {
			t.Error("the key is not usable after the fetch")
		}
	})
}

func TestAgedSetIsFetchedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ed("a")
		iss := &issuer{}
		iss.keys(k)
		s := open(t, iss, jwks.Config{})
		wantKey(t, s, k)
		elapse(time.Hour)
		before := iss.count()
		iss.serve(slowly(time.Second, answer(set(k))))
		errs := make(chan error, 100)
		for range cap(errs) {
			go func() {
				_, err := find(s, k)
				errs <- err
			}()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		wantCount(t, iss, before+1)
	})
}

func TestAgedSetServesWhenTheIssuerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, seen := ed("a"), &events{}
		iss := &issuer{}
		iss.keys(k)
		s := open(t, iss, jwks.Config{Observer: observe.Observer{Event: seen.add}})
		got := wantKey(t, s, k)
		elapse(time.Hour)
		iss.down()
		if again := wantKey(t, s, k); again != got {
			t.Error("the key got another pointer")
		}
		synctest.Wait()
		stale := seen.of(observe.StaleKeysInUse)
		if len(stale) != 1 || !errors.Is(stale[0].Err, errNoConnection) {
			t.Errorf("got events %v, wanted one StaleKeysInUse with its cause", stale)
		}
		keepUsing(s, got, 2*time.Hour, time.Second)
		if n := len(seen.of(observe.StaleKeysInUse)); n != 1 {
			t.Errorf("%d StaleKeysInUse in one outage", n)
		}
		iss.keys(k)
		keepUsing(s, got, 5*time.Minute, time.Second)
		iss.down()
		keepUsing(s, got, time.Hour, time.Second)
		if n := len(seen.of(observe.StaleKeysInUse)); n != 2 {
			t.Errorf("%d StaleKeysInUse after the second outage, wanted 2", n)
		}
	})
}

// An issuer that hangs when an aged set is to be refreshed costs whoever comes
// first RefreshWait, all who come meanwhile the rest of it, and nobody else.
func TestAgedSetServesWhileTheIssuerHangs(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		config jwks.Config
		want   time.Duration
	}{
		"default":                     {jwks.Config{}, time.Second},
		"configured":                  {jwks.Config{RefreshWait: 20 * time.Millisecond}, 20 * time.Millisecond},
		"longer than the time-out":    {jwks.Config{RefreshWait: time.Hour, RequestTimeout: 3 * time.Second}, 3 * time.Second},
		"with a time-out of an hour":  {jwks.Config{RequestTimeout: time.Hour}, time.Second},
		"where discovery hangs first": {jwks.Config{Issuer: "https://id.example.com"}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, seen := ed("a"), &events{}
				iss := &issuer{}
				works := func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == oidcPath {
						answer([]byte(`{"issuer":"https://id.example.com","jwks_uri":"https://id.example.com/keys"}`))(w, r)
						return
					}
					answer(set(k))(w, r)
				}
				iss.serve(works)
				c.config.Observer = observe.Observer{Event: seen.add}
				s := open(t, iss, c.config)
				got := wantKey(t, s, k)
				const idle = 23 * time.Hour // within MaxStale
				elapse(idle)
				iss.serve(hang)
				before, expiry := iss.count(), lastFetch(iss).Add(24*time.Hour)
				waits := func(want time.Duration) {
					t.Helper()
					start := time.Now()
					if again := wantKey(t, s, k); again != got {
						t.Error("the key got another pointer")
					}
					if err := s.Ready(t.Context()); err != nil {
						t.Error(err)
					}
					if waited := time.Since(start); waited != want {
						t.Errorf("waited %v, wanted %v", waited, want)
					}
				}
				if s.Usable(got) {
					t.Error("an aged set is used before anybody tried to refresh it")
				}
				latecomer := make(chan time.Duration, 1)
				go func() {
					elapse(c.want / 4)
					start := time.Now()
					_, _ = find(s, k)
					latecomer <- time.Since(start)
				}()
				waits(c.want)
				if waited := <-latecomer; waited != c.want-c.want/4 {
					t.Errorf("the second one waited %v, wanted what was left of %v", waited, c.want)
				}
				waits(0)
				wantCount(t, iss, before+1)
				synctest.Wait()
				if stale := seen.of(observe.StaleKeysInUse); len(stale) != 1 || stale[0].Err == nil {
					t.Errorf("got %v, wanted one StaleKeysInUse with its cause", stale)
				}

				// They go on serving within MaxStale, and not longer.
				keepUsing(s, got, time.Until(expiry)-time.Second, time.Second)
				waits(0)
				elapse(time.Second)
				if s.Usable(got) {
					t.Error("usable past MaxStale")
				}
				gone, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if k, err := s.Lookup(gone, "a", true, "EdDSA"); !errors.Is(err, jwks.ErrUnavailable) {
					t.Errorf("past MaxStale: %v, %v", k, err)
				}
				if n := len(seen.of(observe.StaleKeysInUse)); n != 1 {
					t.Errorf("%d StaleKeysInUse in one outage", n)
				}
				iss.serve(works)
				elapse(time.Hour) // every time-out is over
				wantKey(t, s, k)
			})
		})
	}
}

// lastFetch is when the issuer was asked last.
func lastFetch(iss *issuer) time.Time { return iss.requests()[iss.count()-1].at }

// While the last good keys serve in place of an aged set's, a slow issuer's
// answer still counts when it comes.
func TestSlowRefreshOfAnAgedSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leaves, stays, fresh := ed("leaves"), ed("stays"), ed("fresh")
		iss := &issuer{}
		iss.keys(leaves, stays)
		s := open(t, iss, jwks.Config{})
		gone := wantKey(t, s, leaves)
		elapse(time.Hour)
		iss.serve(slowly(4*time.Second, answer(set(stays, fresh))))
		start := time.Now()
		rotated := make(chan time.Duration, 1)
		go func() { // a kid that the old set lacks waits for the answer
			wantKey(t, s, fresh)
			rotated <- time.Since(start)
		}()
		wantKey(t, s, stays)
		wantKey(t, s, leaves)
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("a known key waited %v, wanted 1s", waited)
		}
		if waited := <-rotated; waited != 4*time.Second {
			t.Errorf("a rotated key waited %v, wanted 4s", waited)
		}
		if s.Usable(gone) {
			t.Error("a key that left the set is usable")
		}
		before := iss.count()
		wantNotFound(t, s, leaves)
		wantCount(t, iss, before+1)
	})
}

// Past MaxStale there is nothing to serve: the request waits for the issuer, as
// the first of all does.
func TestNothingServesPastMaxStale(t *testing.T) {
	for name, late := range map[string]time.Duration{"long ago": time.Hour, "at once": 0, "while it waits": -time.Second / 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := ed("a")
				iss := &issuer{}
				iss.keys(k)
				s := open(t, iss, jwks.Config{})
				wantKey(t, s, k)
				elapse(time.Hour)
				elapse(time.Until(lastFetch(iss).Add(24*time.Hour + late)))
				iss.serve(slowly(time.Hour, answer(set(k))))
				start := time.Now()
				wantUnavailable(t, s, k)
				if waited := time.Since(start); waited != 5*time.Second {
					t.Errorf("waited %v, wanted the time-out of 5s", waited)
				}
			})
		})
	}
}

// Close ends the waiting for an aged set, and no key is usable then.
func TestCloseWhileAnAgedSetIsAwaited(t *testing.T) {
	for name, wait := range map[string]time.Duration{"before the last good keys serve": time.Second / 2, "after": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := ed("a")
				iss := &issuer{}
				iss.keys(k)
				s := open(t, iss, jwks.Config{})
				got := wantKey(t, s, k)
				elapse(time.Hour)
				iss.serve(slowly(time.Hour, answer(set(k))))
				waiting := make(chan struct{})
				go func() { // two of which the second waits for the fetch to end
					defer close(waiting)
					_, _ = find(s, k)
					wantUnavailable(t, s, key{"kid": "other", "crv": "Ed25519"})
				}()
				elapse(wait)
				s.Close()
				<-waiting
				if s.Usable(got) {
					t.Error("a key is usable after Close")
				}
				wantUnavailable(t, s, k)
			})
		})
	}
}
