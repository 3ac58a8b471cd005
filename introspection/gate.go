package introspection

import (
	"sync"
	"time"
)

const (
	gateFailures = 3 // in a row, until the gate shuts
	gateFirst    = 100 * time.Millisecond
	gateLongest  = 5 * time.Second
)

// gate holds requests back from something that keeps failing: it shuts after
// gateFailures failures in a row, for a time that doubles from gateFirst to
// gateLongest. Then it is on trial: one more failure shuts it again, and the
// first success opens it for good.
//
// The caller says what a failure is: only what no token's text can cause, or what
// happened about a token that was last seen active. A result counts if its
// request began after the gate last moved: thirty concurrent time-outs are one
// reason to back off.
type gate struct {
	mu      sync.Mutex
	bad     int           // in a row
	wait    time.Duration // how long it was shut last; 0: it is open
	retryAt time.Time     // when the trial begins
	round   uint64        // how often it moved
	doubt   bool          // see shut
}

// shut is why nobody is asked about, and for how long.
type shut struct {
	wait time.Duration
	// doubt: what shut the gate may have been the endpoint's word on some tokens.
	doubt bool
}

// enter returns what a request shows when it returns, or why it must wait.
func (g *gate) enter(now time.Time) (round uint64, s *shut) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wait > 0 && now.Before(g.retryAt) {
		return 0, &shut{g.retryAt.Sub(now), g.doubt}
	}
	return g.round, nil
}

// succeed takes back a request that was answered.
func (g *gate) succeed(round uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if round != g.round {
		return
	}
	g.bad, g.doubt = 0, false
	if g.wait > 0 {
		g.wait = 0
		g.round++
	}
}

// fail takes back a request that failed, and says for how long the gate shuts for
// that; nil if it does not. doubt: it may have been the endpoint's word on a token.
func (g *gate) fail(round uint64, now time.Time, doubt bool) *shut {
	g.mu.Lock()
	defer g.mu.Unlock()
	if round != g.round {
		return nil
	}
	g.bad++
	g.doubt = g.doubt || doubt
	if g.bad < gateFailures && g.wait == 0 {
		return nil
	}
	g.wait = min(max(2*g.wait, gateFirst), gateLongest)
	g.retryAt = now.Add(g.wait)
	g.round++
	return &shut{g.wait, g.doubt}
}

// shutFor keeps the gate shut for so long at least.
func (g *gate) shutFor(now time.Time, wait time.Duration) *shut {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := now.Add(wait); until.After(g.retryAt) {
		g.retryAt = until
	}
	g.bad = gateFailures
	g.wait = max(g.wait, gateFirst)
	g.round++
	return &shut{g.retryAt.Sub(now), false}
}
