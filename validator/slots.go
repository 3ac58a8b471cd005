package validator

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/internal/turns"
)

// slots bound how many signatures are verified at once: of one issuer's tokens,
// and of all together. Anybody can send tokens that name a known key and carry
// garbage for a signature, so what they cost must not add up without end. A P-384
// signature costs twenty times an RS256 one: keys of that kind have slots of their
// own, so that forgeries under them leave the others' turns alone.
type slots struct {
	usual, costly *slotPool
}

func newSlots(n int, wait time.Duration) slots {
	n = max(1, n)
	return slots{newSlotPool(n, wait), newSlotPool(max(1, n/4), wait)}
}

func (s slots) of(key crypto.PublicKey) *slotPool {
	if costly(key) {
		return s.costly
	}
	return s.usual
}

// costly reports whether verifying with key takes far longer than with RSA
// 2048, P-256 or Ed25519.
func costly(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() > 3072
	case *ecdsa.PublicKey:
		return k.Params().BitSize > 256
	}
	return false
}

// slotPool hands out slots of one kind. While nobody waits, half of them cost no
// more than counting; the others are handed out in turn, fairly by source. While
// some wait, a counted slot that is given back is lent to the room, so that none
// stands idle; the room returns it when nobody waits any more.
type slotPool struct {
	counted atomic.Int64 // taken by counting, or lent
	free    int64        // how many may be
	room    *turns.Room
	own     int // of the room, without what is lent

	lent atomic.Int64
	mu   sync.Mutex // orders changes of lent and the room's limit
}

// verifyMaxWaiting is how many may wait for a slot.
const verifyMaxWaiting = 8192

func newSlotPool(n int, wait time.Duration) *slotPool {
	free := n / 2
	p := &slotPool{
		free: int64(free),
		own:  n - free,
		room: turns.New(turns.Config{AtOnce: n, MaxWaiting: verifyMaxWaiting, MaxWait: wait}),
	}
	p.room.SetLimit(p.own)
	return p
}

// acquire takes a slot, at once if there is one, else within the pool's wait. A
// slot that was counted has no ticket.
func (p *slotPool) acquire(ctx context.Context, source string) (*turns.Ticket, error) {
	if p.room.Waiting() == 0 {
		if p.count() {
			return nil, nil
		}
	} else if p.count() { // one that stands idle: it is for who waits
		p.lend()
	}
	turn := new(turns.Ticket)
	switch err := p.room.Enter(ctx, source, turn); {
	case err == nil:
		return turn, nil
	case ctx.Err() != nil:
		return nil, gaveUp(ctx)
	case errors.Is(err, turns.ErrShare):
		return nil, throttled(err)
	}
	return nil, errBusy
}

// count takes a slot by counting, if there is one.
func (p *slotPool) count() bool {
	for n := p.counted.Load(); n < p.free; n = p.counted.Load() {
		if p.counted.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

func (p *slotPool) release(turn *turns.Ticket) {
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
func (p *slotPool) lend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room.SetLimit(p.own + int(p.lent.Add(1)))
}

// takeBack has what was lent be counted again, as far as the room has no use for
// it.
func (p *slotPool) takeBack() {
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

// working is how many hold a slot.
func (s slots) working() int { return s.usual.working() + s.costly.working() }

// waiting is how many wait for one.
func (s slots) waiting() int { return s.usual.room.Waiting() + s.costly.room.Waiting() }

// working counts a slot that is lent once: by who holds a turn.
func (p *slotPool) working() int {
	return int(p.counted.Load()-p.lent.Load()) + p.room.Working()
}

var errBusy = &Error{
	check: CheckUnavailable, retryAfter: time.Second,
	text: "too many first-time verifications are under way (Config.VerifySlots, Config.VerifyWait)",
}
