package fleet

import (
	"context"

	"github.com/m2mguard/m2mguard/dpop"
)

// Nonces makes nonces for dpop.Config that each instance of the deployment takes. They
// are sealed under a key of Config.Secrets, so Redis is not asked.
func (f *Fleet) Nonces() dpop.Nonces {
	sealed, err := dpop.NewSealed(dpop.SealedConfig{Secrets: f.nonceSecrets, Now: f.config.Now})
	if err != nil {
		return noNonces{err} // not while secrets are derived
	}
	return sealed
}

// nonceSecrets are what nonces are sealed by.
func (f *Fleet) nonceSecrets() (secrets [][]byte) {
	for _, d := range f.ring().of[forNonces] {
		secrets = append(secrets, d.key)
	}
	return secrets
}

// noNonces has none, and says why.
type noNonces struct{ err error }

var _ dpop.Nonces = noNonces{}

// Nonce implements [dpop.Nonces].
func (n noNonces) Nonce(context.Context) (string, error) { return "", n.err }

// Judge implements [dpop.Nonces].
func (n noNonces) Judge(context.Context, string) (dpop.Judgement, error) {
	return dpop.NonceBad, n.err
}
