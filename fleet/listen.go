package fleet

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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
// seem to be up for a minute and Config.MaxClockSpread, by copies of its heartbeats.
func (f *Fleet) Listen(ctx context.Context) (Heard, error) {
	d := f.feed
	began, err := d.lately(ctx)
	if err != nil {
		return Heard{}, err
	}
	heard := &hearing{began: began, me: d.me, by: map[id]*lastBeat{}, late: func(b *beat) bool { return d.off(b) > mostOff+f.config.MaxClockSpread }}
	from, oldest := "+", began.ms-min(began.ms, uint64(d.staleAfter.Milliseconds()))
	for {
		page, err := d.back(ctx, from, logPage)
		if err != nil {
			return Heard{}, err
		}
		for n := range page {
			if page[n].at.ms < oldest {
				return heard.sum(), nil
			}
			heard.take(d.ring(), &page[n])
		}
		if len(page) < logPage {
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

// hearing is what is known of instances, by the log from a while before it began.
type hearing struct {
	began  position
	me     id
	by     map[id]*lastBeat
	unread int
	late   func(*beat) bool
}

// lastBeat is of one instance.
type lastBeat struct {
	count          uint64
	fresh, leaving bool // fresh: it came since
}

func (h *hearing) take(ring *keyring, e *entry) {
	sealed, is := e.texts["beat"]
	if !is {
		return
	}
	fresh := e.at.after(h.began)
	b, err := openBeat(ring, sealed)
	switch {
	case err != nil && fresh:
		h.unread++
		return
	case err != nil || b.from == h.me:
		return
	}
	last := h.by[b.from]
	if last == nil {
		last = new(lastBeat)
		h.by[b.from] = last
	}
	last.fresh = last.fresh || fresh && !h.late(&b)
	if b.count > last.count {
		last.count, last.leaving = b.count, b.leaving
	}
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
