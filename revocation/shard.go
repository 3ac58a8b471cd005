package revocation

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// slot is one entry or one lift of a key, in 36 bytes. Slots of a key stand side by
// side, and there is none that another one makes needless.
type slot struct {
	key       Key
	high, low uint32 // of the sequence
	cutoff    uint32 // 0 for a lift
	expires   uint32 // Forever for never
	home      uint32 // place in List.table, above what the slot is
}

// What a slot is.
const (
	entry     = 0
	lifting   = 1 // a lift, and no entry
	aggregate = 2 // the cut-off of some entry of a kind at an issuer

	homeShift = 2
)

func (s *slot) is(what uint32) bool { return s.home&(1<<homeShift-1) == what }
func (s *slot) place() int          { return int(s.home >> homeShift) }
func (s *slot) endless() bool       { return s.cutoff == Forever && s.expires == Forever }
func (s *slot) sequence() uint64    { return uint64(s.high)<<32 | uint64(s.low) }

// covers reports whether s refuses whatever other does, for at least as long, and is
// lifted by nothing that does not lift other.
func (s *slot) covers(other *slot) bool {
	return s.sequence() >= other.sequence() && s.cutoff >= other.cutoff && s.expires >= other.expires
}

func compare(a, b slot) int {
	return cmp.Or(bytes.Compare(a.key[:], b.key[:]), cmp.Compare(b.home&lifting, a.home&lifting),
		cmp.Compare(b.cutoff, a.cutoff), cmp.Compare(b.expires, a.expires), cmp.Compare(b.sequence(), a.sequence()))
}

// shard is the slots of keys that begin alike, sorted. It never changes: another one
// takes its place.
type shard struct{ slots []slot }

// shardCount is small for an empty list, and large enough that a shard of a million
// entries is copied in microseconds.
const (
	shardBits  = 12
	shardCount = 1 << shardBits
)

func shardOf(k *Key) int { return int(binary.BigEndian.Uint16(k[:]) >> (16 - shardBits)) }

// find returns the latest cut-off of a key that a token issued at this time falls
// under.
func (l *List) find(k *Key, issued, now uint32) (cutoff uint32, found bool) {
	slots := l.shards[shardOf(k)].Load().slots
	for n := first(slots, k); n < len(slots) && slots[n].key == *k; n++ {
		s := &slots[n]
		if !s.is(lifting) && s.cutoff >= issued && s.expires > now {
			cutoff, found = max(cutoff, s.cutoff), true
		}
	}
	return cutoff, found
}

// first is where the slots of a key begin, or would, among all of a shard. Keys are
// hashes, so that it is not far from where it would be if they were spread evenly.
func first(slots []slot, k *Key) int {
	want := binary.BigEndian.Uint64(k[:])
	guess, _ := bits.Mul64(want<<shardBits, uint64(len(slots)))
	at := int(guess)
	for at > 0 && bytes.Compare(slots[at-1].key[:], k[:]) >= 0 {
		at--
	}
	for at < len(slots) && bytes.Compare(slots[at].key[:], k[:]) < 0 {
		at++
	}
	return at
}

// merge returns old with what is new, both sorted, and which slots came and went by
// that. Nothing depends on the order in which slots came, nor on how often. What dead
// says is over is left out where a key is touched.
func merge(old, add []slot, dead func(*slot) bool) (merged, fresh, gone []slot) {
	merged = make([]slot, 0, len(old)+len(add))
	for len(add) > 0 {
		key := add[0].key
		before, _ := slices.BinarySearchFunc(old, key, func(s slot, k Key) int { return bytes.Compare(s.key[:], k[:]) })
		merged, old = append(merged, old[:before]...), old[before:]
		begin, held, came := len(merged), run(old, &key), run(add, &key)
		merged = append(append(merged, old[:held]...), add[:came]...)
		merged = settle(merged, begin, dead)
		fresh = append(fresh, missing(merged[begin:], old[:held])...)
		gone = append(gone, missing(old[:held], merged[begin:])...)
		old, add = old[held:], add[came:]
	}
	merged = append(merged, old...)
	if len(merged) < cap(merged) {
		merged = slices.Clone(merged)
	}
	return merged, fresh, gone
}

// run is how many slots of a key there are at the beginning.
func run(slots []slot, k *Key) (n int) {
	for n < len(slots) && slots[n].key == *k {
		n++
	}
	return n
}

// missing are those of these slots that the others lack; both are sorted.
func missing(these, others []slot) (rest []slot) {
	for _, s := range these {
		for len(others) > 0 && compare(others[0], s) < 0 {
			others = others[1:]
		}
		if len(others) == 0 || others[0] != s {
			rest = append(rest, s)
		}
	}
	return rest
}

// settle reduces the slots of one key, from begin on, to what counts: the highest lift,
// and of the entries above it those that no other covers.
func settle(slots []slot, begin int, dead func(*slot) bool) []slot {
	group := slots[begin:]
	var up slot // the highest lift; a sequence of 0 for none
	for _, s := range group {
		if s.is(lifting) {
			expires := max(up.expires, s.expires)
			if s.sequence() > up.sequence() {
				up = s
			}
			up.expires = expires
		}
	}
	kept := group[:0:0]
	for _, s := range group {
		switch {
		case s.is(lifting):
		case s.is(entry) && s.sequence() <= up.sequence():
			up.expires = max(up.expires, s.expires) // for as long as it could come again
		case !dead(&s) && !slices.ContainsFunc(kept, func(k slot) bool { return k.covers(&s) }):
			kept = slices.DeleteFunc(kept, func(k slot) bool { return s.covers(&k) })
			kept = append(kept, s)
		}
	}
	if up.sequence() > 0 && !dead(&up) {
		kept = append(kept, up)
	}
	slices.SortFunc(kept, compare)
	return append(slots[:begin], kept...)
}
