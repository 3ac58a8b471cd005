package turns_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/internal/turns"
)

// crowd queues tickets and keeps what became of each.
type crowd struct {
	room *turns.Room
	mu   sync.Mutex
	got  []string // "name" for a turn, "name: why" for a refusal, in order
	has  map[string]*turns.Ticket
}

func newCrowd(cfg turns.Config) *crowd {
	return &crowd{room: turns.New(cfg), has: make(map[string]*turns.Ticket)}
}

func (c *crowd) queue(source, name string) *turns.Ticket {
	t := new(turns.Ticket)
	t.Done = func(err error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			name += ": " + err.Error()
		}
		c.got = append(c.got, name)
	}
	c.has[name] = t
	c.room.Queue(source, t)
	return t
}

func (c *crowd) leave(name string) { c.room.Leave(c.has[name]) }

func (c *crowd) want(t *testing.T, want ...string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(want, c.got); diff != "" {
		t.Fatalf("turns and refusals in order (-want +got):\n%s", diff)
	}
}

func one(maxWaiting int) turns.Config {
	return turns.Config{AtOnce: 1, MaxWaiting: maxWaiting, MaxWait: time.Second}
}

func TestTurnsAreFairBySource(t *testing.T) {
	c := newCrowd(one(100))
	for i := range 4 {
		c.queue("many", fmt.Sprint("many", i))
	}
	c.queue("few", "few0")
	c.queue("one", "one0")
	c.queue("few", "few1")
	for _, next := range []string{"many0", "few0", "one0", "many1", "few1"} {
		c.leave(next)
	}
	c.want(t, "many0", "few0", "one0", "many1", "few1", "many2")
}

// Somebody who holds a turn for long does not get the next one as well.
func TestWhoHoldsFewestIsNext(t *testing.T) {
	c := newCrowd(turns.Config{AtOnce: 3, MaxWaiting: 100, MaxWait: time.Second})
	for i := range 10 {
		c.queue("slow", fmt.Sprint("slow", i))
	}
	c.queue("quick", "quick0")
	c.queue("quick", "quick1")
	c.queue("quick", "quick2")
	c.leave("slow0")
	c.leave("quick0")
	c.leave("quick1")
	c.leave("quick2")
	c.want(t, "slow0", "slow1", "slow2", "quick0", "quick1", "quick2", "slow3")
}

func TestFullRoom(t *testing.T) {
	c := newCrowd(one(3))
	share := ": " + turns.ErrShare.Error()
	c.queue("many", "works")
	c.queue("many", "many1")
	c.queue("many", "many2")
	c.queue("many", "many3")
	c.queue("many", "many4") // its source has most
	c.queue("other", "other1")
	c.queue("other", "other2")
	c.queue("third", "third1")
	c.want(t, "works", "many4"+share, "many3"+share, "other2"+share, "many2"+share)
}

func TestMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(one(100))
		c.queue("many", "works")
		c.queue("many", "many1")
		c.queue("many", "many2")
		elapse(time.Second / 2)
		c.queue("lone", "lone1")
		elapse(time.Second / 2)
		synctest.Wait()
		c.want(t, "works", "many1: "+turns.ErrShare.Error(), "many2: "+turns.ErrShare.Error())
		elapse(time.Second / 2)
		synctest.Wait()
		c.want(t, "works", "many1: "+turns.ErrShare.Error(), "many2: "+turns.ErrShare.Error(), "lone1: "+turns.ErrTooLong.Error())
	})
}

func TestDropped(t *testing.T) {
	c := newCrowd(one(100))
	c.queue("a", "a0")
	a1 := c.queue("a", "a1")
	c.queue("a", "a2")
	if !c.room.Drop(a1) || c.room.Drop(a1) || c.room.Drop(c.has["a0"]) {
		t.Error("Drop takes out those who wait, once")
	}
	c.leave("a0")
	c.leave("a1") // has none
	c.want(t, "a0", "a2")
	if c.room.Waiting() != 0 || c.room.Working() != 1 {
		t.Errorf("%d wait and %d work, wanted 0 and 1", c.room.Waiting(), c.room.Working())
	}
}

func TestEnter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := turns.New(one(100))
		var first, second turns.Ticket
		if err := room.Enter(t.Context(), "a", &first); err != nil {
			t.Fatal(err)
		}
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second/2, func() { cancel(gone) })
		if err := room.Enter(ctx, "a", &second); err != gone {
			t.Errorf("got %v, wanted the cause of the context's end", err)
		}
		room.Leave(&first)
		if err := room.Enter(t.Context(), "a", new(turns.Ticket)); err != nil {
			t.Errorf("the one that gave up keeps a turn: %v", err)
		}
	})
}

func TestLimit(t *testing.T) {
	c := newCrowd(turns.Config{AtOnce: 4, MaxWaiting: 100, MaxWait: time.Second})
	for i := range 6 {
		c.queue("a", fmt.Sprint("a", i))
	}
	c.room.SetLimit(2)
	c.leave("a0")
	c.leave("a1")
	c.want(t, "a0", "a1", "a2", "a3")
	c.leave("a2")
	c.room.SetLimit(100)
	c.want(t, "a0", "a1", "a2", "a3", "a4", "a5")
}

// A turn that lasts is taken away for a source that holds fewer, one at a time,
// and never for one that holds as many.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(turns.Config{AtOnce: 2, MaxWaiting: 100, MaxWait: time.Minute})
		c.room.SetHold(time.Second)
		var taken []string
		queue := func(source, name string) {
			ticket := &turns.Ticket{Done: func(error) {}}
			ticket.Taken = func() { taken = append(taken, name); c.room.Leave(ticket) }
			c.room.Queue(source, ticket)
		}
		queue("hangs", "hangs0")
		queue("hangs", "hangs1")
		queue("hangs", "hangs2")
		elapse(time.Hour)
		synctest.Wait()
		if taken != nil {
			t.Fatalf("%v were taken for their own source", taken)
		}
		queue("hangs", "hangs3")
		queue("a", "a0")
		queue("b", "b0")
		synctest.Wait()
		if diff := cmp.Diff([]string{"hangs0", "hangs1"}, taken); diff != "" {
			t.Errorf("taken away (-want +got):\n%s", diff)
		}
	})
}

func TestClose(t *testing.T) {
	c := newCrowd(one(100))
	c.queue("a", "a0")
	c.queue("a", "a1")
	c.room.Close()
	c.queue("a", "a2")
	c.want(t, "a0", "a1: closed", "a2: closed")
}

func TestIPv6SourcesAreNetworks(t *testing.T) {
	c := newCrowd(one(100))
	c.queue("2001:db8:0:1::1", "network0")
	c.queue("2001:db8:0:1::2", "network1")
	c.queue("2001:db8:0:1:ffff::3", "network2")
	c.queue("192.0.2.1", "another")
	c.leave("network0")
	c.leave("another")
	c.leave("network1")
	c.want(t, "network0", "another", "network1", "network2")
}

// Who waits costs little, and all of it comes back.
func TestMemoryOfWaiters(t *testing.T) {
	const waiters, most = 8192, 400 // bytes for each: its ticket, its source, their places
	room := turns.New(turns.Config{AtOnce: 1, MaxWaiting: waiters, MaxWait: time.Hour})
	room.Queue("first", &turns.Ticket{Done: func(error) {}})
	done := func(error) {}
	names := make([]string, waiters)
	for i := range names {
		names[i] = fmt.Sprint("source ", i)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 50_000 {
		room.Queue(names[i%waiters], &turns.Ticket{Done: done})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int64(after.HeapAlloc-before.HeapAlloc) / waiters
	t.Logf("%d bytes for each of %d, all of different sources", each, waiters)
	if room.Waiting() != waiters || each > most {
		t.Errorf("%d wait at %d bytes each, wanted %d at %d at most", room.Waiting(), each, waiters, most)
	}
	room.Close()
	runtime.KeepAlive(names)
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pace := &turns.Pace{Patience: 100, OneIn: 10, Rates: []float64{50, 5}}
		begun := func(d time.Duration, every int) (n int) {
			for end := time.Now().Add(d); time.Now().Before(end); {
				if wait := pace.Take(time.Now()); wait > 0 {
					elapse(wait)
					continue
				}
				if n++; every > 0 && n%every == 0 {
					pace.Good(time.Now())
				}
				elapse(time.Millisecond)
			}
			return n
		}
		if n := begun(10*time.Second, 10); n < 9000 {
			t.Errorf("%d turns while one in ten is good, wanted no bound", n)
		}
		if n := begun(2*time.Second, 0); n < 180 || n > 250 {
			t.Errorf("%d turns in two seconds without a good one, wanted about 100, then 50 a second", n)
		}
		begun(10*time.Second, 0)
		if n := begun(10*time.Second, 0); n < 45 || n > 55 {
			t.Errorf("%d turns in ten seconds later, wanted about 50", n)
		}
		pace.Good(time.Now())
		if n := begun(time.Second, 10); n < 900 {
			t.Errorf("%d turns in a second after a good one, wanted no bound", n)
		}
	})
}

func BenchmarkEnter(b *testing.B) {
	room := turns.New(turns.Config{AtOnce: 8, MaxWaiting: 100, MaxWait: time.Second})
	b.ReportAllocs()
	for b.Loop() {
		t := turns.Ticket{Done: func(error) {}}
		room.Queue("192.0.2.1", &t)
		room.Leave(&t)
	}
}

// elapse lets fake time pass in a synctest bubble.
func elapse(d time.Duration) { <-time.After(d) }
