package providers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/m2mguard/m2mguard/validator"
)

// What FAPI 2.0 asks for, and what its first setting is where it asks for none in
// particular.
const (
	fapi2MinAhead, fapi2MaxAhead = 10 * time.Second, 60 * time.Second // §5.3.2.1, 13
	fapi2Lifetime                = time.Hour
)

// fapi2Algorithms are those of §5.4.1, 1.
var fapi2Algorithms = []string{"PS256", "ES256", "EdDSA"}

// FAPI2 is an issuer held to what the FAPI 2.0 Security Profile (final, February 2025)
// asks of a resource server, as far as an Issuer decides it:
//
//	iss := providers.FAPI2(providers.Keycloak("https://id.example.com", "bank", "orders"))
//
// It sets Binding to BindingRequired: tokens that are bound to a key (with
// Config.DPoP) or to a certificate, and no others (§5.3.4, 5). It sets Algorithms to
// PS256, ES256 and EdDSA, or to those of them that the Issuer listed (§5.4.1). And where
// JWTs are proven by keys, so that nobody is asked whether one was revoked (§5.3.4, 3),
// it sets MaxTokenLifetime to an hour, if it is not set. The profile gives no number for
// that; whoever lets tokens live longer says so, and refuses revoked ones by RequireFresh.
//
// All of this holds whatever is changed afterwards: New refuses an Issuer that was
// loosened. It also refuses any field that begins with Dangerously (§5.2.1 asks for TLS,
// and RFC 8725 for iss and aud), a profile without an audience for JWTs, a
// Config.ClockSkew of less than 10 s or more than 60 s, a DPoP.MaxAhead of less than 10 s,
// and DPoP.Algorithms that are not the three, which is what the default is:
//
//	DPoP: &dpop.Config{Algorithms: []string{"PS256", "ES256", "EdDSA"}}
//
// Keys of less than 2048 bits (RSA) are refused for every issuer, and tokens outside the
// header are looked at by none. What is left to the API: its own TLS, and the scopes that
// its routes ask for.
//
// Whether users' tokens pass (AppOnly) is as in iss.
func FAPI2(iss validator.Issuer) validator.Issuer {
	iss.Binding = validator.BindingRequired
	allowed := slices.DeleteFunc(slices.Clone(iss.Algorithms), func(name string) bool { return !isFAPI2(name) })
	if len(allowed) == 0 {
		allowed = slices.Clone(fapi2Algorithms)
	}
	iss.Algorithms = allowed
	if iss.MaxTokenLifetime == 0 && bySignature(iss) {
		iss.MaxTokenLifetime = fapi2Lifetime
	}
	iss.InsistOnConfig(fapi2Demands)
	return iss
}

// fapi2Demands is what a finished configuration has that it must not have.
func fapi2Demands(cfg validator.Config, iss validator.Issuer) (unmet []string) {
	wrong := func(format string, args ...any) {
		unmet = append(unmet, "providers.FAPI2: "+fmt.Sprintf(format, args...))
	}
	if iss.Binding != validator.BindingRequired {
		wrong("Binding accepts bearer tokens, wanted BindingRequired (§5.3.4)")
	}
	if others := othersThanFAPI2(iss.Algorithms); others != "" {
		wrong("Algorithms %s, wanted some of %q (§5.4.1)", others, fapi2Algorithms)
	}
	if bySignature(iss) && iss.MaxTokenLifetime == 0 {
		wrong("MaxTokenLifetime is 0, and nobody is asked whether a JWT was revoked: wanted how long one may live at most (§5.3.4)")
	}
	if bySignature(iss) && iss.Profile.NoAudience {
		wrong("Profile.NoAudience is set, wanted JWTs that name this API in aud (§5.4.1; RFC 8725 §3.9)")
	}
	if set := dangers(iss); set != nil {
		wrong("%s is set, wanted none of them (§5.2.1, §5.4.1)", strings.Join(set, ", "))
	}
	if cfg.ClockSkew != 0 && (cfg.ClockSkew < fapi2MinAhead || cfg.ClockSkew > fapi2MaxAhead) {
		wrong("Config.ClockSkew is %v, wanted %v to %v (§5.3.2.1)", max(cfg.ClockSkew, 0), fapi2MinAhead, fapi2MaxAhead)
	}
	if cfg.DPoP == nil {
		return unmet
	}
	if others := othersThanFAPI2(cfg.DPoP.Algorithms); others != "" {
		wrong("Config.DPoP.Algorithms %s, wanted some of %q (§5.4.1)", others, fapi2Algorithms)
	}
	if cfg.DPoP.MaxAhead != 0 && cfg.DPoP.MaxAhead < fapi2MinAhead {
		wrong("Config.DPoP.MaxAhead is %v, wanted at least %v (§5.3.2.1)", max(cfg.DPoP.MaxAhead, 0), fapi2MinAhead)
	}
	return unmet
}

// bySignature reports whether JWTs of iss are proven by its keys.
func bySignature(iss validator.Issuer) bool { return iss.Keys != nil || iss.Introspection == nil }

// isFAPI2 knows EdDSA by both names (RFC 9864).
func isFAPI2(alg string) bool { return alg == "Ed25519" || slices.Contains(fapi2Algorithms, alg) }

// othersThanFAPI2 says which a list has beside those; empty for none.
func othersThanFAPI2(list []string) string {
	others := slices.DeleteFunc(slices.Clone(list), isFAPI2)
	switch {
	case list == nil:
		return "is not set, and the default has RS256"
	case len(others) > 0:
		return fmt.Sprintf("holds %q", others)
	}
	return ""
}

// dangers lists the fields of iss that give something up.
func dangers(iss validator.Issuer) (set []string) {
	for _, field := range []struct {
		name string
		is   bool
	}{
		{"DangerouslyAcceptMissingAudience", iss.DangerouslyAcceptMissingAudience},
		{"DangerouslyAcceptMissingIssuer", iss.DangerouslyAcceptMissingIssuer},
		{"DangerouslyAcceptAnswerID", iss.DangerouslyAcceptAnswerID},
		{"DangerouslyAllowHTTP", iss.DangerouslyAllowHTTP},
		{"Keys.DangerouslyAllowHTTP", iss.Keys != nil && iss.Keys.DangerouslyAllowHTTP},
		{"Introspection.DangerouslyAllowHTTP", iss.Introspection != nil && iss.Introspection.DangerouslyAllowHTTP},
	} {
		if field.is {
			set = append(set, field.name)
		}
	}
	return set
}
