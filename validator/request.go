package validator

import (
	"context"
	"time"
)

// Request is what one request shows. Adapters fill it in. Printed, logged or
// written as JSON it shows no token.
type Request struct {
	_ [0]func()

	// Token is the access token, without its scheme; empty if none was sent.
	Token string `json:"-"`
	// Source is who seems to call: the connection's peer, or what stands for it
	// behind a proxy. Where tokens that were not seen before wait for their turn,
	// turns are fair by source. It is a key for that, and decides nothing. Empty is
	// a source, too. Of an IPv6 address the first 56 bits count.
	Source string
}

// Demand is what a route asks beside its rule. The zero value, or a nil
// pointer, asks nothing.
type Demand struct {
	_ [0]func()

	// MaxAge, if set, is how long ago the issuer may have called the token active
	// (RFC 7662); zero asks it now, and a negative one is zero.
	MaxAge *time.Duration
}

// Accepted is a request that may go on.
type Accepted struct {
	// Token is what the request's token says.
	Token *Token
}

// asked is what a proof is made for.
type asked struct {
	source string
	maxAge *time.Duration // nil: what introspection remembers will do
}

func (a asked) fresh() bool { return a.maxAge != nil }

// VerifyRequest proves the token that r shows and makes sure that it meets d. The
// error is an *Error and matches exactly one of ErrMissingToken (there is no
// token), ErrInvalidRequest (it is not a token's text), ErrInvalidToken,
// ErrThrottled and ErrUnavailable.
//
// ctx bounds only this caller's waiting: a fetch or a verification that others
// wait for goes on when it ends.
func (v *Validator) VerifyRequest(ctx context.Context, r *Request, d *Demand) (Accepted, error) {
	a := asked{source: r.Source}
	if d != nil {
		a.maxAge = d.MaxAge
	}
	p, err := v.verify(ctx, r.Token, a)
	if err != nil {
		return Accepted{}, v.refused(err)
	}
	return Accepted{Token: &p.token}, nil
}
