package introspection

import (
	"errors"
	"time"
)

// ErrUnavailable is what errors.Is finds in every error of [Client.Introspect]
// and [Client.IntrospectFresh]: there is no answer, and the token may be good
// or bad. An API answers 503, never 401.
var ErrUnavailable = errors.New("introspection: unavailable")

// UnavailableError says why there is no answer. Its text is for logs: it names
// the endpoint and holds neither token nor secret nor anything of the
// response's body.
type UnavailableError struct {
	// RetryAfter is when asking again may help; always positive.
	RetryAfter time.Duration
	// Status is the HTTP status of the endpoint's answer, or 0 if there was none.
	Status int
	// Err is the cause; a caller's own ended context is found here.
	Err error

	// aboutToken: the endpoint works and would not judge this one token.
	aboutToken bool
	// pause is how long the endpoint itself wants to be left alone.
	pause time.Duration
}

// Error implements error.
func (e *UnavailableError) Error() string { return "introspection: " + e.Err.Error() }

// Is reports whether target is [ErrUnavailable].
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// unavailable wraps err with the least time that a caller is asked to wait.
func unavailable(err error, retryAfter time.Duration) *UnavailableError {
	return &UnavailableError{RetryAfter: max(retryAfter, time.Second), Err: err}
}
