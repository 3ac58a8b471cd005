package siege_test

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/observe"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	// Tests that run beside others wait for time-outs more than for a processor.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// patience is how long a test waits in real time for what must come: far longer
// than any knob, because the machine may be busy.
const patience = 15 * time.Second

// until asks every few milliseconds until f is true.
func until(t testing.TB, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !f(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// elapse lets time pass in a synctest bubble. Tickers are no way to do that under
// the race detector: if several goroutines of one bubble read ticks that are
// overdue, it crashes (golang/go#78156).
func elapse(d time.Duration) { <-time.After(d) }

// events collects what the observer is told, but for refused tokens, of which
// there are too many.
type events struct {
	mu  sync.Mutex
	all []observe.Event
}

func (e *events) observe(_ context.Context, event *observe.Event) {
	if event.Kind == observe.Refused {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, *event)
}

func (e *events) list() []observe.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

// of returns the events of a kind.
func (e *events) of(kind observe.Kind) (found []observe.Event) {
	for _, event := range e.list() {
		if event.Kind == kind {
			found = append(found, event)
		}
	}
	return found
}
