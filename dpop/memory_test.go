package dpop_test

import (
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
)

// seenBy is the n-th proof of a holder.
func seenBy(holder, n int) (p dpop.Seen) {
	binary.BigEndian.PutUint64(p.ID[:], uint64(n))
	binary.BigEndian.PutUint64(p.ID[8:], uint64(holder))
	binary.BigEndian.PutUint64(p.Holder[:], uint64(holder))
	return p
}

// TestMemoryRemembers a proof for as long as it is asked to, and not much longer.
func TestMemoryRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := dpop.NewMemory(0)
		remember := func(p dpop.Seen, keep time.Duration, want bool) {
			t.Helper()
			if first, err := m.Remember(t.Context(), p, keep); err != nil || first != want {
				t.Errorf("%v, %v, wanted %v", first, err, want)
			}
		}
		for n := range 1000 { // at all moments of a slice
			keep := time.Duration(10+n%70) * time.Second
			start := time.Now()
			remember(seenBy(1, n), keep, true)
			remember(seenBy(1, n), keep, false)
			time.Sleep(keep - time.Nanosecond)
			remember(seenBy(1, n), time.Second, false)
			time.Sleep(10*time.Second + 7*time.Millisecond)
			remember(seenBy(1, n), time.Second, true)
			if took := time.Since(start); took > 100*time.Second {
				t.Fatalf("took %v", took)
			}
		}
		time.Sleep(time.Minute)
		for n := range 200 { // whoever comes sweeps another shard, too
			remember(seenBy(2, n), time.Second, true)
		}
		if n := m.Len(); n > 200 {
			t.Errorf("%d proofs are remembered", n)
		}
	})
}

// TestMemoryBound measures what a million live proofs take, under one key and under as
// many.
func TestMemoryBound(t *testing.T) {
	const proofs = 1_000_000
	for name, holders := range map[string]int{"one key for two": proofs / 2, "ten keys": 10} {
		m := dpop.NewMemory(proofs)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for n := range proofs {
			if first, err := m.Remember(t.Context(), seenBy(n%holders, n), time.Hour+time.Duration(n%71)*time.Second); holders > 10 && (err != nil || !first) && n < proofs*99/100 {
				t.Fatalf("%s: proof %d: %v, %v", name, n, first, err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := float64(after.HeapAlloc-before.HeapAlloc) / float64(m.Len())
		t.Logf("%s: %d proofs of %.1f bytes each", name, m.Len(), each)
		if m.Len() > proofs || m.Len() < proofs*9/10 || each > 48 {
			t.Errorf("%s: %d proofs of %.1f bytes, wanted at most %d of 48", name, m.Len(), each, proofs)
		}
		runtime.KeepAlive(m)
	}
}

// TestOneHonestKey sends 5,000 requests a second for a whole window and more.
func TestOneHonestKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := dpop.NewMemory(0)
		n := 0
		for range 100 { // seconds
			for range 100 {
				time.Sleep(10 * time.Millisecond)
				for range 50 {
					n++
					if first, err := m.Remember(t.Context(), seenBy(1, n), 71*time.Second); err != nil || !first {
						t.Fatalf("request %d: %v, %v", n, first, err)
					}
				}
			}
		}
		if m.Len() < 71*5000 || m.Len() > 90*5000 {
			t.Errorf("%d proofs are remembered", m.Len())
		}
	})
}

// TestGreedyKeys take most of the memory. They are refused, and nobody else is, not
// while the flood goes on and not after it; what they hold is not forgotten for it.
func TestGreedyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 50_000
		m := dpop.NewMemory(size)
		greedy := 0
		for n := range 2 * size {
			_, err := m.Remember(t.Context(), seenBy(1, n), 70*time.Second)
			if err == nil {
				greedy++
			}
		}
		if greedy < size*3/4 || greedy > size*9/10 {
			t.Errorf("one key has %d of %d", greedy, size)
		}
		for n := range 20 * 100 { // a hundred keys that have little
			if first, err := m.Remember(t.Context(), seenBy(100+n%100, n), 70*time.Second); err != nil || !first {
				t.Fatalf("an honest request: %v, %v", first, err)
			}
		}
		if _, err := m.Remember(t.Context(), seenBy(1, 2*size), 70*time.Second); err == nil || !strings.Contains(err.Error(), "nearly full") {
			t.Errorf("the greedy key: %v", err)
		}
		for n := range greedy / 2 {
			if first, err := m.Remember(t.Context(), seenBy(1, n), time.Second); first || err != nil {
				t.Fatalf("proof %d of the greedy key was forgotten: %v, %v", n, first, err)
			}
		}
		time.Sleep(90 * time.Second)
		if first, err := m.Remember(t.Context(), seenBy(1, 3*size), 70*time.Second); err != nil || !first {
			t.Errorf("the greedy key, later: %v, %v", first, err)
		}
		if n := m.Len(); n > 10 {
			t.Errorf("%d proofs are remembered after their time", n)
		}
	})
}

// TestManyMadeUpKeys: counts by key take a fixed room, and a full memory forgets
// nothing.
func TestManyMadeUpKeys(t *testing.T) {
	m := dpop.NewMemory(50_000)
	refused := 0
	for n := range 60_000 {
		if _, err := m.Remember(t.Context(), seenBy(n, n), time.Hour); err != nil {
			refused++
		}
	}
	if m.Len() > 50_000 || refused < 10_000 || refused > 10_100 {
		t.Errorf("%d remembered, %d refused", m.Len(), refused)
	}
	for n := range 49_000 {
		if first, _ := m.Remember(t.Context(), seenBy(n, n), time.Hour); first {
			t.Fatalf("proof %d was forgotten", n)
		}
	}
}

// TestOneOfMany: of one proof that comes ten thousand times at once, one is the first.
func TestOneOfMany(t *testing.T) {
	m := dpop.NewMemory(0)
	for round := range 20 {
		var firsts atomic.Int64
		var all sync.WaitGroup
		for range 500 {
			all.Go(func() {
				if first, err := m.Remember(t.Context(), seenBy(1, round), time.Minute); err != nil {
					t.Error(err)
				} else if first {
					firsts.Add(1)
				}
			})
		}
		all.Wait()
		if firsts.Load() != 1 {
			t.Errorf("%d were the first", firsts.Load())
		}
	}
}

func TestMemoryThatNewMemoryDidNotMake(t *testing.T) {
	var none *dpop.Memory
	for _, m := range []*dpop.Memory{none, new(dpop.Memory), dpop.NewMemory(-1), dpop.NewMemory(999), dpop.NewMemory(math.MaxInt)} {
		if first, err := m.Remember(t.Context(), seenBy(1, 1), time.Minute); first || err == nil {
			t.Errorf("%v, %v", first, err)
		}
		if m == nil {
			continue
		}
		if _, err := dpop.New(dpop.Config{Replays: m}); err == nil || !strings.Contains(err.Error(), "NewMemory") {
			t.Errorf("New says %v", err)
		}
	}
	if _, err := dpop.New(dpop.Config{Replays: none}); err == nil || errors.Is(err, dpop.ErrProof) {
		t.Errorf("New says %v", err)
	}
}
