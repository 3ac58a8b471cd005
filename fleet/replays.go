package fleet

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/observe"
)

// replaysAgain is how long a store that failed is left alone, where what this instance
// has seen will do.
const replaysAgain = time.Second

// Replays remembers proofs for dpop.Config: each is good once in the whole deployment.
//
// What this instance has seen is refused without asking Redis. Everything else waits for
// one command, or two while secrets rotate, for Config.ReplayTimeout at most; without an
// answer the request is refused with dpop.ErrUnavailable (503), and the proof is spent
// here. So is it where this instance remembers nearly Config.MaxProofs. Where Redis has
// replicas, a proof may pass a second time after a failover that lost the last moment.
//
// Replays begins to connect, so that no request waits for that.
func (f *Fleet) Replays() dpop.Replays {
	f.warm()
	return &replays{f: f, local: dpop.NewMemory(f.config.MaxProofs), begun: time.Now()}
}

// errFull is why a proof is not remembered, whatever Redis says.
var errFull = errors.New("fleet: this instance's memory of seen proofs is nearly full, and whoever holds this key has more than four times what is left, or nothing is left (fleet.Config.MaxProofs)")

type replays struct {
	f       *Fleet
	local   *dpop.Memory
	begun   time.Time
	failing atomic.Bool
	again   atomic.Int64 // when Redis may be asked again, in nanoseconds since begun
}

var _ dpop.Replays = (*replays)(nil)

// Remember implements [dpop.Replays]. keep is by the clock of one instance: another's
// may take the proof for as much younger as clocks differ.
func (r *replays) Remember(ctx context.Context, p dpop.Seen, keep time.Duration) (first bool, err error) {
	keep = max(keep, 0) + r.f.config.MaxClockSpread
	if first, err = r.local.Remember(ctx, p, keep); err != nil {
		return false, errFull // it does not fail otherwise
	}
	if !first {
		return false, nil
	}
	alone := r.f.config.DangerouslyReplaysAlone
	if alone && r.failing.Load() && int64(time.Since(r.begun)) < r.again.Load() {
		return true, nil
	}
	within, ended := r.f.config.Observer.Begin(ctx, observe.Operation{Kind: observe.RememberProof})
	within, cancel := context.WithTimeout(within, r.f.config.ReplayTimeout)
	defer cancel()
	first, err = r.remember(within, p, keep)
	ended(err)
	switch {
	case err == nil:
		if r.failing.CompareAndSwap(true, false) {
			r.tell(ctx, observe.ReplaysRecovered, nil)
		}
		return first, nil
	case ctx.Err() != nil: // the request has ended, which says nothing of Redis
		return false, err
	}
	r.again.Store(int64(time.Since(r.begun) + replaysAgain))
	if r.failing.CompareAndSwap(false, true) {
		r.tell(ctx, observe.ReplaysFailed, err)
	}
	if alone {
		return true, nil
	}
	return false, err
}

// remember notes the proof under each secret: while they rotate, not all instances have
// the same. All take them in the same order, so that of several who come at once one is
// the first.
func (r *replays) remember(ctx context.Context, p dpop.Seen, keep time.Duration) (bool, error) {
	ring := r.f.ring()
	names := make([]string, len(ring.secrets))
	for n := range names {
		mac := ring.mac(forReplays, n, p.ID[:])
		names[n] = r.f.spreadKey("proof", base64.RawURLEncoding.EncodeToString(mac[:16]))
	}
	if len(names) > 1 {
		first, second := ring.mac(forReplays, 0), ring.mac(forReplays, 1)
		if slices.Compare(first[:], second[:]) > 0 {
			slices.Reverse(names)
		}
	}
	for _, name := range names {
		got, err := r.f.conn.Do(ctx, name, "SET", name, "1", "NX", "PX", strconv.FormatInt(keep.Milliseconds()+1, 10))
		switch {
		case err != nil:
			return false, fmt.Errorf("fleet: the proof was not remembered: %w", err)
		case got == nil:
			return false, nil
		case got != "OK":
			return false, fmt.Errorf("fleet: the proof was not remembered: Redis answered with a %T, wanted OK or nothing", got)
		}
	}
	return true, nil
}

func (r *replays) tell(ctx context.Context, kind observe.Kind, err error) {
	r.f.config.Observer.Tell(ctx, &observe.Event{Kind: kind, Err: err})
}
