package fleet

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// beatOn sends heartbeats. One that comes back by the log, and with what stands in
// Redis as we know it, says that the list is current as of when it was sent.
func (d *feed) beatOn() {
	select {
	case <-d.loaded: // nobody counts on an instance before
	case <-d.ctx.Done():
	}
	for d.ctx.Err() == nil {
		began := time.Now()
		ctx, cancel := context.WithTimeout(d.ctx, max(d.tempo.beat, d.tempo.answer/2))
		err := d.beatOnce(ctx, false)
		cancel()
		if err != nil && d.ctx.Err() == nil {
			d.tell("beat", fmt.Errorf("fleet: no heartbeat reached Redis: %w", err))
		}
		pause(d.ctx, max(d.tempo.beat-time.Since(began), d.tempo.beat/4))
	}
}

func (d *feed) beatOnce(ctx context.Context, leaving bool) error {
	d.mu.Lock()
	if d.left {
		d.mu.Unlock()
		return nil // one more would take the last one back
	}
	d.left = leaving
	d.beats++
	number := d.beats
	b := beat{from: d.me, count: number, sent: uint64(max(0, d.f.config.Now().UnixMilli())), leaving: leaving, position: d.at, digest: d.digest, entries: uint64(len(d.known))}
	d.echoes[number] = &echo{sent: time.Now()}
	delete(d.echoes, number-16) // nobody waits for it any more
	d.mu.Unlock()
	got, err := d.f.conn.Do(ctx, d.logKey(), "EVAL", scriptBeat, "3", d.setKey(), d.logKey(), d.metaKey(),
		logLength, d.newEpoch(), string(d.ring().seal(forFeed, placeBeat, b.encode())))
	if err != nil {
		return err
	}
	at, stands, err := parseStanding(got)
	if err != nil {
		return err
	}
	d.mu.Lock()
	if !at.after(d.at) && d.echoes[number] != nil && !d.echoes[number].read {
		d.want("the log ends before where it was read: it is another one")
	}
	var current time.Time
	if e := d.echoes[number]; e != nil {
		e.answered, e.stands = true, stands
		current = d.compare(number)
	}
	d.mu.Unlock()
	if !current.IsZero() {
		d.f.list.Current(current)
	}
	return nil
}

// parseStanding reads what scriptBeat and scriptLook answer.
func parseStanding(got any) (at position, s standing, err error) {
	list, ok := got.([]any)
	if !ok || len(list) != 4 {
		return at, s, errAnswer
	}
	place, _ := list[0].(string)
	s.epoch, _ = list[1].(string)
	changes, _ := list[2].(string)
	entries, ok := list[3].(int64)
	if !ok || entries < 0 {
		return at, s, errAnswer
	}
	s.entries = uint64(entries)
	if s.changes, err = strconv.ParseUint(changes, 10, 64); err != nil {
		return at, s, errAnswer
	}
	at, err = parsePosition(place)
	return at, s, err
}

// compare holds what a heartbeat found in Redis against what was known when it came
// back, once both have happened. The caller holds mu.
func (d *feed) compare(number uint64) (current time.Time) {
	e := d.echoes[number]
	if !e.read || !e.answered {
		return current
	}
	delete(d.echoes, number)
	switch {
	case e.stands.epoch != e.have.epoch:
		d.want("Redis' data is another: it was emptied or replaced")
	case e.stands != e.have:
		d.want("something else stands in Redis than its log said")
	case d.complete && d.wanted == "":
		if apart, _ := d.apart(); !apart {
			return e.sent
		}
	}
	return current
}

// ackOf is an acknowledgement that is to be sent.
type ackOf struct {
	to  id
	own []uint64
}

func (d *feed) sendAck(to id, own []uint64) {
	select {
	case d.acks <- ackOf{to, own}:
	default: // the writer goes without: it does not hang on one alone
	}
}

func (d *feed) acknowledge() {
	for {
		select {
		case <-d.ctx.Done():
			return
		case of := <-d.acks:
			key := d.ackKey(of.to)
			sealed := d.ring().seal(forAcks, of.to.String(), (&ack{from: d.me, own: of.own}).encode())
			ctx, cancel := d.bounded()
			_, err := d.f.conn.Do(ctx, key, "EVAL", scriptAck, "1", key, string(sealed))
			cancel()
			if err != nil && !errors.Is(err, context.Canceled) {
				d.tell("ack", fmt.Errorf("fleet: an acknowledgement did not reach Redis: %w", err))
			}
		}
	}
}

// acksFrom is where our log of acknowledgements is read on. Places are not sealed: one far
// ahead, or a clock of Redis that was set back, would hide what comes. So it is read from
// its beginning, once a heartbeat, while an entry waits for long: what comes twice counts
// once. The caller holds mu.
func (d *feed) acksFrom() string {
	if time.Since(d.acksRead) > d.tempo.beat {
		d.acksRead = time.Now()
		for _, p := range d.pending {
			if p.late(d.tempo.beat) {
				d.ackAt = "0-0"
				break
			}
		}
	}
	return d.ackAt
}

// dropLongAcks takes our own log of acknowledgements away where what was too long may
// stand there: it is read from its beginning, and each session would end by it. An
// acknowledgement that goes with it is one that a writer goes without.
func (d *feed) dropLongAcks(do Do) error {
	d.mu.Lock()
	long := d.tooLong
	d.mu.Unlock()
	if !long {
		return nil
	}
	if _, err := d.plain(do, "DEL", d.ackKey(d.me)); err != nil {
		return err
	}
	d.mu.Lock()
	d.tooLong = false
	d.mu.Unlock()
	return nil
}

// takeAcks notes who has what we wrote. What was read before changes nothing.
func (d *feed) takeAcks(entries []entry) {
	if len(entries) == 0 {
		return
	}
	ring := d.ring()
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := range entries {
		d.ackAt = entries[n].id
		text, _, err := ring.open(forAcks, d.me.String(), []byte(entries[n].texts["ack"]))
		var a ack
		if err == nil {
			a, err = decodeAck(text)
		}
		if err != nil {
			continue // it is nobody's
		}
		for _, own := range a.own {
			if p := d.pending[own]; p != nil && p.acknowledged(a.from) && d.peers[a.from] == nil && d.departed[a.from].IsZero() {
				d.peers[a.from] = newPeer() // whose heartbeat is on its way
			}
		}
	}
}
