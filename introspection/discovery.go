package introspection

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/metadata"
	"github.com/m2mguard/m2mguard/observe"
)

// maxMetadataBytes bounds the issuer's metadata document; large ones have 10 KB.
const maxMetadataBytes = 1 << 20

// locator knows where the endpoint is: from Config, or discovered at the first
// use and after failures.
type locator struct {
	known  atomic.Pointer[string]
	flight singleflight.Group
	gate   gate
	http   *fetch.Client // nil: the endpoint is configured
	again  atomic.Int64  // when it was discovered again last, in Unix nanoseconds
}

// endpoint returns the endpoint's address, after a discovery if need be.
func (c *Client) endpoint(ctx context.Context) (string, error) {
	if known := c.where.known.Load(); known != nil {
		return *known, nil
	}
	found, err := await(ctx, c.where.flight.DoChan("", func() (any, error) {
		if known := c.where.known.Load(); known != nil { // another discovery ended just now
			return *known, nil
		}
		return c.discover(ctx)
	}))
	if err != nil {
		return "", err
	}
	return found.(string), nil
}

// nobody is the cause of what no request asked for.
var nobody context.Context

// rediscover starts a discovery that is tied to no caller, or joins the one
// that is under way.
func (c *Client) rediscover() <-chan singleflight.Result {
	return c.where.flight.DoChan("", func() (any, error) { return c.discover(nobody) })
}

// mayHaveMoved has the endpoint discovered again, at most once a second. Nobody
// waits for it.
func (c *Client) mayHaveMoved() {
	if c.where.http == nil {
		return
	}
	now, last := time.Now().UnixNano(), c.where.again.Load()
	if now-last >= int64(time.Second) && c.where.again.CompareAndSwap(last, now) {
		c.rediscover()
	}
}

// discover reads from the issuer's metadata where its endpoint is, for the caller
// with context cause, nobody if there is none.
func (c *Client) discover(cause context.Context) (any, error) {
	ctx, end, err := c.calls.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	round, shut := c.where.gate.enter(time.Now())
	if shut != nil {
		wait := shut.wait
		return nil, unavailable(fmt.Errorf("the endpoint is not known, and its discovery failed before: next try in %v", wait), wait)
	}
	want := metadata.Introspection
	if _, byCertificate := c.cfg.Auth.(tlsClientAuth); byCertificate {
		want = metadata.MTLSIntrospection
	}
	ctx, ended := c.cfg.Observer.Begin(ctx, observe.Operation{Kind: observe.Discover, Issuer: c.cfg.Issuer, Cause: cause})
	found, err := metadata.Discover(ctx, c.where.http, c.cfg.Issuer, want, c.cfg.DangerouslyAllowHTTP)
	ended(err)
	if err == nil {
		c.where.gate.succeed(round)
		c.where.known.Store(&found)
		return found, nil
	}
	failure := unavailable(err, 0)
	if shut := c.where.gate.fail(round, time.Now(), false); shut != nil {
		failure.RetryAfter = max(failure.RetryAfter, shut.wait)
	}
	failure.endpoint = true
	if ctx.Err() == nil {
		c.report(ctx, &failed{UnavailableError: failure, kind: unreached}, true)
	}
	return nil, failure
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
