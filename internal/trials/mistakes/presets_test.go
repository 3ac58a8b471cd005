package mistakes_test

import (
	"testing"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

const (
	tenant = "8d3e6f0a-1c2b-4d5e-9f70-a1b2c3d4e5f6"
	entra  = "2b9d41c7-0a8e-4f3b-8c65-7d1e9f20ab34"
	pool   = "eu-west-1_AbCdEfGhI"
)

const cluster = "https://kubernetes.default.svc.cluster.local"

// gitHub lets one job in.
func gitHub() validator.Issuer {
	return providers.GitHubActions("https://orders.example.com", providers.GitHubJob{RepositoryID: "1296269", Environment: "production"})
}

// changed is what the documentation of a preset lets its user change.
func changed(iss validator.Issuer) func() validator.Issuer {
	return func() validator.Issuer {
		iss.URL = "https://id.example.com"
		iss.Keys.URL = "https://id.example.com/keys"
		return iss
	}
}

// dialect is a token in a provider's form, at a preset.
func dialect(iss func() validator.Issuer, d issuertest.Dialect, c issuertest.Claims) func(*testing.T) string {
	return func(t *testing.T) string {
		fake := issuertest.New(t)
		preset := iss()
		preset.Keys = &jwks.Config{URL: fake.JWKSURL(), HTTPClient: fake.Client()}
		if c.Issuer == "" {
			c.Issuer = preset.URL
		}
		return open(t, preset).request(t, orders, bearer(fake.DialectToken(d, c)))
	}
}

// presets are mistakes with package providers.
var presets = []mistake{
	{name: "EntraID with audience api://…", make: given(func() validator.Issuer { return providers.EntraID(tenant, "api://"+entra) }),
		says: []string{"providers.EntraID: the audience is 'api://" + entra + "'", "wanted the application (client) ID"}},
	{name: "Entra common as tenant", make: given(func() validator.Issuer { return providers.EntraID("common", entra) }),
		says: []string{"providers.EntraID: the tenant is 'common'", "wanted the directory (tenant) ID"}, not: []string{"absolute URL"}},
	{name: "Entra organizations as tenant", make: given(func() validator.Issuer { return providers.EntraIDv1("organizations", entra) }),
		says: []string{"providers.EntraIDv1: the tenant is 'organizations'", "wanted the directory (tenant) ID"}, not: []string{"absolute URL"}},
	{name: "Entra tenant wrong, and Keys.URL and URL changed as the docs say", make: given(changed(providers.EntraID("common", entra))),
		says: []string{"providers.EntraID: the tenant is 'common'", "wanted the directory (tenant) ID"}},
	{name: "Auth0 domain with https://", make: given(func() validator.Issuer {
		return providers.Auth0("https://example.eu.auth0.com", "https://orders.example.com")
	}), says: []string{"providers.Auth0: the domain is 'https://example.eu.auth0.com'", "wanted a host name alone"}, not: []string{"absolute URL"}},
	{name: "Auth0 domain wrong, and Keys changed", make: given(changed(providers.Auth0("https://example.eu.auth0.com", "https://orders.example.com"))),
		says: []string{"providers.Auth0: the domain is", "wanted a host name alone"}},
	{name: "Cognito with its arguments swapped", make: given(func() validator.Issuer { return providers.Cognito(pool, "eu-west-1", "3k7m") }),
		says: []string{"providers.Cognito: the user pool ID is 'eu-west-1'", "wanted one of region"}, not: []string{"absolute URL"}},
	{name: "Keycloak(realm URL, realm)", make: given(func() validator.Issuer {
		return providers.Keycloak("https://id.example.com/realms/shop", "shop", "orders")
	}), says: []string{"providers.Keycloak: the base URL is 'https://id.example.com/realms/shop'", "wanted what comes before /realms/: 'https://id.example.com'"}},
	{name: "an Okta org URL where a custom server is meant", make: given(func() validator.Issuer { return providers.Okta("https://example.okta.com", "api://default") }),
		says: []string{"providers.Okta: the issuer is 'https://example.okta.com'", "wanted a custom authorization server", "OktaOrg"}},
	{name: "an Okta org URL where a custom server is meant, without a preset", make: dialect(func() validator.Issuer {
		return validator.Issuer{URL: "https://example.okta.com", Audience: []string{"api://default"}}
	}, issuertest.Okta, issuertest.Claims{Issuer: "https://example.okta.com/oauth2/default", Audience: []string{"api://default"}}),
		says: []string{"iss", `"https://example.okta.com/oauth2/default"`, `wanted ["https://example.okta.com"]`, "Issuer.URL must name that one, as providers.Okta does"}},
	{name: "a Google service account without e-mail list", make: given(func() validator.Issuer { return providers.GoogleServiceAccount("https://orders.example.com") }),
		says: []string{"providers.GoogleServiceAccount: there are no emails", "wanted the service accounts to let in"}},
	{name: "Entra v1 token, v2 preset", make: dialect(func() validator.Issuer { return providers.EntraID(tenant, entra) }, issuertest.EntraIDv1,
		issuertest.Claims{Issuer: "https://sts.windows.net/" + tenant + "/"}),
		says: []string{"iss", `"https://sts.windows.net/` + tenant + `/"`, `wanted ["https://login.microsoftonline.com/` + tenant + `/v2.0"]`, "requestedAccessTokenVersion", "EntraIDv1"}, not: []string{"slash"}},
	{name: "Entra v2 token, v1 preset", make: dialect(func() validator.Issuer { return providers.EntraIDv1(tenant, entra) }, issuertest.EntraID,
		issuertest.Claims{Issuer: "https://login.microsoftonline.com/" + tenant + "/v2.0"}),
		says: []string{"iss", "/v2.0", "requestedAccessTokenVersion", "providers.EntraID,"}},
	{name: "Entra audience without its URI", make: dialect(func() validator.Issuer { return providers.EntraIDv1(tenant, entra) }, issuertest.EntraIDv1,
		issuertest.Claims{Audience: []string{"api://" + entra}}),
		says: []string{"aud", `got ["api://` + entra + `"]`, `wanted ["` + entra + `"]`, "Issuer.Audience", "both"}},
	{name: "a Cognito app client id that is not the token's", make: dialect(func() validator.Issuer { return providers.Cognito("eu-west-1", pool, "3k7m") }, issuertest.Cognito,
		issuertest.Claims{ClientID: "another"}),
		says: []string{"client", `got ["another"]`, `wanted ["3k7m"]`, "Issuer.Clients"}},
	{name: "a Cognito pool with its updated issuer", make: dialect(func() validator.Issuer { return providers.Cognito("eu-west-1", pool, "3k7m") }, issuertest.Cognito,
		issuertest.Claims{Issuer: "https://issuer-cognito-idp.eu-west-1.amazonaws.com/" + pool}),
		says: []string{"iss", "issuer-cognito-idp", "give providers.Cognito that issuer"}},
	{name: "Keycloak without the audience mapper", make: dialect(func() validator.Issuer { return providers.Keycloak("https://id.example.com", "shop", "orders") }, issuertest.Keycloak,
		issuertest.Claims{Audience: []string{}}),
		says: []string{"aud", "names none", `wanted ["orders"]`, "Audience mapper", "client scope"}},
	{name: "Keycloak without the audience mapper, but with account", make: dialect(func() validator.Issuer { return providers.Keycloak("https://id.example.com", "shop", "orders") }, issuertest.Keycloak,
		issuertest.Claims{Audience: []string{"account"}}),
		says: []string{"aud", `got ["account"]`, `wanted ["orders"]`, "Audience mapper"}},
	{name: "a GitHub repository by its name", make: given(func() validator.Issuer {
		return providers.GitHubActions("https://orders.example.com", providers.GitHubJob{RepositoryID: "acme/orders", Environment: "production"})
	}), says: []string{"providers.GitHubActions: a job's RepositoryID is 'acme/orders'", "wanted the repository's number"}},
	{name: "a GitHub repository with whatever runs in it", make: given(func() validator.Issuer {
		return providers.GitHubActions("https://orders.example.com", providers.GitHubJob{RepositoryID: "1296269"})
	}), says: []string{"providers.GitHubActions: a job is told by repository 1296269 alone", "Workflow, Environment or Ref", "whoever can push a branch"}},
	{name: "a GitHub job that asked for no audience", make: dialect(gitHub, issuertest.GitHubActions, issuertest.Claims{Audience: []string{"https://github.com/acme"}}),
		says: []string{"aud", `got ["https://github.com/acme"]`, "GitHub names the repository's owner", "Issuer.Audience"}},
	{name: "a GitHub enterprise with an issuer of its own", make: dialect(gitHub, issuertest.GitHubActions, issuertest.Claims{Issuer: "https://token.actions.githubusercontent.com/acme"}),
		says: []string{"iss", `got ["https://token.actions.githubusercontent.com/acme"]`, "an issuer of its own at GitHub", "Issuer.URL"}},
	{name: "a pod's token for the API server", make: dialect(func() validator.Issuer { return providers.Kubernetes(cluster, "orders") }, issuertest.Kubernetes,
		issuertest.Claims{Audience: []string{cluster}}),
		says: []string{"aud", `wanted ["orders"]`, "its issuer's own API", "projected volume"}},
	{name: "a service account by namespace/name", make: given(func() validator.Issuer { return providers.Kubernetes(cluster, "orders", "shop/reports") }),
		says: []string{"providers.Kubernetes: the account is 'shop/reports'", "wanted system:serviceaccount:NAMESPACE:NAME"}},
	{name: "in no cluster", make: func(t *testing.T) string {
		return open(t, providers.Kubernetes(cluster, "orders")).request(t, orders, bearer(issuertest.New(t).DialectToken(issuertest.Kubernetes, issuertest.Claims{Issuer: cluster, Audience: []string{"orders"}})))
	}, says: []string{"/var/run/secrets/kubernetes.io/serviceaccount/token", "no such file", "no token is mounted there (automountServiceAccountToken)", "KubernetesAPI.TokenFile", "Keys"}},
	{name: "AD FS, an ID token", make: dialect(func() validator.Issuer { return providers.ADFS("fs.example.com", "https://orders.example.com") }, issuertest.ADFS,
		issuertest.Claims{Issuer: "https://fs.example.com/adfs"}),
		says: []string{"iss", `got ["https://fs.example.com/adfs"]`, "must send its access token"}},
	{name: "AD FS, a client that names no resource", make: dialect(func() validator.Issuer { return providers.ADFS("fs.example.com", "https://orders.example.com") }, issuertest.ADFS,
		issuertest.Claims{Audience: []string{"urn:microsoft:userinfo"}}),
		says: []string{"aud", `got ["urn:microsoft:userinfo"]`, "resource="}},
	{name: "Hydra's public port for introspection", make: func(t *testing.T) string {
		fake := issuertest.New(t) // which has nothing at that path
		iss := providers.HydraOpaque("https://id.example.com/", "https://orders.example.com", fake.URL(), auth)
		iss.Introspection.HTTPClient = fake.Client()
		a := open(t, iss)
		a.request(t, orders, "Bearer an.opaque-token")
		return a.log.line(t, "introspection failed")
	}, says: []string{"level=WARN", "/admin/oauth2/introspect", "status 404", "check Config.Endpoint", "admin port"}},
	{name: "introspection's secret is empty in a preset", make: given(func() validator.Issuer {
		return providers.OktaOrg("https://example.okta.com", introspection.ClientSecretBasic("0oa0", introspection.Secret("")), "0oa1")
	}), says: []string{"Introspection", "Config.Auth has an empty secret"}},
}
