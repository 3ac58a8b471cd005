package introspection

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/m2mguard/m2mguard/internal/turns"
)

// pace says how many first sights a second may be asked about.
//
// By default nothing bounds them while at least one in ten of the last second's
// was active, or fewer than a thousand were asked about since the last that was;
// then it is 500 a second, and 50 after ten seconds more. With
// Config.MaxPerSecond it is that, always.
//
// Where the server asks for fewer (429 or 503 with Retry-After), the pace adapts
// to what it grants: half of what it answered within the last second, rising with
// each answer. It is never less than two a second for each source that waits, up
// to 64 for all together, since the text of one stranger's tokens may be all that
// the server minds.
type pace struct {
	each  float64       // a second for each source, at least
	hard  *rate.Limiter // nil: none
	trust *turns.Pace   // nil: none

	mu       sync.Mutex
	granted  float64   // a second; 0: the server asked for nothing
	until    time.Time // when the server's Retry-After ends
	next     time.Time // when the next may be asked about
	fell     time.Time
	sources  int
	answered [2]int // in this second, and in the one before
	slowed   [2]int // and what the server would not answer
	second   int64
}

const (
	patience      = 1000
	fewSlowed     = 8     // in two seconds, or less than is answered: no reason to slow all
	mostAsked     = 490.0 // so that it is 500 a second with controls and what comes late
	leastGranted  = 4.0
	mostFloor     = 64.0
	grantedEnough = 5000.0 // above it, the server's wish is forgotten
)

func newPace(maxPerSecond int, maxWait time.Duration) *pace {
	p := &pace{each: max(2, 2/maxWait.Seconds())}
	switch {
	case maxPerSecond > 0:
		p.hard = rate.NewLimiter(rate.Limit(maxPerSecond), maxPerSecond)
	case maxPerSecond == 0:
		p.trust = &turns.Pace{Patience: patience, OneIn: 10, Rates: []float64{mostAsked, 50}}
	}
	return p
}

// take begins the asking about one token, or says how long to wait.
func (p *pace) take(now time.Time, sources int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sources = sources
	if p.granted > 0 {
		if wait := p.next.Sub(now); wait > 0 {
			return wait
		}
	}
	if p.hard != nil {
		r := p.hard.ReserveN(now, 1)
		if wait := r.DelayFrom(now); wait > 0 {
			r.CancelAt(now)
			return wait
		}
	}
	if p.trust != nil {
		if wait := p.trust.Take(now); wait > 0 {
			return wait
		}
	}
	if p.granted > 0 {
		if now.After(p.until) {
			p.rise()
		}
		p.granted = max(p.granted, p.floor())
		p.next = now.Add(time.Duration(float64(time.Second) / p.granted))
	}
	return 0
}

// active is told of a first sight that was active.
func (p *pace) active(now time.Time) {
	if p.trust != nil {
		p.trust.Good(now)
	}
}

// answer is told of an answer that asks for no pause.
func (p *pace) answer(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll(now)
	p.answered[0]++
	p.rise()
}

// refused is told that the server wants to be left alone for a while, by what it
// answered to a request that was sent at the given time.
func (p *pace) refused(sentAt, now time.Time, pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := now.Add(pause); until.After(p.until) {
		p.until = until
	}
	p.roll(now)
	p.slowed[0]++
	if !sentAt.After(p.fell) || p.slowed[0]+p.slowed[1] < max(fewSlowed, p.answered[0]+p.answered[1]) {
		return // seen already, or it minds a few tokens and serves the others
	}
	p.fell = now
	served := float64(max(p.answered[0], p.answered[1]))
	if p.granted > 0 {
		served = min(served, p.granted)
	}
	p.granted = max(served/2, p.floor())
	p.next = now.Add(time.Duration(float64(time.Second) / p.granted))
}

// rise lets the pace grow by a twentieth.
func (p *pace) rise() {
	if p.granted == 0 {
		return
	}
	if p.granted *= 1.05; p.granted > grantedEnough {
		p.granted = 0
	}
}

func (p *pace) floor() float64 {
	return min(max(p.each*float64(p.sources), leastGranted), mostFloor)
}

func (p *pace) roll(now time.Time) {
	second := now.Unix()
	switch second - p.second {
	case 0:
		return
	case 1:
		p.answered, p.slowed = [2]int{0, p.answered[0]}, [2]int{0, p.slowed[0]}
	default:
		p.answered, p.slowed = [2]int{}, [2]int{}
	}
	p.second = second
}
