package providers_test

import (
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// A wrong argument is no panic and no open door: New says what is wrong.
func TestNewReportsWrongArguments(t *testing.T) {
	tests := []struct {
		name string
		iss  validator.Issuer
		want string // in the error
	}{
		{"Auth0 without a domain", providers.Auth0("", orders), "wanted a host name alone"},
		{"Auth0 with a URL", providers.Auth0("https://example.eu.auth0.com/", orders), "wanted a host name alone"},
		{"Auth0 with a password", providers.Auth0("user:secret@example.eu.auth0.com", orders), "not shown"},
		{"Auth0 without an audience", providers.Auth0("example.eu.auth0.com", ""), "Audience holds an empty name"},
		{"Okta without an issuer", providers.Okta("", "api://default"), "wanted a custom authorization server"},
		{"Okta with the org's server", providers.Okta("https://example.okta.com", "api://default"), "is OktaOrg's"},
		{"Okta over http", providers.Okta("http://example.okta.com/oauth2/default", "api://default"), "use https"},
		{"OktaOrg with a custom server", providers.OktaOrg("https://example.okta.com/oauth2/default", auth, "0oa1"), "is Okta's"},
		{"OktaOrg with a host alone", providers.OktaOrg("example.okta.com", auth, "0oa1"), "wanted scheme and host alone"},
		{"OktaOrg without clients", providers.OktaOrg("https://example.okta.com", auth), "Clients is empty"},
		{"OktaOrg with an empty client", providers.OktaOrg("https://example.okta.com", auth, ""), "Clients is empty or holds an empty id"},
		{"OktaOrg without authentication", providers.OktaOrg("https://example.okta.com", nil, "0oa1"), "Config.Auth is missing"},
		{"EntraID with common", providers.EntraID("common", api), "would let every tenant in"},
		{"EntraID with organizations", providers.EntraID("organizations", api), "would let every tenant in"},
		{"EntraID with a domain", providers.EntraID("example.onmicrosoft.com", api), "a GUID"},
		{"EntraID with a path", providers.EntraID(tenant+"/..", api), "a GUID"},
		{"EntraID without an audience", providers.EntraID(tenant, ""), "Audience holds an empty name"},
		{"EntraIDv1 with common", providers.EntraIDv1("common", api), "would let every tenant in"},
		{"EntraIDv1 without an audience", providers.EntraIDv1(tenant), "Audience is empty"},
		{"Cognito without a client", providers.Cognito("eu-west-1", "eu-west-1_AbCdEfGhI"), "only the client proves"},
		{"Cognito with a pool of another region", providers.Cognito("eu-west-1", "eu-west-2_AbCdEfGhI", "3k7m"), "wanted one of region 'eu-west-1'"},
		{"Cognito with its arguments exchanged", providers.Cognito("eu-west-1_AbCdEfGhI", "eu-west-1", "3k7m"), "the user pool ID is 'eu-west-1'"},
		{"Cognito with nothing", providers.Cognito("", "", "3k7m"), "the user pool ID is ''"},
		{"GoogleServiceAccount without emails", providers.GoogleServiceAccount(orders), "anybody can get a token"},
		{"GoogleServiceAccount with a user", providers.GoogleServiceAccount(orders, "user@example.com"), "is no service account's"},
		{"GoogleServiceAccount without an audience", providers.GoogleServiceAccount("", "a@example.iam.gserviceaccount.com"), "Audience holds an empty name"},
		{"Keycloak without a realm", providers.Keycloak("https://id.example.com", "", "orders"), "the realm is ''"},
		{"Keycloak with a path for a realm", providers.Keycloak("https://id.example.com", "a/b", "orders"), "wanted its name alone"},
		{"Keycloak with a host alone", providers.Keycloak("id.example.com", "shop", "orders"), "is not an absolute URL"},
		{"Hydra without an issuer", providers.Hydra("", orders), "URL is empty"},
		{"Hydra over http", providers.Hydra("http://id.example.com/", orders), "use https"},
		{"HydraOpaque without an admin URL", providers.HydraOpaque("https://id.example.com/", orders, "", auth), "is not an absolute URL"},
		{"HydraOpaque over http", providers.HydraOpaque("https://id.example.com/", orders, "http://hydra-admin.internal:4445", auth), "use https"},
		{"HydraOpaque without authentication", providers.HydraOpaque("https://id.example.com/", orders, "https://hydra-admin.example.com", nil), "Config.Auth is missing"},
		{"RFC9068 without an issuer", providers.RFC9068("", orders), "URL is empty"},
		{"RFC9068 with a host alone", providers.RFC9068("id.example.com", orders), "is not an absolute URL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{tt.iss}})
			if err == nil {
				v.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %q, wanted it to say %q", err, tt.want)
			}
		})
	}
}

// Whoever replaces Keys after a wrong argument gets an issuer that no token
// names, and the reason in every refusal.
func TestWrongArgumentStaysClosed(t *testing.T) {
	fake := issuertest.NewInMemory(t)
	for _, p := range testdata.Providers() {
		if p.Name != "EntraID" {
			continue
		}
		iss := providers.EntraID("common", api)
		iss.Keys = &jwks.Config{Set: p.JWKS}
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}})
		if err != nil {
			return // better still
		}
		defer v.Close()
		_, err = v.Verify(t.Context(), raw(t, fake, p.Tokens[0]))
		if o := outcome(err); o != "iss" || !strings.Contains(err.Error(), "EntraID") {
			t.Errorf("got %s (%v), wanted iss and the reason", o, err)
		}
	}
}
