package introspection

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/metadata"
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
		return c.discover()
	}))
	if err != nil {
		return "", err
	}
	return found.(string), nil
}

// rediscover starts a discovery that is tied to no caller, or joins the one
// that is under way.
func (c *Client) rediscover() <-chan singleflight.Result {
	return c.where.flight.DoChan("", func() (any, error) { return c.discover() })
}

func (c *Client) discover() (any, error) {
	ctx, end, err := c.calls.begin()
	if err != nil {
		return nil, unavailable(err, 0)
	}
	defer end()
	p, wait := c.where.gate.enter(time.Now())
	if wait > 0 {
		return nil, unavailable(fmt.Errorf("the endpoint is not known, and its discovery failed before: next try in %v", wait), wait)
	}
	want := metadata.Introspection
	if _, byCertificate := c.cfg.Auth.(tlsClientAuth); byCertificate {
		want = metadata.MTLSIntrospection
	}
	found, err := metadata.Discover(ctx, c.where.http, c.cfg.Issuer, want, c.cfg.DangerouslyAllowHTTP)
	if err == nil {
		c.where.gate.succeed(p)
		c.where.known.Store(&found)
		return found, nil
	}
	failure := unavailable(err, c.where.gate.fail(p, time.Now()))
	if ctx.Err() == nil {
		c.failing.Store(true)
		c.failed("", failure)
	}
	return nil, failure
}
