package turns

import (
	"sync"
	"time"
)

// Pace lets turns begin as they come while those who take them turn out to be
// good often enough, and slows them down when nearly nobody does. A crowd after
// a deploy is good; a flood of made-up names is not.
//
// There is no bound while at least one in [Pace.OneIn] of the turns that began
// within the last second was good, or fewer than Patience began since the last
// good one. Else turns begin at the first of Rates, and at the next after each
// ten seconds' worth of turns without a good one.
type Pace struct {
	Patience int
	OneIn    int
	Rates    []float64 // turns a second, falling

	mu      sync.Mutex
	since   int       // turns begun since the last good one
	next    time.Time // when a turn may begin, at a rate
	window  [slices]tally
	started time.Time // of the newest slice
	newest  int
}

// slices is how many parts the last second is counted in.
const slices = 10

type tally struct{ begun, good int }

// Take begins a turn and returns 0, or says how long to wait.
func (p *Pace) Take(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll(now)
	if rate := p.rate(); rate > 0 {
		if wait := p.next.Sub(now); wait > 0 {
			return wait
		}
		p.next = now.Add(time.Duration(float64(time.Second) / rate))
	}
	p.since++
	p.window[p.newest].begun++
	return 0
}

// Good tells that somebody who had a turn turned out to be good.
func (p *Pace) Good(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll(now)
	p.since = 0
	p.window[p.newest].good++
}

// Rate is how many turns a second begin at most, as things stand; 0 for any
// number.
func (p *Pace) Rate(now time.Time) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll(now)
	return p.rate()
}

func (p *Pace) rate() float64 {
	left := p.since - p.Patience
	if left < 0 || len(p.Rates) == 0 {
		return 0
	}
	begun, good := 0, 0
	for _, t := range p.window {
		begun += t.begun
		good += t.good
	}
	if good > 0 && good*p.OneIn >= begun {
		return 0
	}
	for _, rate := range p.Rates[:len(p.Rates)-1] {
		if left -= int(10 * rate); left < 0 {
			return rate
		}
	}
	return p.Rates[len(p.Rates)-1]
}

// roll makes the slice of now the newest one.
func (p *Pace) roll(now time.Time) {
	const length = time.Second / slices
	passed := int(now.Sub(p.started) / length)
	if passed <= 0 {
		return
	}
	for range min(passed, slices) {
		p.newest = (p.newest + 1) % slices
		p.window[p.newest] = tally{}
	}
	p.started = p.started.Add(time.Duration(passed) * length)
	if passed >= slices {
		p.started = now
	}
}
