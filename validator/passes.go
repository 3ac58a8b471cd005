package validator

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"time"
)

// This page is the whole list of what a request must pass whose token was proven,
// in order, each time: checks.go has what proves a token, which is a fact and is
// remembered; whether this request may go on is a decision, and never is.
//
//	 1  time          proof.holds    nbf and exp, with the clock skew; an answer's own end
//	 2  key           proof.holds    still in its issuer's set; the issuer not closed
//	 3  revocation    passRevocation nothing is held against it by a list that is recent enough,
//	                                 or by its issuer in the place of one that is not
//	 4  audience      passAudience   one of the route's own, where it narrows them
//	 5  binding       passBinding    a bound token by its scheme and with its sender's certificate;
//	                                 bound tokens alone, where the route asks for them
//	    proof         passProof      and with its sender's proof of possession, which is spent by that
//	 6  rule          Token.Check    the route's scopes, in the adapters
//	 7  policy        –              the API's own decision, in the adapters
//
// Place 3 is asked before the issuer is, too, where a route has it asked each time.
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
func pass(p *proof, r *Request, d *Demand) error {
	if err := passAudience(p.said.audience, d.Audience); err != nil {
		return p.sighting().on(err)
	}
	if err := passBinding(p.said.bound, r, d.Bound); err != nil {
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

// passBinding covers who shows the token.
func passBinding(b *binding, r *Request, wanted bool) error {
	switch {
	case b == nil && wanted:
		return errNotBound
	case b != nil && b.key != "" && !r.isDPoP():
		return errNotProven
	case (b == nil || b.key == "") && r.isDPoP():
		return errNothingToProve
	case b != nil:
		return passCertificate(b, r)
	}
	return nil
}

var errNotProven = &Error{
	check: CheckBinding, dpop: new(dpopError), text: "the token is bound to a key, and is shown as a bearer token",
	hint: "the client must send it as Authorization: DPoP, with a proof for each request (RFC 9449 §7.1)",
}

var errNothingToProve = &Error{
	check: CheckBinding, flaw: unwanted, text: "the token is bound to no key, and is shown as Authorization: DPoP",
	hint: "the client must send it as Authorization: Bearer, or fetch it with a proof (RFC 9449 §5)",
}

var errNotBound = &Error{
	check: CheckBinding, flaw: absent, text: "the route accepts sender-bound tokens alone, and this is a bearer token",
	hint: "Demand.Bound, httpauth's RequireBound: let the authorization server bind this client's tokens",
}

// passCertificate holds the certificate that a request shows against the token's.
func passCertificate(b *binding, r *Request) error {
	if b.certificate == "" {
		return nil
	}
	if len(r.Certificate) == 0 || r.CertificateErr != nil {
		return noCertificate(r.CertificateErr)
	}
	var shown [thumbprintLen]byte
	sum := sha256.Sum256(r.Certificate)
	base64.RawURLEncoding.Encode(shown[:], sum[:])
	if subtle.ConstantTimeCompare(shown[:], []byte(b.certificate)) != 1 {
		return errOtherCertificate
	}
	return nil
}

// noCertificate says why a request shows none that could be read.
func noCertificate(cause error) error {
	switch {
	case cause == nil:
		return errNoCertificate
	case errors.Is(cause, ErrUnavailable):
		e := unavailable(0, reason{cause})
		e.text, e.hint = unreadCertificate, "httpauth.Config.ClientCertificate"
		return e
	}
	e := errNoCertificate.Because(cause)
	e.text, e.hint = unreadCertificate, "httpauth.Config.ClientCertificate"
	return e
}

const unreadCertificate = "the token is bound to a client certificate, and what the request shows of one does not count"

var errNoCertificate = &Error{
	check: CheckBinding, text: "the token is bound to a client certificate, and the request shows none",
	hint: "the client must use it on its connection, and this API's server must ask for it (tls.RequestClientCert); behind a proxy, httpauth.Config.ClientCertificate reads what that hands on",
}

var errOtherCertificate = refuseAs(CheckBinding, another, "the token is bound to another client certificate than the request shows")
