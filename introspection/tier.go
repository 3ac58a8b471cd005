package introspection

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/internal/turns"
	"github.com/m2mguard/m2mguard/observe"
)

const (
	// sharedPause is how long the store is left alone after trouble.
	sharedPause = time.Second
	// leaseTime is for how long one instance asks for all, and leaseRest by how much it is
	// longer than Config.MaxWait at least: so long as who has it may wait for its turn,
	// and then ask. By an instance that died others lose MaxWait at most.
	leaseTime = 3 * time.Second
	leaseRest = time.Second
	// leaseAgain is how long one that has no lease waits until it asks for it again.
	leaseAgain = 125 * time.Millisecond
	// firstLook and lastLook bound how long one that waits for another's answer goes
	// without looking for it: twice as long each time, so that a crowd does not wear
	// the store out.
	firstLook = 10 * time.Millisecond
	lastLook  = 160 * time.Millisecond
	// mostHanging is how many calls may be left behind before no other is made.
	mostHanging = 256
	// mostLooking is how many may ask the store at once whether it has an answer. All of a
	// cold start would else keep it, and this process, so busy that calls take longer than
	// Config.SharedTimeout, and then each instance asks the endpoint about everything.
	mostLooking = 64
	// mostOdd is how many calls may fail beside others that go well until that is trouble,
	// too: a part of the store may be away.
	mostOdd = 64
)

// tier is Config.Shared with what bounds what it may cost.
type tier struct {
	store   Shared
	by      []byte // what the keys of all questions begin with
	within  time.Duration
	most    int64 // who may look at the same time
	looking atomic.Int64
	hanging atomic.Int64 // calls that were left behind
	places  *turns.Room  // of those who look
	well    atomic.Int64 // when the last call was begun that went well, in nanoseconds since begun
	odd     atomic.Int64 // calls that failed beside others that went well
	failing atomic.Bool
	again   atomic.Int64 // when there may be a call again, in nanoseconds since begun
	told    atomic.Int64 // until when no rejected entry is reported
	begun   time.Time

	mu       sync.Mutex
	bySource map[string]int64 // of those who look
}

func newTier(cfg *Config) *tier {
	return &tier{store: cfg.Shared, by: cfg.sharedBy(), within: cfg.SharedTimeout, most: int64(cfg.MaxWaiting), begun: time.Now(), bySource: make(map[string]int64),
		places: turns.New(turns.Config{AtOnce: mostLooking, MaxWaiting: cfg.MaxWaiting, MaxWait: cfg.MaxWait})}
}

// mayLook reports whether a new call is worth a look.
func (t *tier) mayLook() bool {
	return t != nil && t.looking.Load() < t.most && (!t.failing.Load() || int64(time.Since(t.begun)) >= t.again.Load())
}

// come reports whether one more of a source may look: half of all may be of one at most,
// and the rest has a turn at the endpoint instead. Who may must leave.
func (t *tier) come(source string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bySource[source] >= max(t.most/2, 1) {
		return false
	}
	t.bySource[source]++
	t.looking.Add(1)
	return true
}

func (t *tier) leave(source string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.looking.Add(-1)
	if t.bySource[source]--; t.bySource[source] == 0 {
		delete(t.bySource, source)
	}
}

// enter reports whether there may be a call now. After trouble it is one, until that
// went well.
func (t *tier) enter() bool {
	if t.hanging.Load() >= mostHanging {
		return false
	}
	if !t.failing.Load() {
		return true
	}
	now, again := int64(time.Since(t.begun)), t.again.Load()
	return now >= again && t.again.CompareAndSwap(again, now+int64(sharedPause))
}

// lookShared is callShared for who looks for an answer: when its turn comes, which is so
// soon where the store is in trouble, or until waiting ends. Turns are fair by the name of
// a source.
func lookShared[T any](ctx, waiting context.Context, c *Client, k *call, name string, do func(context.Context) (T, error)) (answer T, ok bool) {
	var place turns.Ticket
	if c.shared.places.Enter(waiting, name, &place) != nil {
		return answer, false
	}
	defer c.shared.places.Leave(&place)
	return callShared(ctx, c, k, do)
}

// callShared makes one call of the store, and reports whether it went well. It waits no
// longer than Config.SharedTimeout, also for a store that does not return.
//
// One that failed while another that was begun later went well is no trouble of the
// store's: it says nothing about the answers that others wait for.
func callShared[T any](ctx context.Context, c *Client, k *call, do func(context.Context) (T, error)) (answer T, ok bool) {
	t := c.shared
	if ctx.Err() != nil || !t.enter() {
		return answer, false
	}
	began := int64(time.Since(t.begun))
	ctx, end := c.cfg.Observer.Begin(ctx, observe.Operation{Kind: observe.ShareAnswers, Issuer: c.cfg.Issuer, Cause: k.cause})
	within, cancel := context.WithTimeout(ctx, t.within)
	defer cancel()
	type outcome struct {
		answer T
		err    error
	}
	done := make(chan outcome, 1)
	var over atomic.Bool // the call has returned, or was left behind, whichever is first
	go func() {
		var o outcome
		defer func() {
			if value := recover(); value != nil {
				o.err = panicked(value)
			}
			if !over.CompareAndSwap(false, true) {
				t.hanging.Add(-1)
			}
			done <- o
		}()
		o.answer, o.err = do(within)
	}()
	var o outcome
	select {
	case o = <-done:
	case <-within.Done():
		t.hanging.Add(1)
		if !over.CompareAndSwap(false, true) {
			t.hanging.Add(-1)
			o = <-done // it returned at the last moment
			break
		}
		o.err = fmt.Errorf("no answer within %v (Config.SharedTimeout): %w", t.within, within.Err())
	}
	end(o.err)
	switch {
	case errors.Is(o.err, ErrRejected):
		c.rejected(ctx, o.err)
	case o.err != nil:
		if ctx.Err() == nil && (t.well.Load() <= began || t.odd.Add(1) > mostOdd) { // else the Client is being closed, or the store is well
			c.sharedFailed(ctx, o.err)
		}
		return answer, false
	}
	t.well.Store(max(began, t.well.Load()))
	if t.failing.CompareAndSwap(true, false) {
		c.tell(ctx, &observe.Event{Kind: observe.SharedRecovered})
	}
	return o.answer, true
}

func (c *Client) sharedFailed(ctx context.Context, err error) {
	t := c.shared
	t.odd.Store(0)
	t.again.Store(int64(time.Since(t.begun) + sharedPause))
	if t.failing.CompareAndSwap(false, true) {
		c.tell(ctx, &observe.Event{Kind: observe.SharedFailed, Err: fmt.Errorf("introspection: Config.Shared: %w", err)})
	}
}

// rejected reports an entry that counts as none.
func (c *Client) rejected(ctx context.Context, err error) {
	now, told := int64(time.Since(c.shared.begun)), c.shared.told.Load()
	if now >= told && c.shared.told.CompareAndSwap(told, now+int64(reportNext)) {
		c.tell(ctx, &observe.Event{Kind: observe.SharedRejected, Err: fmt.Errorf("introspection: Config.Shared: %w", err)})
	}
}

// look ends a call by another instance's answer, or has it wait for its turn to ask.
func (c *Client) look(k *call) {
	ctx, end, err := c.calls.begin()
	if err != nil {
		c.land(k, nil, err)
		return
	}
	defer end()
	if source := turns.Group(k.source); c.shared.come(source) {
		r := c.fromShared(ctx, k, source)
		c.shared.leave(source)
		if r != nil {
			c.land(k, r, nil)
			return
		}
	}
	c.flights.mu.Lock()
	k.looking = false
	c.flights.mu.Unlock()
	c.queue(k)
}

// fromShared returns another instance's answer. Without one, this instance is to ask:
// it has the lease, nobody can have one, or who has it takes long. Who looks again takes
// turns of its own, so that a source's first looks wait behind no crowd of those.
func (c *Client) fromShared(ctx context.Context, k *call, source string) *Result {
	t, key := c.shared, c.shared.key(k.flight.endpoint, k.flight.token)
	until := time.Now().Add(c.cfg.MaxWait)
	waiting, stop := context.WithDeadline(ctx, until)
	defer stop()
	load := func(name string) (*Result, bool) {
		data, ok := lookShared(ctx, waiting, c, k, name, func(ctx context.Context) ([]byte, error) { return t.store.Load(ctx, key) })
		if !ok || data == nil {
			return nil, ok
		}
		return c.fit(ctx, k, data), true
	}
	var leaseAt time.Time
	name := source
	for wait := firstLook; ; wait, name = min(2*wait, lastLook), "again "+source {
		if r, ok := load(name); r != nil || !ok {
			return r
		}
		now := time.Now()
		if _, shut := c.gate.enter(now); shut != nil {
			return nil
		}
		if !now.Before(leaseAt) {
			keep := max(leaseTime, c.cfg.MaxWait+leaseRest)
			mine, ok := lookShared(ctx, waiting, c, k, name, func(ctx context.Context) (bool, error) { return t.store.Lease(ctx, key, keep) })
			if !ok {
				return nil
			}
			if mine { // who had it may have saved the answer since we looked
				k.leased = true
				r, _ := load(source)
				return r
			}
			leaseAt = now.Add(leaseAgain)
		}
		if now.After(until) || !c.wanted(k) {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// fit reads what was loaded, and returns it if it may serve k.
func (c *Client) fit(ctx context.Context, k *call, data []byte) *Result {
	bounded, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	r, err := c.readKept(bounded, data)
	switch {
	case err == errOver:
		return nil
	case err != nil:
		c.rejected(ctx, fmt.Errorf("%w: it %w", ErrRejected, err))
		return nil
	case k.renews && r.active && time.Until(r.until) < c.cfg.RefreshAhead:
		return nil
	}
	// A revocation, once seen, stays seen.
	if last := c.results.lastInactive(k.flight.key); r.active && last != nil && !r.askedAt.After(last.askedAt) {
		return nil
	}
	return r
}

// share tells the others what k came to: the answer if it counts, or else that one of
// them may ask.
func (c *Client) share(k *call, r *Result, counts bool) {
	ctx, end, err := c.calls.begin()
	if err != nil {
		return
	}
	defer end()
	t, key := c.shared, c.shared.key(k.flight.endpoint, k.flight.token)
	if r == nil || !counts || k.looking || r.active && r.until.IsZero() {
		_, _ = callShared(ctx, c, k, func(ctx context.Context) (bool, error) { return t.store.Lease(ctx, key, 0) })
		return
	}
	a := SharedAnswer{Active: r.active, AskedAt: r.askedAt, Bars: c.cfg.PositiveLifetime}
	lifetime := c.cfg.NegativeLifetime
	if r.active {
		lifetime = c.cfg.PositiveLifetime
	}
	if !r.until.IsZero() {
		a.Keep = time.Until(r.until)
	}
	body := r.claims
	if k.signed != nil {
		body = k.signed
	}
	a.Data = kept(r, lifetime, body)
	_, _ = callShared(ctx, c, k, func(ctx context.Context) (struct{}, error) { return struct{}{}, t.store.Save(ctx, key, a) })
}
