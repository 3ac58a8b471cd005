package validator

import (
	"context"
	"errors"
)

// Resolver finds issuers that are known only at run time, such as the
// authorization servers of an API's own customers.
type Resolver interface {
	// ResolveIssuer returns the issuer whose URL is url, or an error that
	// wraps ErrUnknownIssuer if there is none. Any other error means that this
	// cannot be told now, and is answered with ErrUnavailable.
	//
	// url is what an unverified token claims: look it up among issuers that
	// were registered before, never fetch from it or derive trust from its form.
	// ctx ends after 5 s, not with the request, or after half a second if others
	// need its turn more; calls for one url are shared, and so is a panic. A call
	// that does not return by then is left behind.
	//
	// The answer is kept for as long as the issuer's tokens come in: when a
	// customer is removed, or its issuer configured anew, call
	// Validator.ForgetIssuer.
	ResolveIssuer(ctx context.Context, url string) (Issuer, error)
}

// ErrUnknownIssuer is what a Resolver returns for a URL that it does not know.
var ErrUnknownIssuer = errors.New("unknown issuer")
