package validator

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// leading starts a flight whose work waits for release.
func leading(f *flights, of verification, work func() (*proof, error)) (release func(), led *sync.WaitGroup) {
	hold, led := make(chan struct{}), new(sync.WaitGroup)
	led.Go(func() {
		defer func() { _ = recover() }()
		_, _ = f.do(context.Background(), of, func() (*proof, error) {
			<-hold
			return work()
		})
	})
	synctest.Wait()
	return func() { close(hold) }, led
}

func newFlights() *flights { return &flights{now: make(map[verification]*flight)} }

// Who waits for another one's verification waits no longer than its context, and
// harms nobody by giving up.
func TestGivingUpWhileAnotherVerifies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, of, want := newFlights(), verification{id: fingerprint{1}}, new(proof)
		release, led := leading(f, of, func() (*proof, error) { return want, nil })
		never := func() (*proof, error) { t.Error("verified twice"); return nil, nil }

		impatient, giveUp := context.WithCancel(t.Context())
		giveUp()
		if p, err := f.do(impatient, of, never); p != nil || !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, %v", p, err)
		}
		var patient sync.WaitGroup
		for range 10 {
			patient.Go(func() {
				if p, err := f.do(t.Context(), of, never); p != want || err != nil {
					t.Errorf("got %v, %v", p, err)
				}
			})
		}
		synctest.Wait()
		release()
		patient.Wait()
		led.Wait()
		if len(f.now) != 0 {
			t.Errorf("%d flights are left", len(f.now))
		}
	})
}

// What kept the one who worked from an answer keeps nobody else from trying.
func TestTheNextOneTriesForItself(t *testing.T) {
	gone, giveUp := context.WithCancel(t.Context())
	giveUp()
	for name, work := range map[string]func() (*proof, error){
		"gave up":  func() (*proof, error) { return nil, gaveUp(gone) },
		"panicked": func() (*proof, error) { panic("a bug") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, of, want := newFlights(), verification{id: fingerprint{1}}, new(proof)
				release, led := leading(f, of, work)
				var next sync.WaitGroup
				tries := 0
				for range 10 {
					next.Go(func() {
						p, err := f.do(t.Context(), of, func() (*proof, error) {
							tries++ // one at a time
							return want, nil
						})
						if p != want || err != nil {
							t.Errorf("got %v, %v", p, err)
						}
					})
				}
				synctest.Wait()
				release()
				next.Wait()
				led.Wait()
				if tries < 1 || len(f.now) != 0 {
					t.Errorf("%d tries, and %d flights are left", tries, len(f.now))
				}
			})
		})
	}
}
