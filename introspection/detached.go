package introspection

import (
	"context"
	"errors"
	"sync"
)

// errClosed is the cause once Close was called.
var errClosed = errors.New("the client is closed")

// detached keeps count of the calls that belong to the Client and not to one of
// its callers, so that Close can end them and wait.
type detached struct {
	mu      sync.Mutex
	closed  bool
	cancels map[int]context.CancelFunc
	next    int
	running sync.WaitGroup
}

// begin returns the context of a new call and what ends it, or that the client is
// closed.
func (d *detached) begin() (context.Context, func(), error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil, unavailable(errClosed, 0)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if d.cancels == nil {
		d.cancels = make(map[int]context.CancelFunc)
	}
	id := d.next
	d.next++
	d.cancels[id] = cancel
	d.running.Add(1)
	return ctx, func() {
		cancel()
		d.mu.Lock()
		delete(d.cancels, id)
		d.mu.Unlock()
		d.running.Done()
	}, nil
}

// close cancels all calls, lets no other begin, and waits.
func (d *detached) close() {
	d.mu.Lock()
	d.closed = true
	for _, cancel := range d.cancels {
		cancel()
	}
	d.mu.Unlock()
	d.running.Wait()
}
