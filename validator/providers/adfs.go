package providers

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
)

// ADFS is Active Directory Federation Services 2016 or later. The host is the
// federation service's name, such as "fs.example.com". The audience is an
// identifier of the Web API in its application group; give all that clients ask
// with.
//
// Access tokens have another issuer than AD FS itself (access_token_issuer in its
// metadata): http://HOST/adfs/services/trust, with http, which is only a name. The
// keys are at https://HOST/adfs/discovery/keys. If the federation service
// identifier was changed, set URL to it. An ID token has https://HOST/adfs in iss,
// and is refused by that.
//
// An identifier without a colon, such as a GUID, stands in aud with
// "microsoft:identityserver:" before it, which is put there here, too. A client
// that names no resource gets a token for urn:microsoft:userinfo, which is AD FS's
// own, and refused.
//
// The client is in appid, which must be there. Scopes are in scp. Token.Roles has
// role and roles, if an issuance transform rule of the Web API fills them, for
// instance by the client's appid; name them in Profile.ScopeClaims, and they count
// as scopes.
//
// AppOnly is not set, because nothing in a token proves what it was got with. With
// it, sub, upn, unique_name and sid must be absent: AD FS has none of them for a
// client alone, but may leave them out for a user, too. Let Clients list server
// applications without a redirect URI, which sign no users in.
//
// Source: https://learn.microsoft.com/windows-server/identity/ad-fs/development/ad-fs-openid-connect-oauth-concepts,
// https://learn.microsoft.com/openspecs/windows_protocols/ms-oidce/f629647a-4825-465b-80bb-32c7e9cec2c8.
func ADFS(host string, audience ...string) validator.Issuer {
	host = strings.ToLower(host)
	args := of("ADFS")
	if !hostName.MatchString(host) {
		args.wrong("the host is %s, wanted the federation service's name alone, such as fs.example.com", shownURL(host))
	}
	args.audience(audience...)
	var names []string
	for _, name := range audience {
		if !strings.Contains(name, ":") {
			name = "microsoft:identityserver:" + name
		}
		names = append(names, name)
	}
	return args.on(validator.Issuer{
		URL:        "http://" + host + "/adfs/services/trust",
		Audience:   names,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require:     []string{"appid"},
			ScopeClaims: []string{"scp"},
			RoleClaims:  []string{"role", "roles"},
			App:         adfsApp,
		},
		Keys: &jwks.Config{URL: "https://" + host + "/adfs/discovery/keys"},
	})
}

func adfsApp(t *validator.Token) bool {
	var c struct {
		Subject jsontext.Value `json:"sub"`
		UPN     jsontext.Value `json:"upn"`
		Name    jsontext.Value `json:"unique_name"`
		SID     jsontext.Value `json:"sid"`
	}
	return t.Claims(&c) == nil && t.ClientID() != "" && c.Subject == nil && c.UPN == nil && c.Name == nil && c.SID == nil
}
