package revocation

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/m2mguard/m2mguard/observe"
)

// List is what is revoked. It is safe for concurrent use, and made with New. Whoever
// asks waits for nobody; what comes in is visible as a whole with the next generation.
type List struct {
	config Config
	hashes []func(issuer, token string) string // of opaque tokens, by each secret
	// generation is counted up with each change of what is held, and has the state of
	// the feed in its low bits.
	generation atomic.Uint64
	shards     [shardCount]atomic.Pointer[shard]
	kinds      [len(kindNames)]atomic.Int64 // entries of each
	gaps       atomic.Pointer[gaps]         // nil for none

	mu       sync.Mutex
	homes    map[Key]uint32 // places of table
	table    []homeEntry
	lives    map[Key]uint32 // by home, in seconds; 0 for any
	total    int            // entries and lifts
	lifts    int
	asOf     time.Time // up to when the feed is complete; zero before it was
	swept    time.Time
	sequence uint64 // of the file
	ripening *time.Timer
	changed  chan struct{} // nil while nobody waits

	telling sync.Mutex // is of told alone, so that whoever asks waits for no merge
	told    map[string]bool

	unwatch func()             // tells the observer of the end
	stop    context.CancelFunc // nil without a file
	running sync.WaitGroup
}

// homeEntry is a kind at an issuer, that entries are of.
type homeEntry struct {
	key   Key
	kind  Kind
	lives uint32 // of List.lives; 0 for unknown, too
	// dropped is past the latest cut-off that was dropped because of lives; 0 for none.
	dropped uint32
	// entries is how many there are, and endless how many of them block for ever.
	entries, endless int
}

// aggregated reports whether a token that names none of the kind may be about any.
func (h *homeEntry) aggregated() bool { return h.kind <= BySubject }

// feed is the state of what fills the list.
type feed uint64

const (
	fresh feed = iota
	stale
	unloaded
	closed

	stateMask      = 3
	generationStep = 4
)

// Generation counts changes: what is held, and how the feed does. A token that was
// looked up at this generation need not be looked up again ([List.Check] does that by
// itself).
func (l *List) Generation() uint64 { return l.generation.Load() }

// Check says whether a request with this token may go on; route is what it asks for
// while the feed is stale. Where nothing is new since the last time, it costs one
// comparison. It allocates nothing.
func (l *List) Check(m *Marks, route WhenStale) Verdict {
	if m.checked.Load() == l.generation.Load()+1 {
		return passes
	}
	return l.check(m, route, true)
}

// Peek is Check that tells Config.Observer of nothing: for explanations, with Marks of
// their own.
func (l *List) Peek(m *Marks, route WhenStale) Verdict { return l.check(m, route, false) }

var passes = Verdict{outcome: Passes}

// check looks a token up, unless that was done, and then asks how the feed does.
func (l *List) check(m *Marks, route WhenStale, tells bool) Verdict {
	if l.homes == nil || m.kinds[placeIssuer] == 0 {
		return Verdict{}
	}
	now := l.generation.Load() // before the look: what comes meanwhile is another generation
	if looked := now &^ stateMask; m.checked.Load() != looked+1 {
		gaps := l.open() // before the look: one is closed after what fills it came
		if v := l.look(m, tells); v.outcome == Revoked {
			return v
		}
		if gaps.has(m) {
			return Verdict{}
		}
		m.checked.Store(looked + 1)
	}
	switch feed(now & stateMask) {
	case fresh:
		return passes
	case stale:
		return Verdict{outcome: orDefault(route, l.config.WhenStale).outcome()}
	case unloaded:
		return Verdict{outcome: l.config.atStart()}
	}
	return Verdict{}
}

func (w WhenStale) outcome() Outcome {
	switch w {
	case StaleGoOn, StaleUnready:
		return Passes
	case StaleAskIssuer:
		return AskIssuer
	}
	return Unavailable
}

func (c *Config) atStart() Outcome {
	switch {
	case c.DangerouslyServeAtStart:
		return Passes
	case c.AskIssuerAtStart:
		return AskIssuer
	}
	return Unavailable
}

// look finds the latest cut-off of all entries that match.
func (l *List) look(m *Marks, tells bool) (v Verdict) {
	now := seconds(l.config.Now())
	for place, kind := range m.kinds {
		unnamed := kind&ofAny != 0
		if kind &^= ofAny; kind == 0 || l.kinds[kind].Load() == 0 {
			continue
		}
		cutoff, found := l.find(&m.keys[place], m.issued, now)
		switch {
		case !found || v.outcome == Revoked && (cutoff < v.cutoff || unnamed && !v.unnamed):
		case unnamed && kind == ByTokenID:
			if tells {
				l.unrevocable(m.issuer)
			}
		case unnamed && l.config.DangerouslyPassUnnamed:
		default:
			v = Verdict{Revoked, kind, unnamed, cutoff}
		}
	}
	return v
}

// StaleAfter is [Config.StaleAfter]: an issuer's word that is no older does for that of
// a feed that is.
func (l *List) StaleAfter() time.Duration { return l.config.StaleAfter }

// AsksIssuer reports whether Config has issuers asked in the list's place, by
// StaleAskIssuer or AskIssuerAtStart.
func (l *List) AsksIssuer() bool {
	return l.config.WhenStale == StaleAskIssuer || l.config.AskIssuerAtStart
}

// Changed returns a channel that is closed when the generation changes next. Whoever
// waits for it takes it before looking:
//
//	for {
//		changed := l.Changed()
//		… // Check what lives long
//		<-changed
//	}
func (l *List) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// step begins a generation, in which the feed is in this state. The caller holds mu.
func (l *List) step(state feed, held bool) {
	now := l.generation.Load()
	next := now&^stateMask | uint64(state)
	if held {
		next += generationStep
	}
	if next == now {
		return
	}
	l.generation.Store(next)
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

func (l *List) state() feed { return feed(l.generation.Load() & stateMask) }

// Stats is a snapshot for pulled instruments.
type Stats struct {
	// Entries and Lifts is how many are held.
	Entries, Lifts int
	// Foreign is how many entries are about issuers that nobody asks about here
	// ([List.Serves]): those of other APIs, or names that are misspelt.
	Foreign int
	// Incomplete is of how many issuers entries were dropped that match tokens of their
	// present lifetime ([List.Serves]). While it is not 0, the feed is to call Fill.
	Incomplete int
	// Loaded says that the list was filled once, and Stale that its feed is older than
	// Config.StaleAfter.
	Loaded, Stale bool
	// Age is how long ago the feed was complete; 0 before it was loaded.
	Age time.Duration
	// Generation is that of Generation.
	Generation uint64
	// Sequence is the highest that the file had; 0 without one.
	Sequence uint64
}

// Stats returns what is true now.
func (l *List) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Entries: l.total - l.lifts, Lifts: l.lifts, Loaded: !l.asOf.IsZero(), Stale: l.state() == stale, Generation: l.Generation(), Sequence: l.sequence, Incomplete: len(l.open())}
	if s.Loaded {
		s.Age = time.Since(l.asOf)
	}
	for n := range l.table {
		if _, served := l.lives[l.table[n].key]; !served {
			s.Foreign += l.table[n].entries
		}
	}
	return s
}

// Ready returns nil if the list is no reason to take the instance out of a balancer,
// or else the reason: it was never filled, or its feed is stale and Config.WhenStale is
// StaleUnready.
func (l *List) Ready() error {
	switch s := l.Stats(); {
	case l.state() == closed:
		return errClosed
	case !s.Loaded && l.config.atStart() == Unavailable:
		return errors.New("revocation: the list was not filled yet")
	case s.Stale && l.config.WhenStale == StaleUnready:
		return fmt.Errorf("revocation: the feed is %v old, wanted at most %v (Config.StaleAfter)", s.Age.Round(time.Second), l.config.StaleAfter)
	}
	return nil
}

var errClosed = errors.New("revocation: the list was closed")

// Records are all entries and remembered lifts, in no order, so that a feed can write
// back what its store lacks. What is merged meanwhile may be among them or not.
func (l *List) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		l.mu.Lock()
		table := slices.Clone(l.table)
		l.mu.Unlock()
		for n := range l.shards {
			for _, s := range l.shards[n].Load().slots {
				if s.is(aggregate) || s.place() >= len(table) {
					continue
				}
				of := table[s.place()]
				r := Record{Kind: of.kind, Key: s.key, Home: of.key, Sequence: s.sequence(), Lift: s.is(lifting), Cutoff: s.cutoff, Expires: s.expires}
				if !yield(r) {
					return
				}
			}
		}
	}
}

// Lifted is the sequence of the lift that is held for a record's target, or 0: an entry
// with the same or a lower one counts for nothing, so that a feed must not confirm it.
func (l *List) Lifted(r Record) uint64 {
	slots := l.shards[shardOf(&r.Key)].Load().slots
	for n := first(slots, &r.Key); n < len(slots) && slots[n].key == r.Key; n++ {
		if slots[n].is(lifting) {
			return slots[n].sequence()
		}
	}
	return 0
}

// Close ends what New began. Afterwards the verdict is Unavailable, or Revoked.
func (l *List) Close() {
	if l.stop != nil {
		l.stop()
	}
	l.running.Wait()
	if l.unwatch != nil {
		l.unwatch()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ripening != nil {
		l.ripening.Stop()
	}
	l.step(closed, false)
}

// unrevocable tells once per issuer that its tokens have no jti to be found by.
func (l *List) unrevocable(issuer string) {
	const most = 1024 // issuers; a Resolver may know any number
	l.telling.Lock()
	first := !l.told[issuer] && len(l.told) < most
	if first {
		if l.told == nil {
			l.told = make(map[string]bool)
		}
		l.told[issuer] = true
	}
	l.telling.Unlock()
	if first {
		l.tell(&observe.Event{Kind: observe.Unrevocable, Issuer: observe.Fact{Text: issuer}, Err: errUnrevocable})
	}
}

var errUnrevocable = errors.New("revocation: entries by token id stand for this issuer, and a token of it has no jti, so that none can match; revoke by client or subject")

func (l *List) tell(e *observe.Event) { l.config.Observer.Tell(context.Background(), e) }
