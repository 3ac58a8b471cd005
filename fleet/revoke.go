package fleet

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
)

// ErrUnacknowledged is why Revoke failed though Redis has the entry: no live instance
// said in time that it counts there, or too few replicas hold it. It counts wherever
// the log is followed. To revoke once more does no harm.
var ErrUnacknowledged = errors.New("fleet: Redis has the entry, and nobody else confirmed it in time")

// Receipt says who has an entry.
type Receipt struct {
	_ [0]func()
	// Sequence is the entry's place among all of the deployment.
	Sequence uint64
	// Acknowledged are the instances where it counts, this one first; Waiting those that
	// are alive and did not say so yet; Unknown those that were heard within the last hour,
	// fell silent and said no goodbye (Fleet.Close): they may serve what is revoked, or be
	// gone. Names are random, one for each New (Fleet.Instance).
	Acknowledged, Waiting, Unknown []string
	// Replicas is how many replicas of Redis hold it; -1 where Redis did not say.
	Replicas int
	// Persisted says that it stands in an append-only file on a disk (WAITAOF, from
	// Redis 7.2 on). False says nothing.
	Persisted bool

	of      *pending // nil where nothing is known to count
	settled bool     // all others that are alive are in one of the lists
}

// All reports whether each instance that may be alive has acknowledged the entry: each
// of which a heartbeat came within the last hour, by this instance's connection or what
// the log of Redis still has, and that said no goodbye. An instance that was cut off for
// longer, or never reached this Redis, is nobody's knowledge; nor is one of another Name or
// secret. It is false while others may be alive that were not heard of yet, in the first
// two seconds of an instance: Wait waits until they are over. A zero Receipt, or one of a
// Revoke that failed otherwise than by ErrUnacknowledged, has false.
func (r *Receipt) All() bool {
	return r.settled && len(r.Waiting) == 0 && len(r.Unknown) == 0
}

// String is for logs: how many instances there are of each kind, without their names.
func (r Receipt) String() string {
	if r.of == nil {
		return "no receipt"
	}
	text := fmt.Sprintf("%d acknowledged, %d waiting, %d unknown", len(r.Acknowledged), len(r.Waiting), len(r.Unknown))
	if !r.settled {
		text += ", others not heard of yet"
	}
	return text
}

var _ fmt.Stringer = Receipt{}

// Wait waits until each live instance has acknowledged the entry, and fails when ctx
// ends before. It brings Acknowledged, Waiting and Unknown up to date, and does not wait
// for Unknown. It fails at once for a zero Receipt, and for that of a Revoke that failed
// otherwise than by ErrUnacknowledged. It is for whoever made the receipt, and not for
// several at once.
func (r *Receipt) Wait(ctx context.Context) error {
	if r.of == nil {
		return errNoReceipt
	}
	var err error
	select {
	case <-r.of.all:
	case <-ctx.Done():
		err = fmt.Errorf("fleet: not all live instances have acknowledged the entry: %w", context.Cause(ctx))
	}
	r.of.tell(r)
	return err
}

var errNoReceipt = errors.New("fleet: the receipt is of nothing that counts: Revoke failed, and its error says why")

// Instance is this instance's name in receipts, random with each New.
func (f *Fleet) Instance() string { return f.feed.me.String() }

// Revoke has an entry, or a lift, count everywhere. It returns when Redis has it, and
// at least one other live instance has acknowledged it, if there is one; the receipt
// says who else did, and Receipt.Wait waits for the rest. Each that is connected has it
// within a second. In its first two seconds an instance may not have heard of the others
// yet: unless one acknowledges, Revoke waits until they are over.
//
// Where it fails, the entry may or may not count: revoke once more. The error is
// ErrUnacknowledged where Redis has it, and the receipt is of use then, too. A lift of
// what was never revoked succeeds like any other, and is remembered like any other.
func (f *Fleet) Revoke(ctx context.Context, e revocation.Entry) (Receipt, error) {
	if _, err := f.list.Record(e, 1); err != nil {
		return Receipt{}, err
	}
	ctx, ended := f.config.Observer.Begin(ctx, observe.Operation{Kind: observe.Revoke})
	receipt, err := f.revoke(ctx, e)
	ended(err)
	return receipt, err
}

func (f *Fleet) revoke(ctx context.Context, e revocation.Entry) (Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, f.config.RevokeTimeout)
	defer cancel()
	d := f.feed
	d.start()
	select {
	case <-d.loaded: // so that the entry's place is above all that is known
	case <-d.ctx.Done():
		return Receipt{}, errClosed
	case <-ctx.Done():
		return Receipt{}, d.unread(context.Cause(ctx))
	}
	d.mu.Lock()
	d.written++
	own, sequence := d.written, d.highest+1
	live, silent := d.live()
	receipt, acks := Receipt{Replicas: -1}, newPending(d.me)
	d.pending[own] = acks
	if more := d.unheard(); more > 0 {
		time.AfterFunc(more, func() { d.settlePending(acks) })
	} else {
		acks.settle(live, silent)
	}
	delete(d.pending, own-mostPending)
	d.mu.Unlock()
	// Numbers follow the clock, too, so that they rise where Redis has lost its last ones.
	sequence = max(sequence, uint64(max(0, f.config.Now().UnixMicro())))
	record, err := d.place(ctx, e, own, sequence, &receipt)
	if err != nil {
		return receipt, fmt.Errorf("fleet: whether it was revoked is not known: %w", err)
	}
	receipt.Sequence = record.Sequence
	if err := f.list.Merge(record); err != nil {
		return receipt, fmt.Errorf("fleet: the entry stands in Redis, and does not count here: %w", err)
	}
	receipt.of = acks
	if receipt.Replicas < f.config.Replicas {
		err = fmt.Errorf("%w: %d replicas hold it, wanted %d (Config.Replicas)", ErrUnacknowledged, max(0, receipt.Replicas), f.config.Replicas)
	}
	select {
	case <-acks.first:
	case <-ctx.Done():
		err = fmt.Errorf("%w: of other instances, %d seem to be alive", ErrUnacknowledged, len(live))
	}
	receipt.Sequence = d.sequenceOf(acks)
	acks.tell(&receipt)
	return receipt, err
}

// unread is why nothing was revoked, with the reason that connections failed for.
func (d *feed) unread(cause error) error {
	err := fmt.Errorf("fleet: nothing was revoked, Redis could not be read yet: %w", cause)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault != nil {
		err = fmt.Errorf("%w; its last fault: %w", err, d.fault)
	}
	return err
}

// place writes an entry above all others, and has Redis say who holds it.
func (d *feed) place(ctx context.Context, e revocation.Entry, own, sequence uint64, receipt *Receipt) (record revocation.Record, err error) {
	if record, err = d.f.list.Record(e, sequence); err != nil {
		return record, err
	}
	err = d.f.conn.Session(ctx, d.logKey(), func(do Do) error {
		if record, err = d.placeOver(ctx, do, record, own); err != nil {
			return err
		}
		d.ask(ctx, do, receipt)
		return nil
	})
	return record, err
}

// placeOver writes a record of ours with its sequence, or a higher one where Redis has
// one that is.
func (d *feed) placeOver(ctx context.Context, do Do, record revocation.Record, own uint64) (revocation.Record, error) {
	const tries = 16 // others write, too
	ring, how := d.ring(), "new"
	for range tries {
		d.noteOwn(own, record) // so that a lift that comes meanwhile meets it
		name := ring.field(&record)
		sealed := ring.seal(forFeed, name, (&message{record, d.me, own}).encode())
		got, err := d.command(ctx, do, scriptWrite, logLength, d.newEpoch(), how, name, hex16(record.Sequence), string(sealed), "")
		if err != nil {
			return record, err
		}
		list, ok := got.([]any)
		if !ok || len(list) != 2 {
			return record, errAnswer
		}
		at, _ := list[0].(string)
		top, _ := list[1].(string)
		if at == "" {
			above, err := strconv.ParseUint(top, 16, 64)
			switch {
			case err != nil || above < record.Sequence:
				return record, errAnswer
			case above > d.plausible():
				how = "over" // nobody of us has written that number
			default:
				record.Sequence = above + 1
			}
			continue
		}
		where, err := parsePosition(at)
		if err != nil {
			return record, err
		}
		d.await(name, record.Sequence, where)
		if d.void(&record, nil) {
			d.noteAgain(own) // by a lift that came after its number was chosen
		}
		return record, nil
	}
	return record, fmt.Errorf("others wrote in between %d times", tries)
}

// plausible is what no sequence is above: numbers follow clocks, and all of those that
// count are sealed.
func (d *feed) plausible() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(d.highest, uint64(max(0, d.f.config.Now().Add(maxClockSpread).UnixMicro())))
}

// await notes that a record must come by the log.
func (d *feed) await(name string, sequence uint64, at position) {
	f, err := parseField(name)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.highest = max(d.highest, sequence)
	d.awaited[f] = awaited{sequence, at}
	d.overdue()
}

// ask finds out which replicas and disks hold what was written over this connection.
// Where Redis does not know, nobody does.
func (d *feed) ask(ctx context.Context, do Do, receipt *Receipt) {
	wait := func(command ...string) any {
		within, cancel := context.WithTimeout(ctx, 2*d.tempo.answer)
		defer cancel()
		got, err := do(within, append(command, strconv.FormatInt(max(1, d.tempo.answer.Milliseconds()), 10))...)
		if err != nil {
			return nil
		}
		return got
	}
	if held, ok := wait("WAIT", strconv.Itoa(d.f.config.Replicas)).(int64); ok {
		receipt.Replicas = int(held)
	}
	if held, ok := wait("WAITAOF", "1", "0").([]any); ok && len(held) == 2 {
		local, _ := held[0].(int64)
		receipt.Persisted = local > 0
	}
}
