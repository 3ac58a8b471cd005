package validator

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
)

// events are for requests, which come in numbers: whoever is told has given the
// event back when his function returns.
var events = sync.Pool{New: func() any { return new(observe.Event) }}

// tell tells the observer of a request. One whose function panics keeps the event.
func (v *Validator) tell(ctx context.Context, r *Request, fill func(*observe.Event)) {
	e := events.Get().(*observe.Event)
	if r != nil {
		e.Method, e.Route, e.Source, e.ReportOnly = methodOf(r.Method), r.Route, cut(r.Source), r.ReportOnly
	}
	fill(e)
	if r != nil && len(r.Token) >= minHidden {
		hide(r.Token, &e.ForeignIssuer, &e.Client.Text, &e.Subject.Text, &e.TokenID.Text, &e.Scopes.Text)
	}
	v.observer.Tell(ctx, e)
	*e = observe.Event{}
	events.Put(e)
}

// methodOf is a method for a label: what a client made up is one kind.
func methodOf(method string) string {
	switch method {
	case "", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE": // RFC 9110 §9.1, RFC 5789
		return method
	}
	return "_OTHER"
}

// ReportRefusal tells Config.Observer of a refusal that was made outside
// VerifyRequest, which tells of its own: an adapter calls it for credentials that
// it does not take there, and for a rule or a policy that was not met. r is what is
// known of the request, and t the good token that is refused, or nil.
func (v *Validator) ReportRefusal(ctx context.Context, r *Request, t *Token, e *Error) {
	seen, proven := e.said, e.token
	if !t.none() {
		proven = t.there()
	}
	if proven != nil {
		s := proven.sighting(proven.issuer)
		s.proven = true
		seen = &s
	}
	v.report(ctx, r, e, seen, 0)
}

// report tells of a refusal, and of what was seen of the token, if anything was.
func (v *Validator) report(ctx context.Context, r *Request, e *Error, seen *sighting, took time.Duration) {
	if !v.made() {
		slog.Default().Error("m2mguard: " + errNotMade.text) // there is no observer, and this concerns everybody
		return
	}
	reportOnly := r != nil && r.ReportOnly && e.check != CheckRevoked
	if v.log != nil && seen != nil && v.log.onlyCounted(ctx, kindOf(string(e.check), seen.issuer, reportOnly, e)) {
		return
	}
	v.tell(ctx, r, func(event *observe.Event) {
		event.ReportOnly = reportOnly
		event.Kind, event.Check, event.Err, event.Wanted = observe.Refused, string(e.check), e, e.needs
		event.Took = took
		if seen != nil {
			seen.fill(event)
		}
	})
}

// ReportOpen counts a route that refuses nobody, for Stats: an adapter calls it once
// for each that it makes (httpauth's DangerouslyReportOnly).
func (v *Validator) ReportOpen() {
	if v.made() {
		v.open.Add(1)
	}
}

// ReportAccepted tells an observer that asks for it of an accepted request, as
// VerifyRequest does by itself unless Demand.More is set: an adapter calls it when
// the request has passed the route's rule and policy, too.
func (v *Validator) ReportAccepted(ctx context.Context, r *Request, a Accepted) {
	if v.made() && v.tellsOf(a) && !a.Token.none() {
		v.accepted(ctx, r, a)
	}
}

func (v *Validator) tellsOf(a Accepted) bool { return v.observer.Accepted || a.took > 0 }

func (v *Validator) accepted(ctx context.Context, r *Request, a Accepted) {
	v.tell(ctx, r, func(event *observe.Event) {
		event.Kind, event.Way, event.Took = observe.Accepted, a.Way, a.took
		t := a.Token.there()
		if r != nil {
			event.Used = used(r.Scopes, t.scopes)
		}
		event.Issuer.Text, event.Client.Text, event.Subject.Text, event.TokenID.Text = t.issuer, t.clientID, t.subject, t.id
	})
}

// used is which of the names a token has.
func used(names []string, has scopes.Set) []string {
	for n, name := range names {
		if !has.Contains(name) {
			rest := slices.Clone(names[:n])
			for _, name := range names[n+1:] {
				if has.Contains(name) {
					rest = append(rest, name)
				}
			}
			return rest
		}
	}
	return names // of all of them, which are the route's: nothing to make
}

// stopwatch times a request; the zero value does not run.
type stopwatch struct {
	began   time.Time
	proving bool
}

// stopwatch returns one that runs for one request in so many. Chance decides: what
// requests count together would make them wait for each other.
func (v *Validator) stopwatch() (w stopwatch) {
	if v.made() && v.sampleHits > 0 && rand.Uint64N(v.sampleHits) == 0 {
		w.began = time.Now()
	}
	return w
}

// start has the stopwatch run for a token that has to be proven.
func (v *Validator) start(w *stopwatch) {
	if v.sampleHits == 0 {
		return
	}
	w.proving = true
	if w.began.IsZero() {
		w.began = time.Now()
	}
}

// took is 0 if it does not run, and else positive.
func (w stopwatch) took() time.Duration {
	if w.began.IsZero() {
		return 0
	}
	return max(time.Since(w.began), 1)
}
