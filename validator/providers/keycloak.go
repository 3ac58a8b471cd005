package providers

import (
	"net/url"
	"strings"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// Keycloak is a realm of a Keycloak server. The base URL is what the realm's
// issuer has before "/realms/", such as "https://id.example.com" (before version
// 17, with "/auth"); the audience is by custom the client id of this API.
//
// Keycloak puts no audience into a service account's token by itself. Give this
// API a client, and a client scope with an "Audience" mapper that includes it;
// make that scope a default one of the clients that call.
//
// The issuer is BASE/realms/REALM, and its keys are at
// ISSUER/protocol/openid-connect/certs. The claim typ must be Bearer, or DPoP where
// a token is bound to a key, which ID and refresh tokens do not have, in tokens as in
// introspection answers. A realm that signs with another algorithm than RS256 needs it
// in Algorithms.
//
// Scopes are in scope. Token.Roles has the realm's roles and those of the client
// that is named like the audience. They count as scopes, too, if asked for:
//
//	iss.Profile.ScopeClaims = append(iss.Profile.ScopeClaims, iss.Profile.RoleClaims...)
//
// or, for one kind alone, "/realm_access/roles" or
// "/resource_access/CLIENT/roles".
//
// AppOnly is not set. With it, client_id must be azp, and preferred_username
// "service-account-" with the client's id. Keycloak fills client_id in the
// client credentials grant alone, but both come from mappers, which a realm can
// lack, or aim at something that a user may edit; the name by itself proves
// nothing, since users may be called that. Look at the realm's mappers and set
// AppOnly, or let Clients list clients that sign no users in. An introspection
// answer has client_id for users, too: where it is all that is known of a token
// (Keys is nil, as for lightweight tokens), its jti must name the grant, as it
// does from version 26.2 on.
//
// For RequireFresh, set Introspection to a Config with Auth alone: the endpoint
// is discovered. From version 26.6.2 on the client that asks must be in the
// token's aud.
func Keycloak(baseURL, realm, audience string) validator.Issuer {
	baseURL = strings.TrimRight(baseURL, "/")
	args := of("Keycloak")
	if before, _, isRealm := strings.Cut(baseURL+"/", "/realms/"); isRealm {
		args.wrong("the base URL is %s, which is that of a realm or below, wanted what comes before /realms/: %s", shown(baseURL), shown(before))
	} else {
		args.url("base URL", baseURL)
	}
	if realm == "" || strings.Contains(realm, "/") || strings.TrimSpace(realm) != realm || unseen(strings.ReplaceAll(realm, " ", "")) {
		args.wrong("the realm is %s, wanted its name alone", shown(realm))
	}
	args.audience(audience)
	// Keycloak writes all of a name as Go does, but for the apostrophe.
	issuer := baseURL + "/realms/" + strings.ReplaceAll(url.PathEscape(realm), "%27", "'")
	return args.on(validator.Issuer{
		URL:        issuer,
		Audience:   []string{audience},
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require:     []string{"azp"},
			Match:       map[string][]string{"typ": {"Bearer", "DPoP"}},
			MatchAnswer: map[string][]string{"typ": {"Bearer", "DPoP"}},
			ScopeClaims: []string{"scope"},
			RoleClaims:  []string{"/realm_access/roles", "/resource_access/" + pointerEscape.Replace(audience) + "/roles"},
			App:         keycloakApp,
		},
		Keys: &jwks.Config{URL: issuer + "/protocol/openid-connect/certs"},
	})
}

// pointerEscape writes a name as one step of a JSON Pointer (RFC 6901 §3).
var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

func keycloakApp(t *validator.Token) bool {
	var c struct {
		Party    string `json:"azp"`
		ClientID string `json:"client_id"`
		Username string `json:"preferred_username"`
		ID       string `json:"jti"`
		Active   bool   `json:"active"`
	}
	if t.Claims(&c) != nil || c.Party == "" || c.ClientID != c.Party {
		return false
	}
	if c.Active && !keycloakClientGrant(c.ID) { // of an answer (RFC 7662 §2.2)
		return false
	}
	// Keycloak keeps user names in lower case.
	return c.Username == "service-account-"+strings.ToLower(c.Party)
}

// keycloakClientGrant reports whether an access token's id is of the client
// credentials grant. Before its colon are two letters each for the session, the
// form of the token and the grant, such as "trrtcc:".
func keycloakClientGrant(id string) bool {
	kind, _, ok := strings.Cut(id, ":")
	return ok && len(kind) == len("trrtcc") && strings.HasSuffix(kind, "cc")
}
