package validator

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/turns"
	"github.com/m2mguard/m2mguard/jwks"
)

// prover returns the key that verifies t's signature. Each key that is tried takes
// a slot of its own, and its turn for it.
func (v *Validator) prover(ctx context.Context, i *issuer, set keySource, t *jwt, keys []*jwks.Key, source string) (*jwks.Key, error) {
	key, inVain, err := signer(ctx, set, hint(&t.header.Header), keys, func(key *jwks.Key) (bool, error) {
		return v.verifySignature(ctx, i, t, key, source)
	})
	switch _, ours := err.(*Error); {
	case err == nil:
		return key, nil
	case ours:
		return nil, err
	case errors.Is(err, jwks.ErrKeyNotFound):
		return nil, notSigned(&t.header, keys, inVain)
	}
	return nil, unavailableBecause(ctx, err)
}

// notSigned says that none of the keys verifies that may have signed, of which keys
// were the first.
func notSigned(h *header, keys []*jwks.Key, tried int) *Error {
	e := &Error{check: CheckSignature, cause: jws.ErrSignature}
	switch {
	case !h.HasKeyID:
		e.text = fmt.Sprintf("the token has no kid, and of the keys that serve %s, %s tried", h.canonical, were(tried))
	case keys[0].ID() == h.KeyID:
		e.got = []string{h.KeyID}
		return e
	default:
		e.check, e.got, e.cause = CheckKey, []string{h.KeyID}, nil
		e.text = fmt.Sprintf("no key of the set has this kid, and of those that have none and serve %s, %s tried in vain", h.canonical, were(tried))
	}
	if tried == jwks.MaxCandidates {
		e.hint = fmt.Sprintf("no more than %d keys are tried for one token: let the authorization server set the kid of its key (RFC 7515 §4.1.4)", tried)
	}
	return e
}

// were is the number of keys and its verb.
func were(n int) string {
	if n == 1 {
		return "1 was"
	}
	return fmt.Sprintf("%d were", n)
}

// keyError turns an error of the key set into one of ours.
func keyError(ctx context.Context, err error) error {
	if errors.Is(err, jwks.ErrKeyNotFound) {
		return &Error{check: CheckKey, cause: err} // which names the kid
	}
	return unavailableBecause(ctx, err)
}

// signatures are buffers for the longest one that any algorithm makes.
var signatures = sync.Pool{New: func() any { return new([jws.MaxRSABits / 8]byte) }}

// verifySignature is the one expensive step, so it needs one of the issuer's
// slots, and one of all issuers together.
func (v *Validator) verifySignature(ctx context.Context, i *issuer, t *jwt, key *jwks.Key, source string) (verified bool, err error) {
	if t.Signature == "" {
		return false, &Error{check: CheckSignature, flaw: absent, cause: jws.ErrSignature, got: []string{t.header.KeyID}}
	}
	buffer := signatures.Get().(*[jws.MaxRSABits / 8]byte)
	defer func() {
		clear(buffer[:]) // header and payload may be in a cache
		signatures.Put(buffer)
	}()
	signature, err := jws.AppendDecode(buffer[:0], t.Signature)
	if err != nil {
		return false, refuse(CheckEncoding, "the signature "+err.Error())
	}
	own, all := i.slots.Of(key.Public()), v.slots.Of(key.Public())
	mine, err := own.Acquire(ctx, source)
	if err != nil {
		return false, noSlot(ctx, err)
	}
	defer own.Release(mine)
	shared, err := all.Acquire(ctx, source)
	if err != nil {
		return false, noSlot(ctx, err)
	}
	defer all.Release(shared)
	return jws.Verify(t.header.canonical, key.Public(), t.SigningInput, signature) == nil, nil
}

// noSlot says why a request got no slot.
func noSlot(ctx context.Context, err error) *Error {
	switch {
	case ctx.Err() != nil:
		return gaveUp(ctx)
	case errors.Is(err, turns.ErrShare):
		return throttled(err)
	}
	return errBusy
}
