package providers

import (
	"strings"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// Casdoor is a Casdoor server. The base URL is the server's origin, such as
// "https://door.example.com"; the audience is this API's own name, which clients ask
// for with resource= (RFC 8707). Without that, aud is the client itself, and the token
// is refused. Every application can ask for any resource, so clients lists those that
// may call, by client ID, at least one.
//
// The keys are at BASE/.well-known/jwks. tokenType must be access-token, which a
// refresh token's is not. Casdoor's ID token is the access token, so nothing tells the
// two apart: one that was got with resource= is for this API, whatever it is called.
// An application that signs with another method than RS256 needs it in Algorithms.
//
// The client is in azp. Scopes are in scope, and are those that the client asked for,
// out of its application's own list if that has one. AppOnly is set: in the client
// credentials grant sub is the application, "OWNER/NAME", while users' ids are UUIDs
// unless an administrator gives others, and type, where it is there, must be
// application. To let users in, clear AppOnly: Token.Roles then has the names of the
// role objects in roles, as "OWNER/NAME", because organizations name theirs alike.
//
// Source: https://casdoor.org/docs/token/overview, https://casdoor.org/docs/how-to-connect/oauth.
func Casdoor(baseURL, audience string, clients ...string) validator.Issuer {
	baseURL = strings.TrimRight(baseURL, "/")
	args := of("Casdoor")
	args.url("base URL", baseURL)
	args.audience(audience)
	args.clients("every application can ask for any resource", clients)
	return args.on(validator.Issuer{
		URL:        baseURL,
		Audience:   []string{audience},
		Clients:    append([]string{}, clients...), // never nil, which would mean every client
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require:     []string{"azp"},
			Match:       map[string][]string{"tokenType": {"access-token"}},
			ScopeClaims: []string{"scope"},
			RoleClaims:  []string{},
			Grants:      casdoorRoles,
			App:         casdoorApp,
		},
		Keys: &jwks.Config{URL: baseURL + "/.well-known/jwks"},
	})
}

func casdoorApp(t *validator.Token) bool {
	var c struct {
		Type string `json:"type"`
	}
	owner, name, ok := strings.Cut(t.Subject(), "/")
	return t.Claims(&c) == nil && (c.Type == "" || c.Type == "application") &&
		ok && owner != "" && name != "" && !strings.Contains(name, "/")
}

// casdoorRoles reads a list of objects with names. No role grants anything by itself.
func casdoorRoles(t *validator.Token) (scopes, roles []string) {
	var objects []struct {
		Owner string `json:"owner"`
		Name  string `json:"name"`
	}
	if t.Claim("roles", &objects) != nil {
		return nil, nil
	}
	for _, role := range objects {
		if role.Owner != "" && role.Name != "" {
			roles = append(roles, role.Owner+"/"+role.Name)
		}
	}
	return nil, roles
}
