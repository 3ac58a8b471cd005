package introspection

import (
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/internal/turns"
)

// lane is one budget of requests to the endpoint. There are two: whatever
// strangers do with made-up tokens in the one, tokens last seen active are asked
// about in the other.
//
// How many may be under way falls by half with a failure and rises by one with
// each success. Failures of requests that began before it last fell do not count:
// they saw the same trouble.
type lane struct {
	room *turns.Room
	pace *pace // nil: any number a second

	mu    sync.Mutex
	limit int
	least int
	most  int
	fell  time.Time
	usual time.Duration // about how long an answer about an active token takes
	// How long a turn may last that others wait for (turns.Room.SetHold): at least,
	// at most, and now.
	leastHold, mostHold, hold time.Duration
}

// leastFirstSights is how many first sights may always be under way: what one
// stranger's tokens do to an endpoint must leave room for others' to be asked
// about.
const leastFirstSights = 4

func newFirstSights(cfg *Config) *lane {
	return newLane(cfg, leastFirstSights, newPace(cfg.MaxPerSecond, cfg.MaxWait))
}

func newRenewals(cfg *Config) *lane { return newLane(cfg, 1, nil) }

func newLane(cfg *Config, least int, p *pace) *lane {
	l := &lane{
		pace: p, most: cfg.MaxConcurrent, limit: cfg.MaxConcurrent, least: min(least, cfg.MaxConcurrent),
		leastHold: cfg.MaxWait / 4, mostHold: cfg.MaxWait / 2, hold: cfg.MaxWait / 4,
	}
	room := turns.Config{AtOnce: cfg.MaxConcurrent, MaxWaiting: cfg.MaxWaiting, MaxWait: cfg.MaxWait}
	if p != nil {
		room.Pace = p.take
	}
	l.room = turns.New(room)
	l.room.SetHold(l.hold)
	return l
}

// worse is told of a failure of a request that was sent at the given time.
func (l *lane) worse(sentAt time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !sentAt.After(l.fell) {
		return
	}
	l.fell = time.Now()
	l.set(max(l.limit/2, l.least))
}

// worst is told that the gate shut.
func (l *lane) worst() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fell = time.Now()
	l.set(l.least)
}

// better is told of a usable answer, and how long it took. What strangers' tokens
// take says nothing about how long an answer usually does.
func (l *lane) better(took time.Duration, active bool) {
	l.raise()
	if !active {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.usual += (took - l.usual) / 8
	if hold := min(max(4*l.usual, l.leastHold), l.mostHold); hold > l.hold*5/4 || hold < l.hold*4/5 {
		l.hold = hold
		l.room.SetHold(hold)
	}
}

// raise lets one more be under way: there was an answer, or a failure that was its
// token's own.
func (l *lane) raise() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit < l.most {
		l.set(l.limit + 1)
	}
}

func (l *lane) set(limit int) {
	l.limit = limit
	l.room.SetLimit(limit)
}
