package providers

import (
	"strings"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// Auth0 is an Auth0 tenant. The domain is the tenant's, such as
// "example.eu.auth0.com", or the custom one that clients ask for tokens at; the
// audience is the identifier of the API.
//
// The issuer is https://DOMAIN/, with the slash, and its keys are at
// /.well-known/jwks.json. Both access token profiles are accepted: Auth0's own
// (typ JWT, client in azp) and the RFC 9068 one (typ at+jwt, client in
// client_id). An API that is set to HS256 is not served: that is a secret
// shared with Auth0, and no HMAC is accepted here.
//
// Scopes are scope and, with RBAC, permissions. AppOnly is set: a client's sub
// is its id with "@clients", while every user id has a "|" in it. To let users
// in, clear AppOnly and leave one of the two out of Profile.ScopeClaims: a
// user's permissions are all that the user may do, scope is what the user let
// this client do. Token.Tenant is the organization (org_id).
//
// A token without an audience is opaque at Auth0, which has no introspection
// endpoint, and is refused; the client must ask with audience=.
func Auth0(domain, audience string) validator.Issuer {
	domain = strings.ToLower(domain)
	args := of("Auth0")
	if !hostName.MatchString(domain) {
		args.wrong("the domain is %s, wanted a host name alone, such as example.eu.auth0.com", shownURL(domain))
	}
	args.audience(audience)
	return args.on(validator.Issuer{
		URL:        "https://" + domain + "/",
		Audience:   []string{audience},
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			ScopeClaims: []string{"scope", "permissions"},
			TenantClaim: "org_id",
			App:         auth0App,
		},
		Keys: &jwks.Config{URL: "https://" + domain + "/.well-known/jwks.json"},
	})
}

func auth0App(t *validator.Token) bool {
	return t.ClientID() != "" && t.Subject() == t.ClientID()+"@clients"
}
