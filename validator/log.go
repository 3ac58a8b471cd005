package validator

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/observe"
)

// Bounds of what refused requests may write above Debug: anybody can cause them.
const (
	refusalsEvery = time.Minute
	refusalLines  = 20 // in that time
	proofLines    = 8  // of them about proofs, which fail in many ways
)

// LogEvents returns an observer that writes events to l, or to slog.Default if l
// is nil.
//
// Of refused requests it writes the first for each check and issuer in a minute at
// Warn, all that name no known issuer counting as one issuer, and at most 20 in
// all; at the minute's end one line counts the others, each of which is also
// written at Debug. So it is seen at once that everything is refused, and why, and
// nobody can fill a log by being refused. What concerns an issuer is at Info or
// Warn, and no news of a key set at Debug. Accepted requests are not written. A
// minute's line may come after Validator.Close; that of the default observer, which
// is the Validator's own, comes with it.
func LogEvents(l *slog.Logger) observe.Observer {
	return observe.Observer{Event: (&eventLog{to: l}).event}
}

type eventLog struct {
	to *slog.Logger // nil for slog.Default

	mu      sync.Mutex
	written map[refusalKind]*int // since the minute began, each with its check's rest; nil: none has
	rest    map[string]*int      // refusals not written since then, by check
	proofs  int                  // how many of those written are about proofs
	minute  *time.Timer          // ends the last minute that began
	ended   bool
	minutes sync.WaitGroup // those that were not counted yet
}

type refusalKind struct {
	check, issuer string
	reason        string // where one check has several, in constant words
	reportOnly    bool
}

// proof reports whether it is about a proof of possession.
func (k refusalKind) proof() bool { return strings.IndexByte(k.check, '.') > 0 }

// kindOf is the kind of a refusal. What is wrong with a proof, and why a token's sender
// is not proven, is mended in different places, and one must not hide the other.
func kindOf(check, issuer string, reportOnly bool, err error) refusalKind {
	kind := refusalKind{check: check, issuer: issuer, reportOnly: reportOnly}
	e, ok := err.(*Error)
	switch {
	case !ok:
	case e.dpop != nil && e.cause != nil:
		if proof, ok := errors.AsType[*dpop.Error](e.cause); ok {
			kind.check += "." + string(proof.Check())
		}
	case e.check == CheckBinding:
		kind.reason = e.text
	}
	return kind
}

func (l *eventLog) logger() *slog.Logger {
	if l.to == nil {
		return slog.Default()
	}
	return l.to
}

func (l *eventLog) event(ctx context.Context, e *observe.Event) {
	switch e.Kind {
	case observe.Accepted:
	case observe.Refused:
		l.refused(ctx, e)
	case observe.IntrospectionFailed, observe.IntrospectionRecovered, observe.TokenNotJudged:
		l.introspection(ctx, e)
	case observe.FeedFailed, observe.FeedStale, observe.FeedRecovered, observe.Unrevocable:
		l.revocations(ctx, e)
	case observe.SharedFailed, observe.SharedRecovered, observe.SharedRejected, observe.ReplaysFailed, observe.ReplaysRecovered:
		l.shared(ctx, e)
	default:
		l.keys(ctx, e)
	}
}

func (l *eventLog) refused(ctx context.Context, e *observe.Event) {
	level := slog.LevelDebug
	if l.isFirst(kindOf(e.Check, e.Issuer.Text, e.ReportOnly, e.Err)) {
		level = slog.LevelWarn
	}
	log := l.logger()
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("check", e.Check)}
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, quote.Plain(value)))
		}
	}
	add("issuer", e.Issuer.Text)
	add("client", e.Client.Text)
	add("method", e.Method)
	add("route", e.Route)
	if e.Issuer.Unproven || e.Client.Unproven {
		attrs = append(attrs, slog.Bool("unproven", true))
	}
	if e.ReportOnly {
		attrs = append(attrs, slog.Bool("report_only", true))
	}
	log.LogAttrs(ctx, level, "m2mguard: token refused", withError(attrs, e.Err, "")...)
}

// isFirst reports whether a refusal is to be written, and counts it if not. The
// first one begins a minute.
func (l *eventLog) isFirst(kind refusalKind) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.written == nil {
		l.written, l.rest = make(map[refusalKind]*int), make(map[string]*int)
		if !l.ended {
			l.minutes.Add(1)
			l.minute = time.AfterFunc(refusalsEvery, l.count)
		}
	}
	rest := l.written[kind]
	first := rest == nil && len(l.written) < refusalLines && (!kind.proof() || l.proofs < proofLines)
	if rest == nil {
		if rest = l.rest[kind.check]; rest == nil {
			rest = new(int)
			l.rest[kind.check] = rest
		}
	}
	if first {
		if kind.proof() {
			l.proofs++
		}
		l.written[kind] = rest
	} else {
		*rest++
	}
	return first
}

// onlyCounted reports whether a refusal is one of those of which nothing is written
// but their number, and counts it: a flood of them costs no event.
func (l *eventLog) onlyCounted(ctx context.Context, kind refusalKind) bool {
	if l.logger().Enabled(ctx, slog.LevelDebug) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := l.written[kind]
	if rest == nil {
		return false
	}
	*rest++
	return true
}

// count ends a minute: one line for all that was not written in it.
func (l *eventLog) count() {
	defer l.minutes.Done()
	l.mu.Lock()
	rest := l.rest
	l.written, l.rest, l.proofs = nil, nil, 0
	l.mu.Unlock()
	// A handler may belong to a test that has ended, and nobody is there to recover
	// its panic.
	defer func() { _ = recover() }()
	all := 0
	var checks []any
	for _, check := range slices.Sorted(maps.Keys(rest)) {
		if n := *rest[check]; n > 0 {
			all += n
			checks = append(checks, slog.Int(check, n))
		}
	}
	if all == 0 {
		return
	}
	l.logger().LogAttrs(context.Background(), slog.LevelWarn, "m2mguard: more tokens refused in the last minute",
		slog.Int("count", all), slog.Group("checks", checks...))
}

// end ends the minute under way, and begins none any more: what is refused from
// now on is not counted.
func (l *eventLog) end() {
	l.mu.Lock()
	l.ended = true
	minute := l.minute
	l.mu.Unlock()
	if minute != nil && minute.Stop() {
		l.count()
	}
	l.minutes.Wait()
}

func (l *eventLog) keys(ctx context.Context, e *observe.Event) {
	level := slog.LevelWarn
	switch {
	case e.Routine:
		level = slog.LevelDebug
	case e.Kind == observe.KeySetChanged || e.Kind == observe.KeySkipped:
		level = slog.LevelInfo
	}
	attrs := []slog.Attr{slog.String("issuer", e.Issuer.Text)}
	if e.URL != "" {
		attrs = append(attrs, slog.String("url", quote.Plain(e.URL)))
	}
	if e.KeyID != "" {
		attrs = append(attrs, slog.String("kid", quote.Plain(e.KeyID)))
	}
	if len(e.Added)+len(e.Removed) > 0 {
		attrs = append(attrs, slog.Any("added", quote.Plains(e.Added)), slog.Any("removed", quote.Plains(e.Removed)))
	}
	fix := ""
	if e.Kind != observe.KeySkipped {
		fix = fetchFix(e.Err, "Keys", "Keys.URL")
	}
	l.logger().LogAttrs(ctx, level, "m2mguard: "+string(e.Kind), withError(attrs, e.Err, fix)...)
}

func (l *eventLog) introspection(ctx context.Context, e *observe.Event) {
	level := slog.LevelWarn
	switch e.Kind {
	case observe.IntrospectionRecovered:
		level = slog.LevelInfo
	case observe.TokenNotJudged:
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{slog.String("issuer", e.Issuer.Text), slog.String("endpoint", quote.Plain(e.URL))}
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	l.logger().LogAttrs(ctx, level, "m2mguard: "+string(e.Kind), withError(attrs, e.Err, unavailableFix(e.Err))...)
}

func (l *eventLog) revocations(ctx context.Context, e *observe.Event) {
	level := slog.LevelWarn
	if e.Kind == observe.FeedRecovered {
		level = slog.LevelInfo
	}
	var attrs []slog.Attr
	if e.Issuer.Text != "" {
		attrs = append(attrs, slog.String("issuer", quote.Plain(e.Issuer.Text)))
	}
	if e.URL != "" {
		attrs = append(attrs, slog.String("url", quote.Plain(e.URL)))
	}
	l.logger().LogAttrs(ctx, level, "m2mguard: "+string(e.Kind), withError(attrs, e.Err, "")...)
}

func (l *eventLog) shared(ctx context.Context, e *observe.Event) {
	level := slog.LevelWarn
	if e.Err == nil {
		level = slog.LevelInfo
	}
	attrs := []slog.Attr{slog.String("issuer", e.Issuer.Text)}
	l.logger().LogAttrs(ctx, level, "m2mguard: "+string(e.Kind), withError(attrs, e.Err, "")...)
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
