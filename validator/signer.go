package validator

import (
	"context"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/jwks"
)

// hint is what a header says of the key that signed.
func hint(h *jws.Header) jwks.Hint {
	return jwks.Hint{KeyID: h.KeyID, HasKeyID: h.HasKeyID, Algorithm: h.Algorithm, X5T: h.X5T, X5TS256: h.X5TS256}
}

// keySource is what signer goes by: the key set, or, for an explanation, less of it.
type keySource interface {
	Candidates(ctx context.Context, h jwks.Hint, tried ...*jwks.Key) ([]*jwks.Key, error)
	Proved(h jwks.Hint, k *jwks.Key)
}

var _ keySource = (*jwks.KeySet)(nil)

// signer returns the first key that verifies: of keys, which h leaves the choice
// among, and then of what a newer set has beside them. It also says how many were
// tried in vain, which are jwks.MaxCandidates at most. The error is verify's, or the
// key set's once no key is left.
func signer(ctx context.Context, set keySource, h jwks.Hint, keys []*jwks.Key, verify func(*jwks.Key) (bool, error)) (key *jwks.Key, inVain int, err error) {
	var room [jwks.MaxCandidates]*jwks.Key
	tried := room[:0]
	for {
		for _, key := range keys {
			verified, err := verify(key)
			if verified && err == nil {
				set.Proved(h, key)
			}
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
