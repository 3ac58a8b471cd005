package validator

import (
	"context"
	"log/slog"
	"sync"

	"github.com/m2mguard/m2mguard/observe"
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
	v.report(ctx, r, e, seen)
}

// report tells of a refusal, and of what was seen of the token, if anything was.
func (v *Validator) report(ctx context.Context, r *Request, e *Error, seen *sighting) {
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
		if seen != nil {
			seen.fill(event)
		}
	})
}

// ReportAccepted tells an observer that asks for it of an accepted request, as
// VerifyRequest does by itself unless Demand.More is set: an adapter calls it when
// the request has passed the route's rule and policy, too.
func (v *Validator) ReportAccepted(ctx context.Context, r *Request, a Accepted) {
	if v.made() && v.observer.Accepted && !a.Token.none() {
		v.accepted(ctx, r, a)
	}
}

func (v *Validator) accepted(ctx context.Context, r *Request, a Accepted) {
	v.tell(ctx, r, func(event *observe.Event) {
		event.Kind, event.Way = observe.Accepted, a.Way
		t := a.Token.there()
		event.Issuer.Text, event.Client.Text, event.Subject.Text, event.TokenID.Text = t.issuer, t.clientID, t.subject, t.id
	})
}
