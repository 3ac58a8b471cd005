// Package measure times subjects side by side. All subjects of a group take
// turns, one batch of operations each, for a number of rounds: whatever else the
// machine does in the meantime meets all of them alike. The figure of a subject
// is the median of its batches.
package measure

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Subject is something to be timed.
type Subject struct {
	Name string
	// Worker returns an operation for the use of one goroutine. The operation
	// gets a number from 0 on, another one each time within a batch, and fails
	// if it did not do what it is timed for.
	Worker func() func(i int) error
	// Prepare is called before each batch, outside the time, with the number of
	// operations to come. It may be nil.
	Prepare func(n int) error
	// Most is how many operations a batch may have; 0 means any number.
	Most int
	// Workers is how many goroutines a batch runs on; 0 leaves it to Cores.
	Workers int
}

// Each is a Worker for an operation that is safe for concurrent use and cares
// about no number.
func Each(operation func() error) func() func(int) error {
	return func() func(int) error { return func(int) error { return operation() } }
}

// Options say how long to measure.
type Options struct {
	Count int           // batches of each subject, at least 1
	Batch time.Duration // the aimed-at length of a batch
}

// Cores says on how many goroutines a batch runs.
type Cores bool

// One goroutine, or one for each processor.
const (
	One Cores = false
	All Cores = true
)

// Result is what one subject cost per operation.
type Result struct {
	Name string
	// Time is the median in nanoseconds: of a batch's wall time divided by its
	// operations, so on all cores it is the inverse of the throughput.
	Time float64
	// Allocs and Bytes are the medians of the heap allocations, rounded down as
	// package testing does.
	Allocs, Bytes uint64
	// Samples are the batches' times, in the order in which they were taken.
	Samples []float64
}

// Results are those of one group.
type Results []Result

// Get returns the result with a name. It panics if there is none: names are
// written in the code.
func (r Results) Get(name string) Result {
	i := slices.IndexFunc(r, func(r Result) bool { return r.Name == name })
	if i < 0 {
		panic("measure: no result of " + name)
	}
	return r[i]
}

// batch is what one batch took.
type batch struct {
	elapsed       time.Duration
	allocs, bytes uint64
}

// Run measures a group.
func Run(group []Subject, cores Cores, o Options) (Results, error) {
	sizes := make([]int, len(group))
	for i, s := range group {
		n, err := s.size(cores, o.Batch)
		if err != nil {
			return nil, err
		}
		sizes[i] = n
	}
	samples := make([][]batch, len(group))
	for round := range o.Count {
		for turn := range group {
			i := (turn + round) % len(group) // nobody always follows the same neighbour
			b, err := group[i].run(cores, sizes[i])
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], b)
		}
	}
	results := make(Results, len(group))
	for i, s := range group {
		results[i] = summarize(s.Name, samples[i], sizes[i])
	}
	return results, nil
}

func summarize(name string, samples []batch, n int) Result {
	r := Result{Name: name}
	var allocs, bytes []uint64
	for _, b := range samples {
		r.Samples = append(r.Samples, float64(b.elapsed)/float64(n))
		allocs = append(allocs, b.allocs/uint64(n))
		bytes = append(bytes, b.bytes/uint64(n))
	}
	r.Time, r.Allocs, r.Bytes = Median(r.Samples), lowerMedian(allocs), lowerMedian(bytes)
	return r
}

// size finds how many operations take as long as a batch should.
func (s *Subject) size(cores Cores, want time.Duration) (int, error) {
	n := 1
	for {
		if s.Most > 0 && n >= s.Most {
			return s.Most, nil
		}
		b, err := s.run(cores, n)
		if err != nil {
			return 0, err
		}
		if b.elapsed >= want/4 {
			n = max(1, int(float64(n)*float64(want)/float64(b.elapsed)))
			if s.Most > 0 {
				n = min(n, s.Most)
			}
			return n, nil
		}
		n *= 2
	}
}

// run times n operations.
func (s *Subject) run(cores Cores, n int) (batch, error) {
	if s.Prepare != nil {
		if err := s.Prepare(n); err != nil {
			return batch{}, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	workers := 1
	if cores == All {
		workers = runtime.GOMAXPROCS(0)
	}
	if s.Workers > 0 {
		workers = s.Workers
	}
	run := s.start(workers, n)
	runtime.GC() // nobody pays for what another one left
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begun := time.Now()
	err := run()
	elapsed := time.Since(begun)
	runtime.ReadMemStats(&after)
	if err != nil {
		return batch{}, fmt.Errorf("%s: %w", s.Name, err)
	}
	return batch{elapsed, after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc}, nil
}

// start makes the operations of all workers and returns what runs them: each
// worker a share of the numbers below n.
func (s *Subject) start(workers, n int) func() error {
	if workers == 1 {
		operation := s.Worker()
		return func() error { return repeat(operation, 0, n) }
	}
	operations := make([]func(int) error, workers)
	for w := range operations {
		operations[w] = s.Worker()
	}
	return func() error {
		var wait sync.WaitGroup
		failures := make([]error, workers)
		for w, operation := range operations {
			wait.Go(func() { failures[w] = repeat(operation, n*w/workers, n*(w+1)/workers) })
		}
		wait.Wait()
		for _, err := range failures {
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func repeat(operation func(int) error, from, to int) error {
	for i := from; i < to; i++ {
		if err := operation(i); err != nil {
			return err
		}
	}
	return nil
}

// Median returns the median of values, 0 if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// PerSecond returns the median of operations a second, and those of the slowest and the
// fastest batch.
func (r Result) PerSecond() (median, lowest, highest float64) {
	return 1e9 / r.Time, 1e9 / slices.Max(r.Samples), 1e9 / slices.Min(r.Samples)
}

// lowerMedian is the median of counts, without halves.
func lowerMedian(counts []uint64) uint64 {
	sorted := slices.Sorted(slices.Values(counts))
	return sorted[(len(sorted)-1)/2]
}
