package turns

import (
	"container/heap"
	"net/netip"
	"strings"
	"time"
)

// source is whom some tickets belong to. It exists while it has any.
type source struct {
	name    string
	held    int
	queue   list // its tickets that wait, oldest first
	waiting int
	index   int // in crowds
	prev    *source
	next    *source // in a ring
}

func (r *Room) sourceOf(name string) *source {
	s := r.sources[name]
	if s == nil {
		s = &source{name: strings.Clone(name), index: -1}
		s.queue.of = bySource
		r.sources[s.name] = s
	}
	return s
}

func (r *Room) forget(s *source) {
	if s.held > 0 || s.waiting > 0 {
		return
	}
	delete(r.sources, s.name)
	if len(r.sources) == 0 && cap(r.crowds) > 256 { // these keep the room that a crowd took
		r.sources, r.crowds = make(map[string]*source), nil
	}
}

// enqueue lets t wait, or refuses it or another one where the room is full: the
// newest of the source with most.
func (r *Room) enqueue(name string, t *Ticket, now time.Time, out *notices) {
	if r.cfg.MaxWaiting <= 0 || r.cfg.MaxWait <= 0 {
		out.refuse(t, r.blame(r.sources[name], 1))
		return
	}
	if int(r.waiting.Load()) >= r.cfg.MaxWaiting {
		mine := 1
		if s := r.sources[name]; s != nil {
			mine += s.waiting
		}
		most := r.crowds[0]
		if mine >= most.waiting {
			out.refuse(t, ErrShare)
			return
		}
		newest := most.queue.last
		r.dequeue(newest)
		out.refuse(newest, ErrShare)
	}
	s := r.sourceOf(name)
	t.source, t.since, t.state = s, now, waiting
	r.queue.push(t)
	s.queue.push(t)
	s.waiting++
	r.waiting.Add(1)
	if s.waiting == 1 {
		r.ready[s.held].push(s)
		heap.Push(&r.crowds, s)
	} else {
		heap.Fix(&r.crowds, s.index)
	}
	t.crowd = r.blame(s, 0) == ErrShare
}

// dequeue takes t out of those who wait.
func (r *Room) dequeue(t *Ticket) {
	s := t.source
	r.queue.remove(t)
	s.queue.remove(t)
	s.waiting--
	r.waiting.Add(-1)
	t.state = gone
	if s.waiting == 0 {
		r.ready[s.held].remove(s)
		heap.Remove(&r.crowds, s.index)
		r.forget(s)
	} else {
		heap.Fix(&r.crowds, s.index)
	}
}

func (r *Room) mayBegin(now time.Time) bool {
	if r.cfg.Pace == nil {
		return true
	}
	wait := r.cfg.Pace(now, len(r.crowds))
	if wait > 0 {
		r.wake(now, now.Add(wait))
	}
	return wait <= 0
}

// begin gives t its turn.
func (r *Room) begin(t *Ticket, s *source, now time.Time, out *notices) {
	if s.waiting > 0 {
		r.ready[s.held].remove(s)
		r.ready[s.held+1].push(s)
	}
	s.held++
	r.heldN++
	t.source, t.since, t.state = s, now, working
	r.held.push(t)
	out.add(t, nil)
}

// end takes the turn of t back.
func (r *Room) end(t *Ticket) {
	s := t.source
	r.held.remove(t)
	r.heldN--
	if t.taken {
		r.taking--
	}
	if s.waiting > 0 {
		r.ready[s.held].remove(s)
		r.ready[s.held-1].push(s)
	}
	s.held--
	t.state = gone
	r.forget(s)
}

// dispatch refuses those who waited too long, begins the turns that may begin,
// and sees to it that it is called again in time.
func (r *Room) dispatch(now time.Time, out *notices) {
	if r.closed {
		return
	}
	for t := r.queue.first; t != nil && now.Sub(t.since) >= r.cfg.MaxWait; t = r.queue.first {
		err := r.blame(t.source, 0)
		if t.crowd {
			err = ErrShare
		}
		r.dequeue(t)
		out.refuse(t, err)
	}
	for r.queue.first != nil && r.heldN < r.limit && r.mayBegin(now) {
		s := r.nextSource()
		t := s.queue.first
		r.dequeue(t)
		r.begin(t, r.sourceOf(s.name), now, out) // dequeue may have forgotten it
	}
	if r.queue.first == nil {
		return
	}
	r.wake(now, r.queue.first.since.Add(r.cfg.MaxWait))
	r.takeBack(now, out)
}

// blame says why a ticket of s, which has extra more than it counts, is refused
// after it could not be served: for its source's share, if others have less.
func (r *Room) blame(s *source, extra int) error {
	mine := extra
	if s != nil {
		mine += s.waiting + s.held
	}
	all := int(r.waiting.Load()) + r.heldN + extra
	n := len(r.sources)
	if s == nil {
		n++
	}
	if mine >= 2 && mine*n >= all {
		return ErrShare
	}
	return ErrTooLong
}

// nextSource is the one that holds fewest turns and came first among those.
func (r *Room) nextSource() *source {
	for n := range r.ready {
		if s := r.ready[n].first; s != nil {
			return s
		}
	}
	panic("turns: nobody waits")
}

// takeBack has one turn at a time taken away that has lasted for r.hold, from the
// source that holds most, if one that waits holds fewer.
func (r *Room) takeBack(now time.Time, out *notices) {
	if r.hold <= 0 || r.taking > 0 || r.heldN < r.limit {
		return
	}
	fewest := r.nextSource().held
	var victim *Ticket
	for t := r.held.first; t != nil; t = t.links[byRoom].next { // oldest first
		if t.Taken == nil || t.source.held <= fewest {
			continue
		}
		if due := t.since.Add(r.hold); now.Before(due) {
			if victim == nil {
				r.wake(now, due)
			}
			break
		}
		if victim == nil || t.source.held > victim.source.held {
			victim = t
		}
	}
	if victim != nil {
		victim.taken = true
		r.taking++
		out.taken = victim
	}
}

// wake has the room look again at the given time, or earlier.
func (r *Room) wake(now, at time.Time) {
	if !r.wakeAt.IsZero() && !at.Before(r.wakeAt) {
		return
	}
	r.wakeAt = at
	d := max(at.Sub(now), 0)
	if r.timer == nil {
		r.timer = time.AfterFunc(d, r.woken)
	} else {
		r.timer.Reset(d)
	}
}

func (r *Room) woken() {
	r.change(func() { r.wakeAt = time.Time{} })
}

// crowds is a heap of the sources that wait, with the largest crowd first.
type crowds []*source

func (c crowds) Len() int           { return len(c) }
func (c crowds) Less(i, j int) bool { return c[i].waiting > c[j].waiting }
func (c crowds) Swap(i, j int) {
	c[i], c[j] = c[j], c[i]
	c[i].index, c[j].index = i, j
}

func (c *crowds) Push(x any) {
	s := x.(*source)
	s.index = len(*c)
	*c = append(*c, s)
}

func (c *crowds) Pop() any {
	old := *c
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*c = old[:len(old)-1]
	s.index = -1
	return s
}

// list is a list of tickets, linked by one of their two pairs of links.
type list struct {
	first, last *Ticket
	of          int
}

const (
	byRoom = iota
	bySource
)

type links struct{ prev, next *Ticket }

func (l *list) push(t *Ticket) {
	t.links[l.of] = links{prev: l.last}
	if l.last == nil {
		l.first = t
	} else {
		l.last.links[l.of].next = t
	}
	l.last = t
}

func (l *list) remove(t *Ticket) {
	at := t.links[l.of]
	if at.prev == nil {
		l.first = at.next
	} else {
		at.prev.links[l.of].next = at.next
	}
	if at.next == nil {
		l.last = at.prev
	} else {
		at.next.links[l.of].prev = at.prev
	}
	t.links[l.of] = links{}
}

// ring is the sources that hold the same number of turns, in the order in which
// they are served.
type ring struct{ first, last *source }

func (l *ring) push(s *source) {
	s.prev, s.next = l.last, nil
	if l.last == nil {
		l.first = s
	} else {
		l.last.next = s
	}
	l.last = s
}

func (l *ring) remove(s *source) {
	if s.prev == nil {
		l.first = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		l.last = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}

// networkOf is the /56 of an IPv6 address, or the IPv4 address in one.
func networkOf(name string) (string, bool) {
	ip, err := netip.ParseAddr(name)
	if err != nil || !ip.Is6() {
		return "", false
	}
	if ip.Is4In6() {
		return ip.Unmap().String(), true
	}
	prefix, err := ip.WithZone("").Prefix(56)
	return prefix.String(), err == nil
}
