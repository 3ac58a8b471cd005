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
	usual time.Duration // about how long an answer takes
	hold  time.Duration // at least; see turns.Room.SetHold. 0: none is taken away
}

// leastFirstSights is how many first sights may always be under way: what one
// stranger's tokens do to an endpoint must leave room for others' to be asked
// about.
const leastFirstSights = 4

func newFirstSights(cfg *Config) *lane {
	l := &lane{pace: newPace(cfg.MaxPerSecond, cfg.MaxWait), most: cfg.MaxConcurrent, hold: cfg.MaxWait / 4}
	l.least = min(leastFirstSights, l.most)
	l.limit = l.most
	l.room = turns.New(turns.Config{AtOnce: l.most, MaxWaiting: cfg.MaxWaiting, MaxWait: cfg.MaxWait, Pace: l.pace.take})
	l.room.SetHold(l.hold)
	return l
}

func newRenewals(cfg *Config) *lane {
	l := &lane{most: cfg.MaxConcurrent, least: 1, limit: cfg.MaxConcurrent}
	l.room = turns.New(turns.Config{AtOnce: l.most, MaxWaiting: cfg.MaxWaiting, MaxWait: cfg.MaxWait})
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

// better is told of a usable answer, and how long it took.
func (l *lane) better(took time.Duration) {
	l.raise()
	if l.hold == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.usual
	l.usual += (took - l.usual) / 8
	if l.usual > 2*before || 2*l.usual < before || before == 0 {
		l.room.SetHold(max(l.hold, 4*l.usual))
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
