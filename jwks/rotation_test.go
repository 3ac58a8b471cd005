package jwks_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
)

// Keys come and go while many requests use them: a key that is published is
// always accepted once it is known, a new one within the least interval, and
// one that was dropped is refused from the next fetch on.
func TestRotationUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 5 * time.Second
		keys := []key{ed("0"), ed("1")}
		iss := &issuer{}
		iss.keys(keys...)
		s := open(t, iss, jwks.Config{})
		wantKey(t, s, keys[0])
		for n := 2; n < 20; n++ {
			elapse(time.Minute)
			dropped, stays, fresh := keys[0], keys[1], ed(fmt.Sprint(n))
			retiring := wantKey(t, s, dropped)
			keys = []key{stays, fresh}
			iss.serve(slowly(50*time.Millisecond, answer(set(keys...))))
			rotated := time.Now()
			done := make(chan struct{})
			for range 50 {
				go func() {
					defer func() { done <- struct{}{} }()
					for range 100 {
						if _, err := find(s, stays); err != nil {
							t.Errorf("a published key is refused: %v", err)
						}
						if _, err := find(s, fresh); err != nil && time.Since(rotated) > interval {
							t.Errorf("the new key is refused %v after the rotation: %v", time.Since(rotated), err)
						}
						elapse(100 * time.Millisecond)
					}
				}()
			}
			for range 50 {
				<-done
			}
			if s.Usable(retiring) {
				t.Fatal("a dropped key is usable")
			}
		}
	})
}

// A key that the issuer published a moment ago is found at once, also where a
// fetch ended only just before: twice in a row, and then within one interval.
func TestRotationJustAfterAFetch(t *testing.T) {
	for run := range 20 {
		synctest.Test(t, func(t *testing.T) {
			iss := &issuer{}
			s := open(t, iss, jwks.Config{})
			wantKey(t, s, rotate(iss, "a"))
			wantKey(t, s, rotate(iss, "b"))
			wantKey(t, s, rotate(iss, "c"))
			wantCount(t, iss, 3)
			fourth := rotate(iss, "d")
			wantNotFound(t, s, fourth)
			elapse(5 * time.Second)
			wantKey(t, s, fourth)
			wantCount(t, iss, 4)
		})
		if t.Failed() {
			t.Fatalf("run %d of 20", run)
		}
	}
}

// rotate publishes a new key, and it alone.
func rotate(iss *issuer, kid string) key {
	k := ed(kid)
	iss.keys(k)
	return k
}

// A fetch that was under way when a key was published does not bring it: whoever
// waited for that one gets another.
func TestRotationDuringAFetch(t *testing.T) {
	for name, c := range map[string]struct {
		before func(t *testing.T, s *jwks.KeySet) // the rotation, and begins a fetch
	}{
		"the first fetch": {func(*testing.T, *jwks.KeySet) {}},
		"a fetch for another kid": {func(t *testing.T, s *jwks.KeySet) {
			if err := s.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, fresh := ed("old"), ed("fresh")
				iss := &issuer{}
				iss.serve(onTheWay(time.Second, set(old)))
				s := open(t, iss, jwks.Config{})
				c.before(t, s)
				before := iss.count()
				first := make(chan error, 1)
				go func() {
					_, err := find(s, key{"kid": "made up", "crv": "Ed25519"})
					first <- err
				}()
				synctest.Wait()
				wantCount(t, iss, before+1)
				iss.serve(onTheWay(time.Second, set(old, fresh)))
				wantKey(t, s, fresh)
				if err := <-first; !errors.Is(err, jwks.ErrKeyNotFound) {
					t.Errorf("the made-up kid: %v", err)
				}
				wantCount(t, iss, before+2)
			})
		})
	}
}

// onTheWay sends an answer that takes its time to arrive.
func onTheWay(d time.Duration, body []byte) http.HandlerFunc { return slowly(d, answer(body)) }

// The first token of all, with a made-up kid, costs the issuer one fetch: that
// one began for it, so there is no newer answer.
func TestFirstTokenWithAMadeUpKID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := ed("old"), ed("fresh")
		iss := &issuer{}
		iss.keys(old)
		s := open(t, iss, jwks.Config{})
		wantNotFound(t, s, fresh)
		wantCount(t, iss, 1)
		elapse(time.Hour) // and an aged set likewise
		before := iss.count()
		wantNotFound(t, s, fresh)
		wantCount(t, iss, before+1)
	})
}

func TestLeastFetchIntervalKnob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := &issuer{}
		s := open(t, iss, jwks.Config{MinFetchInterval: 2 * time.Millisecond})
		wantKey(t, s, rotate(iss, "a"))
		wantKey(t, s, rotate(iss, "b"))
		wantKey(t, s, rotate(iss, "c"))
		fourth := rotate(iss, "d")
		wantNotFound(t, s, fourth)
		elapse(2 * time.Millisecond)
		wantKey(t, s, fourth)
	})
}
