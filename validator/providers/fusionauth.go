package providers

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// FusionAuth is a tenant of a FusionAuth server. The base URL is the server's,
// such as "https://id.example.com"; the issuer is the one in the tenant's settings,
// which need not be a URL ("acme.com"); the entity ID is that of the entity which
// stands for this API, and which tokens have in aud.
//
// In FusionAuth machines are entities. The one that calls has a grant for the API's
// entity, and asks for a token with the scope target-entity:ID. Its id is sub, and
// no claim names a client, so Clients cannot be used: Token.Subject tells who
// calls.
//
// The keys are at BASE/.well-known/jwks.json. The entity's type must be given an
// RSA key for access tokens: without one they are signed by HMAC with a key of the
// tenant, which is not accepted here.
//
// The permissions of the grant are the scopes (permissions); scope holds what was
// asked for, and grants nothing. AppOnly is set: applicationId, authenticationType,
// auth_time, sid, roles and email must be absent, which users' tokens have, and gty,
// where it is in the claims (from version 1.60 on), must be client_credentials
// alone. Token.Tenant is the tenant (tid).
//
// Source: https://fusionauth.io/docs/lifecycle/authenticate-users/oauth/tokens#client-credentials-access-token.
func FusionAuth(baseURL, issuer, entityID string) validator.Issuer {
	baseURL, entityID = strings.TrimRight(baseURL, "/"), strings.ToLower(entityID)
	args := of("FusionAuth")
	args.url("base URL", baseURL)
	switch {
	case issuer == "":
		args.wrong("the issuer is empty, wanted that of the tenant's settings, such as acme.com")
	case unseen(issuer):
		args.wrong("the issuer is %s, wanted that of the tenant's settings, without blanks and line breaks", shownURL(issuer))
	}
	if !guid.MatchString(entityID) {
		args.wrong("the entity ID is %s, wanted that of the API's entity, a GUID such as 092dbded-30af-4149-9c61-b578f2c72f59", shown(entityID))
	}
	return args.on(validator.Issuer{
		URL:        issuer,
		Audience:   []string{entityID},
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require:     []string{"sub"},
			ScopeClaims: []string{"permissions"},
			TenantClaim: "tid",
			App:         fusionAuthApp,
		},
		Keys: &jwks.Config{URL: baseURL + "/.well-known/jwks.json"},
	})
}

func fusionAuthApp(t *validator.Token) bool {
	var c struct {
		Application jsontext.Value `json:"applicationId"`
		Login       jsontext.Value `json:"authenticationType"`
		LoginTime   jsontext.Value `json:"auth_time"`
		Session     jsontext.Value `json:"sid"`
		Roles       jsontext.Value `json:"roles"`
		Email       jsontext.Value `json:"email"`
		Grants      []string       `json:"gty"`
	}
	return t.Claims(&c) == nil && c.Application == nil && c.Login == nil && c.LoginTime == nil &&
		c.Session == nil && c.Roles == nil && c.Email == nil &&
		(c.Grants == nil || slices.Equal(c.Grants, []string{"client_credentials"}))
}
