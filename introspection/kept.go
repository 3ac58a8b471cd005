package introspection

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// Of what is kept in Config.Shared: the version of the form, one of the kinds, when the
// endpoint was asked and for how long that counts, in milliseconds (since 1970), and the
// answer as the endpoint gave it. An inactive one says nothing more.
const (
	keptForm     = 1
	keptHead     = 2 + 8 + 4
	keptInactive = 0
	keptActive   = 1
)

// clockSpread is by how much the clocks of instances may differ, whatever store they
// share.
const clockSpread = 10 * time.Second

// kept writes r as it is kept, and body as what proves it.
func kept(r *Result, lifetime time.Duration, body []byte) []byte {
	kind := byte(keptInactive)
	if r.active {
		kind = keptActive
	} else {
		body = nil
	}
	b := make([]byte, 0, keptHead+len(body))
	b = append(b, keptForm, kind)
	b = binary.BigEndian.AppendUint64(b, uint64(r.askedAt.UnixMilli()))
	b = binary.BigEndian.AppendUint32(b, uint32(min(max(lifetime.Milliseconds(), 0), math.MaxUint32)))
	return append(b, body...)
}

var errOver = errors.New("the answer's time is over")

// readKept reads what was kept, as if the endpoint had just said so to us: an answer
// that is active is decoded, and proven, as all are. What has had its time is errOver.
// Who asked had another clock: how old the answer is, is at most as much more as clocks
// may differ.
func (c *Client) readKept(ctx context.Context, data []byte) (*Result, error) {
	if len(data) < keptHead || data[0] != keptForm || data[1] > keptActive {
		return nil, errors.New("is not of a form that is known here")
	}
	active, body := data[1] == keptActive, data[keptHead:]
	now := time.Now()
	asked := time.UnixMilli(int64(binary.BigEndian.Uint64(data[2:])))
	age := now.Sub(asked)
	if age < -clockSpread {
		return nil, fmt.Errorf("was asked for %v ahead of our clock, wanted at most %v", age.Abs().Truncate(time.Millisecond), clockSpread)
	}
	age = max(age, 0)
	lifetime := c.cfg.NegativeLifetime
	if active {
		lifetime = c.cfg.PositiveLifetime
	}
	lifetime = min(lifetime, time.Duration(binary.BigEndian.Uint32(data[10:]))*time.Millisecond)
	if age >= lifetime {
		return nil, errOver
	}
	if !active {
		if len(body) > 0 {
			return nil, errors.New("is inactive and says more")
		}
		return &Result{claims: inactiveClaims, askedAt: now.Add(-age), until: now.Add(lifetime - age)}, nil
	}
	if int64(len(body)) > c.cfg.MaxResponseBytes {
		return nil, fmt.Errorf("has %d bytes, wanted at most %d (Config.MaxResponseBytes)", len(body), c.cfg.MaxResponseBytes)
	}
	r, err := c.readBody(ctx, body)
	switch {
	case err != nil:
		return nil, err
	case !r.active:
		return nil, errors.New("is active and inactive")
	case c.expired(r):
		return nil, errOver
	}
	// Whoever wants it fresh, and whoever holds it against an inactive answer of ours,
	// must not take it for younger than it is.
	r.askedAt = now.Add(-age - clockSpread)
	r.until = now.Add(lifetime - age)
	if !r.exp.IsZero() {
		if end := now.Add(r.exp.Sub(c.cfg.Now())); end.Before(r.until) {
			r.until = end
		}
	}
	return r, nil
}
