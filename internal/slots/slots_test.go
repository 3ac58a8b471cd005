package slots

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestAllSlotsWorkWhileSomeWait: as many verify at once as there are slots, also
// while others wait, never more, and afterwards half cost no more than counting
// again.
func TestAllSlotsWorkWhileSomeWait(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8, 17} {
		t.Run(fmt.Sprint(n, " slots"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPool(n, time.Hour)
				var mu sync.Mutex
				now, peak := 0, 0
				enter := func(by int) {
					mu.Lock()
					defer mu.Unlock()
					now += by
					peak = max(peak, now)
				}
				var crowd sync.WaitGroup
				for i := range 20 * n {
					crowd.Go(func() {
						turn, err := p.Acquire(context.Background(), fmt.Sprint("source ", i%5))
						if err != nil {
							t.Error(err)
							return
						}
						enter(1)
						<-time.After(time.Duration(10+i%3) * time.Millisecond)
						enter(-1)
						p.Release(turn)
					})
				}
				<-time.After(25 * time.Millisecond) // each slot was given back once at least
				synctest.Wait()
				if p.room.Waiting() == 0 {
					t.Fatal("nobody waits, so this test shows nothing")
				}
				mu.Lock()
				working := now
				mu.Unlock()
				if working != n || p.working() != n {
					t.Errorf("%d verify, and %d are counted, while %d wait; want %d", working, p.working(), p.room.Waiting(), n)
				}
				crowd.Wait()
				if peak != n {
					t.Errorf("%d verified at once, want %d", peak, n)
				}
				if p.counted.Load() != 0 || p.lent.Load() != 0 || p.room.Working() != 0 {
					t.Errorf("afterwards %d are counted, %d lent and %d have a turn", p.counted.Load(), p.lent.Load(), p.room.Working())
				}
				for i := range n / 2 {
					if turn, err := p.Acquire(context.Background(), ""); turn != nil || err != nil {
						t.Errorf("slot %d is not one that is counted: %v", i, err)
					}
				}
			})
		})
	}
}

// TestNoMoreThanTheSlots holds as well when requests come and go at any moment.
func TestNoMoreThanTheSlots(t *testing.T) {
	const n = 4
	p := newPool(n, time.Hour)
	var now atomic.Int64
	var crowd sync.WaitGroup
	for i := range 16 {
		crowd.Go(func() {
			for round := range 2000 {
				ctx, cancel := context.WithCancel(context.Background())
				if (i+round)%5 == 0 {
					cancel() // gives up at once, if it must wait
				}
				if turn, err := p.Acquire(ctx, fmt.Sprint(i%3)); err == nil {
					if got := now.Add(1); got > n {
						t.Errorf("%d at once, want at most %d", got, n)
					}
					now.Add(-1)
					p.Release(turn)
				}
				cancel()
			}
		})
	}
	crowd.Wait()
	if p.counted.Load() != p.lent.Load() || p.room.Working() != 0 || p.room.Waiting() != 0 {
		t.Errorf("afterwards %d are counted and %d lent, %d have a turn and %d wait", p.counted.Load(), p.lent.Load(), p.room.Working(), p.room.Waiting())
	}
}
