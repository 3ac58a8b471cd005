package validator

import (
	"context"
	"errors"
	"fmt"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/jwks"
)

// hint is what a header says of the key that signed.
func hint(h *jws.Header) jwks.Hint {
	return jwks.Hint{KeyID: h.KeyID, HasKeyID: h.HasKeyID, Algorithm: h.Algorithm, X5T: h.X5T, X5TS256: h.X5TS256}
}

// signer returns the first key that verifies: of keys, which h leaves the choice
// among, and then of what a newer set has beside them. It also says how many were
// tried in vain, which are jwks.MaxCandidates at most. The error is verify's, or the
// key set's once no key is left.
func signer(ctx context.Context, set *jwks.KeySet, h jwks.Hint, keys []*jwks.Key, verify func(*jwks.Key) (bool, error)) (key *jwks.Key, inVain int, err error) {
	var room [jwks.MaxCandidates]*jwks.Key
	tried := room[:0]
	for {
		for _, key := range keys {
			verified, err := verify(key)
			if verified || err != nil {
				return key, len(tried), err
			}
			tried = append(tried, key)
		}
		if keys, err = set.Candidates(ctx, h, tried...); err != nil {
			return nil, len(tried), err
		}
	}
}

// prover returns the key that verifies t's signature. Each key that is tried takes
// a slot of its own, and its turn for it.
func (v *Validator) prover(ctx context.Context, i *issuer, t *jwt, keys []*jwks.Key, source string) (*jwks.Key, error) {
	key, inVain, err := signer(ctx, i.keys, hint(&t.header.Header), keys, func(key *jwks.Key) (bool, error) {
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
		e.text = fmt.Sprintf("the token has no kid, and of the keys that serve %s, %d were tried", h.canonical, tried)
	case keys[0].ID() == h.KeyID:
		e.got = []string{h.KeyID}
		return e
	default:
		e.check, e.got, e.cause = CheckKey, []string{h.KeyID}, nil
		e.text = fmt.Sprintf("no key of the set has this kid, and of those that have none and serve %s, %d were tried in vain", h.canonical, tried)
	}
	if tried == jwks.MaxCandidates {
		e.hint = fmt.Sprintf("no more than %d keys are tried for one token: let the authorization server set the kid of its key (RFC 7515 §4.1.4)", tried)
	}
	return e
}

// keyError turns an error of the key set into one of ours.
func keyError(ctx context.Context, err error) error {
	if errors.Is(err, jwks.ErrKeyNotFound) {
		return &Error{check: CheckKey, cause: err} // which names the kid
	}
	return unavailableBecause(ctx, err)
}

// several are keys of which one is to verify, as part of what a verification is.
type several [jwks.MaxCandidates]*jwks.Key

func severalOf(keys []*jwks.Key) (s several) {
	copy(s[:], keys)
	return s
}
