package measure_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/bench/internal/measure"
)

func TestRunCountsAndTimes(t *testing.T) {
	var mu sync.Mutex
	var numbers []int
	prepared := 0
	group := []measure.Subject{
		{Name: "allocates", Worker: func() func(int) error {
			var kept []byte
			return func(int) error { kept = append([]byte(nil), make([]byte, 1024+len(kept)%2)...); return nil }
		}},
		{Name: "numbered", Most: 50,
			Prepare: func(n int) error { prepared, numbers = n, nil; return nil },
			Worker: func() func(int) error {
				return func(i int) error {
					mu.Lock()
					defer mu.Unlock()
					numbers = append(numbers, i)
					return nil
				}
			}},
	}
	for _, cores := range []measure.Cores{measure.One, measure.All} {
		results, err := measure.Run(group[:1], cores, measure.Options{Count: 3, Batch: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		// A batch is as long as may be, so that it has Most operations on any machine.
		if _, err := measure.Run(group[1:], cores, measure.Options{Count: 3, Batch: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if r := results.Get("allocates"); r.Allocs < 1 || r.Bytes < 1024 || r.Time <= 0 || len(r.Samples) != 3 {
			t.Errorf("allocates: %+v", r)
		}
		if prepared != 50 || len(numbers) != 50 {
			t.Fatalf("prepared for %d operations and ran %d, wanted 50", prepared, len(numbers))
		}
		seen := make(map[int]bool)
		for _, n := range numbers {
			seen[n] = true
		}
		if len(seen) != 50 || !seen[0] || !seen[49] {
			t.Errorf("numbers %v, wanted each of 0 to 49 once", numbers)
		}
	}
}

func TestRunStopsAtAFailure(t *testing.T) {
	broken := errors.New("broken")
	group := []measure.Subject{{Name: "fails", Worker: measure.Each(func() error { return broken })}}
	for _, cores := range []measure.Cores{measure.One, measure.All} {
		if _, err := measure.Run(group, cores, measure.Options{Count: 1, Batch: time.Millisecond}); !errors.Is(err, broken) {
			t.Errorf("error %v, wanted %v", err, broken)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 4}, 4},
		{[]float64{4, 1, 9, 2}, 3},
	} {
		if got := measure.Median(c.values); got != c.want {
			t.Errorf("Median(%v) = %v, wanted %v", c.values, got, c.want)
		}
	}
}

// A subject may name its own number of goroutines, whatever the cores.
func TestWorkers(t *testing.T) {
	workers := 0
	group := []measure.Subject{{Name: "x", Workers: 5, Most: 20, Worker: func() func(int) error {
		workers++
		return func(int) error { return nil }
	}}}
	for _, cores := range []measure.Cores{measure.One, measure.All} {
		workers = 0
		if _, err := measure.Run(group, cores, measure.Options{Count: 1, Batch: time.Nanosecond}); err != nil {
			t.Fatal(err)
		}
		if workers == 0 || workers%5 != 0 {
			t.Errorf("%d workers, wanted five in each batch", workers)
		}
	}
}

func TestPerSecond(t *testing.T) {
	r := measure.Result{Time: 20_000, Samples: []float64{25_000, 10_000, 20_000}}
	if median, lowest, highest := r.PerSecond(); median != 50_000 || lowest != 40_000 || highest != 100_000 {
		t.Errorf("%v, %v to %v", median, lowest, highest)
	}
}
