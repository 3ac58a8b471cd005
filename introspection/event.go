package introspection

import (
	"context"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/observe"
)

// reportAgain is when a failure that goes on is reported again, and reportNext
// when the next one is at the earliest.
const (
	reportAgain = 30 * time.Second
	reportNext  = time.Second
)

// reports see to it that a failure is reported when it begins, and not once for
// each request that meets it.
type reports struct {
	mu       sync.Mutex
	answered bool      // there was a usable answer
	failing  bool      // since the last usable answer
	told     bool      // of this failure
	status   int       // of what was reported last
	at       time.Time // when that was
}

// report tells of a failure: as the endpoint's, or as one that may be its token's
// alone. Before the first usable answer every failure may be the endpoint's.
func (c *Client) report(ctx context.Context, f *failed, endpoint bool) {
	now := time.Now()
	c.reports.mu.Lock()
	kind := observe.TokenNotJudged
	if endpoint || !c.reports.answered {
		since := now.Sub(c.reports.at)
		if since >= reportAgain || endpoint && c.reports.status != f.Status || !c.reports.failing && since >= reportNext {
			kind = observe.IntrospectionFailed
			c.reports.status, c.reports.at, c.reports.told = f.Status, now, true
		}
		c.reports.failing = true
	}
	c.reports.mu.Unlock()
	c.tell(ctx, &observe.Event{Kind: kind, URL: c.endpointName(), Status: f.Status, Err: f.UnavailableError})
}

// recovered tells of the first usable answer after a failure.
func (c *Client) recovered(ctx context.Context, endpoint string) {
	c.reports.mu.Lock()
	failed := c.reports.told
	c.reports.answered, c.reports.failing, c.reports.told = true, false, false
	c.reports.mu.Unlock()
	if failed {
		c.tell(ctx, &observe.Event{Kind: observe.IntrospectionRecovered, URL: fetch.WithoutQuery(endpoint), Status: 200})
	}
}

// endpointName is where the endpoint is, as it may be shown; empty if that is not
// known.
func (c *Client) endpointName() string {
	if known := c.where.known.Load(); known != nil {
		return fetch.WithoutQuery(*known)
	}
	return ""
}

func (c *Client) tell(ctx context.Context, e *observe.Event) {
	e.Issuer.Text = c.cfg.Issuer
	c.cfg.Observer.Tell(ctx, e)
}
