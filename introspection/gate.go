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
// gateLongest, and then lets one request at a time probe. The first success
// opens it.
//
// Circuit-breaker libraries open for a fixed time after any error. Here the
// server's own Retry-After counts, a failure that says something about one
// token counts for nobody, and so do late results of requests that began before
// the gate last moved: thirty concurrent time-outs are one reason to back off.
type gate struct {
	mu       sync.Mutex
	failures int           // in a row
	wait     time.Duration // how long it is shut this time; 0: it is open
	retryAt  time.Time     // when it lets a probe through
	probing  bool
	round    uint64 // how often it moved
}

// pass is what a request gets at the gate, and shows when it returns.
type pass struct {
	round uint64
	probe bool
}

// enter lets a request through, or says how long to wait.
func (g *gate) enter(now time.Time) (p pass, wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.wait == 0:
		return pass{round: g.round}, 0
	case now.Before(g.retryAt):
		return pass{}, g.retryAt.Sub(now)
	case g.probing:
		return pass{}, g.wait
	}
	g.probing = true
	return pass{round: g.round, probe: true}, 0
}

// release takes back a pass whose request says nothing about the other side.
func (g *gate) release(p pass) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.round == g.round && p.probe {
		g.probing = false
	}
}

// succeed takes back a pass whose request was answered.
func (g *gate) succeed(p pass) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.round != g.round {
		return
	}
	g.failures = 0
	if g.wait > 0 {
		g.wait, g.probing = 0, false
		g.round++
	}
}

// fail takes back a pass whose request failed, and says for how long the gate
// shuts for that; 0 if it does not.
func (g *gate) fail(p pass, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.round != g.round {
		return 0
	}
	g.failures++
	if g.failures < gateFailures {
		return 0
	}
	g.wait = min(max(2*g.wait, gateFirst), gateLongest)
	g.retryAt = now.Add(g.wait)
	g.probing = false
	g.round++
	return g.wait
}

// shut keeps the gate shut until the given time at least.
func (g *gate) shut(until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until.After(g.retryAt) {
		g.retryAt = until
	}
	g.failures = gateFailures
	g.wait = max(g.wait, gateFirst)
	g.probing = false
	g.round++
}
