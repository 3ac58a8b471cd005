package validator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/internal/quote"
)

// Whose a token is that nobody has proven yet: what it says chooses among what the
// configuration holds, and no second one is tried.

// whose picks the issuer of a JWT: by its iss, or, without one, as the configuration
// says. Null is none, and an empty name is one that nobody has.
func (v *Validator) whose(ctx context.Context, c *claims, source string) (*issuer, error) {
	if c.hasIssuer {
		return v.issuerOf(ctx, c.token.issuer, source)
	}
	i, err := v.issuerWithoutName(c.token.subject)
	if err != nil {
		return nil, err
	}
	c.token.issuer = i.url
	return i, nil
}

// issuerWithoutName is whose a token without iss is: a SPIFFE ID in sub tells by its
// trust domain, where one is configured; any other is the one issuer's that may leave
// its name out.
func (v *Validator) issuerWithoutName(subject string) (*issuer, error) {
	if len(v.trustDomains) > 0 && (v.unnamed == nil || looksLikeSPIFFE(subject)) {
		const fix = "Issuer.TrustDomain"
		domain, problem := trustDomainOf(subject)
		if problem != "" {
			return nil, &Error{check: CheckIssuer, flaw: absent, text: "the token has no iss, and its sub " + problem, want: v.domains, hint: fix}
		}
		i := v.trustDomains[domain]
		if i == nil {
			return nil, &Error{check: CheckIssuer, text: "the token has no iss, and its sub is in a trust domain that is not configured", got: []string{domain}, want: v.domains, hint: fix}
		}
		return i, nil
	}
	if v.unnamed == nil {
		return nil, &Error{check: CheckIssuer, flaw: absent, text: "the token has no iss", want: v.issuerURLs, hint: noIssuer}
	}
	return v.unnamed, nil
}

// looksLikeSPIFFE reports whether a subject was meant for a SPIFFE ID, in any case.
func looksLikeSPIFFE(subject string) bool {
	return len(subject) >= len(spiffeScheme) && asciiEqualFold(subject[:len(spiffeScheme)], spiffeScheme)
}

// issuerOf picks the issuer that an unverified iss names: a choice among what
// the configuration holds, or what the Resolver knows. Nothing is fetched from
// iss.
func (v *Validator) issuerOf(ctx context.Context, url, source string) (*issuer, error) {
	if url == "" {
		return nil, emptyIssuer(v.issuerURLs)
	}
	if i := v.issuers[url]; i != nil {
		return i, nil
	}
	if v.resolved != nil {
		return v.resolve(ctx, url, source)
	}
	return nil, &Error{check: CheckIssuer, got: []string{url}, want: v.issuerURLs}
}

// emptyIssuer is for an iss that names nobody: it is no iss that was left out, which
// a configuration may allow.
func emptyIssuer(want []string) *Error {
	return &Error{check: CheckIssuer, flaw: absent, text: "iss is empty, which is not absent", want: want, hint: emptyIssuerFix}
}

// takeUnnamed notes which configured issuer tokens without iss are taken to, and
// reports what would leave that open.
func (v *Validator) takeUnnamed(c Issuer, i *issuer, r Resolver) (faults []error) {
	if c.DangerouslyAcceptMissingIssuer {
		switch {
		case v.unnamed != nil:
			faults = append(faults, issuerFault(c, "DangerouslyAcceptMissingIssuer is set for %s, too, and a token without iss would be either's: wanted one", v.unnamed.shown))
		case r != nil:
			faults = append(faults, issuerFault(c, "DangerouslyAcceptMissingIssuer is set beside Config.Resolver, which knows issuers by the iss of their tokens: wanted one of the two"))
		}
		v.unnamed = i
	}
	if i.trustDomain == "" {
		return faults
	}
	if other := v.trustDomains[i.trustDomain]; other != nil {
		faults = append(faults, issuerFault(c, "TrustDomain is that of %s, too, and a token without iss would be either's", other.shown))
	}
	if v.trustDomains == nil {
		v.trustDomains = make(map[string]*issuer)
	}
	v.trustDomains[i.trustDomain] = i
	v.domains = append(v.domains, i.trustDomain)
	slices.Sort(v.domains)
	return faults
}

// resolvedFaults reports what chooses issuers for tokens without iss: a Resolver knows
// them by it.
func resolvedFaults(c Issuer) (faults []error) {
	if c.DangerouslyAcceptMissingIssuer {
		faults = append(faults, issuerFault(c, "DangerouslyAcceptMissingIssuer is for Config.Issuers: a Resolver finds issuers by the iss of their tokens"))
	}
	if len(c.OpaquePrefix) > 0 {
		faults = append(faults, issuerFault(c, "OpaquePrefix is for Config.Issuers: a Resolver finds issuers by the iss of their tokens, and an opaque token has none"))
	}
	return faults
}

// opaqueByPrefix is the issuer with the prefix of an opaque token, or the one with
// Introspection that has none; nil if there is neither. Of the prefixes, none begins
// with another issuer's, so that one at most fits.
func (v *Validator) opaqueByPrefix(raw string) *issuer {
	for _, p := range v.prefixes {
		if strings.HasPrefix(raw, p.prefix) {
			return p.issuer
		}
	}
	return v.introspector
}

// chooseIntrospector finds out where opaque tokens go.
func (v *Validator) chooseIntrospector(r Resolver) []error {
	var asked, rest []string
	v.opaqueOnly = len(v.issuers) == 1
	for _, url := range v.issuerURLs {
		i := v.issuers[url]
		if i.keys != nil {
			v.opaqueOnly = false
		}
		if i.introspection == nil {
			continue
		}
		asked = append(asked, url)
		if len(i.opaquePrefix) == 0 {
			rest = append(rest, url)
			v.introspector = i
		}
		for _, prefix := range i.opaquePrefix {
			v.prefixes = append(v.prefixes, prefixed{prefix, i})
		}
	}
	if v.opaqueIssuer != nil {
		v.introspector, v.opaqueOnly = nil, false
		switch {
		case len(v.prefixes) > 0:
			return []error{fmt.Errorf("validator: Config.OpaqueIssuer is set, and so is OpaquePrefix of %s: wanted one way to choose for opaque tokens", v.prefixes[0].issuer.shown)}
		case len(asked) == 0 && r == nil:
			return []error{errors.New("validator: Config.OpaqueIssuer is set, but no issuer has Introspection, wanted one that can be asked about opaque tokens")}
		}
		return nil
	}
	if v.introspector == nil {
		v.opaqueOnly = false // where each prefix has its issuer, a JWT is its iss's
	}
	if len(rest) > 1 {
		for n, url := range rest {
			rest[n] = v.issuers[url].shown
		}
		return []error{fmt.Errorf("validator: %s have Introspection: an opaque token names no issuer, and trying each would show it to strangers; wanted one of them, or Issuer.OpaquePrefix for all but one, or Config.OpaqueIssuer", strings.Join(rest, " and "))}
	}
	return v.overlaps()
}

// overlaps reports prefixes of which a token of one issuer may begin with another's.
func (v *Validator) overlaps() (faults []error) {
	for n, p := range v.prefixes {
		for _, other := range v.prefixes[n+1:] {
			if p.issuer != other.issuer && (strings.HasPrefix(p.prefix, other.prefix) || strings.HasPrefix(other.prefix, p.prefix)) {
				faults = append(faults, fmt.Errorf("validator: %s and %s: OpaquePrefix %s and %s overlap, so that a token of one could be shown to the other", p.issuer.shown, other.issuer.shown, quote.Value(p.prefix), quote.Value(other.prefix)))
			}
		}
	}
	return faults
}

// at notes that the token names an issuer that is known here.
func (s *sighting) at(i *issuer) { s.issuer, s.foreign = i.url, "" }
