package dpop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a Memory, in live proofs.
const (
	defaultProofs        = 1_000_000
	minProofs, maxProofs = 1_000, 100_000_000
)

// Memory remembers proofs of one process: at most so many, of at most 48 bytes each.
// It has no goroutine and no timer: what has had its time is dropped by slices of a
// few seconds, when others come.
//
// One honest client may send thousands of requests a second under one key, so the
// bound is on all of them together. Each key may have four times as many live proofs
// as there is room left: one alone may have four fifths of all, and while some take
// most, others that have few find room. Who has more is refused with ErrUnavailable, and
// nothing is ever forgotten for somebody else.
type Memory struct {
	fault  error
	most   int64
	start  time.Time // times count from here, by the monotonic clock
	seed   maphash.Seed
	total  atomic.Int64
	counts *tally
	swept  atomic.Int64  // the slice at whose beginning all shards were swept
	turn   atomic.Uint32 // the shard to be swept beside another
	shards [shards]shard
}

var _ Replays = (*Memory)(nil)

const (
	shards = 64
	// sliceTime is how much longer than asked for a proof may be remembered.
	sliceTime = 8 * time.Second
)

// shard holds the proofs whose ID begins alike, by when they may be forgotten.
type shard struct {
	mu     sync.Mutex
	slices []slice // few, in no order
	_      [64]byte
}

// slice is the proofs that may be forgotten together.
type slice struct {
	number int64 // it ends at (number + 1) * sliceTime
	table
}

// NewMemory remembers at most so many live proofs: 1,000 to 100,000,000; 0 for
// 1,000,000. Each is kept for Config.MaxAge, twice Config.MaxAhead and ten seconds at
// most, which are 90 s by default, so that is 11,000 requests a second. [New] reports a
// wrong number.
func NewMemory(proofs int) *Memory {
	proofs = cmp.Or(proofs, defaultProofs)
	if proofs < minProofs || proofs > maxProofs {
		return &Memory{fault: fmt.Errorf("NewMemory(%d), wanted %d to %d, or 0 for %d", proofs, minProofs, maxProofs, defaultProofs)}
	}
	return &Memory{most: int64(proofs), start: time.Now(), seed: maphash.MakeSeed(), counts: newTally(proofs)}
}

// Why Remember fails.
var (
	errNearlyFull = errors.New("the memory of seen proofs is nearly full, and whoever holds this key has more than four times what is left, or nothing is left (NewMemory)")
	errNoStart    = errors.New("the Memory was not made by NewMemory with a right number")
)

// Remember notes a proof.
func (m *Memory) Remember(_ context.Context, p Seen, keep time.Duration) (first bool, err error) {
	if m == nil || m.most == 0 {
		return false, errNoStart
	}
	now := time.Since(m.start)
	m.sweepAnother(now)
	hash := maphash.Bytes(m.seed, p.ID[:])
	s := &m.shards[hash%shards]
	holder := holderOf(maphash.Bytes(m.seed, p.Holder[:]))

	s.mu.Lock()
	m.sweep(s, now)
	if s.has(&p.ID, hash) {
		s.mu.Unlock()
		return false, nil
	}
	err = m.admit(holder)
	if err != nil && m.swept.Swap(int64(now/sliceTime)) != int64(now/sliceTime) {
		// Others may hold what has had its time: who is refused, is refused for what is
		// live. A proof that comes twice at once is met again below.
		s.mu.Unlock()
		for n := range m.shards {
			m.shards[n].mu.Lock()
			m.sweep(&m.shards[n], now)
			m.shards[n].mu.Unlock()
		}
		s.mu.Lock()
		if s.has(&p.ID, hash) {
			s.mu.Unlock()
			return false, nil
		}
		err = m.admit(holder)
	}
	if err == nil {
		s.add(m.seed, int64((now+max(keep, 0))/sliceTime), &p.ID, hash, holder)
	}
	s.mu.Unlock()
	return err == nil, err
}

// admit counts a proof of a holder, if there is room for it.
func (m *Memory) admit(h holder) error {
	left := m.most - m.total.Add(1)
	if m.counts.of(h) > 4*left { // also of nobody, where nothing is left
		m.total.Add(-1)
		return errNearlyFull
	}
	m.counts.add(h, 1)
	return nil
}

// sweep drops what has had its time.
func (m *Memory) sweep(s *shard, now time.Duration) {
	for n := 0; n < len(s.slices); {
		old := &s.slices[n]
		if now < time.Duration(old.number+1)*sliceTime {
			n++
			continue
		}
		for _, e := range old.entries {
			if e.holder != 0 {
				m.counts.add(e.holder, -1)
			}
		}
		m.total.Add(-int64(old.n))
		last := len(s.slices) - 1
		s.slices[n] = s.slices[last]
		s.slices[last] = slice{}
		s.slices = s.slices[:last]
	}
}

// sweepAnother sweeps a shard that perhaps nobody asks for, unless it is in use.
func (m *Memory) sweepAnother(now time.Duration) {
	s := &m.shards[m.turn.Add(1)%shards]
	if s.mu.TryLock() {
		m.sweep(s, now)
		s.mu.Unlock()
	}
}

func (s *shard) has(id *[16]byte, hash uint64) bool {
	for n := range s.slices {
		if s.slices[n].has(id, hash) {
			return true
		}
	}
	return false
}

func (s *shard) add(seed maphash.Seed, number int64, id *[16]byte, hash uint64, h holder) {
	for n := range s.slices {
		if s.slices[n].number == number {
			s.slices[n].add(seed, id, hash, h)
			return
		}
	}
	s.slices = append(s.slices, slice{number: number})
	s.slices[len(s.slices)-1].add(seed, id, hash, h)
}
