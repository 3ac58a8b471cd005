package introspection

import (
	"fmt"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/internal/fetch"
)

// EventKind says what happened.
type EventKind int

// The kinds of [Event].
const (
	// IntrospectionFailed: a request to the endpoint, or the discovery of the
	// endpoint, brought no usable answer.
	IntrospectionFailed EventKind = iota + 1
	// Recovered: the first usable answer after failures.
	Recovered
	// TokenNotJudged: an endpoint that has answered before brought no usable
	// answer about one token, which anybody can cause where it refuses a kind of
	// token in this way.
	TokenNotJudged
)

// String returns the kind's name for logs.
func (k EventKind) String() string {
	switch k {
	case IntrospectionFailed:
		return "introspection failed"
	case Recovered:
		return "introspection recovered"
	case TokenNotJudged:
		return "token not judged"
	}
	return fmt.Sprintf("EventKind(%d)", int(k))
}

// Event is something that an operator wants to know. It holds no token, no
// secret and nothing of a response's body.
type Event struct {
	Kind     EventKind
	Issuer   string // Config.Issuer
	Endpoint string // without its query; empty if it is not known yet
	Status   int    // of the endpoint's answer; 0 if there was none
	Err      error  // why; nil for Recovered
}

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
func (c *Client) report(f *failed, endpoint bool) {
	now := time.Now()
	c.reports.mu.Lock()
	kind := TokenNotJudged
	if endpoint || !c.reports.answered {
		since := now.Sub(c.reports.at)
		if since >= reportAgain || endpoint && c.reports.status != f.Status || !c.reports.failing && since >= reportNext {
			kind = IntrospectionFailed
			c.reports.status, c.reports.at, c.reports.told = f.Status, now, true
		}
		c.reports.failing = true
	}
	c.reports.mu.Unlock()
	c.tell(Event{Kind: kind, Endpoint: c.endpointName(), Status: f.Status, Err: f.UnavailableError})
}

// recovered tells of the first usable answer after a failure.
func (c *Client) recovered(endpoint string) {
	c.reports.mu.Lock()
	failed := c.reports.told
	c.reports.answered, c.reports.failing, c.reports.told = true, false, false
	c.reports.mu.Unlock()
	if failed {
		c.tell(Event{Kind: Recovered, Endpoint: fetch.WithoutQuery(endpoint), Status: 200})
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

func (c *Client) tell(event Event) {
	if c.cfg.OnEvent != nil {
		event.Issuer = c.cfg.Issuer
		c.cfg.OnEvent(event)
	}
}
