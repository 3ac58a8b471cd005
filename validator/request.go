package validator

import (
	"context"
	"time"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
)

// Request is what one request shows. Adapters fill in what their protocol has.
// Printed, logged or written as JSON it shows no token; in an unexported field, where
// fmt calls no method, keep it by pointer.
type Request struct {
	_ [0]func()

	// Scheme is the authentication scheme as it was sent. Any other than Bearer, and
	// DPoP where Config.DPoP is set, in any case, is as if nothing had been sent; empty
	// is for protocols without one, and is no DPoP.
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
	// Proofs are the lines of the DPoP field, as they were sent, uncombined (RFC 9449
	// §4.1).
	Proofs []string `json:"-"`
	// Method and URL are the public request's, as its client sent it: scheme and host
	// by this API's configuration, and the path of the request line, escaped as sent.
	// They are held against a proof, and decide nothing for a bearer token. A URL that
	// is empty is nobody's.
	Method, URL string
	// Route is the pattern or the full name of what was called. It is for events.
	Route string
	// Scopes are the names of the scopes that the route's rule is about. They are for
	// events, and decide nothing.
	Scopes []string
	// ReportOnly says that the request is let through even if it is refused, unless for
	// CheckRevoked. It is for events, and decides nothing.
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

	// Stale is what happens while Config.Revocations has not heard of its feed for too
	// long. Default: as the list is configured.
	Stale revocation.WhenStale

	// More says that the caller asks for more afterwards, such as a rule or a
	// policy, and tells of acceptance itself, with ReportAccepted.
	More bool
}

// Accepted is a request that may go on.
type Accepted struct {
	// Token is what the request's token says.
	Token *Token
	// Nonce is for the DPoP-Nonce field of the answer (RFC 9449 §8.2), which must not
	// be cached then; empty for none.
	Nonce string
	// Way is how it was proven.
	Way observe.Way

	spent *spent        // the proof that it was let in with; nil for none
	took  time.Duration // 0 where it was not measured
}

// spent is the proof that a request was let in with, kept in its context: the next
// gate on the way of the same request finds it spent.
type spent struct {
	by    any // the Validator
	proof string
}

// spentKey is by Validator: several may stand in the way of one request.
type spentKey struct{ by any }

// NewContext returns a copy of ctx that carries a's token, as [NewContext] does, and
// the proof that a was let in with: where two gates stand in the way of one request,
// such as a group's and a route's, the second would else take the proof for a replay.
// The adapters call it; the context must be that request's alone.
func (a Accepted) NewContext(ctx context.Context) context.Context {
	if a.spent != nil {
		ctx = context.WithValue(ctx, spentKey{a.spent.by}, a.spent)
	}
	return NewContext(ctx, a.Token)
}

// The schemes of credentials.
const (
	schemeBearer = "Bearer" // RFC 6750 §2.1
	schemeDPoP   = "DPoP"   // RFC 9449 §7.1
)

func (r *Request) isDPoP() bool { return asciiEqualFold(r.Scheme, schemeDPoP) }

// asked is what a proof is made for.
type asked struct {
	source string
	maxAge *time.Duration // nil: what introspection remembers will do
	// audience is Demand.Audience, for an answer that has a newer word than the token.
	audience []string
	// explains: it is for an explanation, which changes nothing.
	explains bool
}

func (a asked) fresh() bool { return a.maxAge != nil }
