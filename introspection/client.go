package introspection

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
)

// Client asks one introspection endpoint, or one Introspector, as one OAuth client. It is safe for
// concurrent use; make it with [New].
type Client struct {
	cfg      Config
	http     *fetch.Client
	where    locator
	results  *results
	doubts   doubts
	flights  flights
	calls    detached
	controls *controls
	gate     gate
	reports  reports
	accepted atomic.Pointer[acceptedSecret]
	rotating atomic.Pointer[rotation]
	stuck    atomic.Int64 // calls of Config.Auth under way
	shared   *tier        // nil: none

	hits, misses atomic.Uint64 // of Stats

	firstSights *lane
	renewals    *lane // for tokens last seen active
	slowed      slowed
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
		results:     newResults(cfg.CacheEntries, cfg.StaleIfError),
		flights:     flights{byKey: make(map[cacheKey]*flight)},
		controls:    newControls(),
		firstSights: newFirstSights(&cfg),
		renewals:    newRenewals(&cfg),
	}
	if cfg.Shared != nil {
		c.shared = newTier(&cfg)
	}
	if cfg.Endpoint != "" || cfg.Introspector != nil {
		c.where.known.Store(&cfg.Endpoint)
	} else {
		c.where.http = fetch.New(cfg.HTTPClient, cfg.RequestTimeout, maxMetadataBytes)
	}
	return c, nil
}

// Question is what [Client.Ask] asks.
type Question struct {
	_ [0]func()

	// Token is the access token. Required.
	Token string
	// MaxAge, if set, is how old the answer may be: its AskedAt is at most that
	// far back from the moment of the call. 0 asks now, and shares no request that
	// was sent before; a negative one is 0. Nil: whatever is remembered will do.
	MaxAge *time.Duration
	// Source is who seems to ask, such as the address of the API's client. Turns
	// are fair by source, and it decides nothing else. Empty is a source, too.
	Source string
}

// Introspect is [Client.Ask] for what is remembered of token, or else a new
// answer.
func (c *Client) Introspect(ctx context.Context, token string) (*Result, error) {
	return c.Ask(ctx, Question{Token: token})
}

// IntrospectFresh is [Client.Ask] with a MaxAge.
func (c *Client) IntrospectFresh(ctx context.Context, token string, maxAge time.Duration) (*Result, error) {
	return c.Ask(ctx, Question{Token: token, MaxAge: &maxAge})
}

// Ask returns what the endpoint says of a token: the remembered answer while its
// lifetime lasts, or a new one, for which concurrent callers share one request.
// It waits no longer than ctx. An error is an [*UnavailableError], which says
// nothing about the token, or a [*RefusedError].
//
// A fresh answer takes the place of what was remembered: a token that turns out
// inactive is inactive for everybody. A remembered inactive answer serves
// whatever its age, and StaleIfError does not apply.
func (c *Client) Ask(ctx context.Context, q Question) (*Result, error) {
	d := demand{source: q.Source}
	if q.MaxAge != nil {
		d.fresh, d.now, d.oldest = true, *q.MaxAge <= 0, time.Now().Add(-max(*q.MaxAge, 0))
	}
	endpoint, err := c.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	key := c.results.key(endpoint, q.Token)
	if e := c.remembered(key); e != nil && (!d.fresh || !e.active || !d.now && !e.askedAt.Before(d.oldest)) {
		c.hits.Add(1)
		c.refreshAhead(e, endpoint, key, q)
		if e.active {
			c.controls.offer(endpoint, key, q.Token, q.Source, e.exp)
		}
		return e.Result, nil
	}
	c.misses.Add(1)
	if refused := c.doubts.get(key); refused != nil {
		return nil, refused
	}
	r, err := c.ask(ctx, endpoint, key, q.Token, d)
	if err == nil || d.fresh {
		return r, err
	}
	// Looked up again: another caller may have learned of a revocation.
	stale := c.results.lastActive(key)
	if stale != nil && mayServeStale(ctx, err) && c.servable(stale.Result, c.cfg.StaleIfError) {
		return stale.Result, nil
	}
	return nil, err
}

// remembered returns an answer that may be served, active or not; nil if there
// is none.
func (c *Client) remembered(key cacheKey) *entry {
	for _, s := range []*store{c.results.active, c.results.inactive} {
		if e := s.get(key); e != nil && c.servable(e.Result, 0) {
			return e
		}
	}
	return nil
}

// Close cancels the requests under way, waits for them and forgets all
// answers. Later calls fail with an [*UnavailableError]. Close may be called
// more than once.
func (c *Client) Close() {
	c.firstSights.room.Close()
	c.renewals.room.Close()
	if c.shared != nil {
		c.shared.places.Close()
	}
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
// caller's end, our own bounds or the endpoint's word on this token.
func mayServeStale(ctx context.Context, err error) bool {
	failure, ok := errors.AsType[*UnavailableError](err)
	return ok && failure.endpoint && ctx.Err() == nil
}

// refreshAhead renews an entry in the background when little of its lifetime is
// left: once, and not when exp ends it, because a renewal could not prolong it.
func (c *Client) refreshAhead(e *entry, endpoint string, key cacheKey, q Question) {
	if !e.active || time.Until(e.until) >= c.cfg.RefreshAhead || e.until.Before(e.askedAt.Add(c.cfg.PositiveLifetime)) {
		return
	}
	if e.renewed.CompareAndSwap(false, true) {
		// Nobody waits for it, so nobody's end is its end.
		if k, isNew := c.board(endpoint, key, q.Token, demand{source: q.Source, ahead: true}); isNew {
			c.begin(k)
		}
	}
}
