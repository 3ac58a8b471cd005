package validator

import (
	"time"

	"github.com/m2mguard/m2mguard/observe"
)

// Request is what one request shows. Adapters fill in what their protocol has.
// Printed, logged or written as JSON it shows no token; in an unexported field, where
// fmt calls no method, keep it by pointer.
type Request struct {
	_ [0]func()

	// Scheme is the authentication scheme as it was sent. Any other than Bearer, in
	// any case, is as if nothing had been sent; empty is for protocols without one.
	Scheme string
	// Token is the access token, without its scheme; empty if none was sent.
	Token string `json:"-"`
	// Certificate is the DER of the client's own certificate, from the connection's
	// handshake or as a trusted proxy hands it on; nil for none. It names nobody, and
	// is held against tokens that are bound to one (RFC 8705 §3).
	Certificate []byte `json:"-"`
	// CertificateErr is why there may be a Certificate that could not be read. It
	// matters to a token that is bound to one, is for logs, and is ErrUnavailable to
	// clients if it matches that.
	CertificateErr error `json:"-"`
	// Method and URL are the public request's, as its client sent it. They decide
	// nothing for a bearer token.
	Method, URL string
	// Route is the pattern or the full name of what was called. It is for events.
	Route string
	// ReportOnly says that the request is let through even if it is refused. It is
	// for events, and decides nothing.
	ReportOnly bool
	// Source is who seems to call: the connection's peer, or what stands for it
	// behind a proxy. Where tokens that were not seen before wait for their turn,
	// turns are fair by source. It is a key for that and for events, and decides
	// nothing. Empty is a source, too. Of an IPv6 address the first 56 bits count.
	Source string
}

// Demand is what a route asks beside its rule. The zero value, or a nil
// pointer, asks nothing.
type Demand struct {
	_ [0]func()

	// MaxAge, if set, is how long ago the issuer may have called the token active
	// (RFC 7662); zero asks it now, as does a negative one: nothing is younger.
	MaxAge *time.Duration

	// Audience, if not nil, narrows Issuer.Audience: one of it must be in the
	// token's aud, too. A token without aud never passes it, whatever its issuer's
	// configuration says, and nobody passes an empty list.
	Audience []string

	// Bound accepts sender-bound tokens alone.
	Bound bool

	// More says that the caller asks for more afterwards, such as a rule or a
	// policy, and tells of acceptance itself, with ReportAccepted.
	More bool
}

// Accepted is a request that may go on.
type Accepted struct {
	// Token is what the request's token says.
	Token *Token
	// Way is how it was proven.
	Way observe.Way
}

const bearer = "Bearer" // RFC 6750 §2.1

// asked is what a proof is made for.
type asked struct {
	source string
	maxAge *time.Duration // nil: what introspection remembers will do
	// audience is Demand.Audience, for an answer that has a newer word than the token.
	audience []string
}

func (a asked) fresh() bool { return a.maxAge != nil }
