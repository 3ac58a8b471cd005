package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// serve is one process: instances that validate a token of each client, over and over,
// and say when they refuse it first.
func serve(ctx context.Context, address, issuer string, in io.Reader, instances, rate int) error {
	var tokens []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		tokens = append(tokens, lines.Text())
	}
	if err := lines.Err(); err != nil {
		return err
	}
	var running sync.WaitGroup
	var served atomic.Int64
	for range instances {
		shared, err := open(address)
		if err != nil {
			return err
		}
		defer shared.Close()
		v, err := validator.New(validator.Config{
			Issuers:     []validator.Issuer{{URL: issuer, Audience: []string{issuertest.Audience}}},
			Revocations: shared.Revocations(),
			Observer:    observe.Observer{Event: func(context.Context, *observe.Event) {}}, // no log
		})
		if err != nil {
			return err
		}
		defer v.Close()
		for _, token := range tokens {
			for {
				if _, err := v.Verify(ctx, token); err == nil {
					break
				}
				time.Sleep(10 * time.Millisecond) // the list is not filled yet
			}
		}
		fmt.Println("ready 0 0")
		running.Go(func() { load(ctx, v, tokens, rate/instances, &served) })
		running.Go(func() { watch(ctx, shared.Revocations(), v, tokens) })
	}
	running.Wait()
	fmt.Println("served", served.Load(), 0)
	return nil
}

// load sends requests at a rate, evenly.
func load(ctx context.Context, v *validator.Validator, tokens []string, rate int, served *atomic.Int64) {
	ticker := time.NewTicker(time.Second / time.Duration(max(1, rate)))
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_, _ = v.Verify(ctx, tokens[n%len(tokens)]) // who watches asks for its outcome
			served.Add(1)
		}
	}
}

// watch asks about each client that is let in yet, whenever the list has changed.
func watch(ctx context.Context, list *revocation.List, v *validator.Validator, tokens []string) {
	var left []int
	for n := range tokens {
		left = append(left, n)
	}
	for {
		changed := list.Changed()
		left = slices.DeleteFunc(left, func(n int) bool {
			_, err := v.Verify(ctx, tokens[n])
			if !errors.Is(err, validator.ErrInvalidToken) {
				return false
			}
			fmt.Println("refused", n, time.Now().UnixNano())
			return true
		})
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// summary returns quantiles and the maximum of durations.
func summary(took []time.Duration) (quantile func(float64) time.Duration, highest time.Duration) {
	sorted := slices.Sorted(slices.Values(took))
	return func(q float64) time.Duration { return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))] }, sorted[len(sorted)-1]
}

// What is promised: an entry is everywhere within a second, and as a rule at once.
const (
	mostP99  = 250 * time.Millisecond
	mostEver = time.Second
)

// judge says what of that was not held.
func judge(took []time.Duration) error {
	quantile, highest := summary(took)
	if p99 := quantile(0.99); p99 >= mostP99 || highest >= mostEver {
		return fmt.Errorf("p99 is %v and the maximum %v, wanted less than %v and %v", p99, highest, mostP99, mostEver)
	}
	return nil
}
