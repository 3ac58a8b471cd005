package introspection

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/turns"
	"github.com/m2mguard/m2mguard/observe"
)

// run asks about k's token, whose turn has come, and judges a failure: whether it
// is the endpoint's, or the token's own.
//
// The order is what makes it sound. A failure is the token's own only if a
// control was active that was asked about after it; and where the failure is none
// with which servers refuse tokens, or may have been about other credentials than
// the control's, the token is asked about once more after the control. An outage
// that begins or ends in between, or a credential that is revoked, is then the
// control's trouble or nobody's any more.
func (c *Client) run(ctx, first context.Context, k *call) (*Result, error) {
	r, f := c.try(first, k, &k.Ticket)
	if f != nil && errors.Is(f.Err, errTaken) {
		r, f = c.again(ctx, k)
	}
	if f != nil && f.kind == slowDown && k.lane == c.firstSights {
		r, f = c.again(ctx, k)
	}
	if f == nil {
		return r, nil
	}
	if f.kind == refusesToken || f.kind == odd {
		return c.judge(ctx, k, f)
	}
	return nil, c.told(k, f)
}

// told is what callers are told of a failure that is no word on their token.
func (c *Client) told(k *call, f *failed) *UnavailableError {
	if f.kind == slowDown && k.lane == c.firstSights && c.controls.atHand(k, c.cfg.Now()) {
		f.throttled = true // the endpoint serves others: whoever asks for less is served
	}
	return f.UnavailableError
}

// again asks once more, after another wait for a turn: within what is left of the
// wait that its callers were to expect.
func (c *Client) again(ctx context.Context, k *call) (*Result, *failed) {
	if !c.wanted(k) {
		return nil, &failed{UnavailableError: errAbandoned, kind: ended}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ticket := &turns.Ticket{Taken: func() { cancel(errTaken) }}
	waiting, stop := context.WithDeadlineCause(ctx, k.until, turns.ErrTooLong)
	defer stop()
	if err := k.lane.room.Enter(waiting, k.source, ticket); err != nil {
		return nil, &failed{UnavailableError: c.noTurn(k, err), kind: ended}
	}
	return c.try(ctx, k, ticket)
}

// try makes one request on k's turn, gives the turn back, and tells the gate and
// the lane how it went.
func (c *Client) try(ctx context.Context, k *call, turn *turns.Ticket) (*Result, *failed) {
	round, shut := c.gate.enter(time.Now())
	if shut != nil {
		k.lane.room.Leave(turn)
		return nil, &failed{UnavailableError: notAsked(shut), kind: ended}
	}
	ctx, end := c.cfg.Observer.Begin(ctx, observe.Operation{
		Kind: observe.Introspect, Issuer: c.cfg.Issuer, URL: fetch.WithoutQuery(k.flight.endpoint), Cause: k.cause,
	})
	r, f := c.exchange(ctx, k.flight.endpoint, k.flight.token)
	k.lane.room.Leave(turn) // whom we tell of it holds no turn
	end(f.asError())
	now := time.Now()
	if f == nil {
		c.answered(ctx, k, r, round, now)
		return r.Result, nil
	}
	f.round = round
	f.event, f.suspect = c.controls.failed(k.lane == c.renewals && (f.kind == refusesToken || f.kind == odd))
	first := k.lane == c.firstSights
	if first && f.kind != slowDown && f.kind != ended {
		k.lane.pace.answer(now)
	}
	switch f.kind {
	case unreached:
		f.endpoint = true
		c.fail(ctx, f)
	case slowDown:
		f.endpoint = true
		c.slow(ctx, k, f)
	case refusesToken, odd:
		if first {
			k.lane.worse(f.sentAt)
			c.report(ctx, f, false)
		} else if c.isControl(k) {
			f.endpoint, f.asked = !f.word, true
			c.fail(ctx, f)
		}
	}
	return nil, f
}

// answered takes an answer to the gate, the lane and the controls.
func (c *Client) answered(ctx context.Context, k *call, r heard, round uint64, now time.Time) {
	c.gate.succeed(round)
	k.lane.better(now.Sub(r.askedAt), r.active)
	if k.lane == c.firstSights {
		k.lane.pace.answer(now)
		if r.active {
			k.lane.pace.active(now)
		}
	}
	if r.active {
		c.controls.active(k, r.evidence, r.exp)
	} else {
		c.controls.forget(k.flight.key)
	}
	c.recovered(ctx, k.flight.endpoint)
}

// judge finds out whose failure f is.
func (c *Client) judge(ctx context.Context, k *call, f *failed) (*Result, error) {
	if c.isControl(k) {
		return nil, f.UnavailableError
	}
	if !c.controls.mayJudge(k.source, c.cfg.MaxWaiting) {
		return nil, refusedTurn(turns.ErrShare)
	}
	defer c.controls.hasJudged(k.source)
	found := c.consult(ctx, k, f)
	switch {
	case found == wellAsSame && f.kind == refusesToken && k.lane == c.firstSights && !c.controls.unsure() && !c.controls.flapping():
		return c.refuse(k, f)
	case found < well:
		return nil, c.unjudged(ctx, k, f, found)
	}
	r, later := c.again(ctx, k)
	if later != nil && later.kind == odd && (later.Status == 0 || later.Status >= 500) {
		r, later = c.again(ctx, k) // an endpoint that fails now and then fails for a control no oftener
	}
	switch {
	case later == nil:
		if r.active {
			c.controls.flaps()
		}
		return r, nil
	case later.kind != refusesToken && later.kind != odd:
		return nil, c.told(k, later)
	}
	// Between the two there was a control, and after them there is one.
	found = c.consult(ctx, k, later)
	if found != wellAsSame && !(found == well && later.as == "") || k.lane == c.firstSights && (later.suspect || c.controls.flapping()) {
		return nil, c.unjudged(ctx, k, later, min(found, refusedToo))
	}
	return c.refuse(k, later)
}

// refuse is what a token gets whose failure is its own.
func (c *Client) refuse(k *call, f *failed) (*Result, error) {
	if e := c.results.lastActive(k.flight.key); e != nil {
		e.doubted.Store(true) // it waits among those never seen active, until it is active again
	}
	k.lane.raise() // the endpoint is well
	if f.inactive {
		r := &Result{claims: inactiveClaims, askedAt: f.sentAt}
		c.setLifetime(r)
		return r, nil
	}
	err := &RefusedError{Status: f.Status, Err: f.Err}
	if f.Status != 0 && f.Status != http.StatusOK { // what else a status may mean is not what it means here
		err.Err = fmt.Errorf("POST %s: status %d", fetch.WithoutQuery(k.flight.endpoint), f.Status)
	}
	c.doubts.put(k.flight.key, err)
	return nil, err
}

// unjudged is a failure that is the endpoint's as far as anybody can tell. About a
// token last seen active, it counts.
func (c *Client) unjudged(ctx context.Context, k *call, f *failed, found finding) *UnavailableError {
	f.endpoint = !f.word // else StaleIfError might revive what was revoked
	if f.client && found == refusedToo {
		c.accepted.Store(nil) // the next one is sent with what Config.Auth has, and once
	}
	if k.lane == c.renewals {
		c.fail(ctx, f)
	} else {
		c.mayHaveMoved()
	}
	return f.UnavailableError
}

// fail counts a failure of the endpoint, and shuts the way if it is time to.
func (c *Client) fail(ctx context.Context, f *failed) {
	shut := c.gate.fail(f.round, time.Now(), f.word)
	if shut != nil {
		f.RetryAfter = max(f.RetryAfter, shut.wait)
	}
	c.report(ctx, f, true)
	if shut != nil {
		c.shut(shut)
		c.mayHaveMoved()
	}
}

// shut tells all who wait that the gate is shut.
func (c *Client) shut(s *shut) {
	c.firstSights.worst()
	c.renewals.worst()
	c.firstSights.room.Flush(notAsked(s))
	c.renewals.room.Flush(notAsked(s))
	c.controls.wake()
}

// slowed is the last token last seen active about which the server wanted to be
// left alone.
type slowed struct {
	mu     sync.Mutex
	key    cacheKey
	source string
	until  time.Time
}

// slow obeys a Retry-After. About a token never seen active it slows those alone.
// About another it halves the pace of all such, and a second one about a different
// token within its time stops everybody, for longestStopping at most.
func (c *Client) slow(ctx context.Context, k *call, f *failed) {
	now := time.Now()
	if k.lane == c.firstSights {
		k.lane.pace.refused(f.sentAt, now, f.pause)
		c.report(ctx, f, false)
		return
	}
	pause := min(f.pause, longestStopping)
	f.RetryAfter = max(f.RetryAfter, pause)
	k.lane.worse(f.sentAt)
	c.slowed.mu.Lock()
	second := c.slowed.key != k.flight.key && now.Before(c.slowed.until)
	if second && c.slowed.source == k.source && c.controls.severalSources() {
		second = false
	}
	c.slowed.key, c.slowed.source, c.slowed.until = k.flight.key, k.source, now.Add(f.pause)
	c.slowed.mu.Unlock()
	c.report(ctx, f, true)
	if second {
		c.shut(c.gate.shutFor(now, pause))
	}
}

// isControl reports whether k is asked about for the sake of others.
func (c *Client) isControl(k *call) bool {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	return k.control
}
