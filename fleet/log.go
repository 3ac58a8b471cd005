package fleet

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// field is a record's name in the set, decoded.
type field [16]byte

func parseField(text string) (f field, err error) {
	if len(text) != fieldSize {
		return f, errNotSealed
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(f[:], []byte(text)); err != nil || n != len(f) {
		return f, errNotSealed
	}
	return f, nil
}

// entry is one of the log, with its fields.
type entry struct {
	at    position
	id    string
	texts map[string]string
}

// read waits for what is new in the log, for as long as a heartbeat takes, and takes it
// in.
func (d *feed) read(do Do) error {
	d.mu.Lock()
	at, ackAt := d.at.String(), d.acksFrom()
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(d.ctx, d.tempo.beat+d.tempo.answer)
	defer cancel()
	got, err := do(ctx, "XREAD", "COUNT", "2000", "BLOCK", strconv.FormatInt(max(1, d.tempo.beat.Milliseconds()), 10),
		"STREAMS", d.logKey(), d.ackKey(d.me), at, ackAt)
	if err != nil {
		return err
	}
	logs, err := parseRead(got)
	if err != nil {
		return err
	}
	d.takeAcks(logs[d.ackKey(d.me)])
	return d.take(logs[d.logKey()])
}

func parseRead(got any) (map[string][]entry, error) {
	logs := make(map[string][]entry)
	if got == nil {
		return logs, nil
	}
	list, ok := got.([]any)
	if !ok {
		return nil, errAnswer
	}
	for _, of := range list {
		pair, ok := of.([]any)
		if !ok || len(pair) != 2 {
			return nil, errAnswer
		}
		name, named := pair[0].(string)
		entries, ok := pair[1].([]any)
		if !ok || !named {
			return nil, errAnswer
		}
		for _, e := range entries {
			parsed, err := parseEntry(e)
			if err != nil {
				return nil, err
			}
			logs[name] = append(logs[name], parsed)
		}
	}
	return logs, nil
}

func parseEntry(of any) (e entry, err error) {
	pair, ok := of.([]any)
	if !ok || len(pair) != 2 {
		return e, errAnswer
	}
	e.id, _ = pair[0].(string)
	if e.at, err = parsePosition(e.id); err != nil {
		return e, err
	}
	texts, _ := pair[1].([]any)
	e.texts = make(map[string]string, len(texts)/2)
	for n := 0; n+1 < len(texts); n += 2 {
		name, _ := texts[n].(string)
		text, _ := texts[n+1].(string)
		e.texts[name] = text
	}
	return e, nil
}

// opened is a record of the log, with where it stands.
type opened struct {
	message
	field field
	at    position
	void  bool // it counts for nothing here
}

// take takes entries of the log in: records first, so that whatever a heartbeat says
// about them is true.
func (d *feed) take(entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	ring := d.ring()
	news := make(map[int]opened)
	var records []revocation.Record
	lifts := make(restored)
	for n := range entries {
		e := &entries[n]
		sealed, is := e.texts["record"]
		if !is {
			continue
		}
		m, _, err := ring.openRecord(e.texts["field"], e.texts["sequence"], sealed)
		at, bad := parseField(e.texts["field"])
		if err = errors.Join(err, bad); err != nil {
			d.tell("logged record", fmt.Errorf("fleet: a record in Redis' log counts for nothing: %w", err))
			continue
		}
		if m.foreign() {
			d.tell("foreign record", fmt.Errorf("fleet: records in Redis' log count for nothing: %w", errForeign))
			news[n] = opened{m, at, e.at, true}
			continue
		}
		d.outnumbered(&m)
		lifts.add(&m)
		news[n] = opened{m, at, e.at, false}
		records = append(records, m.record)
	}
	for n, of := range news {
		of.void = of.void || d.void(&of.record, lifts)
		news[n] = of
	}
	since := d.waitedSince()
	fault := d.f.list.Merge(records...)
	if fault != nil {
		d.tell("list", fmt.Errorf("fleet: what was revoked could not be taken in: %w", fault))
	}
	var current time.Time
	var unheard []error
	acks := make(map[id][]uint64)
	d.mu.Lock()
	if fault != nil {
		d.complete = false
		d.want("the list did not take all in")
	}
	for n := range entries {
		e := &entries[n]
		d.at = e.at
		if change, ok := e.texts["change"]; ok {
			number, err := strconv.ParseUint(change, 10, 64)
			if err != nil || number != d.changes+1 {
				d.want("the log is not whole: it was trimmed, or the data was replaced")
			}
			d.changes = number
		}
		if record, ok := news[n]; ok {
			isNew := d.hold(record.field, &record.record)
			// What was written long ago, and is known, somebody has written once more.
			if record.writer != (id{}) && record.writer != d.me && !record.void && (isNew || record.record.Sequence >= since) {
				acks[record.writer] = append(acks[record.writer], record.own)
			}
		} else if _, broken := e.texts["record"]; broken {
			d.want("a record of the log cannot be opened")
		}
		if sealed, ok := e.texts["drop"]; ok {
			drops, err := openDrop(ring, sealed)
			if err != nil {
				d.want("an entry of the log cannot be opened")
			}
			d.dropAll(drops)
		}
		d.note(e.at)
		if sealed, ok := e.texts["beat"]; ok {
			sent, err := d.hear(ring, sealed)
			if sent.After(current) {
				current = sent
			}
			if err != nil && !slices.Contains(unheard, err) {
				unheard = append(unheard, err)
			}
		}
	}
	d.overdue()
	_, apart := d.apart()
	d.mu.Unlock()
	if apart {
		d.tell("apart", errApart)
	}
	for _, err := range unheard {
		d.tell(err.Error(), err)
	}
	if fault == nil {
		for to, own := range acks {
			d.sendAck(to, own)
		}
	}
	if !current.IsZero() {
		d.f.list.Current(current)
	}
	return nil
}

var errApart = errors.New("fleet: another instance holds something else, though all was read again: somebody keeps an entry from one of them; until that ends, the list is not current")

// hold notes what stands in Redis, and reports whether that is new. The caller holds mu.
func (d *feed) hold(at field, r *revocation.Record) (isNew bool) {
	before := d.known[at]
	if before.sequence >= r.Sequence {
		return false
	}
	if d.gone[at] <= r.Sequence {
		delete(d.gone, at)
	}
	now := held{r.Sequence, sumOf(r)}
	d.known[at] = now
	d.digest += now.sum - before.sum
	d.highest = max(d.highest, r.Sequence)
	return true
}

// openDrop opens what says that records stand there no more, by their fields with their
// sequences. One is no longer than tidy writes them.
func openDrop(ring *keyring, sealed string) (map[field]uint64, error) {
	if len(sealed) > 1+perWrite*dropSize+sealExtra {
		return nil, errNotSealed
	}
	text, _, err := ring.open(forFeed, placeDrop, []byte(sealed))
	if err != nil {
		return nil, err
	}
	drops, err := decodeDrop(text)
	if err != nil {
		return nil, err
	}
	by := make(map[field]uint64, len(drops))
	for _, of := range drops {
		if at, err := parseField(of.field); err == nil {
			by[at] = max(by[at], of.sequence)
		}
	}
	return by, nil
}

// dropAll notes what stands there no more. The caller holds mu.
func (d *feed) dropAll(drops map[field]uint64) {
	for at, sequence := range drops {
		if d.gone[at] <= sequence {
			delete(d.gone, at)
		}
		if before, known := d.known[at]; known && before.sequence <= sequence {
			delete(d.known, at)
			d.digest -= before.sum
		}
	}
}

// overdue has what we wrote, and what did not come though the log went on behind it,
// written again. The caller holds mu.
func (d *feed) overdue() {
	for at, of := range d.awaited {
		switch {
		case d.known[at].sequence >= of.sequence:
			delete(d.awaited, at)
		case d.at.after(of.at) || d.at == of.at:
			delete(d.awaited, at)
			d.want("a record that was written here did not come by the log")
		}
	}
}

func (d *feed) ring() *keyring { return d.f.ring() }
