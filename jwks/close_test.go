package jwks_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

func wantClosed(t *testing.T, s *jwks.KeySet, k key, got *jwks.Key) {
	t.Helper()
	wantUnavailable(t, s, k)
	if s.Usable(got) {
		t.Error("a key is usable after Close")
	}
	if err := s.Ready(t.Context()); !errors.Is(err, jwks.ErrUnavailable) {
		t.Errorf("Ready after Close: %v", err)
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ed("a")
		iss := &issuer{}
		iss.keys(k)
		s := open(t, iss, jwks.Config{})
		got := wantKey(t, s, k)
		s.Close()
		wantClosed(t, s, k, got)
		wantNoMore := iss.count()
		elapse(48 * time.Hour)
		wantCount(t, iss, wantNoMore)
		s.Close()
		wantClosed(t, s, k, got)
	})
}

func TestCloseOfAFixedSet(t *testing.T) {
	k := ed("a")
	s, err := jwks.New(jwks.Config{Set: set(k)})
	if err != nil {
		t.Fatal(err)
	}
	got := wantKey(t, s, k)
	s.Close()
	s.Close()
	wantClosed(t, s, k, got)
}

func TestCloseEndsAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, seen := ed("a"), &events{}
		iss := &issuer{}
		iss.serve(slowly(4*time.Second, answer(set(k))))
		s := open(t, iss, jwks.Config{Observer: observe.Observer{Event: seen.add}})
		errs := make(chan error, 10)
		for range cap(errs) {
			go func() {
				_, err := find(s, k)
				errs <- err
			}()
		}
		synctest.Wait()
		before := time.Now()
		s.Close()
		if waited := time.Since(before); waited != 0 {
			t.Errorf("Close waited %v for the issuer", waited)
		}
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, jwks.ErrUnavailable) {
				t.Errorf("a waiter got %v", err)
			}
		}
		if len(seen.all) != 0 {
			t.Errorf("events of a closed set: %v", seen.all)
		}
		wantClosed(t, s, k, nil)
	})
}

// Close waits for what runs on the set's behalf, the observer included.
func TestCloseWaitsForObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ed("a")
		iss := &issuer{}
		iss.keys(k)
		var done atomic.Bool
		s := open(t, iss, jwks.Config{Observer: observe.Observer{Event: func(context.Context, *observe.Event) {
			elapse(time.Second)
			done.Store(true)
		}}})
		wantKey(t, s, k) // does not wait for the observer
		if done.Load() {
			t.Error("a request waited for the observer")
		}
		s.Close()
		if !done.Load() {
			t.Error("Close did not wait for the observer")
		}
	})
}

// Requests, refreshes and Close at once: for the race detector.
func TestCloseUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ed("a")
		iss := &issuer{}
		iss.keys(k)
		s := open(t, iss, jwks.Config{RefreshInterval: time.Millisecond, MinFetchInterval: time.Millisecond})
		stop := make(chan struct{})
		for range 8 {
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(100 * time.Microsecond):
					}
					if got, err := find(s, k); err == nil {
						s.Usable(got)
					} else if !errors.Is(err, jwks.ErrUnavailable) {
						t.Error(err)
					}
					_, _ = s.Lookup(t.Context(), "made up", true, "EdDSA")
				}
			}()
		}
		elapse(100 * time.Millisecond)
		for range 2 {
			go s.Close()
		}
		elapse(10 * time.Millisecond)
		close(stop)
		synctest.Wait()
		wantClosed(t, s, k, nil)
	})
}
