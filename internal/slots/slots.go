// Package slots bounds how much is done at once of what anybody can cause and is
// dear.
package slots

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/internal/turns"
)

// Slots bound how many signatures are verified at once: of one issuer's tokens,
// and of all together. Anybody can send tokens that name a known key and carry
// garbage for a signature, so what they cost must not add up without end. A P-384
// signature costs twenty times an RS256 one: keys of that kind have slots of their
// own, so that forgeries under them leave the others' turns alone.
type Slots struct {
	usual, costly *Pool
}

// New makes n slots for usual keys, and a quarter as many for costly ones. Whoever
// finds none waits for at most wait.
func New(n int, wait time.Duration) Slots {
	n = max(1, n)
	return Slots{newPool(n, wait), newPool(max(1, n/4), wait)}
}

// Of are the slots for verifying with key.
func (s Slots) Of(key crypto.PublicKey) *Pool {
	if costly(key) {
		return s.costly
	}
	return s.usual
}

// usualExponent is that of almost all RSA keys. A larger one costs by its length.
const usualExponent = 1<<16 + 1

// costly reports whether verifying with key takes far longer than with RSA
// 2048, P-256 or Ed25519.
func costly(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() > 3072 || k.E > usualExponent
	case *ecdsa.PublicKey:
		return k.Params().BitSize > 256
	}
	return false
}

// Pool hands out slots of one kind. While nobody waits, half of them cost no
// more than counting; the others are handed out in turn, fairly by source. While
// some wait, a counted slot that is given back is lent to the room, so that none
// stands idle; the room returns it when nobody waits any more.
type Pool struct {
	counted atomic.Int64 // taken by counting, or lent
	free    int64        // how many may be
	room    *turns.Room
	own     int // of the room, without what is lent

	lent atomic.Int64
	mu   sync.Mutex // orders changes of lent and the room's limit
}

// maxWaiting is how many may wait for a slot.
const maxWaiting = 8192

func newPool(n int, wait time.Duration) *Pool {
	free := n / 2
	p := &Pool{
		free: int64(free),
		own:  n - free,
		room: turns.New(turns.Config{AtOnce: n, MaxWaiting: maxWaiting, MaxWait: wait}),
	}
	p.room.SetLimit(p.own)
	return p
}

// Acquire takes a slot, at once if there is one, else within the pool's wait. A
// slot that was counted has no ticket. The error is the room's, or ctx's.
func (p *Pool) Acquire(ctx context.Context, source string) (*turns.Ticket, error) {
	if p.room.Waiting() == 0 {
		if p.count() {
			return nil, nil
		}
	} else if p.count() { // one that stands idle: it is for who waits
		p.lend()
	}
	turn := new(turns.Ticket)
	if err := p.room.Enter(ctx, source, turn); err != nil {
		return nil, err
	}
	return turn, nil
}

// count takes a slot by counting, if there is one.
func (p *Pool) count() bool {
	for n := p.counted.Load(); n < p.free; n = p.counted.Load() {
		if p.counted.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// Release gives a slot back, with the ticket that Acquire returned.
func (p *Pool) Release(turn *turns.Ticket) {
	if turn != nil {
		p.room.Leave(turn)
		if p.lent.Load() > 0 && p.room.Waiting() == 0 {
			p.takeBack()
		}
		return
	}
	if p.room.Waiting() > 0 {
		p.lend()
		return
	}
	p.counted.Add(-1)
	if p.room.Waiting() > 0 && p.count() { // somebody came at this moment
		p.lend()
	}
}

// lend passes a slot that was counted on to the room.
func (p *Pool) lend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room.SetLimit(p.own + int(p.lent.Add(1)))
}

// takeBack has what was lent be counted again, as far as the room has no use for
// it.
func (p *Pool) takeBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.lent.Load() > 0 {
		less := p.own + int(p.lent.Load()) - 1
		p.room.SetLimit(less) // first, so that no turn begins beyond it
		if p.room.Waiting() > 0 || p.room.Working() > less {
			p.room.SetLimit(less + 1)
			return
		}
		p.lent.Add(-1)
		p.counted.Add(-1)
	}
}

// Working is how many hold a slot.
func (s Slots) Working() int { return s.usual.working() + s.costly.working() }

// Waiting is how many wait for one.
func (s Slots) Waiting() int { return s.usual.room.Waiting() + s.costly.room.Waiting() }

// working counts a slot that is lent once: by who holds a turn.
func (p *Pool) working() int {
	return int(p.counted.Load()-p.lent.Load()) + p.room.Working()
}
