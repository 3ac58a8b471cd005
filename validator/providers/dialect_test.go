package providers_test

import (
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// against points a preset at the fake issuer, as a user's test would.
func against(fake *issuertest.Issuer, iss validator.Issuer) validator.Issuer {
	if iss.Introspection != nil {
		iss.Introspection = &introspection.Config{Endpoint: fake.IntrospectionURL(), Auth: auth, HTTPClient: fake.Client()}
		return iss
	}
	iss.Keys = &jwks.Config{URL: fake.JWKSURL(), HTTPClient: fake.Client()}
	return iss
}

// What the fake issuer writes in a dialect is what the preset of that name
// accepts, and with a user in it, what it refuses.
func TestDialects(t *testing.T) {
	fake := issuertest.New(t)
	const client, account = "reports", "reports@example.iam.gserviceaccount.com"
	const repository, pod = "1296269", "system:serviceaccount:shop:reports"
	presets := map[issuertest.Dialect]validator.Issuer{
		issuertest.Auth0:                providers.Auth0("example.eu.auth0.com", orders),
		issuertest.Okta:                 providers.Okta("https://example.okta.com/oauth2/default", orders),
		issuertest.OktaOrg:              providers.OktaOrg("https://example.okta.com", auth, client),
		issuertest.EntraID:              providers.EntraID(tenant, api),
		issuertest.EntraIDv1:            providers.EntraIDv1(tenant, api),
		issuertest.Cognito:              providers.Cognito("eu-west-1", "eu-west-1_AbCdEfGhI", client),
		issuertest.GoogleServiceAccount: providers.GoogleServiceAccount(orders, account),
		issuertest.Keycloak:             providers.Keycloak("https://id.example.com", "shop", orders),
		issuertest.Hydra:                providers.Hydra("https://id.example.com/", orders),
		issuertest.HydraOpaque:          providers.HydraOpaque("https://id.example.com/", orders, "https://hydra-admin.example.com", auth),
		issuertest.GitHubActions:        providers.GitHubActions(orders, gitHubJobs()...),
		issuertest.Kubernetes:           providers.Kubernetes("https://kubernetes.default.svc.cluster.local", orders),
		issuertest.Authentik:            providers.Authentik("https://id.example.com", "orders", orders),
		issuertest.ADFS:                 providers.ADFS("fs.example.com", orders),
		issuertest.PingFederate:         providers.PingFederate("https://id.example.com", orders),
		issuertest.GitLab:               providers.GitLab("https://gitlab.com", orders, providers.GitLabJob{ProjectID: repository, Ref: "refs/heads/main"}),
		issuertest.FusionAuth:           providers.FusionAuth("https://id.example.com", "acme.com", entity),
		issuertest.Zitadel:              providers.Zitadel("https://shop-a1b2c3.zitadel.cloud", project),
		issuertest.Casdoor:              providers.Casdoor("https://door.example.com", orders, client),
		issuertest.SPIFFE:               providers.SPIFFE("example.org", "https://spire.example.org/bundle", orders),
	}
	users := map[issuertest.Dialect]map[string]any{
		issuertest.EntraID:              {"scp": "orders.read"},
		issuertest.EntraIDv1:            {"scp": "orders.read"},
		issuertest.GoogleServiceAccount: {"azp": "32555940559.apps.googleusercontent.com"},
		issuertest.Keycloak:             {"preferred_username": "user"},
		issuertest.Authentik:            {"sid": "9b1c2d3e"},
		issuertest.FusionAuth:           {"applicationId": entity},
	}
	// Those whose tokens name no client, or a number: whom they are from is their scope.
	from := map[issuertest.Dialect]string{
		issuertest.GoogleServiceAccount: account,
		issuertest.GitHubActions:        repository,
		issuertest.Kubernetes:           pod,
		issuertest.GitLab:               repository,
		issuertest.SPIFFE:               svid,
	}
	for d := issuertest.Dialect(1); !strings.HasPrefix(d.String(), "Dialect("); d++ {
		if _, ok := presets[d]; !ok {
			t.Errorf("%s has no row in presets, in this test", d)
		}
	}
	for dialect, preset := range presets {
		t.Run(dialect.String(), func(t *testing.T) {
			preset.AppOnly = preset.Profile.App != nil
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{against(fake, preset)}})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			claims := issuertest.Claims{Issuer: preset.URL, Audience: preset.Audience, ClientID: client, Scope: "orders.read"}
			if who, ok := from[dialect]; ok {
				claims.Scope = who
			}
			token, err := v.Verify(t.Context(), fake.DialectToken(dialect, claims))
			if err != nil {
				t.Fatal(err)
			}
			if !token.Scopes().Contains(claims.Scope) || token.Issuer() != preset.URL {
				t.Errorf("%v with scopes %v", token, token.Scopes())
			}
			if id := token.ClientID(); id != client && from[dialect] == "" && dialect != issuertest.FusionAuth {
				t.Errorf("client %q, wanted %q", id, client)
			}

			if !preset.AppOnly || jobsAlone[dialect.String()] {
				return
			}
			claims.Extra = users[dialect]
			if claims.Extra == nil {
				claims.Extra = map[string]any{"sub": "user"}
			}
			if _, err := v.Verify(t.Context(), fake.DialectToken(dialect, claims)); outcome(err) != "app" {
				t.Errorf("a user's token: %v", err)
			}
		})
	}
}
