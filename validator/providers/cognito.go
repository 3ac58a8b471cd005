package providers

import (
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// Cognito is an Amazon Cognito user pool, such as "eu-west-1_AbCdEfGhI" in
// region "eu-west-1".
//
// A pool writes one of two issuers into its tokens, as its issuer configuration
// says. For the original one, https://cognito-idp.REGION.amazonaws.com/POOL, give
// the pool's ID; for the updated one, give that issuer in place of the ID:
//
//	providers.Cognito("eu-west-1", "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI", clientID)
//
// The other one is then not accepted. While a pool changes from one to the other,
// list it twice, once with each.
//
// The keys are at ISSUER/.well-known/jwks.json. The access tokens of clients name
// no audience. What proves that one is meant for this API is its client, so
// clientIDs lists the accepted app clients, at least one, and the scopes, whose
// names begin with that of the resource server: "orders/read". token_use must be
// access, which an ID token's is not.
//
// AppOnly is set: a client is its own sub, and a user's token has a username.
//
// A token that was bound to a resource has an aud, which must then be in
// Audience.
func Cognito(region, userPoolID string, clientIDs ...string) validator.Issuer {
	args := of("Cognito")
	host, pool := "cognito-idp.", userPoolID
	if issuer := poolIssuer.FindStringSubmatch(userPoolID); issuer != nil && issuer[2] == region {
		host, pool = issuer[1]+host, issuer[3]
	}
	if id, ok := strings.CutPrefix(pool, region+"_"); !ok || !awsRegion.MatchString(region) || !poolName.MatchString(id) {
		args.wrong("the user pool ID is %s, wanted one of region %s, such as eu-west-1_AbCdEfGhI of eu-west-1, or the pool's issuer", shown(userPoolID), shown(region))
	}
	args.clients("tokens name no audience, so only the client proves that one is meant for this API", clientIDs)
	url := "https://" + host + region + ".amazonaws.com/" + pool
	return args.on(validator.Issuer{
		URL:        url,
		Clients:    slices.Clone(clientIDs),
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require:     []string{"client_id"},
			Match:       map[string][]string{"token_use": {"access"}},
			ScopeClaims: []string{"scope"},
			App:         cognitoApp,
			NoAudience:  true,
		},
		Keys: &jwks.Config{URL: url + "/.well-known/jwks.json"},
	})
}

var (
	awsRegion  = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+$`)
	poolName   = regexp.MustCompile(`^[0-9A-Za-z]+$`)
	poolIssuer = regexp.MustCompile(`^https://(issuer-)?cognito-idp\.([a-z0-9-]+)\.amazonaws\.com/([^/]+)$`)
)

func cognitoApp(t *validator.Token) bool {
	var c struct {
		Username jsontext.Value `json:"username"`
	}
	return validator.SubjectIsClient(t) && t.Claims(&c) == nil && c.Username == nil
}
