package fleet

import (
	"slices"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// mostPending is of how many entries acknowledgements are counted, at most.
const mostPending = 4096

// pending is an entry whose acknowledgements are counted.
type pending struct {
	mu         sync.Mutex
	have, wait []string
	unknown    []string      // who fell silent
	settled    bool          // the three hold all who may be alive, as far as can be known
	first, all chan struct{} // closed when somebody, or all who are alive, acknowledged

	since  time.Time         // when Revoke began
	record revocation.Record // as it was placed last; feed.mu guards it
}

func newPending(me id) *pending {
	return &pending{have: []string{me.String()}, since: time.Now(), first: make(chan struct{}), all: make(chan struct{})}
}

// settle says who is alive, and who fell silent.
func (p *pending) settle(live, silent []id) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lacks := func(all []id) (names []string) {
		for _, who := range all {
			if name := who.String(); !slices.Contains(p.have, name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	p.wait, p.unknown = lacks(live), lacks(silent)
	p.settled = true
	p.look()
}

// acknowledged notes who has the entry, and reports whether that is new.
func (p *pending) acknowledged(by id) (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := by.String()
	if slices.Contains(p.have, name) {
		return false
	}
	p.have = append(p.have, name)
	p.unknown = slices.DeleteFunc(p.unknown, func(other string) bool { return other == name })
	if at, waited := slices.BinarySearch(p.wait, name); waited {
		p.wait = slices.Delete(p.wait, at, at+1)
	} else if p.settled {
		return true // it came later than the entry
	}
	p.look()
	return true
}

// left takes out who said goodbye, and lets nobody in any more.
func (p *pending) left(who id) {
	p.mu.Lock()
	defer p.mu.Unlock()
	is := func(name string) bool { return name == who.String() }
	p.wait, p.unknown = slices.DeleteFunc(p.wait, is), slices.DeleteFunc(p.unknown, is)
	p.look()
}

// late reports whether acknowledgements should have come by now, and did not.
func (p *pending) late(after time.Duration) bool {
	select {
	case <-p.all:
		return false
	default:
		age := time.Since(p.since)
		return age > after && age < waitedFor
	}
}

// look ends the waiting where it is over. The caller holds mu.
func (p *pending) look() {
	if len(p.have) > 1 || p.settled && len(p.wait) == 0 {
		end(p.first)
	}
	if p.settled && len(p.wait) == 0 {
		end(p.all)
	}
}

func end(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// tell brings a receipt up to date.
func (p *pending) tell(r *Receipt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Acknowledged, r.Waiting, r.Unknown, r.settled = slices.Clone(p.have), slices.Clone(p.wait), slices.Clone(p.unknown), p.settled
}
