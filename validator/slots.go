package validator

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
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
// more than counting; the others are handed out in turn, fairly by source.
type slotPool struct {
	counted atomic.Int64
	free    int64 // how many may be taken by counting
	room    *turns.Room
}

// verifyMaxWaiting is how many may wait for a slot.
const verifyMaxWaiting = 8192

func newSlotPool(n int, wait time.Duration) *slotPool {
	free := n / 2
	return &slotPool{
		free: int64(free),
		room: turns.New(turns.Config{AtOnce: n - free, MaxWaiting: verifyMaxWaiting, MaxWait: wait}),
	}
}

// acquire takes a slot, at once if there is one, else within the pool's wait. A
// slot that was counted has no ticket.
func (p *slotPool) acquire(ctx context.Context, source string) (*turns.Ticket, error) {
	if p.room.Waiting() == 0 {
		for n := p.counted.Load(); n < p.free; n = p.counted.Load() {
			if p.counted.CompareAndSwap(n, n+1) {
				return nil, nil
			}
		}
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

func (p *slotPool) release(turn *turns.Ticket) {
	if turn == nil {
		p.counted.Add(-1)
		return
	}
	p.room.Leave(turn)
}

// working is how many hold a slot.
func (s slots) working() int { return s.usual.working() + s.costly.working() }

// waiting is how many wait for one.
func (s slots) waiting() int { return s.usual.room.Waiting() + s.costly.room.Waiting() }

func (p *slotPool) working() int { return int(p.counted.Load()) + p.room.Working() }

var errBusy = &Error{
	check: CheckUnavailable, retryAfter: time.Second,
	text: "too many first-time verifications are under way (Config.VerifySlots, Config.VerifyWait)",
}
