package registry

import (
	"context"
	"errors"
)

// call asks and waits no longer than ctx, whatever Ask does.
func (r *Registry[A, T]) call(ctx context.Context, name string) (none A, err error) {
	if r.stuck.Load() >= maxStuck {
		return none, errors.New("many of its calls hang beyond their context's end")
	}
	type result struct {
		answer A
		err    error
	}
	done := make(chan result, 1)
	r.stuck.Add(1)
	go func() {
		var a result
		defer func() {
			if value := recover(); value != nil {
				a.err = &askPanic{value}
			}
			r.stuck.Add(-1)
			done <- a
		}()
		a.answer, a.err = r.cfg.Ask(ctx, name)
	}()
	select {
	case a := <-done:
		return a.answer, a.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// make is Make; a panic in it, too, is for those who wait.
func (r *Registry[A, T]) make(name string, answer A) (made T, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &askPanic{value}
		}
	}()
	return r.cfg.Make(name, answer)
}

// askPanic takes a panic of Ask or Make to the requests that wait for it: there net/http
// recovers it, and here nobody could.
type askPanic struct{ value any }

func (p *askPanic) Error() string { return "it panicked" }
