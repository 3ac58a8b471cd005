package revocation

import (
	"fmt"
	"time"

	"github.com/m2mguard/m2mguard/observe"
)

// sweepEvery is how often what is over is dropped.
const sweepEvery = time.Minute

// Current says that the list holds all that had been revoked at a moment, by the clock
// of this process (time.Now): its feed has handed over all that it had then. The first
// time it makes the list one to go by. A feed calls it for each of its heartbeats, with
// when that arrived, and before Config.StaleAfter is over.
func (l *List) Current(asOf time.Time) {
	if l.homes == nil || l.config.File != "" {
		return
	}
	l.current(asOf)
}

func (l *List) current(asOf time.Time) {
	now := time.Now()
	if asOf.After(now) {
		asOf = now
	}
	l.mu.Lock()
	was := l.state()
	if was == closed || !asOf.After(l.asOf) && !l.asOf.IsZero() {
		l.mu.Unlock()
		return
	}
	l.asOf = asOf
	is := fresh
	if now.Sub(asOf) >= l.config.StaleAfter {
		is = stale
	}
	l.step(is, false)
	l.ripen(now)
	if now.Sub(l.swept) >= sweepEvery {
		l.sweep()
	}
	l.mu.Unlock()
	if was == stale && is == fresh {
		l.tell(&observe.Event{Kind: observe.FeedRecovered})
	}
}

// ripen sees to it that the list is stale in time, with one timer for all. The caller
// holds mu.
func (l *List) ripen(now time.Time) {
	if l.ripening == nil && l.state() == fresh {
		l.ripening = time.AfterFunc(l.config.StaleAfter-now.Sub(l.asOf), l.onRipe)
	}
}

func (l *List) onRipe() {
	l.mu.Lock()
	l.ripening = nil
	now := time.Now()
	age := now.Sub(l.asOf)
	ripe := l.state() == fresh && age >= l.config.StaleAfter
	if ripe {
		l.step(stale, false)
	}
	l.ripen(now)
	l.mu.Unlock()
	if ripe {
		l.tell(&observe.Event{Kind: observe.FeedStale, Err: fmt.Errorf("revocation: what is revoked is known up to %v ago, wanted %v (Config.StaleAfter); what is held goes on counting, and Config.WhenStale says what happens to the rest", age.Round(time.Second), l.config.StaleAfter)})
	}
}
