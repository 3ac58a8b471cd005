// Package memo remembers what short texts mean that come again and again.
package memo

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// Memo remembers what texts mean, so that almost none is read twice. Whoever puts
// them in sees to it that nobody else can fill it.
//
// It is a table of a fixed size without locks. Where some write something new into
// every text (a nonce, a time), such texts are seen once, and must cost nothing and
// push out nothing. So where a text finds no empty place, a hash of it is noted, and
// it takes another's place when it is seen again.
type Memo[T any] struct {
	seed   maphash.Seed
	clone  func(T) T
	places []atomic.Pointer[remembered[T]]
	once   []atomic.Uint64 // hashes of texts that found no place
}

type remembered[T any] struct {
	text    string
	meaning T
}

// Bounds of the memo: its places, and the length of a text.
const (
	minPlaces = 1 << 11
	maxPlaces = 1 << 16
	maxChars  = 1024
)

// New makes a memo with at least so many places, within its bounds. clone makes a
// copy of a meaning that holds on to nothing else.
func New[T any](places int, clone func(T) T) *Memo[T] {
	n := minPlaces
	for n < maxPlaces && n < places {
		n *= 2
	}
	return &Memo[T]{maphash.MakeSeed(), clone, make([]atomic.Pointer[remembered[T]], n), make([]atomic.Uint64, n)}
}

// Get returns the meaning of a text that is remembered.
func (m *Memo[T]) Get(text string) (meaning T, known bool) {
	if len(text) > maxChars {
		return meaning, false
	}
	hash := maphash.String(m.seed, text)
	for _, n := range m.at(hash) {
		if r := m.places[n].Load(); r != nil && r.text == text {
			return r.meaning, true
		}
	}
	return meaning, false
}

// Put remembers a text.
func (m *Memo[T]) Put(text string, meaning T) {
	if len(text) > maxChars {
		return
	}
	hash := maphash.String(m.seed, text)
	at := m.at(hash)
	n := at[hash>>63]
	switch {
	case m.places[at[0]].Load() == nil:
		n = at[0]
	case m.places[at[1]].Load() == nil:
		n = at[1]
	case !m.seen(hash, at):
		return
	}
	m.places[n].Store(&remembered[T]{strings.Clone(text), m.clone(meaning)})
}

// seen reports whether a text with this hash was seen before, and notes it if
// not.
func (m *Memo[T]) seen(hash uint64, at [2]uint64) bool {
	for _, n := range at {
		if m.once[n].CompareAndSwap(hash, 0) {
			return true
		}
	}
	if !m.once[at[0]].CompareAndSwap(0, hash) && !m.once[at[1]].CompareAndSwap(0, hash) {
		m.once[at[hash>>63]].Store(hash)
	}
	return false
}

// at are the two places where a text with this hash may be: with a choice, a
// table that is not full has one for almost each.
func (m *Memo[T]) at(hash uint64) [2]uint64 {
	mask := uint64(len(m.places) - 1)
	return [2]uint64{hash & mask, hash >> 32 & mask}
}
