package dpop

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// table is a set of proofs that only grows, with linear probing. It grows by a third
// and is at most five sixths full, so that an entry of 20 bytes takes 24 to 32.
type table struct {
	entries []entry
	n       int
}

// entry is a proof; its holder is 0 where there is none.
type entry struct {
	id     [16]byte
	holder holder
}

// place is where the search for a proof begins. hash is keyed, so nobody can choose
// it.
func (t *table) place(hash uint64) int {
	high, _ := bits.Mul64(hash, uint64(len(t.entries)))
	return int(high)
}

func (t *table) has(id *[16]byte, hash uint64) bool {
	if t.n == 0 {
		return false
	}
	for at := t.place(hash); ; at++ {
		if at == len(t.entries) {
			at = 0
		}
		switch e := &t.entries[at]; {
		case e.holder == 0:
			return false
		case e.id == *id:
			return true
		}
	}
}

// add adds a proof that is not there.
func (t *table) add(seed maphash.Seed, id *[16]byte, hash uint64, h holder) {
	if 6*(t.n+1) > 5*len(t.entries) {
		t.grow(seed)
	}
	t.n++
	t.put(entry{*id, h}, hash)
}

func (t *table) grow(seed maphash.Seed) {
	old := t.entries
	t.entries = make([]entry, len(old)+len(old)/3+8)
	for _, e := range old {
		if e.holder != 0 {
			t.put(e, maphash.Bytes(seed, e.id[:]))
		}
	}
}

func (t *table) put(e entry, hash uint64) {
	at := t.place(hash)
	for t.entries[at].holder != 0 {
		if at++; at == len(t.entries) {
			at = 0
		}
	}
	t.entries[at] = e
}

// holder is where a key's proofs are counted: a place in each of two rows of a tally.
// It is never 0.
type holder uint32

func holderOf(hash uint64) holder { return max(1, holder(hash)) }

// tally counts proofs by key in a fixed room: what is counted for a key is never less
// than it has. It is more if others share both of its places, which are keyed, so
// that nobody can see to it.
type tally struct {
	rows [2][]atomic.Int32
	mask uint32
}

func newTally(proofs int) *tally {
	width := 1 << min(16, max(10, bits.Len(uint(proofs/16))))
	return &tally{rows: [2][]atomic.Int32{make([]atomic.Int32, width), make([]atomic.Int32, width)}, mask: uint32(width - 1)}
}

func (t *tally) places(h holder) (a, b *atomic.Int32) {
	return &t.rows[0][uint32(h)&t.mask], &t.rows[1][uint32(h>>16)&t.mask]
}

func (t *tally) of(h holder) int64 {
	a, b := t.places(h)
	return int64(min(a.Load(), b.Load()))
}

func (t *tally) add(h holder, n int32) {
	a, b := t.places(h)
	a.Add(n)
	b.Add(n)
}
