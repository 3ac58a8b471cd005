package introspection

import (
	"errors"
	"fmt"
	"time"
)

// The sentinels that errors.Is finds in an error of [Client.Ask] and its short
// forms, exactly one in each.
var (
	// ErrUnavailable: there is no answer, and the token may be good or bad. An API
	// answers 503, never 401.
	ErrUnavailable = errors.New("introspection: unavailable")
	// ErrThrottled: the endpoint was not asked, or would not answer now, because
	// whoever calls asks about more new tokens than its share. An API answers 429.
	ErrThrottled = errors.New("introspection: throttled")
	// ErrRefused: the endpoint refuses this token in another way than with
	// "active":false, while it is well for others. An API answers 401.
	ErrRefused = errors.New("introspection: refused")
)

// UnavailableError says why there is no answer. Its text is for logs: it names
// the endpoint and holds neither token nor secret nor anything of the
// response's body. It matches [ErrUnavailable], or [ErrThrottled].
type UnavailableError struct {
	// RetryAfter is when asking again may help; always positive.
	RetryAfter time.Duration
	// Status is the HTTP status of the endpoint's answer, or 0 if there was none.
	Status int
	// Err is the cause; a caller's own ended context is found here.
	Err error

	throttled bool
	endpoint  bool // it is the endpoint's trouble, not our own bounds
	asked     bool // about a control, which it did not say is active
}

// Error implements error.
func (e *UnavailableError) Error() string { return "introspection: " + e.Err.Error() }

// Is reports whether target is [ErrUnavailable], or [ErrThrottled] if it is that.
func (e *UnavailableError) Is(target error) bool {
	return e.throttled && target == ErrThrottled || !e.throttled && target == ErrUnavailable
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// unavailable wraps err with the least time that a caller is asked to wait.
func unavailable(err error, retryAfter time.Duration) *UnavailableError {
	return &UnavailableError{RetryAfter: max(retryAfter, time.Second), Err: err}
}

func throttled(err error) *UnavailableError {
	e := unavailable(err, 0)
	e.throttled = true
	return e
}

// RefusedError is a token that the endpoint refuses in its own way: with a status
// of its own, with rubbish, or by dropping the connection, again and again, while
// it answers about others. It matches [ErrRefused].
type RefusedError struct {
	// Status is that of the endpoint's answer, or 0 if there was none.
	Status int
	// Err is what the last request about the token came to.
	Err error
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("introspection: the endpoint is well for other tokens and refuses this one: %v", e.Err)
}

// Is reports whether target is [ErrRefused].
func (e *RefusedError) Is(target error) bool { return target == ErrRefused }

// Unwrap returns what the last request came to.
func (e *RefusedError) Unwrap() error { return e.Err }
