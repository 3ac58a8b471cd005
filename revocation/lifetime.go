package revocation

import (
	"errors"
	"maps"
	"time"

	"github.com/m2mguard/m2mguard/observe"
)

// mostServed is of how many issuers it is known how long their tokens live.
const mostServed = 10_000

// Serves says that tokens of an issuer are asked about here, and for how long they are
// good at most, from their iat on and with the clock skew, because whoever asks refuses
// others; 0 for any length. What can match only tokens that have expired since is
// dropped then, unless Config.File has it. Where several say it, the longest counts, and
// 0 above all; of issuers that nobody spoke of nothing is dropped, and Stats calls their
// entries foreign. It takes a note of the first 10,000 issuers, since a Resolver may
// know any number. validator.New calls it for its issuers.
//
// A longer lifetime than before makes the list incomplete for the issuer, where entries
// were dropped by the shorter one: tokens that are as old as those are Unavailable,
// whatever the Config, until the feed calls Fill.
func (l *List) Serves(issuer string, most time.Duration) {
	lives := uint32(min(max(0, (most+time.Second-1)/time.Second), Forever))
	if l.config.File != "" {
		lives = 0 // a file is bounded by itself, and is not read again because of this
	}
	if l.serve(issuer, lives) {
		l.tell(&observe.Event{Kind: observe.FeedFailed, Issuer: observe.Fact{Text: issuer}, Err: errIncomplete})
	}
}

var errIncomplete = errors.New("revocation: tokens of this issuer live for longer than was known when entries of IssuedBefore were dropped (Issuer.MaxTokenLifetime): those that are as old are answered 503 until the feed has handed over all again (List.Fill)")

// serve reports whether the list is incomplete by that.
func (l *List) serve(issuer string, lives uint32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	var dropped uint32
	for kind := ByTokenID; kind <= ByOpaqueToken; kind++ {
		home := homeOf(kind, issuer)
		before, known := l.lives[home]
		if known && (before == 0 || lives > 0 && lives <= before) {
			return false
		}
		if !known && len(l.lives) >= mostServed*int(ByOpaqueToken) {
			return false
		}
		l.lives[home] = lives
		if at, known := l.homes[home]; known {
			of := &l.table[at]
			of.lives = lives
			dropped, of.dropped = max(dropped, of.dropped), 0
		}
	}
	if dropped == 0 {
		return false
	}
	grown := make(gaps)
	maps.Copy(grown, l.open())
	key := keyOf(ByIssuer, issuer, "")
	grown[key] = max(grown[key], dropped)
	l.gaps.Store(&grown)
	l.step(l.state(), true)
	return true
}

// complete closes the gaps. The caller holds mu, and has taken in all that stands.
func (l *List) complete() {
	if len(l.open()) > 0 {
		l.gaps.Store(nil)
		l.step(l.state(), true)
	}
}

// gaps are up to when entries were dropped that match tokens of a lifetime that was
// raised since: by the issuer's key, in seconds, the first that is past them all. They
// never change: other ones take their place.
type gaps map[Key]uint32

// open are the present ones.
func (l *List) open() gaps {
	if now := l.gaps.Load(); now != nil {
		return *now
	}
	return nil
}

// has reports whether what was dropped may have matched a token.
func (g gaps) has(m *Marks) bool { return m.issued < g[m.keys[placeIssuer]] }

// isOver reports whether a slot can match nothing any more: its own time is over, or
// all tokens that it can match have expired. Of these it takes a note, as they may come
// to live for longer. The caller holds mu.
func (l *List) isOver(s *slot, now uint32) bool {
	if s.expires <= now {
		return true
	}
	of := &l.table[s.place()]
	lives := of.lives // of a block, Forever is never over
	over := lives > 0 && !s.is(lifting) && uint64(s.cutoff)+uint64(lives)+1 < uint64(now)
	if over {
		of.dropped = max(of.dropped, s.cutoff+1)
	}
	return over
}
