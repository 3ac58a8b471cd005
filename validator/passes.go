package validator

import (
	"slices"
	"time"
)

// This page is the whole list of what a request must pass whose token was proven,
// in order, each time: checks.go has what proves a token, which is a fact and is
// remembered; whether this request may go on is a decision, and never is.
//
//	 1  time          proof.holds    nbf and exp, with the clock skew; an answer's own end
//	 2  key           proof.holds    still in its issuer's set; the issuer not closed
//	 3  revocation    –              nothing revokes tokens here yet
//	 4  audience      passAudience   one of the route's own, where it narrows them
//	 5  binding       passBinding    bound tokens alone, where the route asks for them
//	 6  rule          Token.Check    the route's scopes, in the adapters
//	 7  policy        –              the API's own decision, in the adapters
//
// A token that is in the cache passes 1 and 2 in recall. One that was proven just
// now passes them when it lands, because proving takes time; if it does not, it is
// proven anew.

// holds covers time and key: whether the proof is still good at now.
func (p *proof) holds(now time.Time) bool {
	if !p.notAfter.IsZero() && !now.Before(p.notAfter) || now.Before(p.notBefore) {
		return false
	}
	if p.key != nil {
		return p.issuer.keys.Usable(p.key)
	}
	return time.Now().Before(p.until) && !p.issuer.closed.Load()
}

// lands covers the same for a proof that was just made or found, and that somebody
// waited for.
func (p *proof) lands(now time.Time) bool {
	if p.key == nil { // the answer's own times were judged when it came
		return !p.issuer.closed.Load()
	}
	return p.holds(now)
}

// pass covers what the route asks of a token whose proof holds.
func pass(p *proof, d *Demand) error {
	if err := passAudience(p.said.audience, d.Audience); err != nil {
		return p.sighting().on(err)
	}
	if err := passBinding(d.Bound); err != nil {
		return p.sighting().on(err)
	}
	return nil
}

// passAudience holds what a token or an answer about it names against the route's
// own, which is nil where it has none.
func passAudience(named, own []string) error {
	if own == nil {
		return nil
	}
	for _, a := range named {
		if slices.Contains(own, a) {
			return nil
		}
	}
	const fix = "the route's own audience (Demand.Audience, httpauth.Config.Audience), or the audience that the client asks for"
	switch {
	case len(own) == 0:
		return &Error{check: CheckAudience, text: "the route's own audience is an empty list, which nobody passes", hint: fix}
	case len(named) == 0:
		return &Error{check: CheckAudience, flaw: absent, text: "the token names none, and the route narrows them", want: own, hint: fix}
	}
	return &Error{check: CheckAudience, got: named, want: own, hint: fix}
}

func passBinding(wanted bool) error {
	if !wanted {
		return nil
	}
	return &Error{
		check: CheckBinding, flaw: absent, text: "the route accepts sender-bound tokens alone, and this is a bearer token",
		hint: "Demand.Bound, httpauth's RequireBound; no proof of possession is checked here yet, so it refuses every request",
	}
}
