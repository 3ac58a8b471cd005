package validator

import (
	"context"
	"errors"
	"sync"

	"github.com/m2mguard/m2mguard/jwks"
)

// flights lets one caller verify a signature while others that hold the same
// token wait for what it finds. Go's singleflight would run the work for a
// caller that may give up; here the one who works gives the place on.
type flights struct {
	mu  sync.Mutex
	now map[verification]*flight
}

// verification is what callers must have in common to share one: the token, and
// the rules and the key that it is held against. Whoever comes after an issuer
// was configured anew, or a key replaced, shares nothing with those before.
type verification struct {
	id     fingerprint
	issuer *issuer
	key    *jwks.Key
}

type flight struct {
	done  chan struct{} // made by the first who waits
	proof *proof        // set before done is closed
	err   error
}

// do returns what work returns, run by this caller or by another one with the
// same verification. If the caller who ran it gave up (its context ended), the others try
// for themselves.
func (f *flights) do(ctx context.Context, of verification, work func() (*proof, error)) (*proof, error) {
	for {
		f.mu.Lock()
		other := f.now[of]
		if other == nil {
			mine := new(flight)
			f.now[of] = mine
			f.mu.Unlock()
			return f.lead(of, mine, work)
		}
		if other.done == nil {
			other.done = make(chan struct{})
		}
		f.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil, gaveUp(ctx)
		}
		if !leaderGaveUp(other.err) {
			return other.proof, other.err
		}
	}
}

func (f *flights) lead(of verification, mine *flight, work func() (*proof, error)) (*proof, error) {
	// The place is given up even if work panics; the others then try.
	mine.err = errLeaderGone
	defer func() {
		f.mu.Lock()
		delete(f.now, of)
		if mine.done != nil {
			close(mine.done)
		}
		f.mu.Unlock()
	}()
	mine.proof, mine.err = work()
	return mine.proof, mine.err
}

var errLeaderGone = &Error{check: CheckUnavailable, text: "the verification broke off", gaveUp: true}

// gaveUp is the error of a caller whose context ended while it waited.
func gaveUp(ctx context.Context) *Error {
	return &Error{check: CheckUnavailable, gaveUp: true, cause: context.Cause(ctx)}
}

func leaderGaveUp(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && (refused.gaveUp || refused.check == CheckShare) // its source's share is not theirs
}
