package validator

import (
	"context"
	"time"

	"github.com/m2mguard/m2mguard/validator/internal/wheel"
)

// Live returns a copy of ctx that ends with the token: within a second after it has
// expired (and Config.ClockSkew is over), after Config.Revocations holds something
// against it, and within 15 s after its key has left the issuer's set or ForgetIssuer was
// called for its issuer; and when v is closed. context.Cause says which, by an *Error as
// Verify has it for the next request. A list that is only stale ends nothing, and the
// issuer is not asked again: a token without exp may go on for ever. It is for what
// outlives the request that a token was judged for, such as a WebSocket; a goroutine for
// all of them watches.
//
// A token that v did not prove, or does not accept any more, ends at once. stop frees
// what is held, as the end of ctx does.
func (v *Validator) Live(ctx context.Context, t *Token) (live context.Context, stop context.CancelFunc) {
	live, end := context.WithCancelCause(ctx)
	s := &stream{validator: v, end: end}
	if err := v.watchable(t, &s.proof); err != nil {
		end(err)
		return live, func() {}
	}
	if !v.streams.Add(&s.place, s, s.proof.left(v.now())) {
		s.End()
		return live, func() {}
	}
	if _, over := s.Look(); over {
		v.streams.Remove(&s.place)
		return live, func() {}
	}
	forget := context.AfterFunc(ctx, s.leave)
	return live, func() {
		forget()
		s.leave()
	}
}

// watchable finds the proof of a token of v.
func (v *Validator) watchable(t *Token, p **proof) error {
	if !v.made() {
		return errNotMade
	}
	if t.none() {
		return refuse(CheckMissing, noToken)
	}
	found, ok := t.there().origin.(*proof)
	if !ok || found.issuer.of != v {
		return errNotProvenHere
	}
	*p = found
	return nil
}

// stream is what lasts as long as its token at most.
type stream struct {
	place     wheel.Place
	validator *Validator
	proof     *proof
	end       context.CancelCauseFunc
}

var _ wheel.Watched = (*stream)(nil)

// Look implements [wheel.Watched].
func (s *stream) Look() (wait time.Duration, over bool) {
	now := s.validator.now()
	err := s.proof.over(now)
	if err == nil {
		err = s.validator.notRevoked(s.proof)
	}
	if err != nil {
		s.end(err)
		return 0, true
	}
	return s.proof.left(now), false
}

// End implements [wheel.Watched].
func (s *stream) End() { s.end(errClosed) }

// leave is for a stream that its own side has ended.
func (s *stream) leave() {
	s.validator.streams.Remove(&s.place)
	s.end(nil)
}

// over is why nothing that the token let in may go on, or nil. Keys that cannot be had
// for a while are no reason.
func (p *proof) over(now time.Time) error {
	switch {
	case !p.notAfter.IsZero() && !now.Before(p.notAfter):
		return errExpiredMeanwhile
	case p.issuer.closed.Load():
		return errForgottenMeanwhile
	case p.key != nil && !p.issuer.keys.Usable(p.key) && p.key.Retired():
		return errRetiredMeanwhile
	}
	return nil
}

// left is how long the token is good for at most, by its times.
func (p *proof) left(now time.Time) time.Duration {
	if p.notAfter.IsZero() {
		return wheel.MaxWait
	}
	return p.notAfter.Sub(now)
}

var (
	errNotProvenHere = &Error{check: CheckUnavailable, retryAfter: time.Second, text: "the token was not proven by this Validator",
		hint: "Live takes tokens of its own Validator alone, and none of DangerouslyUnverified"}
	errExpiredMeanwhile   = &Error{check: CheckExpiry, text: "it has expired since the request with it began"}
	errRetiredMeanwhile   = &Error{check: CheckKey, text: "its key has left the issuer's key set since the request with it began"}
	errForgottenMeanwhile = &Error{check: CheckUnavailable, retryAfter: time.Second,
		text: "ForgetIssuer was called since the request with it began", hint: "the next request asks Config.Resolver again"}
)
