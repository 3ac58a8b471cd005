package validator

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/m2mguard/m2mguard/dpop"
)

// passProof holds the proof of possession that a request shows against the key that
// the token is bound to (RFC 9449 §4.3, §7.1). It comes last of what a request must
// pass here, because it spends the proof. The nonce is for the answer, whatever it is.
func (v *Validator) passProof(ctx context.Context, p *proof, r *Request, spend bool) (nonce string, err error) {
	if p.said.bound == nil || p.said.bound.key == "" {
		return "", nil
	}
	result, err := v.proofs.Verify(ctx, &dpop.Request{
		Proofs: r.Proofs, Method: r.Method, URL: r.URL, Source: r.Source,
		TokenHash: p.tokenHash, Thumbprint: p.said.bound.key, Holder: p.holder(), Again: !spend || v.passedBefore(ctx, r),
	})
	if err != nil {
		if len(r.Token) >= minHidden && strings.Contains(err.Error(), r.Token) {
			err = hidden{err}
		}
		e := proofError(ctx, err)
		if e.dpop != nil {
			e.dpop.nonce = result.Nonce
		}
		return "", e
	}
	return result.Nonce, nil
}

// holder is whose proofs are counted together: a client can have any number of keys.
func (p *proof) holder() string {
	return p.said.issuer + "\x00" + cmp.Or(p.said.clientID, p.said.subject, p.said.bound.key)
}

// hidden is an error of a proof that tells of its own values, and one of them is the
// token.
type hidden struct{ err error }

func (h hidden) Error() string { return "dpop: the proof holds the token where it does not belong" }

func (h hidden) Unwrap() error { return h.err }

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

// tokenHash is what ath must be of a proof for a token (RFC 9449 §4.2).
func tokenHash(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// passedBefore reports whether r is a request that v let in with the same proof, which
// says for which token it is.
func (v *Validator) passedBefore(ctx context.Context, r *Request) bool {
	s, ok := ctx.Value(spentKey{v}).(*spent)
	return ok && len(r.Proofs) == 1 && s.proof == r.Proofs[0]
}
