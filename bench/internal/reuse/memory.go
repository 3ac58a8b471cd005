package reuse

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/validator"
)

// Memory is what a full cache takes.
type Memory struct {
	Distinct, Entries        int
	TokenBytes, PayloadBytes int
	Total                    uint64 // bytes of live heap, cache full, everything else as it was
	Bound                    uint64 // what the documented formula allows
}

// PerToken is the mean for one entry, in bytes.
func (m Memory) PerToken() float64 { return float64(m.Total) / float64(m.Entries) }

// entryOverhead is the fixed part of the formula that Config.CacheEntries
// documents: entries × (payload + 700 B), where the payload is at most three
// quarters of MaxTokenBytes.
const entryOverhead = 700

// MeasureMemory takes each token of p once, on all cores, to a validator with a
// cache of the given size, and sees how the live heap grew with the validator.
// payload is the length that the formula is applied to; 0 means that of p, which
// is stricter than the documented bound: that has the longest possible in it.
func MeasureMemory(f *fixture.Fixture, p *Population, entries, payload int) (Memory, error) {
	before := liveHeap()
	v, err := contender.NewValidator(f, func(cfg *validator.Config) { cfg.CacheEntries = entries })
	if err != nil {
		return Memory{}, err
	}
	defer v.Close()
	if err := flood(v, p); err != nil {
		return Memory{}, err
	}
	after := liveHeap()
	return Memory{
		Distinct: p.size, Entries: entries,
		TokenBytes: len(p.Token(0)), PayloadBytes: len(p.payload),
		Total: after - min(after, before),
		Bound: uint64(entries) * uint64(cmp.Or(payload, len(p.payload))+entryOverhead),
	}, nil
}

func flood(v *validator.Validator, p *Population) error {
	var wait sync.WaitGroup
	failures := make([]error, runtime.GOMAXPROCS(0))
	for w := range failures {
		wait.Go(func() {
			for i := w; i < p.size && failures[w] == nil; i += len(failures) {
				_, failures[w] = v.Verify(context.Background(), p.Token(i))
			}
		})
	}
	wait.Wait()
	return errors.Join(failures...)
}

// liveHeap is what is reachable, in bytes. A second collection empties what
// sync.Pool keeps over the first.
func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
