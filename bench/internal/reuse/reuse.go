package reuse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/validator"
)

// Result is how the cache did with one number of distinct tokens.
type Result struct {
	Distinct, Draws int
	// Hits and Ideal are hit rates: the cache's, and that of an ideal LRU of the
	// same size on the same sequence. The first fifth of the draws is not
	// counted.
	Hits, Ideal float64
	// Hit, Miss and Uncached are medians in nanoseconds: of a hit, of a miss,
	// and of the first sight of tokens from the same sequence by a validator
	// without a cache, taken between the misses.
	Hit, Miss, Uncached float64
	// Mean is the mean of all counted verifications in nanoseconds.
	Mean float64
}

// mostSamples bounds how many times are kept for a median.
const mostSamples = 50_000

// Measure draws tokens of the first distinct ones of p, Zipf-shaped, and takes
// them to a validator with a cache of the given size.
func Measure(f *fixture.Fixture, p *Population, distinct, draws, entries int) (Result, error) {
	v, err := contender.NewValidator(f, func(cfg *validator.Config) { cfg.CacheEntries = entries })
	if err != nil {
		return Result{}, err
	}
	defer v.Close()
	uncached, err := contender.NewValidator(f, contender.NoCache)
	if err != nil {
		return Result{}, err
	}
	defer uncached.Close()

	sequence := Sequence(distinct, draws)
	skip := draws / 5
	r := &run{
		population: p, sequence: sequence, cached: v, uncached: uncached,
		last:   make([]uintptr, distinct),
		random: rand.New(rand.NewPCG(2, 2)),
		clock:  clockCost(),
	}
	for i := range sequence {
		if i == skip {
			r.start()
		}
		if err := r.step(i); err != nil {
			return Result{}, err
		}
	}
	counted := float64(draws - skip)
	return Result{
		Distinct: distinct, Draws: draws,
		Hits:  float64(r.hitCount) / counted,
		Ideal: float64(IdealHits(sequence, entries, skip)) / counted,
		Hit:   measure.Median(r.hits), Miss: measure.Median(r.misses), Uncached: measure.Median(r.firsts),
		Mean: r.total / counted,
	}, nil
}

// run is one walk through a sequence.
type run struct {
	population       *Population
	sequence         []int32
	cached, uncached *validator.Validator
	// last holds where each token's *validator.Token was when it was last seen.
	// A hit returns the same one, a miss makes another. As a number it keeps
	// nothing alive, and the chance that a new one lands in its own old place
	// does not matter.
	last   []uintptr
	random *rand.Rand
	clock  float64

	counting             bool
	hitCount, missCount  int
	total                float64
	hits, misses, firsts []float64
}

// start begins to count.
func (r *run) start() { r.counting = true }

// step verifies the i-th token of the sequence.
func (r *run) step(i int) error {
	number := r.sequence[i]
	raw := r.population.Token(int(number))
	token, cost, err := r.verify(r.cached, raw)
	if err != nil {
		return err
	}
	place := reflect.ValueOf(token).Pointer()
	hit := r.last[number] == place
	r.last[number] = place
	if !r.counting {
		return nil
	}
	r.total += cost
	if hit {
		r.hitCount++
		keep(&r.hits, cost)
		return nil
	}
	r.missCount++
	keep(&r.misses, cost)
	if r.missCount%8 == 0 && len(r.firsts) < mostSamples {
		other := r.population.Token(int(r.sequence[r.random.IntN(len(r.sequence))]))
		_, cost, err := r.verify(r.uncached, other)
		if err != nil {
			return err
		}
		keep(&r.firsts, cost)
	}
	return nil
}

func (r *run) verify(v *validator.Validator, raw string) (*validator.Token, float64, error) {
	begun := time.Now()
	token, err := v.Verify(context.Background(), raw)
	cost := float64(time.Since(begun)) - r.clock
	if err != nil {
		return nil, 0, fmt.Errorf("reuse: %w", err)
	}
	return token, cost, nil
}

func keep(samples *[]float64, cost float64) {
	if len(*samples) < mostSamples {
		*samples = append(*samples, cost)
	}
}

// clockCost is what reading the clock twice adds to a time, in nanoseconds.
func clockCost() float64 {
	samples := make([]float64, 1001)
	for i := range samples {
		begun := time.Now()
		samples[i] = float64(time.Since(begun))
	}
	return measure.Median(samples)
}
