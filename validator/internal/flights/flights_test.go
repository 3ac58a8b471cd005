package flights

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// leading starts a flight whose work waits for release.
func leading(g *group, of string, work func() (*int, error)) (release func(), led *sync.WaitGroup) {
	hold, led := make(chan struct{}), new(sync.WaitGroup)
	led.Go(func() {
		defer func() { _ = recover() }()
		_, _ = g.Do(context.Background(), of, func() (*int, error) {
			<-hold
			return work()
		})
	})
	synctest.Wait()
	return func() { close(hold) }, led
}

type group = Group[string, *int]

var errGaveUp = errors.New("gave up")

func newGroup() *group {
	return New[string, *int](func(err error) bool { return err == errGaveUp })
}

// Who waits for another one's work waits no longer than its context, and
// harms nobody by giving up.
func TestGivingUpWhileAnotherWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, of, want := newGroup(), "what", new(int)
		release, led := leading(g, of, func() (*int, error) { return want, nil })
		never := func() (*int, error) { t.Error("worked twice"); return nil, nil }

		impatient, giveUp := context.WithCancel(t.Context())
		giveUp()
		if p, err := g.Do(impatient, of, never); p != nil || err != ErrEnded {
			t.Errorf("got %v, %v", p, err)
		}
		var patient sync.WaitGroup
		for range 10 {
			patient.Go(func() {
				if p, err := g.Do(t.Context(), of, never); p != want || err != nil {
					t.Errorf("got %v, %v", p, err)
				}
			})
		}
		synctest.Wait()
		release()
		patient.Wait()
		led.Wait()
		if len(g.now) != 0 {
			t.Errorf("%d flights are left", len(g.now))
		}
	})
}

// What kept the one who worked from an answer keeps nobody else from trying.
func TestTheNextOneTriesForItself(t *testing.T) {
	for name, work := range map[string]func() (*int, error){
		"gave up":  func() (*int, error) { return nil, errGaveUp },
		"panicked": func() (*int, error) { panic("a bug") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, of, want := newGroup(), "what", new(int)
				release, led := leading(g, of, work)
				var next sync.WaitGroup
				tries := 0
				for range 10 {
					next.Go(func() {
						p, err := g.Do(t.Context(), of, func() (*int, error) {
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
				if tries < 1 || len(g.now) != 0 {
					t.Errorf("%d tries, and %d flights are left", tries, len(g.now))
				}
			})
		})
	}
}
