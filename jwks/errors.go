package jwks

import (
	"errors"
	"fmt"
	"time"
)

// ErrKeyNotFound means that the issuer has no such key: a token that names it
// is invalid. Errors that wrap it say what was asked for.
var ErrKeyNotFound = errors.New("jwks: no such key")

// ErrUnavailable means that the keys cannot be had, so that nothing is known
// of the token. Every such error is an [*UnavailableError].
var ErrUnavailable = errors.New("jwks: keys unavailable")

// ErrNotForUs is found in the Err of a [KeySkipped] event about a key that is
// nobody's mistake: it is for encryption, or for an algorithm that is not in
// [Config].Algorithms.
var ErrNotForUs = errors.New("jwks: the key is for something else")

// errClosed is what Err holds after Close.
var errClosed = errors.New("the key set is closed")

// UnavailableError says why the keys cannot be had and when asking again makes
// sense. errors.Is finds [ErrUnavailable] and the cause in it.
type UnavailableError struct {
	// RetryAfter is how long to wait before asking again; always positive.
	RetryAfter time.Duration
	// Err is the cause: what the last fetch met, or why a caller stopped waiting.
	Err error
}

// Error names the cause. It holds no key material.
func (e *UnavailableError) Error() string { return fmt.Sprintf("%v: %v", ErrUnavailable, e.Err) }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Is reports whether target is [ErrUnavailable].
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

func unavailable(retryAfter time.Duration, cause error) *UnavailableError {
	return &UnavailableError{RetryAfter: max(retryAfter, time.Millisecond), Err: cause}
}
