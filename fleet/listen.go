package fleet

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Heard is who was heard in the deployment's log, beside this instance.
type Heard struct {
	_ [0]func()
	// Live are the instances that sent a heartbeat in the last seconds, by their names
	// (Fleet.Instance).
	Live []string
	// Silent are those that sent one within the stale bound before, and then none, without
	// a word: they were killed, are cut off, or ended without Close.
	Silent []string
	// Unread is how many heartbeats of the last seconds cannot be opened, one a second from
	// each instance that has another secret.
	Unread int
}

// logPage is how many messages of the log are read at once.
const logPage = 2000

// Listen says which other instances are up. By one that takes part (Revocations, Revoke)
// it is read at once from the log, where its own heartbeats show what is recent; others
// listen for 4 s. It writes nothing. Who can write to Redis can have one that has gone
// seem to be up for a minute and Config.MaxClockSpread, by copies of its heartbeats or by a
// place in the log far ahead, since places are not sealed, and one that is up seem silent.
func (f *Fleet) Listen(ctx context.Context) (Heard, error) {
	d := f.feed
	began, err := d.lately(ctx)
	if err != nil {
		return Heard{}, err
	}
	heard := &hearing{began: began, me: d.me, by: map[id]*lastBeat{}, off: d.off, late: mostOff + f.config.MaxClockSpread,
		since: began.ms - min(began.ms, uint64(d.staleAfter.Milliseconds())), oldest: d.staleAfter + f.config.MaxClockSpread}
	for from := "+"; ; {
		page, err := d.back(ctx, from, logPage)
		if err != nil {
			return Heard{}, err
		}
		beats, recent := false, false
		for n := range page {
			is, within := heard.take(d.ring(), &page[n])
			beats, recent = beats || is, recent || within
		}
		if len(page) < logPage || beats && !recent {
			return heard.sum(), nil
		}
		from = "(" + page[len(page)-1].id
	}
}

// lately is the place in the log from which on heartbeats are those of who is up. Redis'
// clock need agree with ours no more than elsewhere: a heartbeat of ours tells it, or what
// comes while one waits.
func (d *feed) lately(ctx context.Context) (began position, err error) {
	for takesPart := d.hasLoaded(); ; {
		wait := d.silence()
		if takesPart {
			wait = d.tempo.beat / 20
		}
		page, err := d.back(ctx, "+", logPage)
		switch {
		case err != nil:
			return began, err
		case takesPart && d.hasOwn(page):
			at := page[0].at
			return position{ms: at.ms - min(at.ms, uint64(d.silence().Milliseconds()))}, nil
		case len(page) > 0:
			began = page[0].at
		}
		pause(ctx, wait)
		switch {
		case ctx.Err() != nil:
			return began, fmt.Errorf("fleet: who else is up is not known: %w", context.Cause(ctx))
		case !takesPart:
			return began, nil
		}
	}
}

// hasOwn reports whether a heartbeat of ours is among these.
func (d *feed) hasOwn(page []entry) bool {
	for n := range page {
		if sealed, is := page[n].texts["beat"]; is {
			if b, err := openBeat(d.ring(), sealed); err == nil && b.from == d.me {
				return true
			}
		}
	}
	return false
}

// back reads the log backwards from a place on.
func (d *feed) back(ctx context.Context, from string, most int) ([]entry, error) {
	ctx, cancel := context.WithTimeout(ctx, d.tempo.answer)
	defer cancel()
	got, err := d.f.conn.Do(ctx, d.logKey(), "XREVRANGE", d.logKey(), from, "-", "COUNT", strconv.Itoa(most))
	if err != nil {
		return nil, fmt.Errorf("fleet: the log of revocations cannot be read: %w", err)
	}
	list, ok := got.([]any)
	if !ok && got != nil {
		return nil, errAnswer
	}
	entries := make([]entry, len(list))
	for n := range list {
		if entries[n], err = parseEntry(list[n]); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// hearing is what is known of instances, by the log from a while before it began. A
// heartbeat is too old to count where both its place and itself say so: places are not
// sealed, and one far ahead would hide all that is behind it; and a clock may be wrong.
type hearing struct {
	began        position
	me           id
	by           map[id]*lastBeat
	unread       int
	off          func(*beat) time.Duration // a heartbeat's time from our clock
	late, oldest time.Duration             // how far off one says nothing about now, and is too old
	since        uint64                    // by its place, in milliseconds
}

// lastBeat is of one instance.
type lastBeat struct {
	count          uint64
	fresh, leaving bool // fresh: it came since
}

// take reports whether an entry is a heartbeat that opens, and one that is recent enough to
// count.
func (h *hearing) take(ring *keyring, e *entry) (is, within bool) {
	sealed, is := e.texts["beat"]
	if !is {
		return false, false
	}
	fresh := e.at.after(h.began)
	b, err := openBeat(ring, sealed)
	if err != nil {
		if fresh {
			h.unread++
		}
		return false, false
	}
	off := h.off(&b)
	if off > h.oldest && e.at.ms < h.since {
		return true, false
	}
	if b.from == h.me {
		return true, true
	}
	last := h.by[b.from]
	if last == nil {
		last = new(lastBeat)
		h.by[b.from] = last
	}
	last.fresh = last.fresh || fresh && off <= h.late
	if b.count > last.count {
		last.count, last.leaving = b.count, b.leaving
	}
	return true, true
}

func (h *hearing) sum() Heard {
	heard := Heard{Unread: h.unread}
	for who, last := range h.by {
		switch {
		case last.leaving:
		case last.fresh:
			heard.Live = append(heard.Live, who.String())
		default:
			heard.Silent = append(heard.Silent, who.String())
		}
	}
	slices.Sort(heard.Live)
	slices.Sort(heard.Silent)
	return heard
}
