package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// flaky is a store of answers that fails now and then, so that there are calls and
// events of such a store. It keeps all for ever, and is for one instance: package fleet
// has one for many.
type flaky struct {
	mu    sync.Mutex
	calls int
	kept  map[introspection.SharedKey][]byte
}

var _ introspection.Shared = (*flaky)(nil)

// fails reports whether a call fails: the first one does, and one in so many.
func (f *flaky) fails() bool {
	const oneIn = 25
	f.calls++
	return f.calls%oneIn == 1
}

// Load implements [introspection.Shared].
func (f *flaky) Load(_ context.Context, q introspection.SharedKey) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails() {
		return nil, errors.New("the demonstration's store fails")
	}
	return f.kept[q], nil
}

// Save implements [introspection.Shared].
func (f *flaky) Save(_ context.Context, q introspection.SharedKey, a introspection.SharedAnswer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.Active {
		f.kept[q] = a.Data
	}
	return nil
}

// Lease implements [introspection.Shared]: nobody else asks.
func (f *flaky) Lease(context.Context, introspection.SharedKey, time.Duration) (bool, error) {
	return true, nil
}
