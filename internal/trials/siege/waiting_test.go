package siege_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// inUse is what heap and stacks take after the garbage has gone.
func inUse() (onHeap, inStacks int64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse)
}

// TestOneSourceFillsTheRoom: 50,000 requests of one source wait before a slow
// endpoint. They cost what is documented, and another source's single request is
// served as if they were not there.
func TestOneSourceFillsTheRoom(t *testing.T) {
	requests, maxWaiting := 50_000, 8192
	if requests > mostGoroutines {
		requests, maxWaiting = mostGoroutines-500, 4096
	}
	const each = 1 << 10 // bytes, as Config.MaxWaiting says
	const noise = 1 << 20
	synctest.Test(t, func(t *testing.T) {
		d := &desk{latency: time.Second}
		h := furnish(t, d, introspection.Config{
			Endpoint: "https://id.example.test/introspect", HTTPClient: &http.Client{Transport: inMemory{d}},
			MaxWaiting: maxWaiting,
		}, nil)
		h.knock("warm", "warm", "/orders", "good-known")
		start := make(chan struct{})
		var crowd sync.WaitGroup
		for i := range requests {
			crowd.Go(func() {
				token := strings.Repeat("made-up-", 12) + strconv.Itoa(i)
				<-start
				h.knock("crowd", "crowd", "/orders", token)
			})
		}
		synctest.Wait()
		heapBefore, stacksBefore := inUse()
		warm := d.asked()
		close(start)
		synctest.Wait()
		heapAfter, stacksAfter := inUse()
		by, refused, run := h.answers("crowd")
		working := d.asked() - warm
		waits := requests - refused - working
		t.Logf("%d wait, %d under way, %v refused at once, %d 5xx in a row; %d bytes each, and %d of stack", waits, working, by, run,
			(heapAfter-heapBefore)/int64(waits), (stacksAfter-stacksBefore)/int64(waits))
		if waits > maxWaiting {
			t.Errorf("%d wait, wanted at most %d", waits, maxWaiting)
		}
		if by[http.StatusTooManyRequests] != refused {
			t.Errorf("the others were answered %v, wanted 429", by)
		}
		// The request, the recorder and its header are the test's own.
		t.Logf("heap grew by %d KiB, stacks by %d KiB", (heapAfter-heapBefore)>>10, (stacksAfter-stacksBefore)>>10)

		before := d.asked()
		if got := h.knock("single", "single", "/orders", "good-single"); got != http.StatusOK {
			t.Errorf("a single request of another source was answered %d", got)
		}
		calls := d.place("good-single") - before
		t.Logf("%d calls began before its own", calls)
		if calls < 0 || calls > 1 {
			t.Errorf("%d calls began before the single one's, wanted one at most", calls)
		}
		crowd.Wait()
		by, _, run = h.answers("crowd")
		t.Logf("in the end %v, %d 5xx in a row", by, run)
		if by[http.StatusTooManyRequests]+by[http.StatusUnauthorized] != requests {
			t.Errorf("the crowd was answered %v, wanted 401 and 429", by)
		}
		// Under the race detector half as many wait, and what a test's own request takes
		// there is most of it.
		if grown := heapAfter - heapBefore; grown > int64(2*each*maxWaiting+noise) && requests == 50_000 {
			t.Errorf("%d bytes for %d who wait, wanted %d each", grown, waits, each)
		}
	})
}

// TestOneSourceIsNoOther: single requests of many sources among a crowd, each
// within two turns, one after another.
func TestOneSourceIsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{latency: 100 * time.Millisecond, stagger: 37 * time.Microsecond}
		h := furnish(t, d, introspection.Config{
			Endpoint: "https://id.example.test/introspect", HTTPClient: &http.Client{Transport: inMemory{d}},
		}, nil)
		var crowd sync.WaitGroup
		for i := range 5000 {
			crowd.Go(func() { h.knock("crowd", "crowd", "/orders", fmt.Sprint("good-crowd-", i)) })
		}
		synctest.Wait()
		for i := range 10 {
			<-time.After(130*time.Millisecond + time.Microsecond)
			synctest.Wait() // who ends at this moment has ended
			token := fmt.Sprint("good-single-", i)
			before, began := d.asked(), time.Now()
			if got := h.knock("single", "single", "/orders", token); got != http.StatusOK {
				t.Errorf("a single request of another source was answered %d", got)
			}
			if calls := d.place(token) - before; calls > 1 {
				t.Errorf("%d calls began before the single one's", calls)
			}
			if took := time.Since(began); took > 2*(100+37)*time.Millisecond {
				t.Errorf("it took %v, wanted two turns at most", took)
			}
		}
		crowd.Wait()
	})
}
