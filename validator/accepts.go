package validator

import "slices"

// Accepts is what a Validator takes, for challenges (RFC 9449 §7.1) and for the
// metadata of a resource (RFC 9728 §2).
type Accepts struct {
	// Issuers are the URLs of Config.Issuers; those of a Resolver are not in it.
	Issuers []string
	// ProofAlgorithms are those of DPoP proofs; nil without Config.DPoP.
	ProofAlgorithms []string
	// BoundOnly says that each issuer's bearer tokens are refused (Issuer.Binding).
	// It is never so with a Resolver.
	BoundOnly bool
	// Revocations says that Config.Revocations is set.
	Revocations bool
	// Introspection says that an issuer can be asked about tokens, or that a Resolver
	// may find one that can.
	Introspection bool
}

// Accepts tells what v takes.
func (v *Validator) Accepts() Accepts {
	if !v.made() {
		return Accepts{}
	}
	a := Accepts{Issuers: slices.Clone(v.issuerURLs), BoundOnly: v.resolved == nil, Revocations: v.revoked != nil, Introspection: v.resolved != nil}
	for _, i := range v.issuers {
		a.Introspection = a.Introspection || i.introspection != nil
		a.BoundOnly = a.BoundOnly && i.binding == BindingRequired
	}
	if v.proofs != nil {
		a.ProofAlgorithms = v.proofs.Algorithms()
	}
	return a
}
