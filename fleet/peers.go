package fleet

import "time"

// peer is another instance, by what it said last.
type peer struct {
	count    uint64
	heard    time.Time
	position position
	differs  bool
	agreed   time.Time // when it was last known to have what we have, or heard anew
}

// stood is what was known from a place in the log on.
type stood struct {
	from            position
	digest, entries uint64
}

// mostPast is how many changes back a heartbeat may be compared: as many as are read at
// once, so that who writes thousands keeps nobody from comparing.
const mostPast = 2048

// note keeps what is known now, from a place in the log on. What was read in the set was
// read while the log went on to its first place. The caller holds mu.
func (d *feed) note(at position) {
	now := stood{at, d.digest, uint64(len(d.known))}
	last := len(d.past) - 1
	switch {
	case last < 0:
	case d.past[last].digest == now.digest && d.past[last].entries == now.entries:
		return
	case !at.after(d.past[last].from):
		d.past[last].digest, d.past[last].entries = now.digest, now.entries
		return
	case len(d.past) == 2*mostPast:
		d.past = append(d.past[:0], d.past[mostPast:]...)
	}
	d.past = append(d.past, now)
}

// was is what was known at a place in the log, if that is kept. The caller holds mu.
func (d *feed) was(at position) (s stood, kept bool) {
	for n := len(d.past) - 1; n >= 0; n-- {
		if !d.past[n].from.after(at) {
			return d.past[n], true
		}
	}
	return s, false
}

// hear takes in a heartbeat, and returns as of when the list is current by it, if by
// any. The caller holds mu.
func (d *feed) hear(ring *keyring, sealed string) (current time.Time) {
	text, _, err := ring.open(forFeed, placeBeat, []byte(sealed))
	var b beat
	if err == nil {
		b, err = decodeBeat(text)
	}
	if err != nil {
		return current // which is no reason for anything: whoever sent it is not heard
	}
	if b.from == d.me {
		if e := d.echoes[b.count]; e != nil && !e.read {
			d.heard = time.Now()
			e.read, e.have = true, standing{d.epoch, d.changes, uint64(len(d.known)) + d.junk}
			return d.compare(b.count)
		}
		return current
	}
	p := d.peers[b.from]
	if p == nil {
		p = newPeer()
	}
	if b.count <= p.count {
		return current // it was replayed
	}
	now := time.Now()
	if now.Sub(p.heard) > d.silence() {
		p.differs, p.agreed = false, now // it was away, and is heard anew
	}
	p.count, p.heard = b.count, now
	if b.leaving {
		delete(d.peers, b.from)
	} else {
		d.peers[b.from] = p
		d.match(p, &b)
	}
	return current
}

func newPeer() *peer { return &peer{heard: time.Now(), agreed: time.Now()} }

// match holds what another instance has against what was known here at the same place
// in the log: where both have read the same, both have the same. Places are not sealed,
// so one that cannot be compared for long counts as one that differs; but for one that
// reads on no more, which knows nothing new. The caller holds mu.
func (d *feed) match(p *peer, b *beat) {
	was, kept := d.was(b.position)
	switch {
	case kept && was.digest == b.digest && was.entries == b.entries:
		p.differs, p.agreed = false, p.heard
	case kept:
		p.differs = true
		d.want("another instance holds something else")
	case b.position == p.position && !p.differs:
		p.agreed = p.heard
	case p.heard.Sub(p.agreed) > d.patience():
		d.want("what another instance holds could not be compared")
	}
	p.position = b.position
}

// patience is how long another may differ before that is told: one whose link is half
// open takes silence to notice, and then reads all again.
func (d *feed) patience() time.Duration { return 2 * d.silence() }

// apart reports whether a live instance holds something else, or may, and whether it does
// though all was read again since. Until none does, nobody can tell who lacks something,
// and the list is not current. The caller holds mu.
func (d *feed) apart() (now, still bool) {
	for _, p := range d.peers {
		if time.Since(p.heard) <= d.silence() {
			still = still || time.Since(p.agreed) > d.patience()
			now = now || p.differs
		}
	}
	return now || still, still
}

// live lists the other instances that were heard a moment ago, and those that fell
// silent and may hold anything. The caller holds mu.
func (d *feed) live() (live, silent []id) {
	for who, p := range d.peers {
		switch age := time.Since(p.heard); {
		case age <= d.silence():
			live = append(live, who)
		case age <= max(d.staleAfter, 2*d.silence()):
			silent = append(silent, who)
		default:
			delete(d.peers, who)
		}
	}
	return live, silent
}
