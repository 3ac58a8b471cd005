package validator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/internal/fetch"
	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/quote"
)

// settleIssuer fills in the defaults of one issuer and reports its faults.
func settleIssuer(c Issuer) (*issuer, []error) {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, issuerFault(c, format, args...))
	}
	i := &issuer{
		url:               c.URL,
		shown:             c.shown(),
		audience:          slices.Clone(c.Audience),
		missingAudienceOK: c.DangerouslyAcceptMissingAudience,
		clients:           slices.Clone(c.Clients),
		appOnly:           c.AppOnly,
		answerIDOK:        c.DangerouslyAcceptAnswerID,
		trustDomain:       c.TrustDomain,
		maxLifetime:       c.MaxTokenLifetime,
		binding:           c.Binding,
		opaquePrefix:      slices.Clone(c.OpaquePrefix),
		profile:           c.Profile.settled(),
		conditions:        slices.Clone(c.conditions),
	}
	i.ours = make(map[string]bool, len(i.audience))
	for _, name := range i.audience {
		i.ours[name] = true
		i.longestName = max(i.longestName, len(name))
	}
	for _, problem := range c.Profile.faults() {
		fault("Profile.%s", problem)
	}
	if c.refusals == nil {
		faults = append(faults, c.argumentFaults()...)
	}
	for _, reason := range c.refusals {
		if c.place > 0 {
			reason = fmt.Sprintf("%s (Issuers[%d])", reason, c.place-1) // by the preset's words alone, nobody can tell which
		}
		faults = append(faults, errors.New("validator: "+reason))
	}
	if c.SignedAnswersFor != "" && c.Introspection == nil {
		fault("SignedAnswersFor is set without Introspection")
	}
	if c.SignedAnswersFor != "" && c.Introspection != nil && c.Introspection.Introspector != nil {
		fault("SignedAnswersFor is set beside Introspection.Introspector, whose answers nobody signs: wanted one of the two")
	}
	if c.Binding > BindingRequired {
		fault("Binding is %d, wanted BindingByToken or BindingRequired", c.Binding)
	}
	faults = append(faults, c.namelessFaults()...)
	if c.AppOnly && c.Profile.App == nil {
		fault("AppOnly is set, but nothing in this issuer's tokens tells a client from a user: wanted a Profile with App, such as RFC9068()")
	}
	names := c.Algorithms
	if names == nil {
		names = defaultAlgorithms
	} else if len(names) == 0 {
		fault("Algorithms is empty, wanted nil for the default or at least one of %v", jws.Algorithms())
	}
	for _, name := range names {
		canonical := jws.Canonical(name)
		if !jws.Supported(canonical) {
			fault("Algorithms holds %s, wanted some of %v%s", quote.Value(name), jws.Algorithms(), aboutAlgorithm(name))
			continue
		}
		i.algorithms = append(i.algorithms, canonical)
	}
	return i, faults
}

// namelessFaults says what is wrong with how tokens are chosen that name no issuer,
// and with how long they may live.
func (c *Issuer) namelessFaults() (faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, issuerFault(*c, format, args...))
	}
	switch name, url := strings.CutPrefix(c.TrustDomain, spiffeScheme); {
	case c.TrustDomain == "":
	case url && isTrustDomain(name):
		fault("TrustDomain is %s, wanted its name alone: %s", quote.Value(c.TrustDomain), quote.Value(name))
	case !isTrustDomain(c.TrustDomain):
		fault("TrustDomain is %s, wanted 1 to 255 small letters, digits, dots, dashes and underscores (SPIFFE-ID §2.1)", quote.Value(c.TrustDomain))
	}
	if c.DangerouslyAcceptMissingIssuer && c.TrustDomain != "" {
		fault("DangerouslyAcceptMissingIssuer is set beside TrustDomain, which says which tokens without iss are this issuer's: wanted one of the two")
	}
	if c.DangerouslyAcceptMissingIssuer && slices.Contains(c.Profile.Require, "iss") {
		fault("DangerouslyAcceptMissingIssuer is set, but Profile.Require lists iss, so that no token without it would pass")
	}
	if len(c.OpaquePrefix) > 0 && c.Introspection == nil {
		fault("OpaquePrefix is set without Introspection, which is how opaque tokens are proven")
	}
	for _, prefix := range c.OpaquePrefix {
		if !isB64Token(prefix) {
			fault("OpaquePrefix holds %s, wanted what this issuer's opaque tokens begin with, in characters of a token (RFC 6750 §2.1)", quote.Value(prefix))
		}
	}
	if c.MaxTokenLifetime < 0 {
		fault("MaxTokenLifetime is %v, wanted more than 0, or 0 for none", c.MaxTokenLifetime)
	}
	if c.MaxTokenLifetime > 0 && c.Introspection != nil && len(c.Introspection.NoExpiry) > 0 {
		fault("MaxTokenLifetime is set beside Introspection.NoExpiry, and what never expires lives longer: wanted one of the two")
	}
	return faults
}

// aboutAlgorithm says why a name is on no list, where that is known.
func aboutAlgorithm(name string) string {
	upper := strings.ToUpper(name)
	switch {
	case strings.HasPrefix(upper, "HS"):
		return ": signatures are asymmetric here, because whoever can verify with a shared secret can sign with it"
	case upper == "NONE":
		return ": an unsigned token proves nothing"
	case upper == "ES256K":
		return ": curve secp256k1 is not supported, let the issuer sign with ES256"
	case slices.ContainsFunc(jws.Algorithms(), func(known string) bool { return strings.EqualFold(known, name) }):
		return ": names are in exact case"
	}
	return ""
}

// argumentFaults says what is wrong with whom to trust and what for: the fields
// that the functions of package providers fill in from their arguments.
func (c *Issuer) argumentFaults() (faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, issuerFault(*c, format, args...))
	}
	if problem := cmp.Or(checkIdentifier(c.URL), c.discovery().check(c.URL)); problem != "" {
		fault("URL%s", problem)
	}
	if len(c.Audience) == 0 && !c.DangerouslyAcceptMissingAudience && !c.Profile.NoAudience {
		fault("Audience is empty, wanted the name of this API as the issuer writes it into aud")
	}
	if err := checkNames(c.Audience, false); err != nil {
		fault("Audience holds %w, wanted the name of this API as the issuer writes it into aud", err)
	}
	switch err := checkNames(c.Clients, true); {
	case c.Profile.NoAudience && len(c.Clients) == 0:
		fault("Clients is empty, wanted at least one client id: the profile says that tokens name no audience, so only the client proves that one is meant for this API")
	case c.Clients != nil && len(c.Clients) == 0 || slices.Contains(c.Clients, ""):
		fault("Clients is empty or holds an empty id, wanted nil for every client, or client ids")
	case err != nil:
		fault("Clients holds %w, wanted client ids as the issuer writes them", err)
	}
	if c.SignedAnswersFor != "" && hasUnseen(c.SignedAnswersFor) {
		fault("SignedAnswersFor has a blank at an end or what cannot be seen, wanted this API's client id")
	}
	return faults
}

// issuerFault names the issuer whose configuration is wrong.
func issuerFault(c Issuer, format string, args ...any) error {
	return fmt.Errorf("validator: %s: "+format, append([]any{c.shown()}, args...)...)
}

// shown names the issuer by its URL without what that should not hold, and where nothing
// of it may be shown, by its place, too.
func (c *Issuer) shown() string {
	if c.place > 0 && fetch.Hides(c.URL) {
		return fmt.Sprintf("Issuers[%d], %s", c.place-1, strings.TrimSuffix(fetch.Shown(c.URL), ","))
	}
	return "Issuer " + fetch.Shown(c.URL)
}

// issuerFaults names the field that each fault of a nested configuration is in.
func issuerFaults(c Issuer, field string, err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{issuerFault(c, field+": %w", err)}
	}
	var faults []error
	for _, inner := range joined.Unwrap() {
		faults = append(faults, issuerFaults(c, field, inner)...)
	}
	return faults
}
