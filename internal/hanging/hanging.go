// Package hanging makes calls of what may never return: a function that is not ours, or
// a file system.
package hanging

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Calls are those of one thing. They must not be copied after the first.
type Calls struct {
	// Timeout is how long each is waited for.
	Timeout time.Duration
	// Field is what sets it, for the error.
	Field   string
	hanging atomic.Int32
}

// most is how many may go on; then there is no other.
const most = 4

// Do waits for f no longer than its time, nor than ctx, and leaves it behind.
func Do[T any](ctx context.Context, c *Calls, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if c.hanging.Load() >= most {
		return none, fmt.Errorf("%d calls go on beyond their time (%s), so there is no other", most, c.Field)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	done := make(chan result, 1)
	c.hanging.Add(1)
	go func() {
		var r result
		defer func() {
			if value := recover(); value != nil {
				r.err = fmt.Errorf("it panicked with a %T", value)
			}
			c.hanging.Add(-1)
			done <- r
		}()
		r.value, r.err = f(ctx)
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
