package revocation

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrFull is why entries were not taken in: there is no room (Config.MaxEntries).
var ErrFull = errors.New("revocation: the list is full (Config.MaxEntries)")

// errFed is for whoever would fill a list that a file fills.
var errFed = errors.New("revocation: Config.File is what fills this list")

// Merge takes in entries and lifts of a feed, in any order and as often as it likes.
// They count for requests that begin after it returned, in one generation; what is
// held already begins none. A batch is much cheaper than as many calls.
//
// An error means that some were not taken in: the feed must not call Current again
// before a Merge of all that stands had none. Those without a fault were taken in, as
// far as there was room (ErrFull). One that is long over is no error.
func (l *List) Merge(records ...Record) error { return l.takeIn(records, false) }

// Fill is Merge for all that stands: what the feed would hand to a list that starts now.
// Without an error it also completes the list again where a longer lifetime of tokens
// left it incomplete ([List.Serves], [Stats].Incomplete). What else is held stays.
func (l *List) Fill(records ...Record) error { return l.takeIn(records, true) }

func (l *List) takeIn(records []Record, all bool) error {
	if l.homes == nil {
		return errClosed
	}
	if l.config.File != "" {
		return errFed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state() == closed {
		return errClosed
	}
	add, err := l.slots(records)
	err = errors.Join(err, l.take(add))
	if all && err == nil {
		l.complete()
	}
	return err
}

// slots are those of records, sorted. The caller holds mu.
func (l *List) slots(records []Record) (add []slot, err error) {
	bad := 0
	add = make([]slot, 0, len(records))
	for n := range records {
		r := &records[n]
		fault := r.check(len(l.hashes) > 0)
		if at, known := l.homes[r.Home]; fault == nil && known && l.table[at].kind != r.Kind {
			fault = fmt.Errorf("its Home is that of entries by %v, and Kind says %v", l.table[at].kind, r.Kind)
		}
		if fault != nil {
			if bad++; err == nil {
				err = fmt.Errorf("record %d: %w", n, fault)
			}
			continue
		}
		s := slot{key: r.Key, high: uint32(r.Sequence >> 32), low: uint32(r.Sequence), cutoff: r.Cutoff, expires: orDefault(r.Expires, Forever)}
		s.home = l.place(r) << homeShift
		if r.Lift {
			s.home |= lifting
		}
		add = append(add, s)
	}
	if bad > 0 {
		err = fmt.Errorf("revocation: %d of %d records are wrong; %w", bad, len(records), err)
	}
	slices.SortFunc(add, compare)
	return slices.Compact(add), err
}

// place is a record's home in table.
func (l *List) place(r *Record) uint32 {
	at, known := l.homes[r.Home]
	if !known {
		at = uint32(len(l.table))
		l.homes[r.Home] = at
		l.table = append(l.table, homeEntry{key: r.Home, kind: r.Kind, lives: l.lives[r.Home]})
	}
	return at
}

// take merges slots, a shard at a time, and begins a generation if that changed
// anything. The caller holds mu.
func (l *List) take(add []slot) error {
	if l.total+len(add) > l.config.MaxEntries {
		l.sweep()
	}
	now := seconds(l.config.Now())
	var of change
	for len(add) > 0 {
		at := shardOf(&add[0].key)
		n := 0
		for n < len(add) && shardOf(&add[n].key) == at {
			n++
		}
		l.takeShard(at, add[:n], now, &of)
		add = add[n:]
	}
	if l.aggregate(now, &of); of.changed {
		l.step(l.state(), true)
	}
	if of.left > 0 {
		return fmt.Errorf("%w: %d entries were not taken in, %d are held", ErrFull, of.left, l.total)
	}
	return nil
}

// replace has slots take the place of all that is held: they are all that stands. The
// caller holds mu.
func (l *List) replace(add []slot) {
	now := seconds(l.config.Now())
	var of change
	for at := range l.shards {
		n := 0
		for n < len(add) && shardOf(&add[n].key) == at {
			n++
		}
		// What a token that names nobody falls under stays until the rest is in its place.
		aggregates := slices.DeleteFunc(slices.Clone(l.shards[at].Load().slots), func(s slot) bool { return !s.is(aggregate) })
		merged, _, _ := merge(aggregates, add[:n], func(s *slot) bool { return l.isOver(s, now) })
		old := l.shards[at].Load().slots
		add = add[n:]
		l.swap(at, merged, missing(merged, old), missing(old, merged), &of)
	}
	if l.aggregate(now, &of); of.changed {
		l.step(l.state(), true)
	}
}

// change is what a batch did.
type change struct {
	changed bool
	left    int    // for lack of room
	fresh   []slot // that were not there before
	gone    []slot // that are there no more
}

// takeShard merges slots that are all of one shard.
func (l *List) takeShard(at int, add []slot, now uint32, of *change) {
	old := l.shards[at].Load().slots
	merged, fresh, gone := merge(old, add, func(s *slot) bool { return l.isOver(s, now) })
	if grown := len(merged) - len(old); grown > 0 && l.total+grown > l.config.MaxEntries {
		of.left += len(add)
		return
	}
	l.swap(at, merged, fresh, gone, of)
}

// swap puts a shard in its place and counts what came and went.
func (l *List) swap(at int, merged, fresh, gone []slot, of *change) {
	if len(fresh) == 0 && len(gone) == 0 {
		return
	}
	of.changed = true
	for n := range fresh {
		l.count(&fresh[n], 1)
	}
	for n := range gone {
		l.count(&gone[n], -1)
	}
	of.fresh, of.gone = append(of.fresh, fresh...), append(of.gone, gone...)
	l.shards[at].Store(&shard{merged})
}

func (l *List) count(s *slot, by int) {
	of := &l.table[s.place()]
	switch {
	case s.is(aggregate):
		return
	case s.is(lifting):
		l.lifts += by
	default:
		l.kinds[of.kind].Add(int64(by))
		of.entries += by
		if s.endless() {
			of.endless += by
		}
	}
	l.total += by
}

// aggregate has what a token that names nobody falls under follow the entries that came
// and went. If the last one of a cut-off is gone, other than by its time, all entries
// may have to be looked through.
func (l *List) aggregate(now uint32, of *change) {
	fronts := make(map[int][]slot)
	for n := range of.fresh {
		l.join(fronts, &of.fresh[n])
	}
	again, scan := make(map[int]bool), false
	for n := range of.gone {
		s := &of.gone[n]
		at := &l.table[s.place()]
		superseded := s.endless() && at.endless > 0 || slices.ContainsFunc(fronts[s.place()], func(f slot) bool { return f.cutoff >= s.cutoff && f.expires >= s.expires })
		if at.aggregated() && s.is(entry) && !superseded && !l.isOver(s, now) && l.leads(s) {
			again[s.place()] = true
			fronts[s.place()] = nil
			scan = scan || at.entries > 0
		}
	}
	if scan {
		for n := range l.shards {
			slots := l.shards[n].Load().slots
			for m := range slots {
				if slots[m].is(entry) && again[slots[m].place()] {
					l.join(fronts, &slots[m])
				}
			}
		}
	}
	for place, front := range fronts {
		key := &l.table[place].key
		at := shardOf(key)
		old := l.shards[at].Load().slots
		rest := old
		if again[place] {
			rest = slices.DeleteFunc(slices.Clone(old), func(s slot) bool { return s.key == *key })
		}
		slices.SortFunc(front, compare)
		merged, _, _ := merge(rest, front, func(s *slot) bool { return l.isOver(s, now) })
		if !slices.Equal(merged, old) {
			of.changed = true
			l.shards[at].Store(&shard{merged})
		}
	}
}

// join adds the cut-off of an entry to those of its kind and issuer, of which none
// covers another.
func (l *List) join(fronts map[int][]slot, s *slot) {
	if !s.is(entry) || !l.table[s.place()].aggregated() {
		return
	}
	a := slot{key: l.table[s.place()].key, high: Forever, low: Forever, cutoff: s.cutoff, expires: s.expires, home: uint32(s.place())<<homeShift | aggregate}
	front := fronts[s.place()]
	if !slices.ContainsFunc(front, func(f slot) bool { return f.covers(&a) }) {
		front = append(slices.DeleteFunc(front, func(f slot) bool { return a.covers(&f) }), a)
		fronts[s.place()] = front
	}
}

// leads reports whether the cut-off of an entry is one that tokens without a name fall
// under.
func (l *List) leads(s *slot) bool {
	key := &l.table[s.place()].key
	slots := l.shards[shardOf(key)].Load().slots
	for n := first(slots, key); n < len(slots) && slots[n].key == *key; n++ {
		if slots[n].cutoff == s.cutoff && slots[n].expires == s.expires {
			return true
		}
	}
	return false
}

// sweep drops what is over. Verdicts do not change by it. The caller holds mu.
func (l *List) sweep() {
	now := seconds(l.config.Now())
	l.swept = time.Now()
	var of change
	for n := range l.shards {
		old := l.shards[n].Load().slots
		if over := func(s slot) bool { return l.isOver(&s, now) }; slices.ContainsFunc(old, over) {
			left := slices.Clone(slices.DeleteFunc(slices.Clone(old), over)) // of no more room than that
			l.swap(n, left, nil, missing(old, left), &of)
		}
	}
}
