package strictjson

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"
)

// names are the member names of the objects that are open, to find duplicates
// (RFC 7519 §4). A token's objects have a dozen; a hostile one has thousands,
// which must not cost their square.
type names struct {
	room   [24]string // the names of all open objects, the outermost's first
	n      int        // how many there are
	from   int        // where those of the innermost object begin
	kin    uint64     // a bit for each length and first byte among those
	object uint32     // which object is the innermost
	last   uint32     // which object was opened last
	most   int        // how many names the text can hold
	more   *more      // for a text with many names
	copies []byte     // of names with escapes, without them
}

// more is what only odd texts need. It is used again, so that such a text does
// not cost its memory, too.
type more struct {
	list  []string // in place of names.room
	table []place  // of objects with more than few names
}

var pool = sync.Pool{New: func() any { return new(more) }}

// maxPooled is how many names there may be room for in what is used again.
const maxPooled = 1 << 10

// release gives back what was used, without the names, which are pieces of the
// text.
func (n *names) release() {
	m := n.more
	if m == nil || cap(m.list) > maxPooled || cap(m.table) > 4*maxPooled {
		return
	}
	clear(m.list[:cap(m.list)])
	clear(m.table)
	m.list, m.table = m.list[:0], m.table[:0]
	pool.Put(m)
}

// few is how many names of an object are compared one by one.
const few = 24

// place is a name in the table. Names of objects that ended stay in it.
type place struct{ object, hash, index uint32 }

// outer is what names knows of an object while one within it is read.
type outer struct {
	from   int
	kin    uint64
	object uint32
}

// open begins an object.
func (n *names) open() outer {
	o := outer{n.from, n.kin, n.object}
	n.last++
	n.from, n.kin, n.object = n.n, 0, n.last
	return o
}

// close ends it and goes back to the one around it.
func (n *names) close(o outer) {
	n.n = n.from
	n.from, n.kin, n.object = o.from, o.kin, o.object
}

// add adds a name. It reports false if the object has it already.
func (n *names) add(name string) bool {
	count := n.n - n.from
	if count >= few {
		return n.addToMany(name)
	}
	kin := len(name)
	if kin > 0 {
		kin = kin*5 + int(name[0])
	}
	bit := uint64(1) << (kin & 63)
	if n.kin&bit != 0 && slices.Contains(n.list()[n.from:], name) {
		return false
	}
	n.kin |= bit
	if n.n < len(n.room) && (n.more == nil || len(n.more.list) == 0) {
		n.room[n.n] = name
		n.n++
		return true
	}
	n.push(name)
	return true
}

// addToMany is add for an object that has more than few names.
func (n *names) addToMany(name string) bool {
	if n.n-n.from == few {
		for i := n.from; i < n.n; i++ {
			n.enter(i)
		}
	}
	n.push(name)
	return n.enter(n.n - 1)
}

// unescaped is a name that is written with escapes.
func (n *names) unescaped(raw []byte) (name string, ok bool) {
	begin := len(n.copies)
	if n.copies, ok = appendUnescaped(n.copies, raw); len(n.copies) == begin {
		return "", ok
	}
	return asString(n.copies[begin:]), ok
}

func (n *names) others() *more {
	if n.more == nil {
		n.more = pool.Get().(*more)
	}
	return n.more
}

func (n *names) list() []string {
	if n.more != nil && len(n.more.list) > 0 {
		return n.more.list[:n.n]
	}
	return n.room[:n.n]
}

// push adds a name to a list that is or becomes the longer one, and stays it.
func (n *names) push(name string) {
	m := n.others()
	if len(m.list) == 0 {
		m.list = append(m.list, n.room[:n.n]...)
	}
	m.list = append(m.list[:n.n], name)
	n.n++
}

var seed = maphash.MakeSeed()

// enter puts a name of the list into the table, of which half stays empty. It
// reports false if the object has it there already.
func (n *names) enter(index int) bool {
	m := n.others()
	if len(m.table) == 0 {
		size := 1 << bits.Len(uint(2*n.most-1))
		m.table = slices.Grow(m.table, size)[:size]
	}
	list := n.list()
	name := list[index]
	hash := maphash.String(seed, name)
	p := place{n.object, uint32(hash >> 32), uint32(index)}
	for at := uint32(hash) + n.object*0x9e3779b1; ; at++ {
		there := &m.table[int(at)&(len(m.table)-1)]
		if there.object == 0 {
			*there = p
			return true
		}
		if there.object == p.object && there.hash == p.hash && list[there.index] == name {
			return false
		}
	}
}
