package jwks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
)

func TestUnknownKID(t *testing.T) {
	const interval = 5 * time.Second
	steps := map[string]func(t *testing.T, iss *issuer, s *jwks.KeySet, old, fresh key){
		"two at once, then one per interval": func(t *testing.T, iss *issuer, s *jwks.KeySet, _, fresh key) {
			for range 10 {
				wantNotFound(t, s, key{"kid": "made up", "crv": "Ed25519"})
			}
			wantCount(t, iss, 3)
			iss.keys(fresh)
			elapse(interval - time.Nanosecond)
			wantNotFound(t, s, fresh)
			wantCount(t, iss, 3)
			elapse(time.Nanosecond)
			wantKey(t, s, fresh)
			wantCount(t, iss, 4)
			wantNotFound(t, s, key{"kid": "made up", "crv": "Ed25519"})
			wantCount(t, iss, 4)
		},
		"a rotated key is fetched, the dropped one is gone": func(t *testing.T, iss *issuer, s *jwks.KeySet, old, fresh key) {
			before := wantKey(t, s, old)
			elapse(time.Minute)
			iss.keys(fresh)
			wantKey(t, s, fresh)
			wantCount(t, iss, 2)
			if s.Usable(before) {
				t.Error("a key that left the set is usable")
			}
			wantNotFound(t, s, old)
		},
		"no kid and nothing fits": func(t *testing.T, iss *issuer, s *jwks.KeySet, _, _ key) {
			iss.keys(rsaKey("rsa"))
			elapse(time.Minute)
			if k, err := s.Lookup(t.Context(), "", false, "RS256"); err != nil || k.ID() != "rsa" {
				t.Errorf("got %v, %v", k, err)
			}
			wantCount(t, iss, 2)
		},
		"the wrong algorithm is no reason to fetch": func(t *testing.T, iss *issuer, s *jwks.KeySet, old, _ key) {
			elapse(time.Minute)
			if _, err := s.Lookup(t.Context(), old["kid"].(string), true, "RS256"); !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Errorf("got %v", err)
			}
			wantCount(t, iss, 1)
		},
		"several that fit are no reason to fetch": func(t *testing.T, iss *issuer, s *jwks.KeySet, old, _ key) {
			iss.keys(old, ed("other"))
			elapse(time.Minute)
			wantKey(t, s, key{"kid": "other", "crv": "Ed25519"})
			elapse(time.Minute)
			if _, err := s.Lookup(t.Context(), "", false, "EdDSA"); !errors.Is(err, jwks.ErrKeyNotFound) {
				t.Errorf("got %v", err)
			}
			wantCount(t, iss, 2)
		},
		"an issuer that cannot be reached is not the token's fault": func(t *testing.T, iss *issuer, s *jwks.KeySet, old, fresh key) {
			elapse(time.Minute)
			iss.down()
			for range 100 { // two tries: the burst
				if u := wantUnavailable(t, s, fresh); u.RetryAfter > interval {
					t.Fatalf("retry after %v", u.RetryAfter)
				}
			}
			wantCount(t, iss, 3)
			wantKey(t, s, old) // known keys do not notice
			iss.keys(fresh)
			elapse(interval)
			wantKey(t, s, fresh)
		},
		"all who wait share one fetch": func(t *testing.T, iss *issuer, s *jwks.KeySet, _, fresh key) {
			elapse(time.Minute)
			iss.serve(slowly(time.Second, answer(set(fresh))))
			crowd(t, s, 200, func(int) (key, bool) { return fresh, true })
			wantCount(t, iss, 2)
		},
		"a crowd of made-up kids has the burst": func(t *testing.T, iss *issuer, s *jwks.KeySet, _, fresh key) {
			elapse(time.Minute)
			iss.serve(slowly(time.Second, answer(set(fresh))))
			crowd(t, s, 200, func(n int) (key, bool) {
				if n%2 == 0 {
					return fresh, true
				}
				return fresh.with("kid", fmt.Sprint("made up ", n)), false
			})
			wantCount(t, iss, 3)
		},
		"one that gives up harms no other": func(t *testing.T, iss *issuer, s *jwks.KeySet, _, fresh key) {
			elapse(time.Minute)
			iss.serve(slowly(time.Second, answer(set(fresh))))
			ctx, cancel := context.WithCancel(t.Context())
			gaveUp := make(chan error)
			go func() {
				_, err := s.Lookup(ctx, "made up", true, "EdDSA")
				gaveUp <- err
			}()
			synctest.Wait()
			cancel()
			if err := <-gaveUp; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			wantKey(t, s, fresh)
			wantCount(t, iss, 2)
		},
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, fresh := ed("old"), ed("fresh")
				iss := &issuer{}
				iss.keys(old)
				s := open(t, iss, jwks.Config{})
				wantKey(t, s, old)
				step(t, iss, s, old, fresh)
			})
		})
	}
}

// crowd looks many keys up at once; each says whether it is found.
func crowd(t *testing.T, s *jwks.KeySet, n int, of func(n int) (k key, found bool)) {
	t.Helper()
	errs := make(chan error, n)
	for n := range cap(errs) {
		go func() {
			k, found := of(n)
			if _, err := find(s, k); (err == nil) != found {
				errs <- fmt.Errorf("lookup %d: %v", n, err)
				return
			}
			errs <- nil
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// 2,000 made-up kids a second, an honest request after each, and a key that is
// rotated in the midst of them: just after the flood has spent the burst, or
// later, when each fetch is due.
func TestFloodOfMadeUpKIDs(t *testing.T) {
	const interval, pace = 5 * time.Second, time.Second / 2000
	for _, age := range []time.Duration{0, interval - pace, time.Minute} { // of the set when the flood begins
		for _, after := range []time.Duration{0, pace, time.Second, interval - pace, interval, interval + pace, 2*interval + time.Second} {
			t.Run(fmt.Sprintf("a set of %v, rotated after %v", age, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					old, fresh := ed("old"), ed("fresh")
					iss := &issuer{}
					iss.keys(old)
					s := open(t, iss, jwks.Config{})
					honest := wantKey(t, s, old)
					elapse(age)
					before, began := iss.count(), time.Now()
					var rotated time.Time
					for n := 0; ; n++ {
						wantNotFound(t, s, key{"kid": fmt.Sprint("made up ", n), "crv": "Ed25519"})
						if !s.Usable(honest) || wantKey(t, s, old) != honest {
							t.Fatal("the flood reached known keys")
						}
						if since := time.Since(began); since == time.Second-pace && iss.count()-before > 2 {
							t.Errorf("%d fetches within a second, wanted at most 2", iss.count()-before)
						} else if since >= after && rotated.IsZero() {
							iss.keys(old, fresh)
							rotated = time.Now()
						}
						if _, err := find(s, fresh); err == nil {
							break
						}
						if !rotated.IsZero() && time.Since(rotated) >= interval {
							t.Fatalf("the rotated key is refused after %v", time.Since(rotated))
						}
						elapse(pace)
					}
					if n := iss.count() - before; n > 2+int(time.Since(began)/interval) {
						t.Errorf("%v of flood caused %d fetches", time.Since(began), n)
					}
				})
			})
		}
	}
}

// A flood against an issuer that is down costs it the configured rate, and ends
// with the outage.
func TestFloodWhileTheIssuerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := ed("old"), ed("fresh")
		iss := &issuer{}
		iss.keys(old)
		s := open(t, iss, jwks.Config{})
		wantKey(t, s, old)
		elapse(time.Minute)
		iss.down()
		before := iss.count()
		for range 6000 { // a minute
			if u := wantUnavailable(t, s, fresh); u.RetryAfter > 5*time.Second {
				t.Fatalf("retry after %v, though a new kid may be asked for sooner", u.RetryAfter)
			}
			wantKey(t, s, old)
			elapse(10 * time.Millisecond)
		}
		// One per interval and the burst, beside the background's own back-off.
		if n := iss.count() - before; n > 2+12+12 {
			t.Errorf("a minute of flood caused %d requests to a down issuer", n)
		}
		iss.keys(fresh)
		elapse(5 * time.Second)
		wantKey(t, s, fresh)
	})
}
