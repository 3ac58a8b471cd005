package validator

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"unicode/utf8"

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

// minHidden is the length from which on a text is hidden that holds the token.
// Shorter ones are in many a name, and nobody's secret.
const minHidden = 16

// hide empties texts that hold the token: an issuer's answer may repeat it as some
// identifier.
func hide(token string, texts ...*string) {
	for _, text := range texts {
		if strings.Contains(*text, token) {
			*text = ""
		}
	}
}

// ReportRefusal tells Config.Observer of a refusal that was made outside
// VerifyRequest, which tells of its own: an adapter calls it for credentials that
// it does not take there, and for a rule or a policy that was not met. r is what is
// known of the request, and t the good token that is refused, or nil.
func (v *Validator) ReportRefusal(ctx context.Context, r *Request, t *Token, e *Error) {
	if !v.made() {
		slog.Default().Error("m2mguard: " + errNotMade.text) // there is no observer, and this concerns everybody
		return
	}
	v.tell(ctx, r, func(event *observe.Event) {
		event.Kind, event.Check, event.Err, event.Wanted = observe.Refused, string(e.check), e, e.needs
		proven := e.token
		if !t.none() {
			proven = t.there()
		}
		switch {
		case proven != nil:
			s := proven.sighting(proven.issuer)
			s.proven = true
			s.fill(event)
		case e.said != nil:
			e.said.fill(event)
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

// sighting is what a refused token says of itself, for the observer alone.
type sighting struct {
	issuer              string // as it is known here
	foreign             string // where it is not
	client, subject, id string
	scopes              scopes.Set
	proven              bool
}

// sighting is what c says; issuer is empty while the token's own is not known.
func (c *contents) sighting(issuer string) sighting {
	s := sighting{issuer: issuer, client: c.clientID, subject: c.subject, id: c.id, scopes: c.scopes}
	if issuer == "" {
		s.foreign = c.issuer
	}
	return s
}

// at notes that the token names an issuer that is known here.
func (s *sighting) at(i *issuer) { s.issuer, s.foreign = i.url, "" }

// on returns a copy of err, which others may share, with what was seen.
func (s *sighting) on(err error) error {
	e, ok := err.(*Error)
	if !ok || e.said != nil || e.token != nil || e == errClosed {
		return err
	}
	told := &struct {
		Error
		said sighting
	}{*e, *s}
	told.Error.said = &told.said
	return &told.Error
}

func (s *sighting) fill(e *observe.Event) {
	fact := func(text string) observe.Fact {
		if s.proven || text == "" {
			return observe.Fact{Text: text}
		}
		return observe.Fact{Text: cut(text), Unproven: true}
	}
	e.Issuer = fact(s.issuer)
	if !s.proven {
		e.Issuer.Text = s.issuer // it is ours
	}
	e.ForeignIssuer = cut(s.foreign)
	e.Client, e.Subject, e.TokenID = fact(s.client), fact(s.subject), fact(s.id)
	e.Scopes = fact(s.scopes.String())
}

// cut bounds what anybody can make up.
func cut(text string) string {
	const longest = 200
	if len(text) > longest {
		end := longest
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	return text
}

// watch is the observer of an issuer's key set or introspection: one that the user
// gave it is told first, and the validator's by the URL that the user knows.
func (v *Validator) watch(url string, own observe.Observer) observe.Observer {
	ours := observe.Observer{Event: func(ctx context.Context, e *observe.Event) {
		told := *e
		told.Issuer.Text = url
		v.observer.Tell(ctx, &told)
	}}
	if v.observer.Start != nil {
		ours.Start = func(ctx context.Context, op observe.Operation) (context.Context, func(error)) {
			op.Issuer = url
			return v.observer.Begin(ctx, op)
		}
	}
	return observe.Join(own, ours)
}
