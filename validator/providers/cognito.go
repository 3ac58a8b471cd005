package providers

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// Cognito is an Amazon Cognito user pool, such as "eu-west-1_AbCdEfGhI" in
// region "eu-west-1".
//
// The issuer is https://cognito-idp.REGION.amazonaws.com/POOL, and its keys are
// at ISSUER/.well-known/jwks.json. The access tokens of clients name no
// audience. What proves that one is meant for this API is its client, so
// clientIDs lists the accepted app clients, at least one, and the scopes, whose
// names begin with that of the resource server: "orders/read". token_use must be
// access, which an ID token's is not.
//
// AppOnly is set: a client is its own sub, and a user's token has a username.
//
// A token that was bound to a resource has an aud, which must then be in
// Audience.
func Cognito(region, userPoolID string, clientIDs ...string) validator.Issuer {
	url := "https://cognito-idp." + region + ".amazonaws.com/" + userPoolID
	iss := validator.Issuer{
		URL:        url,
		Clients:    slices.Clone(clientIDs),
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require:     []string{"client_id"},
			Match:       map[string]string{"token_use": "access"},
			ScopeClaims: []string{"scope"},
			App:         cognitoApp,
			NoAudience:  true,
		},
		Keys: &jwks.Config{URL: url + "/.well-known/jwks.json"},
	}
	if id, ok := strings.CutPrefix(userPoolID, region+"_"); !ok || region == "" || id == "" || strings.Contains(userPoolID, "/") {
		return refused(iss, "Cognito", "the user pool ID is %s, wanted one of region %s, such as eu-west-1_AbCdEfGhI of eu-west-1", shown(userPoolID), shown(region))
	}
	return iss
}

func cognitoApp(t *validator.Token) bool {
	var c struct {
		Username jsontext.Value `json:"username"`
	}
	return validator.SubjectIsClient(t) && t.Claims(&c) == nil && c.Username == nil
}
