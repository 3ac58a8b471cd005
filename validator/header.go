package validator

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/m2mguard/m2mguard/internal/jws"
)

// headerMemo remembers what verified header segments mean. All tokens of one
// key share their header, so a handful of entries spares almost every first
// sight the decoding. Only a header whose signature verified enters, so nobody
// else can fill it; what it says is still checked against the issuer each time.
//
// It is a table of a fixed size without locks. Some issuers write something new
// into every header (a nonce, a time): such headers are seen once, and must cost
// nothing and push out nothing. So where a header finds no empty place, a hash of
// it is noted, and it takes another's place when it is seen again.
type headerMemo struct {
	seed   maphash.Seed
	places []atomic.Pointer[remembered]
	once   []atomic.Uint64 // hashes of headers that found no place
}

type remembered struct {
	segment string
	header  header
}

// Bounds of the memo: how many headers for each issuer, at least and at most; and
// a plain header's length.
const (
	headersPerIssuer = 8
	minHeaders       = 1 << 11
	maxHeaders       = 1 << 16
	maxHeaderChars   = 1024
)

// newHeaderMemo makes a memo for so many issuers.
func newHeaderMemo(issuers int) headerMemo {
	n := minHeaders
	for n < maxHeaders && n < issuers*headersPerIssuer {
		n *= 2
	}
	return headerMemo{maphash.MakeSeed(), make([]atomic.Pointer[remembered], n), make([]atomic.Uint64, n)}
}

// get returns the meaning of a header that is remembered.
func (m *headerMemo) get(segment string) (header, bool) {
	if len(segment) > maxHeaderChars {
		return header{}, false
	}
	hash := maphash.String(m.seed, segment)
	for _, n := range m.at(hash) {
		if r := m.places[n].Load(); r != nil && r.segment == segment {
			return r.header, true
		}
	}
	return header{}, false
}

// put remembers a header whose signature was good.
func (m *headerMemo) put(segment string, h header) {
	if len(segment) > maxHeaderChars {
		return
	}
	hash := maphash.String(m.seed, segment)
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
	m.places[n].Store(&remembered{strings.Clone(segment), h.clone()})
}

// seen reports whether a header with this hash was seen before, and notes it if
// not.
func (m *headerMemo) seen(hash uint64, at [2]uint64) bool {
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
func (m *headerMemo) at(hash uint64) [2]uint64 {
	mask := uint64(len(m.places) - 1)
	return [2]uint64{hash & mask, hash >> 32 & mask}
}

// clone lets go of the token, whose pieces h's strings are.
func (h header) clone() header {
	h.Algorithm, h.KeyID, h.Type = strings.Clone(h.Algorithm), strings.Clone(h.KeyID), strings.Clone(h.Type)
	h.canonical = jws.Canonical(h.Algorithm)
	return h
}
