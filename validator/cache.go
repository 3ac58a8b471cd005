package validator

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
)

// proof is what the cache remembers of a token: what it says, and what proved
// it. It is a fact, not a decision: whether the proof still holds is asked anew
// at every hit.
type proof struct {
	id fingerprint
	stated
	// notBefore and notAfter are nbf and exp with the clock skew applied; the
	// zero time means no bound.
	notBefore, notAfter time.Time
	// issuer is whose token it is, key what verified a JWT; nil for an
	// introspected token.
	issuer *issuer
	key    *jwks.Key
	// chosen: the token is opaque, and Config.OpaqueIssuer chose the issuer.
	chosen bool
	// bound: the token is a JWT that is asked about, and holds a cnf.
	bound bool
	// until is when introspection's own result ends, by the process's clock, and
	// answer that result itself: whoever asks again and gets it need not read it.
	until  time.Time
	answer weak.Pointer[introspection.Result]
	// confirmed is the last answer about a JWT, for VerifyFresh.
	confirmed atomic.Pointer[confirmation]
	// bytes is about what the proof holds in memory, as the cache counts it.
	bytes int64
	// stamp is the cache's tick at the last use.
	stamp atomic.Uint32
}

// sighting is what is known of a token that has a proof.
func (p *proof) sighting() *sighting {
	s := p.said.sighting(p.issuer.url)
	s.proven = true
	return &s
}

// size is about how many bytes what the token says takes, and no less.
func (p *proof) size() int {
	const header = 16 // of a string, of which a list has one for each name
	t := &p.said
	n := cap(t.claims) + header*(cap(t.audience)+cap(t.roles)+t.scopes.Len())
	if bytes.IndexByte(t.claims, '\\') >= 0 {
		n += len(t.claims) / 2 // strings with escapes are copies, at most half as long
	}
	return n
}

// cache is a set-associative table of proofs. A read takes no lock and writes
// nothing but, now and then, the stamp of what it found. A write locks one
// stripe of sets. The size is fixed when it is made, so a flood of tokens can
// push out others, never grow it.
//
// Within a set the entry with the oldest stamp goes. Stamps count in steps of
// a sixty-fourth of the cache's size in insertions, which is fine enough to
// stay close to a true LRU and coarse enough that a busy token's stamp is
// seldom written.
//
// Its bound in bytes is that of a table full of proofs of the usual size at most.
// Larger ones are kept in what the others leave of that, and go when it is used
// up: to read a large token or answer at every request would cost more.
type cache struct {
	sets    []cacheSet
	ways    int
	step    uint64
	inserts atomic.Uint64
	tick    atomic.Uint32
	stripes [64]sync.Mutex

	usual   int64        // bytes of a proof that needs no room of others; 0: no bound
	room    int64        // bytes of all
	held    atomic.Int64 // bytes now
	entries atomic.Int64 // proofs now
	large   large        // the proofs above the usual size
}

const maxWays = 8

// cacheSet keeps part of each fingerprint beside the pointers, so that a miss
// reads one cache line.
type cacheSet struct {
	tags   [maxWays]atomic.Uint64
	proofs [maxWays]atomic.Pointer[proof]
}

// newCache makes a cache of at most entries proofs.
func newCache(entries int) *cache {
	ways := min(entries, maxWays)
	return &cache{
		sets: make([]cacheSet, max(1, entries/ways)),
		ways: ways,
		step: uint64(max(1, entries/64)),
	}
}

// place splits a fingerprint into the number of its set and its tag. Both
// halves are uniform, so a multiplication spreads the first over the sets.
func (c *cache) place(id *fingerprint) (set int, tag uint64) {
	hi, _ := bits.Mul64(binary.LittleEndian.Uint64(id[:8]), uint64(len(c.sets)))
	return int(hi), binary.LittleEndian.Uint64(id[8:])
}

// get returns the proof with this fingerprint, or nil.
func (c *cache) get(id *fingerprint) *proof {
	n, tag := c.place(id)
	set := &c.sets[n]
	for i := range c.ways {
		if set.tags[i].Load() != tag {
			continue
		}
		if p := set.proofs[i].Load(); p != nil && p.id == *id {
			if now := c.tick.Load(); p.stamp.Load() != now {
				p.stamp.Store(now)
			}
			return p
		}
	}
	return nil
}

// put stores p in the place of an older proof of the same token, in an empty
// place, or in that of the proof unused for longest.
func (c *cache) put(p *proof) {
	if c.inserts.Add(1)%c.step == 0 {
		c.tick.Add(1)
	}
	now := c.tick.Load()
	p.stamp.Store(now)
	c.held.Add(p.bytes)
	defer c.shrink(p)
	n, tag := c.place(&p.id)
	set := &c.sets[n]
	lock := &c.stripes[n%len(c.stripes)]
	lock.Lock()
	defer lock.Unlock()
	victim, oldest := 0, uint64(0)
	for i := range c.ways {
		age := uint64(math.MaxUint64) // an empty place comes before any proof's
		if old := set.proofs[i].Load(); old != nil {
			if old.id == p.id {
				victim = i
				break
			}
			age = uint64(now - old.stamp.Load()) // in uint32, so that ticks may wrap
		}
		if age > oldest {
			victim, oldest = i, age
		}
	}
	set.tags[victim].Store(tag)
	if old := set.proofs[victim].Swap(p); old != nil {
		c.left(old)
	} else {
		c.entries.Add(1)
	}
	if p.bytes > c.usual {
		c.large.add(p)
		if set.proofs[victim].Load() != p { // dropped before it was on the list
			c.large.remove(p)
		}
	}
}

// drop removes p if it is still there.
func (c *cache) drop(p *proof) {
	n, _ := c.place(&p.id)
	set := &c.sets[n]
	for i := range c.ways {
		if set.proofs[i].CompareAndSwap(p, nil) {
			c.left(p)
			c.entries.Add(-1)
			return
		}
	}
}
