// Package memo remembers what short texts mean that come again and again.
package memo

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// Memo remembers what verified header segments mean. All tokens of one
// key share their header, so a handful of entries spares almost every first
// sight the decoding. Only a header whose signature verified may enter, so nobody
// else can fill it; what it says must still be checked against the issuer each time.
//
// It is a table of a fixed size without locks. Some issuers write something new
// into every header (a nonce, a time): such headers are seen once, and must cost
// nothing and push out nothing. So where a header finds no empty place, a hash of
// it is noted, and it takes another's place when it is seen again.
type Memo[T any] struct {
	seed   maphash.Seed
	clone  func(T) T
	places []atomic.Pointer[remembered[T]]
	once   []atomic.Uint64 // hashes of headers that found no place
}

type remembered[T any] struct {
	text    string
	meaning T
}

// Bounds of the memo: how many headers for each issuer, at least and at most; and
// a plain header's length.
const (
	perIssuer = 8
	minPlaces = 1 << 11
	maxPlaces = 1 << 16
	maxChars  = 1024
)

// New makes a memo for the headers of so many issuers. clone makes a copy of a
// meaning that holds on to nothing else.
func New[T any](issuers int, clone func(T) T) *Memo[T] {
	n := minPlaces
	for n < maxPlaces && n < issuers*perIssuer {
		n *= 2
	}
	return &Memo[T]{maphash.MakeSeed(), clone, make([]atomic.Pointer[remembered[T]], n), make([]atomic.Uint64, n)}
}

// Get returns the meaning of a header that is remembered.
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

// Put remembers a header whose signature was good.
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

// seen reports whether a header with this hash was seen before, and notes it if
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

// at are the two places where a header with this hash may be: with a choice, a
// table that is not full has one for almost each.
func (m *Memo[T]) at(hash uint64) [2]uint64 {
	mask := uint64(len(m.places) - 1)
	return [2]uint64{hash & mask, hash >> 32 & mask}
}
