package providers

import (
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// Okta is a custom authorization server of an Okta org. The issuer is its
// identifier, such as "https://example.okta.com/oauth2/default"; the audience is
// the one that is configured for that server ("api://default" unless changed).
//
// Keys are at ISSUER/v1/keys. Scopes are in scp, the client is in cid, which an
// ID token lacks. AppOnly is set: a client is its own sub, and a token that a
// user is behind has a uid, which Okta lets no one override.
//
// For RequireFresh, set Introspection to a Config with Auth alone: the endpoint
// is discovered.
func Okta(issuer, audience string) validator.Issuer {
	issuer = strings.TrimSuffix(issuer, "/")
	args := of("Okta")
	if !oktaServer.MatchString(issuer) {
		args.wrong("the issuer is %s, wanted a custom authorization server such as https://example.okta.com/oauth2/default; the org's own server is OktaOrg's", shownURL(issuer))
	}
	args.audience(audience)
	return args.on(validator.Issuer{
		URL:        issuer,
		Audience:   []string{audience},
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require: []string{"cid"},
			App:     oktaApp,
		},
		Keys: &jwks.Config{URL: issuer + "/v1/keys"},
	})
}

// OktaOrg is the org authorization server of an Okta org, such as
// "https://example.okta.com". Okta keeps the form of its tokens to itself, so each
// one is taken to the org's introspection endpoint, as the client that auth
// stands for, and no key is fetched.
//
// Such tokens are made for Okta's own APIs: their aud is the org, whatever API
// they are sent to. Only the client shows that one was meant for this API, so
// clients lists the accepted client ids, at least one. If there is a choice,
// use a custom authorization server and [Okta].
//
// The answer of an access token names aud; that of a refresh token has none, and
// that of an ID token names a client, so both are refused. Scopes are in scope.
// AppOnly is set, as for Okta.
func OktaOrg(orgURL string, auth introspection.ClientAuth, clients ...string) validator.Issuer {
	orgURL = strings.TrimSuffix(orgURL, "/")
	args := of("OktaOrg")
	if !oktaOrg.MatchString(orgURL) {
		args.wrong("the org URL is %s, wanted scheme and host alone, such as https://example.okta.com; a custom authorization server is Okta's", shownURL(orgURL))
	}
	args.auth(auth)
	args.clients("only the client shows that a token was meant for this API", clients)
	return args.on(validator.Issuer{
		URL:      orgURL,
		Audience: []string{orgURL},
		Clients:  append([]string{}, clients...), // never nil, which would mean every client
		AppOnly:  true,
		Profile: validator.Profile{
			MatchAnswer: map[string][]string{"token_type": {"Bearer"}},
			App:         oktaApp,
		},
		Introspection: &introspection.Config{Endpoint: orgURL + "/oauth2/v1/introspect", Auth: auth},
	})
}

var (
	oktaOrg    = regexp.MustCompile(`^https?://[^/?#@\s\pC]+$`)
	oktaServer = regexp.MustCompile(`^https?://[^/?#@\s\pC]+/oauth2/[^/?#@\s\pC]+$`)
)

func oktaApp(t *validator.Token) bool {
	var c struct {
		UserID jsontext.Value `json:"uid"`
	}
	return validator.SubjectIsClient(t) && t.Claims(&c) == nil && c.UserID == nil
}
