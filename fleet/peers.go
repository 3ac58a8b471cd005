package fleet

import (
	"errors"
	"time"
)

// peer is another instance, by what it said last.
type peer struct {
	count    uint64
	heard    time.Time
	position position
	differs  bool
	agreed   time.Time // when it was last known to have what we have, or heard anew
	doubted  time.Time // when it had something else than was read, without being heard
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

// Why a heartbeat is nobody's.
var (
	errUnopened = errors.New("fleet: a heartbeat in Redis' log does not open: another instance of this Name has another secret (Config.Secrets) or is of another version, and neither hears the other, or somebody else writes there")
	errLate     = errors.New("fleet: a heartbeat is off this instance's clock by more than a minute and Config.MaxClockSpread: one of both clocks is wrong, or somebody wrote it once more; its sender counts as one that fell silent")
)

// hear takes in a heartbeat, and returns as of when the list is current by it, if by
// any, and what is to be told of one that is not heard. The caller holds mu.
func (d *feed) hear(ring *keyring, sealed string) (current time.Time, fault error) {
	b, err := openBeat(ring, sealed)
	if err != nil {
		return current, errUnopened
	}
	if b.from == d.me {
		if e := d.echoes[b.count]; e != nil && !e.read {
			d.heard, d.echoed = time.Now(), e.sent
			e.read, e.have = true, standing{d.epoch, d.changes, uint64(len(d.known)) + d.junk}
			return d.compare(b.count), nil
		}
		return current, nil
	}
	p := d.peerOf(&b)
	if p == nil {
		return current, nil
	}
	if off := d.off(&b); off > mostOff+d.f.config.MaxClockSpread {
		d.fellSilent(p, &b, off)
		if time.Since(d.echoed) <= d.silence() { // else the log is read from long ago
			fault = errLate
		}
		return current, fault
	}
	now := time.Now()
	if now.Sub(p.heard) > d.silence() {
		p.differs, p.agreed = false, now // it was away, and is heard anew
	}
	p.count, p.heard = b.count, now
	d.peers[b.from] = p
	d.match(p, &b)
	return current, nil
}

func openBeat(ring *keyring, sealed string) (b beat, err error) {
	text, _, err := ring.open(forFeed, placeBeat, []byte(sealed))
	if err != nil {
		return b, err
	}
	return decodeBeat(text)
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
		p.differs, p.agreed, p.doubted = false, p.heard, time.Time{}
	case kept:
		p.differs, p.doubted = true, time.Time{}
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
		now = now || time.Since(p.doubted) <= d.silence()
	}
	return now || still, still
}
