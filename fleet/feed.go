package fleet

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
)

// tempo is how long things take. Tests have a faster one.
type tempo struct {
	beat      time.Duration // between heartbeats
	answer    time.Duration // for one command
	reconcile time.Duration // between looks at all that stands in Redis
	least     time.Duration // between two of them that something gave reason for
	retry     time.Duration // before the next connection; four times that after many
	repeat    time.Duration // before the same fault is told again
}

var usual = tempo{beat: time.Second, answer: 2 * time.Second, reconcile: 5 * time.Minute, least: time.Second, retry: 100 * time.Millisecond, repeat: time.Minute}

// A peer that was not heard for silentBeats is none that Revoke waits for.
const silentBeats = 4

// feed fills the list from Redis. One goroutine follows the log over a connection of
// its own, one sends heartbeats, and one acknowledgements.
type feed struct {
	f     *Fleet
	me    id
	tempo tempo

	begin   sync.Once
	end     context.CancelFunc
	ctx     context.Context
	running sync.WaitGroup
	loaded  chan struct{} // closed after the first snapshot
	acks    chan ackOf

	mu       sync.Mutex
	known    map[field]held // what stands in Redis, as far as it is ours
	digest   uint64         // of known: the sum of its records' sums
	junk     uint64         // what stands there, too, and cannot be opened
	at       position       // up to where the log was read
	ackAt    string         // the same of our own log of acknowledgements
	acksRead time.Time      // when it was looked at whether that place is right, last
	past     []stood        // what was known, the latest last
	changes  uint64         // how many there were at that place
	epoch    string
	complete bool // the list holds all that was read
	isLoaded bool
	since    time.Time // when it was filled first: others may not have been heard yet
	wanted   string    // why all must be read again; "" for no reason
	looked   time.Time // at all, last
	// fruitless is how many looks in a row found nothing new, and mostBroken how much may
	// stand in Redis that cannot be opened.
	fruitless, mostBroken int
	staleAfter            time.Duration // of the list
	unreadable            position      // what the log has up to here is not read back
	shy                   int           // by how many bits fewer entries are read back at once
	tidied                time.Time     // and then tidied
	heard                 time.Time     // of our own heartbeat, last
	highest               uint64        // sequence
	beats                 uint64
	left                  bool // the last heartbeat was sent
	echoes                map[uint64]*echo
	echoed                time.Time // when the last of ours that came back was sent
	peers                 map[id]*peer
	departed              map[id]time.Time // who said goodbye, and when
	gone                  map[field]uint64 // sequences of what Redis has lost and is not held here
	awaited               map[field]awaited
	written               uint64
	pending               map[uint64]*pending
	again                 []uint64 // of these, what must be placed again
	told                  map[string]time.Time
	fault                 error // why the log could not be followed, last
	tooLong               bool  // it was what is too long, in the log or in that of acknowledgements
	closing               bool  // nothing is told any more
}

type held struct{ sequence, sum uint64 }

// echo is what is known about a heartbeat of ours: what we had when we read it, and
// what Redis had.
type echo struct {
	sent           time.Time
	read, answered bool
	have, stands   standing
}

// standing is what stands in Redis, or what we think of it.
type standing struct {
	epoch            string
	changes, entries uint64
}

// awaited is a record that was written and must come by the log.
type awaited struct {
	sequence uint64
	at       position
}

func newFeed(f *Fleet) *feed {
	d := &feed{f: f, tempo: usual, staleAfter: cmp.Or(f.config.Revocations.StaleAfter, revocation.DefaultStaleAfter), loaded: make(chan struct{}), acks: make(chan ackOf, 1024), ackAt: "0-0",
		known: map[field]held{}, echoes: map[uint64]*echo{}, peers: map[id]*peer{}, departed: map[id]time.Time{}, gone: map[field]uint64{}, awaited: map[field]awaited{}, pending: map[uint64]*pending{}, told: map[string]time.Time{}}
	_, _ = rand.Read(d.me[:]) // it never fails
	d.tidied = time.Now()
	d.mostBroken = cmp.Or(f.config.Revocations.MaxEntries, revocation.DefaultMaxEntries)
	d.ctx, d.end = context.WithCancel(context.Background())
	return d
}

func (d *feed) start() {
	d.begin.Do(func() {
		if d.ctx.Err() != nil {
			return
		}
		d.running.Go(d.run)
		d.running.Go(d.beatOn)
		d.running.Go(d.acknowledge)
	})
}

// close closes the list before it says goodbye: whoever said it lets nobody in any more,
// and is not waited for.
func (d *feed) close() {
	d.mu.Lock()
	d.closing = true
	d.mu.Unlock()
	d.f.list.Close()
	started := true
	d.begin.Do(func() { started = false })
	if started && d.ctx.Err() == nil && d.wasHeard() {
		ctx, cancel := context.WithTimeout(d.ctx, min(d.tempo.answer, time.Second/2))
		_ = d.beatOnce(ctx, true) // who is not heard is silent instead
		cancel()
	}
	d.end()
	d.running.Wait()
}

// wasHeard reports whether others may know of this instance. If not, they never will.
func (d *feed) wasHeard() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = d.left || !d.isLoaded
	return d.isLoaded
}

func (d *feed) hasLoaded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.isLoaded
}

// run follows the log, over one connection after the other.
func (d *feed) run() {
	wait := d.tempo.retry
	for d.ctx.Err() == nil {
		began := time.Now()
		err := d.f.conn.Session(d.ctx, d.logKey(), func(do Do) error { return d.follow(do) })
		if d.ctx.Err() != nil {
			return
		}
		if err != nil {
			d.mu.Lock()
			d.fault = err
			if errors.Is(err, errLong) {
				d.tooLong = true
				d.want("the log has what is too long to be read") // which begins behind that
			}
			d.mu.Unlock()
			d.tell("connection", fmt.Errorf("fleet: the log of revocations cannot be followed, and is tried again: %w", err))
		}
		if time.Since(began) > 10*d.tempo.beat {
			wait = d.tempo.retry
		}
		pause(d.ctx, wait)
		longest := 4 * d.tempo.retry
		if errors.Is(err, errLong) {
			longest = max(longest, d.staleAfter/2) // by then it may have gone
		}
		wait = min(2*wait, longest)
	}
}

func pause(ctx context.Context, how time.Duration) {
	timer := time.NewTimer(how)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

var errSilent = errors.New("no heartbeat of our own came back: the link is half open, or leads to a Redis that takes no part")

// follow reads on where the last connection ended, or all if that is not enough.
func (d *feed) follow(do Do) error {
	d.mu.Lock()
	d.heard, d.ackAt = time.Now(), "0-0"
	if d.isLoaded {
		d.fruitless = min(d.fruitless, fruitlessLooks) // what is after an outage is read soon
	}
	d.mu.Unlock()
	if err := d.dropLongAcks(do); err != nil {
		return err
	}
	for d.ctx.Err() == nil {
		if periodic, due := d.due(); due {
			if err := d.reconcile(do, periodic); err != nil {
				return err
			}
		}
		if err := d.placeAgain(d.ctx, do); err != nil {
			return err
		}
		if err := d.read(do); err != nil {
			return err
		}
		d.mu.Lock()
		silent := time.Since(d.heard) > silentBeats*d.tempo.beat
		d.mu.Unlock()
		if silent {
			return errSilent
		}
	}
	return nil
}

// due reports whether all must be read, and whether it is only for its time.
func (d *feed) due() (periodic, due bool) {
	d.fillAgain()
	d.mu.Lock()
	defer d.mu.Unlock()
	pause := d.pauseBetween()
	waited := time.Since(d.looked) >= pause
	switch {
	case !d.isLoaded && (d.fruitless == 0 || waited):
		return false, true
	case time.Since(d.tidied) >= d.tempo.reconcile && d.isLoaded:
		return true, true
	case d.wanted == "" && time.Since(d.looked) >= 2*pause:
		d.fruitless = 0 // nobody gave reason for a look since
	}
	return false, d.isLoaded && d.wanted != "" && waited
}

// want has all be read again. The caller holds mu.
func (d *feed) want(why string) {
	if d.wanted == "" {
		d.wanted = why
	}
}

// command is one of the set, the log and what is known about both.
func (d *feed) command(ctx context.Context, do Do, script string, args ...string) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, d.tempo.answer)
	defer cancel()
	return do(ctx, append([]string{"EVAL", script, "3", d.setKey(), d.logKey(), d.metaKey()}, args...)...)
}

func (d *feed) setKey() string         { return d.f.slotKey("revoked") }
func (d *feed) logKey() string         { return d.f.slotKey("log") }
func (d *feed) metaKey() string        { return d.f.slotKey("meta") }
func (d *feed) ackKey(of id) string    { return d.f.slotKey("acks:" + of.String()) }
func (d *feed) newEpoch() string       { return id(rand16()).String() }
func rand16() (b [16]byte)             { _, _ = rand.Read(b[:]); return b }
func (d *feed) silence() time.Duration { return silentBeats * d.tempo.beat }

// unheard is for how long yet others may be alive of whom nothing was heard, because
// this instance began a moment ago. The caller holds mu.
func (d *feed) unheard() time.Duration { return 2*d.tempo.beat - time.Since(d.since) }

// tell tells a fault, once in a while.
func (d *feed) tell(what string, err error) {
	d.mu.Lock()
	last, again := d.told[what]
	quiet := d.closing || again && time.Since(last) < d.tempo.repeat
	if !quiet {
		d.told[what] = time.Now()
	}
	d.mu.Unlock()
	if !quiet {
		d.f.config.Observer.Tell(context.Background(), &observe.Event{Kind: observe.FeedFailed, Err: err})
	}
}

func (d *feed) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(d.ctx, d.tempo.answer)
}
