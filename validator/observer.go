package validator

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
)

// Event is one thing that an operator may want to know. It holds no token, no
// secret and no key material.
type Event struct {
	Kind EventKind
	// Issuer is the configured issuer that it concerns; empty for a refusal,
	// whose token may be nobody's.
	Issuer string
	// Check is the step at which a token was refused.
	Check Check
	// Err says what was wrong, what was wanted and where to mend it.
	Err error
	// Keys is the detail of an event of a key set.
	Keys *jwks.Event
	// Introspection is the detail of an event of introspection.
	Introspection *introspection.Event

	routine bool // of a key set: nothing went wrong, and nothing changed
}

// EventKind says what an Event is about.
type EventKind string

// The kinds of events.
const (
	// TokenRefused: Verify refused a token, or an adapter a request: no token,
	// malformed credentials, or a missing scope. Check and Err say why.
	TokenRefused EventKind = "token refused"
	// KeySetEvent: a key set changed, could not be refreshed, or serves stale.
	KeySetEvent EventKind = "key set"
	// IntrospectionEvent: introspection fails, for all or for one token, or works
	// again.
	IntrospectionEvent EventKind = "introspection"
)

// ReportRefusal tells Config.Observer of a refusal that was made outside Verify,
// which tells of its own: an adapter calls it for credentials that it does not
// take to Verify, and for a rule that Token.Check found unmet.
func (v *Validator) ReportRefusal(e *Error) {
	if !v.made() {
		slog.Default().Error("m2mguard: " + errNotMade.text) // there is no observer, and this concerns everybody
		return
	}
	v.observe(Event{Kind: TokenRefused, Check: e.check, Err: e})
}

// LogEvents returns an observer that writes events to l, or to slog.Default if
// l is nil: what is about one token at level Debug, because anybody can cause it,
// and what concerns an issuer at Info or Warn. A key set that is there for the
// first time, and keys of it that are not for here, are no news: Debug.
func LogEvents(l *slog.Logger) func(Event) {
	return func(e Event) {
		log := l
		if log == nil {
			log = slog.Default()
		}
		ctx := context.Background()
		switch {
		case e.Kind == TokenRefused:
			if log.Enabled(ctx, slog.LevelDebug) {
				log.LogAttrs(ctx, slog.LevelDebug, "m2mguard: token refused", slog.String("check", string(e.Check)), slog.String("error", e.Err.Error()))
			}
		case e.Keys != nil:
			logKeys(ctx, log, e)
		case e.Introspection != nil:
			logIntrospection(ctx, log, e)
		}
	}
}

func logKeys(ctx context.Context, log *slog.Logger, e Event) {
	level := slog.LevelWarn
	switch {
	case e.routine:
		level = slog.LevelDebug
	case e.Keys.Kind == jwks.KeySetChanged || e.Keys.Kind == jwks.KeySkipped:
		level = slog.LevelInfo
	}
	attrs := []slog.Attr{slog.String("issuer", e.Issuer)}
	if e.Keys.URL != "" {
		attrs = append(attrs, slog.String("url", quote.Plain(e.Keys.URL)))
	}
	if e.Keys.KeyID != "" {
		attrs = append(attrs, slog.String("kid", quote.Plain(e.Keys.KeyID)))
	}
	if len(e.Keys.Added)+len(e.Keys.Removed) > 0 {
		attrs = append(attrs, slog.Any("added", quote.Plains(e.Keys.Added)), slog.Any("removed", quote.Plains(e.Keys.Removed)))
	}
	fix := ""
	if e.Keys.Kind != jwks.KeySkipped {
		fix = fetchFix(e.Err, "Keys", "Keys.URL")
	}
	log.LogAttrs(ctx, level, "m2mguard: "+e.Keys.Kind.String(), withError(attrs, e.Err, fix)...)
}

func logIntrospection(ctx context.Context, log *slog.Logger, e Event) {
	level := slog.LevelWarn
	switch e.Introspection.Kind {
	case introspection.Recovered:
		level = slog.LevelInfo
	case introspection.TokenNotJudged:
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{slog.String("issuer", e.Issuer), slog.String("endpoint", quote.Plain(e.Introspection.Endpoint))}
	if e.Introspection.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Introspection.Status))
	}
	log.LogAttrs(ctx, level, "m2mguard: "+e.Introspection.Kind.String(), withError(attrs, e.Err, unavailableFix(e.Err))...)
}

// withError adds what happened, and where to mend it.
func withError(attrs []slog.Attr, err error, fix string) []slog.Attr {
	if err == nil {
		return attrs
	}
	text := err.Error()
	if fix != "" {
		text += " (" + fix + ")"
	}
	return append(attrs, slog.String("error", text))
}

// onKeys passes the events of an issuer's key set on, first to a function of
// the user's own.
func (v *Validator) onKeys(url string, own func(jwks.Event)) func(jwks.Event) {
	var begun atomic.Bool // a set was there, or could not be had
	return func(e jwks.Event) {
		if own != nil {
			own(e)
		}
		routine := errors.Is(e.Err, jwks.ErrNotForUs)
		if e.Kind != jwks.KeySkipped {
			routine = !begun.Swap(true) && e.Kind == jwks.KeySetChanged
		}
		v.observe(Event{Kind: KeySetEvent, Issuer: url, Err: e.Err, Keys: &e, routine: routine})
	}
}

// onIntrospection does the same for introspection.
func (v *Validator) onIntrospection(url string, own func(introspection.Event)) func(introspection.Event) {
	return func(e introspection.Event) {
		if own != nil {
			own(e)
		}
		v.observe(Event{Kind: IntrospectionEvent, Issuer: url, Err: e.Err, Introspection: &e})
	}
}
