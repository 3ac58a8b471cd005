package fleet

import (
	"context"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// sequenceOf is the place of an entry of ours, as it was placed last.
func (d *feed) sequenceOf(p *pending) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return p.record.Sequence
}

// noteOwn keeps an entry of ours as it is placed.
func (d *feed) noteOwn(own uint64, record revocation.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.pending[own]; p != nil {
		p.record = record
	}
}

// noteAgain has it placed again.
func (d *feed) noteAgain(own uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.again = append(d.again, own)
}

// void reports whether a record counts for nothing here, because a lift that is held, or
// comes with it, has a higher number. That is no lift that came later, but one that Redis
// had lost when the record was placed. It is to be asked before the record is taken in.
func (d *feed) void(r *revocation.Record, with restored) bool {
	return !r.Lift && max(d.f.list.Lifted(*r), with[r.Key]) >= r.Sequence
}

// restored are lifts among records that are taken in together, by their numbers: those that
// were written back, and not those that somebody has just revoked by.
type restored map[revocation.Key]uint64

func (l restored) add(m *message) {
	if m.record.Lift && m.writer == (id{}) && !m.foreign() {
		l[m.record.Key] = max(l[m.record.Key], m.record.Sequence)
	}
}

// outnumbered has entries of ours be placed again whose target a lift is for that stood
// above them without Redis knowing: one that another instance has written back. It is to
// be called before the lift is taken in.
func (d *feed) outnumbered(m *message) {
	lift := &m.record
	if !lift.Lift || m.writer != (id{}) || d.f.list.Lifted(*lift) >= lift.Sequence {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for own, p := range d.pending {
		r := &p.record
		if r.Key == lift.Key && !r.Lift && r.Sequence <= lift.Sequence && time.Since(p.since) < waitedFor {
			d.again = append(d.again, own)
		}
	}
}

// placeAgain places those entries above the lifts, so that what Revoke is asked for
// counts.
func (d *feed) placeAgain(ctx context.Context, do Do) error {
	d.mu.Lock()
	again := d.again
	d.mu.Unlock()
	for _, own := range again {
		d.mu.Lock()
		p := d.pending[own]
		var record revocation.Record
		if p != nil {
			record = p.record
		}
		record.Sequence = d.highest + 1
		d.mu.Unlock()
		if p != nil {
			record, err := d.placeOver(ctx, do, record, own)
			if err != nil {
				return err
			}
			if err := d.f.list.Merge(record); err != nil {
				return err
			}
		}
		d.mu.Lock()
		d.again = d.again[1:]
		d.mu.Unlock()
	}
	return nil
}

// settlePending tells an entry who is alive, now that all who are were heard.
func (d *feed) settlePending(p *pending) {
	d.mu.Lock()
	live, silent := d.live()
	d.mu.Unlock()
	p.settle(live, silent)
}
