package providers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// SPIFFE accepts the JWT-SVIDs of a trust domain, such as "example.org". The bundle URL
// is that of its bundle endpoint, as Web PKI authenticates it (https_web); the
// audience is this API's own name, by custom its SPIFFE ID. Workloads, if there are
// any, lists the accepted ones by their whole SPIFFE IDs.
//
// A JWT-SVID names no issuer: it is held against the trust domain in its sub, so that
// several may stand side by side, each with its own keys. One that has an iss
// nevertheless, as SPIRE writes with jwt_issuer, is refused until URL is set to that.
//
// Of the bundle, keys for JWT-SVIDs alone serve (use is jwt-svid). aud must be there,
// and hold the audience. Any workload of the trust domain can get a JWT-SVID for any
// audience. There are no scopes: the SPIFFE ID is the one scope and role that a token
// has, so a route names whom it lets in, or Profile.Implies what it may do:
//
//	auth.Require(scopes.Any("spiffe://example.org/shop/reports"))
//	iss.Profile.Implies = map[string][]string{"spiffe://example.org/shop/reports": {"orders:read"}}
//
// AppOnly is set: a trust domain has no users. The list of workloads holds whatever
// is changed in the Issuer afterwards.
//
// Where the bundle comes from elsewhere, set Keys to a jwks.Config that says so, with
// Use "jwt-svid"; without Use for SPIRE's OIDC discovery provider, whose keys are for
// JWT-SVIDs alone and do not say so.
//
// Source: https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md,
// https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Trust_Domain_and_Bundle.md.
func SPIFFE(trustDomain, bundleURL, audience string, workloads ...string) validator.Issuer {
	workloads = slices.Clone(workloads)
	args := of("SPIFFE")
	if !trustDomainName.MatchString(trustDomain) {
		args.wrong("the trust domain is %s, wanted its name alone, such as example.org", shown(trustDomain))
	}
	args.address("bundle URL", bundleURL)
	args.audience(audience)
	for _, id := range workloads {
		if rest, ok := strings.CutPrefix(id, "spiffe://"+trustDomain+"/"); !ok || !spiffePath.MatchString(rest) {
			args.wrong("a workload is %s, wanted its whole SPIFFE ID in trust domain %s", shown(id), shown(trustDomain))
		}
	}
	iss := validator.Issuer{
		URL:         "spiffe://" + trustDomain,
		TrustDomain: trustDomain,
		Audience:    []string{audience},
		Algorithms:  []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"}, // JWT-SVID §2.1
		AppOnly:     true,
		Profile: validator.Profile{
			Types:       []string{"", "JWT", "JOSE"}, // §2.3
			ScopeClaims: []string{"sub"},
			RoleClaims:  []string{"sub"},
			App:         func(*validator.Token) bool { return true }, // a trust domain has no users
		},
		Keys: &jwks.Config{URL: bundleURL, Use: "jwt-svid"},
	}
	if len(workloads) > 0 {
		iss.Insist(func(t *validator.Token) error {
			if !slices.Contains(workloads, t.Subject()) {
				return fmt.Errorf("%s is no listed workload", t.Subject())
			}
			return nil
		})
		iss.Profile.Match = map[string][]string{"sub": slices.Clone(workloads)} // so that a refusal shows both
	}
	return args.on(iss)
}

var (
	trustDomainName = regexp.MustCompile(`^[a-z0-9._-]{1,255}$`)                 // SPIFFE-ID §2.1
	spiffePath      = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`) // §2.2, as far as it matters here
)
