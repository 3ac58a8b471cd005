package introspection_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/introspection"
)

// ask asks about token on behalf of source, and says what came of it.
func ask(ctx context.Context, c *introspection.Client, source, token string) string {
	return verdict(c.Ask(ctx, introspection.Question{Token: token, Source: source}))
}

// askFresh asks for an answer from now on.
func askFresh(ctx context.Context, c *introspection.Client, source, token string) string {
	return verdict(c.Ask(ctx, introspection.Question{Token: token, Source: source, MaxAge: new(time.Duration)}))
}

// tally counts what came of several calls.
type tally struct {
	mu sync.Mutex
	of map[string]int
}

func (n *tally) add(verdict string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil {
		n.of = make(map[string]int)
	}
	n.of[verdict]++
}

// want compares the counts with what they must be.
func (n *tally) want(t *testing.T, who string, want map[string]int) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if diff := cmp.Diff(want, n.of); diff != "" {
		t.Errorf("%s (-want +got):\n%s", who, diff)
	}
}

// all is the count of n calls that all came to the same.
func all(n int, verdict string) map[string]int { return map[string]int{verdict: n} }

// besiege has n goroutines each do something again and again, with a pause in
// between, until stop is called, which waits for them.
func besiege(n int, pause time.Duration, do func(i, round int)) (stop func()) {
	var siege sync.WaitGroup
	over := make(chan struct{})
	for i := range n {
		siege.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-over:
					return
				default:
				}
				do(i, round)
				elapse(pause)
			}
		})
	}
	return func() {
		close(over)
		siege.Wait()
	}
}

// crowd makes n calls, one begun after each interval whatever became of those
// before it, and waits for all.
func crowd(n int, interval time.Duration, do func(i int)) {
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() { do(i) })
		elapse(interval)
	}
	calls.Wait()
}
