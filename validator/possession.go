package validator

import (
	"context"
	"errors"

	"github.com/m2mguard/m2mguard/dpop"
)

// passProof holds the proof of possession that a request shows against the key that
// the token is bound to (RFC 9449 §4.3, §7.1). It comes last of what a request must
// pass here, because it spends the proof. The nonce is for the answer, whatever it is.
func (v *Validator) passProof(ctx context.Context, p *proof, r *Request, spend bool) (nonce string, err error) {
	if p.said.bound == nil || p.said.bound.key == "" {
		return "", nil
	}
	judge := v.proofs.Verify
	if !spend || v.passedBefore(ctx, r) {
		judge = v.proofs.Check
	}
	result, err := judge(ctx, p.shownBy(r))
	if err != nil {
		e := proofError(ctx, err)
		if e.dpop != nil {
			e.dpop.nonce = result.Nonce
		}
		return "", e
	}
	return result.Nonce, nil
}

// shownBy is what is to be proven of r, which shows p's token.
func (p *proof) shownBy(r *Request) *dpop.Request {
	return &dpop.Request{
		Proofs: r.Proofs, Method: r.Method, URL: r.URL, Source: r.Source,
		TokenHash: p.tokenHash, Thumbprint: p.said.bound.key, Holder: p.holder,
	}
}

// withNonce is err with a nonce to hand out, which a proof has earned that was good.
func withNonce(err error, nonce string) error {
	e, ok := err.(*Error)
	if !ok || nonce == "" {
		return err
	}
	told := *e
	told.dpop = &dpopError{nonce: nonce}
	return &told
}

// proofError turns an error of the proof into one of ours, which says what it says.
func proofError(ctx context.Context, err error) *Error {
	e := &Error{check: CheckProof, cause: err}
	refused, ok := errors.AsType[*dpop.Error](err)
	switch {
	case errors.Is(err, dpop.ErrUnavailable) && ctx.Err() != nil:
		return gaveUp(ctx)
	case !ok || errors.Is(err, dpop.ErrUnavailable):
		e = unavailable(0, err)
	case errors.Is(err, dpop.ErrThrottled):
		e = throttled(err)
	case errors.Is(err, dpop.ErrKey):
		e.check, e.flaw = CheckBinding, another
	case errors.Is(err, dpop.ErrNonce):
		e.check = CheckNonce
	}
	e.hint, e.dpop = "Config.DPoP", new(dpopError)
	if ok && refused.Check() == dpop.CheckURL {
		e.hint = "httpauth.Config.PublicURL and PublicPathPrefix"
	}
	if ok {
		e.dpop.sentence, e.retryAfter = refused.Description(), max(e.retryAfter, refused.RetryAfter())
	}
	return e
}

// passedBefore reports whether r is a request that v let in with the same proof, which
// says for which token it is.
func (v *Validator) passedBefore(ctx context.Context, r *Request) bool {
	s, ok := ctx.Value(spentKey{v}).(*spent)
	return ok && len(r.Proofs) == 1 && s.proof == r.Proofs[0]
}
