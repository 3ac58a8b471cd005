package providers

import (
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// Authentik is an application of an authentik server that stands for this API. The
// base URL is the server's, such as "https://id.example.com"; then come the
// application's slug and the client ID of its OAuth2 provider, which tokens have
// in aud.
//
// In authentik the machines that call have no provider of their own: they ask for
// tokens of the API's, each as a service account with an app password. So azp is
// the API itself in every token, and sub tells who calls.
//
// The issuer is BASE/application/o/SLUG/, with the slash, and its keys are at
// jwks/ below it; if the provider's issuer mode is the same for all providers, set
// URL to BASE/. azp and uid must be there, which an ID token lacks. The provider
// needs a signing key: without one it signs by HMAC with the client secret, which
// is not accepted here. One with a key that is not RSA needs ES256 in Algorithms.
//
// Scopes are in scope, from version 2025.10 on. Whoever may use the application
// gets every scope of the provider that it asks for, unless a policy bound to the
// application looks at oauth_scopes. Token.Roles has the account's entitlements
// and groups, if asked for with the scopes entitlements and profile; those are the
// administrator's to give. They count as scopes, too, if asked for:
//
//	iss.Profile.ScopeClaims = iss.Profile.RoleClaims
//
// AppOnly is not set: users can have app passwords, too, and no claim tells a
// service account. With it, sid, nonce and amr must be absent, which are what a
// user's login in a browser leaves in a token. Let policies admit service accounts
// alone.
//
// For RequireFresh, set Introspection to a Config with Auth alone, as the same
// provider: the endpoint is discovered.
//
// Source: https://docs.goauthentik.io/add-secure-apps/providers/oauth2/machine_to_machine/.
func Authentik(baseURL, slug, clientID string) validator.Issuer {
	baseURL = strings.TrimRight(baseURL, "/")
	args := of("Authentik")
	if before, _, below := strings.Cut(baseURL+"/", "/application/o/"); below {
		args.wrong("the base URL is %s, which is that of an application or below, wanted what comes before /application/o/: %s", shown(baseURL), shown(before))
	} else {
		args.url("base URL", baseURL)
	}
	if !authentikSlug.MatchString(slug) {
		args.wrong("the slug is %s, wanted the application's, such as orders", shown(slug))
	}
	args.audience(clientID)
	issuer := baseURL + "/application/o/" + slug + "/"
	return args.on(validator.Issuer{
		URL:        issuer,
		Audience:   []string{clientID},
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require:     []string{"azp", "uid"},
			ScopeClaims: []string{"scope"},
			RoleClaims:  []string{"entitlements", "groups"},
			App:         authentikApp,
		},
		Keys: &jwks.Config{URL: issuer + "jwks/"},
	})
}

var authentikSlug = regexp.MustCompile(`^[0-9A-Za-z_-]+$`)

func authentikApp(t *validator.Token) bool {
	var c struct {
		Session jsontext.Value `json:"sid"`
		Nonce   jsontext.Value `json:"nonce"`
		Methods jsontext.Value `json:"amr"`
	}
	return t.Claims(&c) == nil && c.Session == nil && c.Nonce == nil && c.Methods == nil
}
