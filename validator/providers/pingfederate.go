package providers

import (
	"strings"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// PingFederate is a PingFederate server with an access token manager of type JSON
// Web Tokens for this API. The base URL is the server's, such as
// "https://id.example.com"; the audience is the manager's Audience Claim Value.
//
// PingFederate writes what the manager is told to, and by default neither iss nor
// aud. Set Issuer Claim Value to the base URL (if it is something else, set URL to
// that), Audience Claim Value, Use Centralized Signing Key, and leave Client ID
// Claim Name and Scope Claim Name as they are. A Type Header Value of at+jwt is
// best; set Profile.Types to it alone, and no other JWT of the server passes.
//
// The keys are at /pf/JWKS. A manager with certificates of its own has them at its
// JWKS Endpoint Path: set Keys.URL to /ext/ and that. client_id must be there,
// which an ID token lacks. A manager that signs with another algorithm than RS256
// needs it in Algorithms.
//
// Scopes are in scope, as a string or an array. AppOnly is set: in the manager's
// mapping for client credentials, let sub be the client ID; in no other mapping may
// it become one.
//
// For RequireFresh, set Introspection to a Config with Auth alone: the endpoint is
// discovered.
//
// Source: https://docs.pingidentity.com/pingfederate/latest/administrators_reference_guide/pf_configure_json_token_management.html.
func PingFederate(baseURL, audience string) validator.Issuer {
	baseURL = strings.TrimRight(baseURL, "/")
	args := of("PingFederate")
	args.url("base URL", baseURL)
	args.audience(audience)
	return args.on(validator.Issuer{
		URL:        baseURL,
		Audience:   []string{audience},
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require:     []string{"client_id"},
			ScopeClaims: []string{"scope"},
			App:         validator.SubjectIsClient,
		},
		Keys: &jwks.Config{URL: baseURL + "/pf/JWKS"},
	})
}
