package introspection

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/m2mguard/m2mguard/internal/fetch"
)

// Client asks one introspection endpoint as one OAuth client. It is safe for
// concurrent use; make it with [New].
type Client struct {
	cfg      Config
	http     *fetch.Client
	where    locator
	results  *results
	flights  singleflight.Group // by cacheKey
	calls    detached
	answered atomic.Bool // there was a usable answer
	failing  atomic.Bool // since the last usable answer
	accepted atomic.Pointer[acceptedSecret]

	firstSights *lane
	renewals    *lane // for tokens last seen active
}

// New checks cfg and returns a Client. Every fault of cfg is reported at once.
// New does no I/O and starts no goroutine: an endpoint that is down must not
// stop an API from starting.
func New(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c := &Client{
		cfg:         cfg,
		http:        fetch.New(cfg.HTTPClient, cfg.RequestTimeout, cfg.MaxResponseBytes),
		results:     newResults(cfg.CacheEntries),
		firstSights: newLane(cfg.MaxConcurrent, cfg.MaxPerSecond),
		renewals:    newLane(cfg.MaxConcurrent, -1),
	}
	if cfg.Endpoint != "" {
		c.where.known.Store(&cfg.Endpoint)
	} else {
		c.where.http = fetch.New(cfg.HTTPClient, cfg.RequestTimeout, maxMetadataBytes)
	}
	return c, nil
}

// Introspect returns what the endpoint says of token: the remembered answer
// while its lifetime lasts, or a new one, for which concurrent callers share
// one request. It waits no longer than ctx. Every error is an
// [*UnavailableError], which says nothing about the token.
func (c *Client) Introspect(ctx context.Context, token string) (*Result, error) {
	endpoint, err := c.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	key := c.results.key(endpoint, token)
	if e := c.remembered(key); e != nil {
		c.refreshAhead(e, endpoint, key, token)
		return e.Result, nil
	}
	r, err := c.join(ctx, key, func() (any, error) {
		if e := c.remembered(key); e != nil { // another request was answered just now
			return e.Result, nil
		}
		return c.ask(endpoint, key, token)
	})
	if err == nil {
		return r, nil
	}
	// Looked up again: another caller may have learned of a revocation.
	stale := c.results.lastActive(key)
	if stale != nil && mayServeStale(ctx, err) && c.servable(stale.Result, c.cfg.StaleIfError) {
		return stale.Result, nil
	}
	return nil, err
}

// IntrospectFresh is Introspect for those who need to know what the endpoint
// said no longer than maxAge ago: the result's AskedAt is at most that far back
// from the moment of the call. 0 asks now, and shares no request that was
// already under way. The answer takes the place of what was remembered: a token
// that turns out inactive is inactive for Introspect, too. StaleIfError does not
// apply.
func (c *Client) IntrospectFresh(ctx context.Context, token string, maxAge time.Duration) (*Result, error) {
	oldest := time.Now().Add(-max(maxAge, 0))
	endpoint, err := c.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	key := c.results.key(endpoint, token)
	if maxAge > 0 {
		if e := c.remembered(key); e != nil && !e.askedAt.Before(oldest) {
			return e.Result, nil
		}
		r, err := c.join(ctx, key, func() (any, error) { return c.ask(endpoint, key, token) })
		if err != nil || !r.askedAt.Before(oldest) {
			return r, err
		}
	}
	for {
		c.flights.Forget(string(key[:])) // those who wait for that request still get its answer
		r, err := c.join(ctx, key, func() (any, error) { return c.ask(endpoint, key, token) })
		if err != nil || !r.askedAt.Before(oldest) {
			return r, err
		}
		// An Introspect came in between, and made do with what is remembered.
	}
}

// remembered returns an answer that may be served, active or not; nil if there
// is none.
func (c *Client) remembered(key cacheKey) *entry {
	for _, e := range []*entry{c.results.lastActive(key), c.results.lastInactive(key)} {
		if e != nil && c.servable(e.Result, 0) {
			return e
		}
	}
	return nil
}

// Close cancels the requests under way, waits for them and forgets all
// answers. Later calls fail with an [*UnavailableError]. Close may be called
// more than once.
func (c *Client) Close() {
	c.calls.close()
	c.results.drop()
	c.http.Close()
	if c.where.http != nil {
		c.where.http.Close()
	}
}

// servable reports whether r may be served now, or past its lifetime by grace.
func (c *Client) servable(r *Result, grace time.Duration) bool {
	return !r.until.IsZero() && time.Now().Before(r.until.Add(grace)) && !c.expired(r)
}

// mayServeStale reports whether err is the endpoint's trouble, rather than the
// caller's end or the endpoint's word on this token.
func mayServeStale(ctx context.Context, err error) bool {
	failure, ok := errors.AsType[*UnavailableError](err)
	return ok && !failure.aboutToken && ctx.Err() == nil
}

// refreshAhead renews an entry in the background when little of its lifetime is
// left: once, and not when exp ends it, because a renewal could not prolong it.
func (c *Client) refreshAhead(e *entry, endpoint string, key cacheKey, token string) {
	if !e.active || time.Until(e.until) >= c.cfg.RefreshAhead || e.until.Before(e.askedAt.Add(c.cfg.PositiveLifetime)) {
		return
	}
	if e.renewed.CompareAndSwap(false, true) {
		c.flights.DoChan(string(key[:]), func() (any, error) { return c.ask(endpoint, key, token) })
	}
}

// join waits for the answer to a request that all callers with the same token
// share, and that none of them can cancel.
func (c *Client) join(ctx context.Context, key cacheKey, ask func() (any, error)) (*Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, gaveUp(err)
	}
	r, err := await(ctx, c.flights.DoChan(string(key[:]), ask))
	if err != nil {
		return nil, err
	}
	return r.(*Result), nil
}

// await waits for a shared call no longer than ctx.
func await(ctx context.Context, done <-chan singleflight.Result) (any, error) {
	select {
	case res := <-done:
		return res.Val, res.Err
	case <-ctx.Done():
		return nil, gaveUp(ctx.Err())
	}
}

func gaveUp(err error) *UnavailableError {
	return unavailable(fmt.Errorf("the caller did not wait for the answer: %w", err), 0)
}

// ask is one call, detached from its callers: it takes its turn in the token's
// lane, asks, remembers the answer, and tells the gate how it went.
func (c *Client) ask(endpoint string, key cacheKey, token string) (any, error) {
	ctx, end, err := c.calls.begin()
	if err != nil {
		return nil, unavailable(err, 0)
	}
	defer end()
	lane := c.firstSights
	if c.results.lastActive(key) != nil {
		lane = c.renewals
	}
	p, refused := lane.enter(ctx)
	if refused != nil {
		return nil, refused
	}
	defer lane.leave()
	r, failure := c.exchange(ctx, endpoint, token)
	switch {
	case failure == nil:
		lane.gate.succeed(p)
		c.recovered(endpoint)
		return c.results.put(key, r), nil
	case ctx.Err() != nil:
		lane.gate.release(p)
		return nil, unavailable(errClosed, 0)
	case failure.aboutToken:
		lane.gate.release(p)
	default:
		c.backOff(lane, p, failure)
	}
	c.failed(endpoint, failure)
	return nil, failure
}

// backOff counts a failure of the endpoint.
func (c *Client) backOff(l *lane, p pass, failure *UnavailableError) {
	now := time.Now()
	wait := l.gate.fail(p, now)
	if failure.pause > 0 {
		wait = max(wait, failure.pause)
		c.firstSights.gate.shut(now.Add(failure.pause))
		c.renewals.gate.shut(now.Add(failure.pause))
	}
	failure.RetryAfter = max(failure.RetryAfter, wait)
	c.failing.Store(true)
	if wait > 0 && c.where.http != nil {
		c.rediscover() // it may have moved; nobody waits for this
	}
}

func (c *Client) failed(endpoint string, failure *UnavailableError) {
	kind := IntrospectionFailed
	if failure.aboutToken && c.answered.Load() { // else it may be about every token
		kind = TokenNotJudged
	}
	c.tell(Event{Kind: kind, Endpoint: fetch.WithoutQuery(endpoint), Status: failure.Status, Err: failure})
}

func (c *Client) recovered(endpoint string) {
	if !c.answered.Load() {
		c.answered.Store(true)
	}
	if c.failing.Load() && c.failing.Swap(false) {
		c.tell(Event{Kind: Recovered, Endpoint: fetch.WithoutQuery(endpoint), Status: 200})
	}
}

func (c *Client) tell(event Event) {
	if c.cfg.OnEvent != nil {
		event.Issuer = c.cfg.Issuer
		c.cfg.OnEvent(event)
	}
}
