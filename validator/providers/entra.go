package providers

import (
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// EntraID is Microsoft Entra ID for an API that is registered for v2.0 tokens
// (requestedAccessTokenVersion is 2 in its manifest). The tenant is the
// directory (tenant) ID, the audience the application (client) ID of the API:
// v2.0 tokens never name it by a URI.
//
// The tenant must be the GUID, because that is what iss and tid hold, also where
// endpoints can be reached by a domain name. "common", "organizations" and
// "consumers" are many tenants, and refused: list each tenant as an Issuer of
// its own, or use a validator.Resolver.
//
// The issuer is https://login.microsoftonline.com/TENANT/v2.0. The token's ver
// and tid must say the same, and azp must be there, which tells an access token
// from an ID token: the two share issuer, keys, typ and, if the API signs users
// in, aud.
//
// App roles are the scopes of an app, so scopes are in roles; Token.Roles has
// them, too. AppOnly is set: a token with scp is a user's; without it, sub must
// be oid, as for a service principal, and idtyp, an optional claim, must be app
// if it is there. To let users in, clear AppOnly and set Profile.ScopeClaims to
// scp alone: a user's roles are the user's, and not what the client may do.
//
// Any client of the tenant gets a token for the API unless "assignment
// required" is set there; without a role it has no scope here.
//
// In a national cloud, change URL and Keys.URL. An API with a signing key of its
// own (claims mapping) needs "?appid=CLIENT-ID" at the end of Keys.URL.
func EntraID(tenant, audience string) validator.Issuer {
	tenant, audience = strings.ToLower(tenant), strings.ToLower(audience)
	args := of("EntraID")
	args.tenant(tenant)
	switch {
	case audience == "":
		args.audience(audience)
	case !guid.MatchString(audience):
		args.wrong("the audience is %s, wanted the application (client) ID of the API, a GUID: v2.0 tokens never name it by a URI", shown(audience))
	}
	iss := entra(tenant, "2.0", "azp")
	iss.URL = "https://login.microsoftonline.com/" + tenant + "/v2.0"
	iss.Audience = []string{audience}
	iss.Keys = &jwks.Config{URL: "https://login.microsoftonline.com/" + tenant + "/discovery/v2.0/keys"}
	return args.on(iss)
}

// EntraIDv1 is Microsoft Entra ID for an API that is registered for v1.0 tokens,
// which is what an app registration starts with. The version is the API's
// choice, and not that of the endpoint which the client uses.
//
// The issuer is https://sts.windows.net/TENANT/, with the slash, and has its keys
// at login.microsoftonline.com. The client is in appid. A v1.0 token names the
// API by its client ID or by the application ID URI that the client asked with,
// so give both:
//
//	providers.EntraIDv1(tenant, clientID, "api://"+clientID)
//
// All else is as for [EntraID], with ver 1.0: AppOnly is set, too.
func EntraIDv1(tenant string, audience ...string) validator.Issuer {
	tenant = strings.ToLower(tenant)
	args := of("EntraIDv1")
	args.tenant(tenant)
	args.audience(audience...)
	iss := entra(tenant, "1.0", "appid")
	iss.URL = "https://sts.windows.net/" + tenant + "/"
	iss.Audience = slices.Clone(audience)
	iss.Keys = &jwks.Config{URL: "https://login.microsoftonline.com/" + tenant + "/discovery/keys"}
	return args.on(iss)
}

// entra is what both versions have in common.
func entra(tenant, version, clientClaim string) validator.Issuer {
	return validator.Issuer{
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require:     []string{clientClaim},
			Match:       map[string][]string{"ver": {version}, "tid": {tenant}},
			ScopeClaims: []string{"roles"},
			TenantClaim: "tid",
			App:         entraApp,
		},
	}
}

// tenant notes a fault of a tenant.
func (a *arguments) tenant(tenant string) {
	if !guid.MatchString(tenant) {
		a.wrong("the tenant is %s, wanted the directory (tenant) ID, a GUID such as 8d3e6f0a-1c2b-4d5e-9f70-a1b2c3d4e5f6: names are not what tokens hold, and common, organizations and consumers would let every tenant in", shown(tenant))
	}
}

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func entraApp(t *validator.Token) bool {
	var c struct {
		Scope     jsontext.Value `json:"scp"`
		ObjectID  string         `json:"oid"`
		TokenType string         `json:"idtyp"`
	}
	return t.Claims(&c) == nil && c.Scope == nil &&
		c.ObjectID != "" && c.ObjectID == t.Subject() &&
		(c.TokenType == "" || c.TokenType == "app")
}
