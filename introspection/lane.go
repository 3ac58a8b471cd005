package introspection

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// turnWait is how long a call waits for its turn while MaxConcurrent requests
// are under way: long enough for a burst at start-up, short enough that a flood
// does not pile up behind a slow endpoint.
const turnWait = 250 * time.Millisecond

// lane is one budget of requests to the endpoint, with a gate of its own. There
// are two: whatever strangers do with made-up tokens in the one, tokens last
// seen active are asked about in the other.
type lane struct {
	gate  gate
	slots chan struct{}
	rate  *rate.Limiter // nil: any number per second
}

func newLane(concurrent, perSecond int) *lane {
	l := &lane{slots: make(chan struct{}, concurrent)}
	if perSecond > 0 {
		l.rate = rate.NewLimiter(rate.Limit(perSecond), perSecond)
	}
	return l
}

// enter waits for a turn. With a nil error the caller must leave the lane, and
// take its pass back to the gate.
func (l *lane) enter(ctx context.Context) (pass, *UnavailableError) {
	p, wait := l.gate.enter(time.Now())
	if wait > 0 {
		return pass{}, unavailable(fmt.Errorf("not asked: the endpoint failed before, next try in %v", wait), wait)
	}
	if err := l.turn(ctx); err != nil {
		l.gate.release(p)
		return pass{}, err
	}
	return p, nil
}

func (l *lane) turn(ctx context.Context) *UnavailableError {
	timer := time.NewTimer(turnWait)
	defer timer.Stop()
	select {
	case l.slots <- struct{}{}:
	case <-timer.C:
		return unavailable(fmt.Errorf("not asked: %d requests are under way (Config.MaxConcurrent)", cap(l.slots)), 0)
	case <-ctx.Done():
		return unavailable(errClosed, 0)
	}
	if l.rate != nil && !l.rate.Allow() {
		l.leave()
		return unavailable(fmt.Errorf("not asked: more than %v new tokens per second (Config.MaxPerSecond)", l.rate.Limit()), 0)
	}
	return nil
}

func (l *lane) leave() { <-l.slots }
