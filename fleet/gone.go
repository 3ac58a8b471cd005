package fleet

import "errors"

var errGone = errors.New("fleet: tokens of an issuer live for longer than was known when entries of IssuedBefore were dropped, and Redis has lost such entries since: tokens that are as old as those are answered 503 until another instance has written them back, they have expired, or this instance is started anew")

// lost reports whether Redis has lost what is not held here either, and nobody has written
// back: an entry that was dropped because all that it matched had expired. All that stands
// is then not all that was revoked, should tokens come to live for longer. What was taken
// out by an instance (tidy) is not lost.
func (d *feed) lost(records []standingRecord, before *earlier) bool {
	d.mu.Lock()
	d.dropAll(before.drops)
	if len(d.known) == 0 && len(d.gone) == 0 {
		d.mu.Unlock()
		return false // as at the first look
	}
	stands := make(map[field]uint64, len(records))
	for n := range records {
		if at, err := parseField(records[n].name); err == nil {
			stands[at] = records[n].record.Sequence
		}
	}
	var missing []field
	for at, of := range d.known {
		if stands[at] < of.sequence {
			missing = append(missing, at)
		}
	}
	d.mu.Unlock()
	var held map[uint64]bool
	if len(missing) > 0 {
		held = make(map[uint64]bool)
		for r := range d.f.list.Records() {
			held[sumOf(&r)] = true
		}
	}
	d.mu.Lock()
	for _, at := range missing {
		if of := d.known[at]; !held[of.sum] {
			d.gone[at] = max(d.gone[at], of.sequence)
		}
	}
	for at, sequence := range stands {
		if d.gone[at] <= sequence {
			delete(d.gone, at)
		}
	}
	defer d.mu.Unlock()
	return len(d.gone) > 0
}

// fillAgain has all be read again where tokens came to live for longer than was known,
// unless that would not bring back what is lost.
func (d *feed) fillAgain() {
	if d.f.list.Stats().Incomplete == 0 {
		return
	}
	d.mu.Lock()
	lost := len(d.gone) > 0
	if !lost {
		d.want("tokens of an issuer live for longer than was known")
	}
	d.mu.Unlock()
	if lost {
		d.tell("gone", errGone)
	}
}
