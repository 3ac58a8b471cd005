package fleet

import (
	"errors"
	"maps"
	"strconv"
	"time"
)

const (
	// forgotten is when an instance that fell silent and did not say goodbye counts as
	// gone. Until then it may serve what is revoked.
	forgotten = time.Hour
	// mostOff is how late a heartbeat may come, beside by how much clocks differ: as long
	// as Redis may take. One that is older was written once more, or a clock is wrong.
	mostOff = time.Minute
	// mostDeparted is how many that said goodbye are remembered for that hour.
	mostDeparted = 4096
)

// peerOf is who sent a heartbeat, or nil if there is nothing to be heard: it was replayed,
// or its sender has gone, or goes. The caller holds mu.
func (d *feed) peerOf(b *beat) *peer {
	if !d.departed[b.from].IsZero() {
		return nil
	}
	if b.leaving {
		d.depart(b.from)
		return nil
	}
	p := d.peers[b.from]
	if p == nil {
		p = &peer{}
	}
	if b.count <= p.count {
		return nil
	}
	return p
}

// depart remembers who said goodbye, since nobody of that name comes back, but what it
// said before may be written once more. The caller holds mu.
func (d *feed) depart(who id) {
	delete(d.peers, who)
	now, first := time.Now(), who
	for other, at := range d.departed {
		switch {
		case now.Sub(at) > forgotten:
			delete(d.departed, other)
		case first == who || at.Before(d.departed[first]):
			first = other
		}
	}
	if len(d.departed) >= mostDeparted {
		delete(d.departed, first)
	}
	d.departed[who] = now
	for _, p := range d.pending {
		p.left(who)
	}
}

// off is by how much a heartbeat's time and our clock differ.
func (d *feed) off(b *beat) time.Duration {
	return d.f.config.Now().Sub(time.UnixMilli(int64(b.sent))).Abs()
}

// fellSilent notes who sent a heartbeat that says nothing about now: it was alive then.
// The caller holds mu.
func (d *feed) fellSilent(p *peer, b *beat, off time.Duration) {
	p.count = b.count
	if then := time.Now().Add(-max(off, d.silence()+1)); then.After(p.heard) {
		p.heard = then
	}
	d.peers[b.from] = p
}

// live lists the other instances that were heard a moment ago, and those that fell
// silent and may hold anything. The caller holds mu.
func (d *feed) live() (live, silent []id) {
	for who, p := range d.peers {
		switch age := time.Since(p.heard); {
		case age <= d.silence():
			live = append(live, who)
		case age <= forgotten:
			silent = append(silent, who)
		}
	}
	return live, silent
}

// backAtOnce is how many entries of the log are read back at once.
const backAtOnce = 2048

// earlier is what the log said that is not read, since all that stands was read instead.
type earlier struct {
	beats map[id]beat      // the latest of each
	drops map[field]uint64 // what was taken out, by the highest sequence
}

// readBack reads the log from one place back to another, as far as it says who may be
// alive. An answer that is too long ends the connection, so the next look reads fewer
// entries at once, and in the end no further back than what somebody has put there: who
// can do that could take the heartbeats below it away as well.
func (d *feed) readBack(do Do, ring *keyring, from, to position) (e earlier, err error) {
	e.beats, e.drops = make(map[id]beat), make(map[field]uint64)
	if d.unreadable.after(to) {
		to = d.unreadable
	}
	for from.after(to) {
		got, err := d.plain(do, "XREVRANGE", d.logKey(), from.String(), to.String(), "COUNT", strconv.Itoa(backAtOnce>>d.shy))
		if errors.Is(err, errLong) {
			if d.shy += 4; backAtOnce>>d.shy == 0 {
				d.unreadable, d.shy = from, 0
			}
		}
		if err != nil {
			return e, err
		}
		page, ok := got.([]any)
		if !ok && got != nil {
			return e, errAnswer
		}
		seen, recent := false, false
		for _, of := range page {
			read, err := parseEntry(of)
			if err != nil {
				return e, err
			}
			if from = read.at.before(); !read.at.after(to) {
				return e, nil
			}
			if sealed, is := read.texts["drop"]; is {
				drops, _ := openDrop(ring, sealed) // what does not open is told when it is new
				for at, sequence := range drops {
					e.drops[at] = max(e.drops[at], sequence)
				}
			}
			b, err := openBeat(ring, read.texts["beat"])
			if err != nil {
				continue // a record, or nobody's; the latter is told when it is new
			}
			seen, recent = true, recent || d.off(&b) <= forgotten
			if b.leaving || b.count > e.beats[b.from].count && !e.beats[b.from].leaving {
				e.beats[b.from] = b
			}
		}
		if len(page) == 0 || seen && !recent {
			break
		}
	}
	d.shy = 0
	return e, nil
}

// recall drops who is forgotten, and has those who sent the heartbeats be silent, until
// they are heard. One that was alive a moment ago, and had something else than was read,
// is waited for before the list is current: whoever writes Redis may have shown a part of
// what stands. The caller holds mu.
func (d *feed) recall(e *earlier) {
	maps.DeleteFunc(d.peers, func(_ id, p *peer) bool { return time.Since(p.heard) > forgotten })
	for _, b := range e.beats {
		p := d.peerOf(&b)
		if p == nil || b.from == d.me {
			continue
		}
		off := d.off(&b)
		if time.Since(p.heard) > d.silence() && off <= d.silence()+d.f.config.MaxClockSpread && (b.digest != d.digest || b.entries != uint64(len(d.known))) {
			p.doubted = time.Now()
		}
		d.fellSilent(p, &b, off)
	}
}
