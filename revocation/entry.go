package revocation

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"time"
)

// verb is what an entry does.
type verb uint8

const (
	block verb = iota + 1
	issuedBefore
	lift
)

// Entry is one thing that is to be revoked, or to be lifted again. It is made by
// Block, IssuedBefore or Lift; the zero one is an error where it is used.
type Entry struct {
	_       [0]func()
	target  Target
	verb    verb
	at      time.Time // of IssuedBefore; zero for now
	expires time.Time // zero for never
}

// Block refuses all tokens of the target, whenever they were issued, until it is
// lifted.
func Block(t Target) Entry { return Entry{target: t, verb: block} }

// IssuedBefore refuses the tokens of the target that were issued up to a moment; the
// zero time is now and Config.ClockSkew, as an issuer's clock may be ahead. Times of
// tokens have whole seconds: what was issued in the same second is refused. A token
// that does not say when it was issued counts as issued before any moment.
func IssuedBefore(t Target, at time.Time) Entry {
	return Entry{target: t, verb: issuedBefore, at: at}
}

// Lift ends what was revoked of exactly this target with a sequence number up to the
// lift's own. What is lifted by client goes on being refused where an entry by subject
// stands.
func Lift(t Target) Entry { return Entry{target: t, verb: lift} }

// DangerouslyExpire returns the entry with an end: from then on it counts no more,
// whether tokens that it was made against are good for longer or not. Without it, an
// entry of IssuedBefore is dropped when all that it can match has expired
// ([List.Serves]), and one of Block when it is lifted.
//
// For a Lift it is how long the lift is remembered, which must be longer than any
// entry that it lifts can come again from a feed. Without it, that is for ever.
func (e Entry) DangerouslyExpire(at time.Time) Entry {
	e.expires = at
	return e
}

// Target is what the entry is about.
func (e Entry) Target() Target { return e.target }

var (
	_ fmt.Formatter  = Entry{}
	_ slog.LogValuer = Entry{}
)

// String says what is done to what kind of target.
func (e Entry) String() string {
	switch e.verb {
	case block:
		return "block " + e.target.String()
	case issuedBefore:
		return "issued before, " + e.target.String()
	case lift:
		return "lift " + e.target.String()
	}
	return "nothing"
}

// Format prints what String returns, whatever the verb is.
func (e Entry) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, e.String()) }

// LogValue is what log/slog writes.
func (e Entry) LogValue() slog.Value { return slog.StringValue(e.String()) }

// Forever is a Record's cut-off that is later than any token, as Block has it.
const Forever = math.MaxUint32

// Record is an entry as a feed carries it: nobody can be told by it, and it is merged
// as it stands. [List.Record] makes one.
type Record struct {
	Kind Kind
	// Key stands for the target, and Home for its kind at its issuer.
	Key, Home Key
	// Sequence is the entry's place among all of its feed, from 1 on. A lift ends what
	// has the same or a lower one.
	Sequence uint64
	// Lift says that it is one, and has no Cutoff.
	Lift bool
	// Cutoff is up to when tokens must have been issued to be refused, in seconds since
	// 1970, or Forever.
	Cutoff uint32
	// Expires is when it counts no more, in seconds since 1970; 0 or Forever for never.
	Expires uint32
}

// Record makes an entry fit for a feed, which gives it a number. Its error holds all
// faults of the entry.
func (l *List) Record(e Entry, sequence uint64) (Record, error) {
	r := Record{Kind: e.target.kind, Sequence: sequence, Lift: e.verb == lift}
	faults := []error{e.target.check()}
	switch e.verb {
	case block:
		r.Cutoff = Forever
	case issuedBefore:
		at := e.at
		if at.IsZero() {
			at = l.config.Now().Add(l.config.ClockSkew)
		}
		if r.Cutoff = seconds(at); at.Unix() != int64(r.Cutoff) || r.Cutoff == Forever {
			faults = append(faults, fmt.Errorf("issued_before is %v, wanted a time from 1970 to 2106; Block is what holds for ever", at.UTC().Format(time.RFC3339)))
		}
	case lift:
	default:
		faults = append(faults, errors.New("the entry says nothing, wanted one of Block, IssuedBefore or Lift"))
	}
	if !e.expires.IsZero() {
		if r.Expires = seconds(e.expires); e.expires.Unix() != int64(r.Expires) || r.Expires == Forever || r.Expires == 0 {
			faults = append(faults, fmt.Errorf("dangerously_expires is %v, wanted a time from 1970 to 2106", e.expires.UTC().Format(time.RFC3339)))
		}
	}
	if sequence == 0 {
		faults = append(faults, errors.New("sequence is 0, wanted 1 or more"))
	}
	if e.target.kind == ByOpaqueToken && len(l.hashes) == 0 {
		faults = append(faults, errors.New("an opaque token cannot be told without Config.Secrets, wanted the secret that HashOpaque was given"))
	}
	if err := errors.Join(faults...); err != nil {
		return Record{}, fmt.Errorf("revocation: %w", err)
	}
	r.Key, r.Home = keyOf(e.target.kind, e.target.issuer, e.target.value), homeOf(e.target.kind, e.target.issuer)
	return r, nil
}

// check says what is wrong with a record.
func (r *Record) check(secrets bool) error {
	switch {
	case !r.Kind.Valid():
		return fmt.Errorf("Kind is %d, wanted one of the kinds", r.Kind)
	case r.Sequence == 0:
		return errors.New("its Sequence is 0, wanted 1 or more")
	case r.Key == Key{} || r.Home == Key{} || r.Key == r.Home:
		return errors.New("its Key or Home is empty, or they are the same, wanted those of List.Record")
	case r.Lift && r.Cutoff != 0:
		return errors.New("Cutoff is set in a Lift, wanted none")
	case r.Kind == ByOpaqueToken && !secrets:
		return errors.New("it is by opaque token, which cannot be told without Config.Secrets")
	}
	return nil
}

// seconds is a time as entries and tokens have it, with what is beyond 2106 or before
// 1970 at the end of these.
func seconds(t time.Time) uint32 {
	return uint32(min(max(t.Unix(), 0), Forever))
}
