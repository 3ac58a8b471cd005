package validator

import "slices"

// This page is how functions that return an Issuer and no error, such as those of
// package providers, hold to what they were called for, whatever is changed in it
// afterwards.

// Refuse makes New refuse i for this reason, whatever is changed in i afterwards.
// It is for functions that return an Issuer and no error, such as those of
// package providers. The reason is a sentence that names the function, what was
// wrong and what was wanted.
func (i *Issuer) Refuse(reason string) { i.refusals = append(slices.Clip(i.refusals), reason) }

// Insist adds a check that i's tokens must pass beside Profile.Accept, and under its
// conditions, whatever is changed in i afterwards: its Profile and AppOnly, too. It is
// for those functions, whose lists of whom to let in must not be lost by accident. A
// copy of the Profile alone does not have it. A nil check refuses every token.
func (i *Issuer) Insist(check func(*Token) error) {
	i.conditions = append(slices.Clip(i.conditions), check)
}

// InsistOnConfig adds a check that the finished configuration must pass, whatever is
// changed in i afterwards: New reports each sentence that it returns as a fault, and
// what a Resolver returns is refused by them as any wrong configuration is. It gets the
// Config without its Issuers and Resolver, and i as it is by then, and must change
// neither. It is for those functions, whose demands must not be loosened by accident. A
// sentence names the function, what was wrong and what was wanted. A nil check refuses
// every configuration.
func (i *Issuer) InsistOnConfig(check func(Config, Issuer) []string) {
	i.demands = append(slices.Clip(i.demands), check)
}

// unmet is what c's demands find wrong with it, as part of cfg.
func (c Issuer) unmet(cfg Config) (faults []error) {
	for _, check := range c.demands {
		if check == nil {
			faults = append(faults, issuerFault(c, "InsistOnConfig was given nil, wanted a check"))
			continue
		}
		for _, sentence := range check(cfg, c) {
			faults = append(faults, issuerFault(c, "%s", sentence))
		}
	}
	return faults
}

// alone is a copy of c without whom it trusts.
func (c Config) alone() Config {
	c.Issuers, c.Resolver = nil, nil
	if c.DPoP != nil {
		proofs := *c.DPoP
		c.DPoP = &proofs
	}
	return c
}
