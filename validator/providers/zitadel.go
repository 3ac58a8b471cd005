package providers

import (
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// Zitadel is a project of a ZITADEL instance that stands for this API. The issuer is
// the instance's domain, such as "https://shop-a1b2c3.zitadel.cloud"; the project ID
// is a number, which tokens have in aud.
//
// The machines that call are service users whose access tokens are JWTs. Each asks
// with two scopes of ZITADEL's own: urn:zitadel:iam:org:project:id:PROJECT:aud, which
// puts the project into aud, and urn:zitadel:iam:org:projects:roles, which brings the
// roles along. The keys are at /oauth/v2/keys. jti must be there, which an ID token
// lacks.
//
// The roles of the project are the scopes, and Token.Roles: they are the member names
// of the object urn:zitadel:iam:org:project:PROJECT:roles, and below each are the
// organizations that gave the role. A project that is granted to other organizations
// lets their administrators give its roles to their own users. If that must not
// count here, list the organizations whose roles do, by ID; none means all.
//
// AppOnly cannot be set: nothing in a token tells a service user from a person. Let
// Clients list the service users' client IDs; an application that signs people in has
// another one.
//
// For RequireFresh and for opaque tokens, set Introspection to a Config with Auth
// alone, as an API application of the project: the endpoint is discovered.
// Token.Tenant is the organization that owns the user, if asked for with scope
// urn:zitadel:iam:user:resourceowner.
//
// Source: https://zitadel.com/docs/apis/openidoauth/claims,
// https://zitadel.com/docs/apis/openidoauth/scopes.
func Zitadel(issuerURL, projectID string, organizations ...string) validator.Issuer {
	args := of("Zitadel")
	args.issuer(issuerURL)
	if !number.MatchString(projectID) {
		args.wrong("the project ID is %s, wanted its number, such as 178204173316174381", shown(projectID))
	}
	for _, organization := range organizations {
		if !number.MatchString(organization) {
			args.wrong("an organization is %s, wanted its number, such as 178204173316174381: domains can come to be another's", shown(organization))
		}
	}
	return args.on(validator.Issuer{
		URL:        issuerURL,
		Audience:   []string{projectID},
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require:     []string{"jti"},
			ScopeClaims: []string{}, // scope is what was asked for
			RoleClaims:  []string{},
			TenantClaim: "urn:zitadel:iam:user:resourceowner:id",
			Grants:      zitadelRoles("urn:zitadel:iam:org:project:"+projectID+":roles", slices.Clone(organizations)),
		},
		Keys: &jwks.Config{URL: strings.TrimSuffix(issuerURL, "/") + "/oauth/v2/keys"},
	})
}

// zitadelRoles reads an object whose member names are roles. Below each are the
// organizations that gave it, by ID, and their domains.
func zitadelRoles(claim string, organizations []string) func(*validator.Token) (scopes, roles []string) {
	return func(t *validator.Token) (scopes, roles []string) {
		var given map[string]map[string]string
		if t.Claim(claim, &given) != nil {
			return nil, nil
		}
		for role, by := range given {
			for organization := range by {
				if len(organizations) == 0 || slices.Contains(organizations, organization) {
					roles = append(roles, role)
					break
				}
			}
		}
		slices.Sort(roles)
		return roles, roles
	}
}
