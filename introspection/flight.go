package introspection

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/internal/turns"
)

// flights are the tokens that are being asked about.
type flights struct {
	mu    sync.Mutex
	byKey map[cacheKey]*flight
	most  int // that byKey ever held
}

// flight is one token's calls. Whoever has no demand on how fresh the answer is
// joins any of them. Whoever has one waits for no call that he could not use: for
// him there is the fresh call under way, if it was sent late enough, and one
// after it, of which there is one however many wait.
type flight struct {
	key      cacheKey
	endpoint string
	token    string
	plain    *call // without a demand; waits or is under way
	fresh    *call // waits or is under way
	next     *call // waits for fresh to end
	// inactive is what was heard while some call was under way, and when: an
	// active answer that was asked for before then comes too late. It is kept here,
	// and not in a cache that a flood could push it out of.
	inactive   *Result
	inactiveAt time.Time
}

// call is one request to the endpoint, with what it takes to judge its failure.
// It belongs to the Client and not to those who wait for it: only while it waits
// for its turn does it end with the last of them.
type call struct {
	turns.Ticket
	flight  *flight
	lane    *lane
	source  string
	control bool            // asks whether the endpoint is well; see controls
	cause   context.Context // whose request it is, for an Observer that asks; it never ends
	until   time.Time       // nobody waits for another turn after this

	// Guarded by flights.mu.
	waiters int
	renews  bool // what is remembered, before its time
	looking bool // in Config.Shared: what it ends with may have been asked for long ago
	sent    bool
	sentAt  time.Time

	leased bool   // the others that share Config.Shared wait for this call
	signed []byte // the answer's proof, for Config.Shared

	taken  bool                    // perhaps before it was sent
	cancel context.CancelCauseFunc // once it was sent

	done   chan struct{}
	result *Result // set before done is closed
	err    error
}

// demand is what a caller needs.
type demand struct {
	source  string
	fresh   bool
	now     bool      // nothing that was sent before will do, however short ago
	oldest  time.Time // if fresh
	control bool
	ahead   bool // renews what is remembered
	cause   context.Context
}

// landed is what a call is done with that was never made.
var landed = func() chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}()

// errTaken is why a call ends whose turn somebody else needs more.
var errTaken = errors.New("it took long, and its source has more under way than others")

// errAbandoned is what a call comes to that nobody waits for any more.
var errAbandoned = gaveUp(context.Canceled)

// ask returns an answer that fits d. It waits no longer than ctx.
func (c *Client) ask(ctx context.Context, endpoint string, key cacheKey, token string, d demand) (*Result, error) {
	if c.cfg.Observer.Start != nil {
		d.cause = context.WithoutCancel(ctx)
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, gaveUp(err)
		}
		mine, isNew := c.board(endpoint, key, token, d)
		if isNew {
			c.begin(mine)
		}
		select {
		case <-mine.done:
			if mine.err == error(errAbandoned) {
				continue // this caller came when it was just being given up
			}
			return mine.result, mine.err
		case <-ctx.Done():
			c.leave(mine)
			return nil, gaveUp(ctx.Err())
		}
	}
}

// board finds or makes the call that fits d, and reports whether it is new and
// must be queued.
func (c *Client) board(endpoint string, key cacheKey, token string, d demand) (*call, bool) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	f := c.flights.byKey[key]
	if f == nil {
		f = &flight{key: key, endpoint: endpoint, token: token}
		c.flights.byKey[key] = f
		c.flights.most = max(c.flights.most, len(c.flights.byKey))
	}
	for _, other := range []*call{f.plain, f.fresh, f.next} {
		if other != nil && (!d.fresh || !other.looking && (!other.sent || !d.now && !other.sentAt.Before(d.oldest))) {
			other.waiters++
			other.control = other.control || d.control
			return other, false
		}
	}
	if !d.fresh && !d.ahead {
		if e := c.remembered(key); e != nil { // another call landed just now
			if f.plain == nil && f.fresh == nil {
				delete(c.flights.byKey, key)
			}
			return &call{result: e.Result, done: landed}, false
		}
	}
	made := &call{
		flight: f, lane: c.renewals, source: d.source, control: d.control, cause: d.cause,
		waiters: 1, until: time.Now().Add(c.cfg.MaxWait + judgement), done: make(chan struct{}),
	}
	made.Done = func(err error) { c.turn(made, err) }
	made.Taken = func() { c.take(made) }
	if e := c.results.lastActive(key); (e == nil || e.doubted.Load()) && !d.control { // a control was active, also where no cache says so
		made.lane = c.firstSights
	}
	switch {
	case !d.fresh:
		made.looking, made.renews = c.shared.mayLook(), d.ahead
		f.plain = made
	case f.fresh == nil:
		f.fresh = made
	default:
		f.next = made
		return made, false // queued when fresh has ended
	}
	return made, true
}

// begin has a new call wait for its turn, unless another instance has the answer.
func (c *Client) begin(k *call) {
	if k.looking { // nobody else changes it
		go c.look(k)
	} else {
		c.queue(k)
	}
}

// queue has a call wait for its turn.
func (c *Client) queue(k *call) {
	if _, shut := c.gate.enter(time.Now()); shut != nil {
		c.land(k, nil, notAsked(shut))
		return
	}
	k.lane.room.Queue(k.source, &k.Ticket)
}

// turn is told that k's turn has come, or why it never will.
func (c *Client) turn(k *call, refused error) {
	if refused != nil {
		c.land(k, nil, c.noTurn(k, refused))
		return
	}
	ctx, end, err := c.calls.begin()
	if err == nil && !c.wanted(k) {
		end()
		err = errAbandoned
	}
	if err != nil {
		k.lane.room.Leave(&k.Ticket)
		c.land(k, nil, err)
		return
	}
	first, cancel := context.WithCancelCause(ctx)
	c.flights.mu.Lock()
	k.sent, k.sentAt, k.cancel = true, time.Now(), cancel
	if k.taken {
		cancel(errTaken)
	}
	c.flights.mu.Unlock()
	go func() {
		defer end()
		defer cancel(nil)
		r, err := c.run(ctx, first, k)
		if r != nil {
			k.signed, r.signed = r.signed, nil
		}
		c.land(k, r, err)
	}()
}

// noTurn says why k got no turn. While the endpoint serves known tokens, that too
// many others wait is no trouble of this API's.
func (c *Client) noTurn(k *call, refused error) *UnavailableError {
	e := refusedTurn(refused)
	if errors.Is(refused, turns.ErrTooLong) && k.lane == c.firstSights && c.controls.atHand(k, c.cfg.Now()) {
		e.throttled = true
	}
	return e
}

// take ends a call whose turn somebody else needs more.
func (c *Client) take(k *call) {
	c.flights.mu.Lock()
	cancel := k.cancel
	k.taken = true
	c.flights.mu.Unlock()
	if cancel != nil {
		cancel(errTaken)
	}
}

// land ends a call, tells those who wait for it, and lets the next one queue.
func (c *Client) land(k *call, r *Result, err error) {
	heard := r
	c.flights.mu.Lock()
	if r != nil {
		r = c.keep(k.flight, r)
	}
	next := c.flights.remove(k)
	c.flights.mu.Unlock()
	k.result, k.err = r, err
	close(k.done)
	if c.shared != nil && (k.leased || r != nil && r == heard && !k.looking) {
		go c.share(k, r, r == heard)
	}
	if next != nil {
		c.queue(next)
	}
}

// keep remembers an answer and returns what counts now. Of two requests under way
// at the same time, nobody can tell which one the endpoint judged later, and then
// the inactive answer counts: a revocation, once seen, stays seen. An active
// answer undoes an inactive one only if it was asked for after that had been
// heard.
func (c *Client) keep(f *flight, r *Result) *Result {
	if !r.active {
		f.inactive, f.inactiveAt = r, time.Now()
	} else if f.inactive != nil && !r.askedAt.After(f.inactiveAt) {
		return f.inactive
	}
	c.results.put(f.key, r)
	c.doubts.forget(f.key)
	return r
}

// remove takes k out of its flight, and returns what now must be queued.
func (fs *flights) remove(k *call) (next *call) {
	f := k.flight
	switch k {
	case f.plain:
		f.plain = nil
	case f.fresh:
		f.fresh, f.next, next = f.next, nil, f.next
	case f.next:
		f.next = nil
	}
	if f.plain == nil && f.fresh == nil && f.next == nil {
		delete(fs.byKey, f.key)
		if len(fs.byKey) == 0 && fs.most > 256 { // a map keeps the room that a crowd took
			fs.byKey, fs.most = make(map[cacheKey]*flight), 0
		}
	}
	return next
}

// leave is for a caller that gave up. A call that nobody waits for any more ends
// unless it was sent.
func (c *Client) leave(k *call) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	k.waiters--
	if k.waiters > 0 || k.sent {
		return
	}
	if k == k.flight.next || k.lane.room.Drop(&k.Ticket) {
		c.flights.remove(k) // nothing comes after it: that would have joined it
	}
}

// wanted reports whether somebody still waits for k.
func (c *Client) wanted(k *call) bool {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	return k.waiters > 0
}
