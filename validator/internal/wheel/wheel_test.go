package wheel

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// thing ends at a time, or when it is told to.
type thing struct {
	place Place
	wheel *Wheel
	until time.Time
	told  atomic.Bool
	looks atomic.Int32
	ended time.Time // of Look or End
	shut  bool
}

func (t *thing) Look() (time.Duration, bool) {
	t.looks.Add(1)
	now := time.Now()
	if t.told.Load() || !now.Before(t.until) {
		t.ended = now
		return 0, true
	}
	return t.until.Sub(now), false
}

func (t *thing) End() { t.ended, t.shut = time.Now(), true }

func (w *Wheel) watch(d time.Duration) *thing {
	t := &thing{wheel: w, until: time.Now().Add(d)}
	w.Add(&t.place, t, d)
	return t
}

// news is a Source.
type news struct {
	mu         sync.Mutex
	generation uint64
	changed    chan struct{}
}

func (n *news) Changed() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.changed == nil {
		n.changed = make(chan struct{})
	}
	return n.changed
}

func (n *news) Generation() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.generation
}

func (n *news) change() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.generation++
	if n.changed != nil {
		close(n.changed)
		n.changed = nil
	}
}

// TestEachEndsInTime: within a second after its time and never before, however many
// there are, wherever the second begins, and whatever ends meanwhile.
func TestEachEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		w := New(nil)
		defer w.Close()
		var all, gone []*thing
		for range 2000 {
			<-time.After(time.Duration(r.Int64N(int64(50 * time.Millisecond))))
			all = append(all, w.watch(time.Duration(r.Int64N(int64(2*time.Minute)))))
			if r.IntN(4) == 0 {
				n := r.IntN(len(all))
				synctest.Wait()
				if all[n].ended.IsZero() {
					w.Remove(&all[n].place)
					w.Remove(&all[n].place)
					gone = append(gone, all[n])
					all = append(all[:n], all[n+1:]...)
				}
			}
		}
		<-time.After(2*time.Minute + 2*time.Second)
		synctest.Wait()
		for _, x := range all {
			if late := x.ended.Sub(x.until); late < 0 || late > tick || x.shut {
				t.Errorf("ended %v after its time", late)
			}
			if looks := x.looks.Load(); looks > 12 {
				t.Errorf("was looked at %d times", looks)
			}
		}
		for _, x := range gone {
			if !x.ended.IsZero() {
				t.Error("what was removed was ended")
			}
		}
		if w.Len() != 0 {
			t.Errorf("%d are left", w.Len())
		}
	})
}

// TestNothingIsForgotten: each thing is looked at now and then, whatever it asks for.
func TestNothingIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(nil)
		defer w.Close()
		x := w.watch(24 * time.Hour)
		<-time.After(time.Hour)
		if looks := x.looks.Load(); looks < 239 || looks > 241 {
			t.Errorf("looked at %d times in an hour", looks)
		}
		x.told.Store(true)
		began := time.Now()
		<-time.After(MaxWait + tick)
		synctest.Wait()
		if x.ended.IsZero() || x.ended.Sub(began) > MaxWait {
			t.Error("not seen in time")
		}
	})
}

// TestChanges: all are looked at when something changes, once for many changes, and a
// change that comes while the goroutine begins is not lost.
func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(news)
		w := New(n)
		defer w.Close()
		x, other := w.watch(time.Hour), w.watch(time.Hour)
		x.told.Store(true)
		n.change()
		synctest.Wait()
		if x.ended.IsZero() || !other.ended.IsZero() {
			t.Fatalf("ended: %v, %v", x.ended, other.ended)
		}
		<-time.After(time.Second)
		before := other.looks.Load()
		for range 1000 {
			<-time.After(time.Millisecond)
			n.change()
		}
		last := time.Now()
		other.told.Store(true)
		n.change()
		<-time.After(pace)
		synctest.Wait()
		if looks := other.looks.Load() - before; looks > 13 {
			t.Errorf("a thousand changes in a second cost %d looks", looks)
		}
		if other.ended.IsZero() || other.ended.Sub(last) > pace {
			t.Error("the last change was not seen in time")
		}
	})
}

// TestGoroutine: there is one while there is something to watch, and none afterwards.
func TestGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(new(news))
		goroutines := func(want int) {
			t.Helper()
			synctest.Wait()
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			if got := bytes.Count(stacks, []byte("(*Wheel).run(")); got != want {
				t.Errorf("%d goroutines, wanted %d", got, want)
			}
		}
		goroutines(0)
		for range 3 {
			var all []*thing
			for range 1000 {
				all = append(all, w.watch(time.Hour))
			}
			goroutines(1)
			for _, x := range all {
				w.Remove(&x.place)
			}
			<-time.After(2 * tick)
			goroutines(0)
		}
		x := w.watch(time.Hour)
		w.Close()
		w.Close()
		goroutines(0)
		if !x.shut || w.Len() != 0 {
			t.Error("Close ended nothing")
		}
		late := &thing{wheel: w}
		if w.Add(&late.place, late, 0) {
			t.Error("a wheel that was closed takes things")
		}
	})
}

// TestRaces opens, ends and changes at once.
func TestRaces(t *testing.T) {
	n := new(news)
	w := New(n)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for k := range 500 {
				x := &thing{wheel: w, until: time.Now().Add(time.Hour)}
				w.Add(&x.place, x, time.Hour)
				if k%3 == 0 {
					n.change()
				}
				w.Remove(&x.place)
			}
		})
	}
	wg.Wait()
	if w.Len() != 0 {
		t.Errorf("%d are left", w.Len())
	}
	w.Close()
}
