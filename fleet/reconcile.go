package fleet

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// perWrite is how many records are written at once.
const perWrite = 200

// reconcile reads where the log ends, then all that stands in the set, and goes on with
// the log from there: so nothing is lost between. What the list holds and Redis lacks
// is written back.
func (d *feed) reconcile(do Do, periodic bool) error {
	began := time.Now()
	ring := d.ring()
	got, err := d.command(d.ctx, do, scriptLook, logLength, d.newEpoch())
	if err != nil {
		return err
	}
	at, stands, err := parseStanding(got)
	if err != nil {
		return err
	}
	records, broken, err := d.scan(do, ring)
	if errors.Is(err, errCrowded) {
		d.crowded()
		return nil
	}
	if err != nil {
		return err
	}
	end, err := d.command(d.ctx, do, scriptLook, logLength, d.newEpoch())
	if err != nil {
		return err
	}
	moved, _, err := parseStanding(end)
	if err != nil {
		return err
	}
	d.mu.Lock()
	from := d.at
	d.mu.Unlock()
	if from.after(at) || d.unreadable.after(at) {
		from, d.unreadable = position{}, position{} // it is another log
	}
	before, err := d.readBack(do, ring, at, from)
	if err != nil {
		return err
	}
	merged := make([]revocation.Record, 0, len(records))
	acks := d.recent(records)
	for n := range records {
		if m := &records[n].message; !m.foreign() {
			merged = append(merged, m.record)
			d.outnumbered(m)
		}
	}
	fill := d.f.list.Fill
	if d.lost(records, &before) {
		fill = d.f.list.Merge // which leaves open what the list lacks
	}
	fault := fill(merged...)
	if fault == nil {
		for to, own := range acks {
			d.sendAck(to, own)
		}
	}
	lacking := d.lacking(merged)
	had := d.found()
	first := d.settle(records, &before, broken.count, at, moved, stands, fault == nil)
	d.weigh(had, len(lacking) == 0)
	d.report(fault, broken.count, len(records)-len(merged), len(lacking), first)
	if err := d.write(do, ring, lacking, broken); err != nil {
		return err
	}
	d.mu.Lock()
	apart, _ := d.apart()
	d.mu.Unlock()
	if fault == nil && len(lacking) == 0 && !apart {
		d.f.list.Current(began)
	}
	if periodic {
		d.mu.Lock()
		d.tidied = time.Now()
		d.mu.Unlock()
		return d.tidy(do, ring, records)
	}
	return nil
}

// waitedFor is how old an entry may be whose writer may still wait for who has it, with
// what clocks may differ.
const waitedFor = time.Minute

// recent is what was written a moment ago and counts here, once it is taken in: who
// reads it in the set does not meet it in the log. Numbers follow the clock, in
// microseconds.
func (d *feed) recent(records []standingRecord) map[id][]uint64 {
	since := d.waitedSince()
	acks := make(map[id][]uint64)
	lifts := make(restored)
	for n := range records {
		lifts.add(&records[n].message)
	}
	for n := range records {
		m := &records[n].message
		if !m.foreign() && m.writer != (id{}) && m.writer != d.me && m.record.Sequence >= since && !d.void(&m.record, lifts) {
			acks[m.writer] = append(acks[m.writer], m.own)
		}
	}
	for to, own := range acks {
		slices.Sort(own)
		acks[to] = own[max(0, len(own)-mostPending):]
	}
	return acks
}

// waitedSince is the number of the first record whose writer may still wait.
func (d *feed) waitedSince() uint64 {
	return uint64(max(0, d.f.config.Now().Add(-waitedFor).UnixMicro()))
}

// plain sends a command that is no script.
func (d *feed) plain(do Do, command ...string) (any, error) {
	ctx, cancel := d.bounded()
	defer cancel()
	return do(ctx, command...)
}

// lacking lists what the list holds and Redis does not.
func (d *feed) lacking(stand []revocation.Record) (lacking []revocation.Record) {
	have := make(map[uint64]struct{}, len(stand))
	for n := range stand {
		have[sumOf(&stand[n])] = struct{}{}
	}
	now := d.f.config.Now().Unix()
	for r := range d.f.list.Records() {
		if _, stands := have[sumOf(&r)]; !stands && int64(r.Expires) > now {
			lacking = append(lacking, r)
		}
	}
	return lacking
}

// settle has known be what stands in Redis, and reports whether it was read for the
// first time.
func (d *feed) settle(records []standingRecord, before *earlier, broken int, at, moved position, stands standing, whole bool) (first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known = make(map[field]held, len(records))
	d.digest, d.junk = 0, uint64(broken)
	for n := range records {
		if f, err := parseField(records[n].name); err == nil {
			d.hold(f, &records[n].record)
		}
	}
	for f, of := range d.awaited {
		if d.known[f].sequence >= of.sequence {
			delete(d.awaited, f)
		}
	}
	d.at, d.epoch, d.changes, d.ackAt = at, stands.epoch, stands.changes, "0-0"
	d.past = d.past[:0]
	d.note(moved)
	d.recall(before)
	d.complete, d.wanted = whole, ""
	d.looked, d.heard = time.Now(), time.Now()
	first = !d.isLoaded
	if first && whole {
		d.isLoaded, d.since = true, time.Now()
		close(d.loaded)
	}
	return first
}

func (d *feed) report(fault error, broken, foreign, lacking int, first bool) {
	if fault != nil {
		d.tell("list", fmt.Errorf("fleet: what was revoked could not be taken in: %w", fault))
	}
	if broken > 0 {
		d.tell("record", fmt.Errorf("fleet: %d records in Redis count for nothing: %w", broken, errNotSealed))
	}
	if foreign > 0 {
		d.tell("foreign record", fmt.Errorf("fleet: %d records in Redis count for nothing: %w", foreign, errForeign))
	}
	if lacking > 0 && !first {
		d.tell("lacking", fmt.Errorf("fleet: Redis lacked %d records that are held here, which are written back: it was emptied, restored, failed over, or somebody took them away", lacking))
	}
}

// write writes records back, as they are.
func (d *feed) write(do Do, ring *keyring, records []revocation.Record, broken broken) error {
	for len(records) > 0 {
		n := min(len(records), perWrite)
		args := []string{logLength, d.newEpoch(), "again"}
		for _, r := range records[:n] {
			name := ring.field(&r)
			sealed := ring.seal(forFeed, name, (&message{record: r}).encode())
			args = append(args, name, hex16(r.Sequence), string(sealed), broken.of(name))
		}
		if _, err := d.command(d.ctx, do, scriptWrite, args...); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// graceSeconds is how long a record that expired is left for clocks that are late.
const graceSeconds = 3600

// tidy writes anew what the second secret sealed, and takes out what is needless: what
// was lifted, what expired, what another record of the same target makes needless, and
// what was written anew before. An entry of IssuedBefore stays otherwise, however old its
// cut-off is: tokens of its issuer may come to live for longer than any instance knows.
func (d *feed) tidy(do Do, ring *keyring, records []standingRecord) error {
	now := d.f.config.Now().Unix()
	lifts := make(map[revocation.Key]uint64)
	last := make(map[revocation.Key]revocation.Record) // of the latest cut-off, the last one
	anew := make(map[uint64]bool)
	for n := range records {
		r := &records[n].record
		switch {
		case records[n].foreign():
		case r.Lift && r.Expires == 0:
			lifts[r.Key] = max(lifts[r.Key], r.Sequence)
		case !r.Lift && r.Expires == 0 && r.Cutoff >= last[r.Key].Cutoff && (r.Cutoff > last[r.Key].Cutoff || r.Sequence > last[r.Key].Sequence):
			last[r.Key] = *r
		}
		if records[n].secret == 0 {
			anew[sumOf(r)] = true
		}
	}
	var rewrite []revocation.Record
	var drops []dropped
	var pairs []string
	for n := range records {
		r := &records[n]
		expired := r.record.Expires != 0 && int64(r.record.Expires)+graceSeconds < now
		lifted := !r.record.Lift && r.record.Sequence <= lifts[r.record.Key]
		by := last[r.record.Key]
		covered := !r.record.Lift && r.record.Sequence < by.Sequence && r.record.Cutoff <= by.Cutoff
		needless := !r.foreign() && (expired || lifted || covered)
		switch again := anew[sumOf(&r.record)]; {
		case needless, r.secret != 0 && again:
			drops = append(drops, dropped{r.name, r.record.Sequence})
			pairs = append(pairs, r.name, r.value)
		case r.secret != 0:
			rewrite = append(rewrite, r.record)
		}
	}
	if err := d.write(do, ring, rewrite, broken{}); err != nil {
		return err
	}
	for len(drops) > 0 {
		n := min(len(drops), perWrite)
		sealed := ring.seal(forFeed, placeDrop, encodeDrop(drops[:n]))
		if _, err := d.command(d.ctx, do, scriptDrop, append([]string{logLength, d.newEpoch(), string(sealed)}, pairs[:2*n]...)...); err != nil {
			return err
		}
		drops, pairs = drops[n:], pairs[2*n:]
	}
	return nil
}
