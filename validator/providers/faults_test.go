package providers_test

import (
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

const (
	pool    = "eu-west-1_AbCdEfGhI"
	account = "a@example.iam.gserviceaccount.com"
	bundle  = "https://spire.example.org/bundle"
	cluster = "https://kubernetes.default.svc.cluster.local"
)

// job is GitHubActions for one job.
func job(j providers.GitHubJob) func() validator.Issuer {
	return func() validator.Issuer { return providers.GitHubActions(orders, j) }
}

// gitLab is GitLab for one job.
func gitLab(j providers.GitLabJob) func() validator.Issuer {
	return func() validator.Issuer { return providers.GitLab("https://gitlab.com", orders, j) }
}

// eks is Kubernetes for a cluster whose issuer is not its API server.
func eks(audience string) func() validator.Issuer {
	return func() validator.Issuer {
		return providers.Kubernetes("https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF", audience)
	}
}

// wrongArguments are calls with one wrong argument each, and the sentence by
// which New refuses what they return.
var wrongArguments = []struct {
	name string
	iss  func() validator.Issuer
	want string // in the error
}{
	{"Auth0 without a domain", func() validator.Issuer { return providers.Auth0("", orders) }, "wanted a host name alone"},
	{"Auth0 with a URL", func() validator.Issuer { return providers.Auth0("https://example.eu.auth0.com/", orders) }, "the domain is 'https://example.eu.auth0.com/', wanted a host name alone"},
	{"Auth0 with a slash", func() validator.Issuer { return providers.Auth0("example.eu.auth0.com/", orders) }, "wanted a host name alone"},
	{"Auth0 with a line break", func() validator.Issuer { return providers.Auth0("example.eu.auth0.com\n", orders) }, `the domain is 'example.eu.auth0.com\n'`},
	{"Auth0 with a tenant's name alone", func() validator.Issuer { return providers.Auth0("example", orders) }, "wanted a host name alone"},
	{"Auth0 with a password", func() validator.Issuer { return providers.Auth0("user:secret@example.eu.auth0.com", orders) }, "not shown"},
	{"Auth0 with its arguments exchanged", func() validator.Issuer { return providers.Auth0(orders, "example.eu.auth0.com") }, "wanted a host name alone"},
	{"Auth0 without an audience", func() validator.Issuer { return providers.Auth0("example.eu.auth0.com", "") }, "Audience holds an empty name"},
	{"Auth0 with an audience of a file", func() validator.Issuer { return providers.Auth0("example.eu.auth0.com", orders+"\n") }, `the audience is 'https://orders.example.com\n'`},
	{"Okta without an issuer", func() validator.Issuer { return providers.Okta("", "api://default") }, "wanted a custom authorization server"},
	{"Okta with the org's server", func() validator.Issuer { return providers.Okta("https://example.okta.com", "api://default") }, "is OktaOrg's"},
	{"Okta with its document", func() validator.Issuer {
		return providers.Okta("https://example.okta.com/oauth2/default/.well-known/oauth-authorization-server", "api://default")
	}, "wanted a custom authorization server"},
	{"Okta with a blank", func() validator.Issuer {
		return providers.Okta("https://example.okta.com/oauth2/my server", "api://default")
	}, "wanted a custom authorization server"},
	{"Okta with a blank audience", func() validator.Issuer { return providers.Okta("https://example.okta.com/oauth2/default", " ") }, "the audience is ' '"},
	{"OktaOrg with a custom server", func() validator.Issuer {
		return providers.OktaOrg("https://example.okta.com/oauth2/default", auth, "0oa1")
	}, "is Okta's"},
	{"OktaOrg with a host alone", func() validator.Issuer { return providers.OktaOrg("example.okta.com", auth, "0oa1") }, "wanted scheme and host alone"},
	{"OktaOrg without clients", func() validator.Issuer { return providers.OktaOrg("https://example.okta.com", auth) }, "Clients is empty"},
	{"OktaOrg with an empty client", func() validator.Issuer { return providers.OktaOrg("https://example.okta.com", auth, "") }, "Clients is empty or holds an empty id"},
	{"OktaOrg with a client of a file", func() validator.Issuer { return providers.OktaOrg("https://example.okta.com", auth, "0oa1\n") }, `a client id is '0oa1\n'`},
	{"OktaOrg without authentication", func() validator.Issuer { return providers.OktaOrg("https://example.okta.com", nil, "0oa1") }, "Config.Auth is missing"},
	{"EntraID with common", func() validator.Issuer { return providers.EntraID("common", api) }, "would let every tenant in"},
	{"EntraID with organizations", func() validator.Issuer { return providers.EntraID("organizations", api) }, "the tenant is 'organizations', wanted the directory (tenant) ID"},
	{"EntraID with a domain", func() validator.Issuer { return providers.EntraID("example.onmicrosoft.com", api) }, "a GUID"},
	{"EntraID with a path", func() validator.Issuer { return providers.EntraID(tenant+"/..", api) }, "a GUID"},
	{"EntraID with a line break", func() validator.Issuer { return providers.EntraID(tenant+"\n", api) }, "a GUID"},
	{"EntraID without an audience", func() validator.Issuer { return providers.EntraID(tenant, "") }, "Audience holds an empty name"},
	{"EntraID with a URI", func() validator.Issuer { return providers.EntraID(tenant, "api://"+api) }, "the audience is 'api://" + api + "', wanted the application (client) ID of the API"},
	{"EntraID with a URL", func() validator.Issuer { return providers.EntraID(tenant, orders) }, "v2.0 tokens never name it by a URI"},
	{"EntraID with its scope", func() validator.Issuer { return providers.EntraID(tenant, api+"/.default") }, "wanted the application (client) ID of the API"},
	{"EntraIDv1 with common", func() validator.Issuer { return providers.EntraIDv1("common", api) }, "would let every tenant in"},
	{"EntraIDv1 without an audience", func() validator.Issuer { return providers.EntraIDv1(tenant) }, "Audience is empty"},
	{"EntraIDv1 with two in one", func() validator.Issuer { return providers.EntraIDv1(tenant, api+" api://"+api) }, "wanted a name without blanks"},
	{"Cognito without a client", func() validator.Issuer { return providers.Cognito("eu-west-1", pool) }, "only the client proves"},
	{"Cognito with an empty client", func() validator.Issuer { return providers.Cognito("eu-west-1", pool, "") }, "holds an empty id"},
	{"Cognito with a pool of another region", func() validator.Issuer { return providers.Cognito("eu-west-1", "eu-west-2_AbCdEfGhI", "3k7m") }, "wanted one of region 'eu-west-1'"},
	{"Cognito with an issuer of another region", func() validator.Issuer {
		return providers.Cognito("eu-west-1", "https://issuer-cognito-idp.eu-west-2.amazonaws.com/eu-west-2_AbCdEfGhI", "3k7m")
	}, "wanted one of region 'eu-west-1'"},
	{"Cognito with another host", func() validator.Issuer { return providers.Cognito("eu-west-1", "https://example.com/"+pool, "3k7m") }, "the user pool ID is 'https://example.com/eu-west-1_AbCdEfGhI'"},
	{"Cognito with its document", func() validator.Issuer {
		return providers.Cognito("eu-west-1", "https://cognito-idp.eu-west-1.amazonaws.com/"+pool+"/.well-known/jwks.json", "3k7m")
	}, "or the pool's issuer"},
	{"Cognito with its arguments exchanged", func() validator.Issuer { return providers.Cognito(pool, "eu-west-1", "3k7m") }, "the user pool ID is 'eu-west-1'"},
	{"Cognito with nothing", func() validator.Issuer { return providers.Cognito("", "", "3k7m") }, "the user pool ID is ''"},
	{"GoogleServiceAccount without emails", func() validator.Issuer { return providers.GoogleServiceAccount(orders) }, "anybody can get a token"},
	{"GoogleServiceAccount with a user", func() validator.Issuer { return providers.GoogleServiceAccount(orders, "user@example.com") }, `the email "user@example.com" is no service account's`},
	{"GoogleServiceAccount with a line break", func() validator.Issuer { return providers.GoogleServiceAccount(orders, account+"\n") }, "is no service account's"},
	{"GoogleServiceAccount without an audience", func() validator.Issuer { return providers.GoogleServiceAccount("", account) }, "Audience holds an empty name"},
	{"Keycloak without a realm", func() validator.Issuer { return providers.Keycloak("https://id.example.com", "", "orders") }, "the realm is ''"},
	{"Keycloak with a path for a realm", func() validator.Issuer { return providers.Keycloak("https://id.example.com", "a/b", "orders") }, "wanted its name alone"},
	{"Keycloak with a realm of a file", func() validator.Issuer { return providers.Keycloak("https://id.example.com", "shop\n", "orders") }, `the realm is 'shop\n'`},
	{"Keycloak with a host alone", func() validator.Issuer { return providers.Keycloak("id.example.com", "shop", "orders") }, "is not an absolute URL"},
	{"Keycloak with a realm's URL", func() validator.Issuer {
		return providers.Keycloak("https://id.example.com/realms/shop", "shop", "orders")
	}, "wanted what comes before /realms/: 'https://id.example.com'"},
	{"Keycloak with a realm's URL, before version 17", func() validator.Issuer {
		return providers.Keycloak("https://id.example.com/auth/realms/shop/", "shop", "orders")
	}, "wanted what comes before /realms/: 'https://id.example.com/auth'"},
	{"Keycloak with its document", func() validator.Issuer {
		return providers.Keycloak("https://id.example.com/.well-known/openid-configuration", "shop", "orders")
	}, "wanted the issuer, not its document"},
	{"Keycloak without an audience", func() validator.Issuer { return providers.Keycloak("https://id.example.com", "shop", "") }, "Audience holds an empty name"},
	{"Hydra without an issuer", func() validator.Issuer { return providers.Hydra("", orders) }, "URL is empty"},
	{"Hydra with a host alone", func() validator.Issuer { return providers.Hydra("id.example.com", orders) }, "is not an absolute URL"},
	{"HydraOpaque with a query", func() validator.Issuer {
		return providers.HydraOpaque("https://id.example.com/", orders, "https://hydra.internal/?key=secret", auth)
	}, "wanted a URL without query"},
	{"HydraOpaque with a query beside a document", func() validator.Issuer {
		return providers.HydraOpaque("https://id.example.com/", orders, "https://hydra.internal/.well-known/x?key=secret", auth)
	}, "wanted a URL without query"},
	{"HydraOpaque without an admin URL", func() validator.Issuer { return providers.HydraOpaque("https://id.example.com/", orders, "", auth) }, "is not an absolute URL"},
	{"HydraOpaque without authentication", func() validator.Issuer {
		return providers.HydraOpaque("https://id.example.com/", orders, "https://hydra-admin.example.com", nil)
	}, "Config.Auth is missing"},
	{"GitHubActions without jobs", func() validator.Issuer { return providers.GitHubActions(orders) }, "every repository of GitHub can get a token"},
	{"GitHubActions without an audience", func() validator.Issuer { return providers.GitHubActions("", gitHubJobs()...) }, "Audience holds an empty name"},
	{"GitHubActions with its default audience", func() validator.Issuer {
		return providers.GitHubActions("https://github.com/acme", gitHubJobs()...)
	}, "the audience is 'https://github.com/acme', which is what tokens name unasked"},
	{"GitHubActions with a repository's name", job(providers.GitHubJob{RepositoryID: "acme/orders", Environment: "production"}), "a job's RepositoryID is 'acme/orders', wanted the repository's number"},
	{"GitHubActions without a repository", job(providers.GitHubJob{Environment: "production"}), "a job's RepositoryID is ''"},
	{"GitHubActions with a wildcard for a repository", job(providers.GitHubJob{RepositoryID: "*", Environment: "production"}), "a job's RepositoryID is '*'"},
	{"GitHubActions with an owner's name", job(providers.GitHubJob{RepositoryID: "1", OwnerID: "acme", Environment: "production"}), "a job's OwnerID is 'acme', wanted the owner's number"},
	{"GitHubActions with a repository alone", job(providers.GitHubJob{RepositoryID: "1296269"}), "a job is told by repository 1296269 alone, wanted Workflow, Environment or Ref"},
	{"GitHubActions with an owner alone", job(providers.GitHubJob{RepositoryID: "1296269", OwnerID: "583231"}), "a job is told by repository 1296269 alone"},
	{"GitHubActions with a workflow's file alone", job(providers.GitHubJob{RepositoryID: "1", Workflow: ".github/workflows/deploy.yml"}), "a job's Workflow is '.github/workflows/deploy.yml', wanted OWNER/NAME"},
	{"GitHubActions with a workflow of any ref", job(providers.GitHubJob{RepositoryID: "1", Workflow: "acme/orders/.github/workflows/deploy.yml"}), "wanted OWNER/NAME/.github/workflows/FILE@REF"},
	{"GitHubActions with a workflow of two refs", job(providers.GitHubJob{RepositoryID: "1", Workflow: "acme/orders/.github/workflows/deploy.yml@main@v2"}), "a job's Workflow is 'acme/orders/.github/workflows/deploy.yml'@"},
	{"GitHubActions with a workflow's password", job(providers.GitHubJob{RepositoryID: "1", Workflow: "https://user:secret@github.com/acme"}), "a job's Workflow is not shown"},
	{"GitHubActions with a line break in an environment", job(providers.GitHubJob{RepositoryID: "1", Environment: "production\n"}), `a job's Environment is 'production\n'`},
	{"GitHubActions with a branch's short name", job(providers.GitHubJob{RepositoryID: "1", Ref: "main"}), "a job's Ref is 'main', wanted one branch or tag in full"},
	{"GitHubActions with branches", job(providers.GitHubJob{RepositoryID: "1", Ref: "refs/heads/*"}), "a job's Ref is 'refs/heads/*'"},
	{"GitHubActions with a pull request", job(providers.GitHubJob{RepositoryID: "1", Ref: "refs/pull/17/merge"}), "a job's Ref is 'refs/pull/17/merge'"},
	{"Kubernetes without an issuer", func() validator.Issuer { return providers.Kubernetes("", orders) }, "the issuer URL is empty"},
	{"Kubernetes with the issuer of old tokens", func() validator.Issuer { return providers.Kubernetes("kubernetes/serviceaccount", orders) }, "is not an absolute URL"},
	{"Kubernetes with its document", func() validator.Issuer {
		return providers.Kubernetes("https://cluster.example.com/.well-known/openid-configuration", orders)
	}, "wanted the issuer, not its document"},
	{"Kubernetes without an audience", func() validator.Issuer { return providers.Kubernetes(cluster, "") }, "Audience holds an empty name"},
	{"Kubernetes with the API server's audience", func() validator.Issuer { return providers.Kubernetes(cluster, cluster+"/") }, "which is the API server's"},
	{"Kubernetes on EKS with the API server's name https://kubernetes.default.svc", eks("https://kubernetes.default.svc"), "the audience is 'https://kubernetes.default.svc', which is the API server's"},
	{"Kubernetes on EKS with the API server's name https://kubernetes.default.svc.cluster.local", eks("https://kubernetes.default.svc.cluster.local"), "the audience is 'https://kubernetes.default.svc.cluster.local', which is the API server's"},
	{"Kubernetes on EKS with the API server's name https://kubernetes.default.svc.cluster.local:443/", eks("https://kubernetes.default.svc.cluster.local:443/"), "the audience is 'https://kubernetes.default.svc.cluster.local:443/', which is the API server's"},
	{"Kubernetes on EKS with the API server's name kubernetes.default.svc", eks("kubernetes.default.svc"), "the audience is 'kubernetes.default.svc', which is the API server's"},
	{"Kubernetes on EKS with the API server's name kubernetes.default:443", eks("kubernetes.default:443"), "the audience is 'kubernetes.default:443', which is the API server's"},
	{"Kubernetes on EKS with the API server's name kubernetes", eks("kubernetes"), "the audience is 'kubernetes', which is the API server's"},
	{"Kubernetes with a name alone", func() validator.Issuer { return providers.Kubernetes(cluster, orders, "reports") }, "the account is 'reports', wanted system:serviceaccount:NAMESPACE:NAME"},
	{"Kubernetes with names joined by a hyphen", func() validator.Issuer { return providers.Kubernetes(cluster, orders, "shop-reports") }, "the account is 'shop-reports'"},
	{"Kubernetes with names joined by a slash", func() validator.Issuer { return providers.Kubernetes(cluster, orders, "shop/reports") }, "the account is 'shop/reports'"},
	{"Kubernetes with a namespace of accounts", func() validator.Issuer {
		return providers.Kubernetes(cluster, orders, "system:serviceaccounts:shop")
	}, "the account is 'system:serviceaccounts:shop'"},
	{"Kubernetes with any name", func() validator.Issuer {
		return providers.Kubernetes(cluster, orders, "system:serviceaccount:shop:*")
	}, "the account is 'system:serviceaccount:shop:*'"},
	{"Kubernetes with a colon in a name", func() validator.Issuer {
		return providers.Kubernetes(cluster, orders, "system:serviceaccount:shop:reports:x")
	}, "the account is 'system:serviceaccount:shop:reports:x'"},
	{"Kubernetes with a line break", func() validator.Issuer {
		return providers.Kubernetes(cluster, orders, "system:serviceaccount:shop:reports\n")
	}, `the account is 'system:serviceaccount:shop:reports\n'`},
	{"Authentik without a base URL", func() validator.Issuer { return providers.Authentik("", "orders", "Xk2r") }, "is not an absolute URL"},
	{"Authentik with an application's URL", func() validator.Issuer {
		return providers.Authentik("https://id.example.com/application/o/orders/", "orders", "Xk2r")
	}, "wanted what comes before /application/o/: 'https://id.example.com'"},
	{"Authentik without a slug", func() validator.Issuer { return providers.Authentik("https://id.example.com", "", "Xk2r") }, "the slug is ''"},
	{"Authentik with a path for a slug", func() validator.Issuer { return providers.Authentik("https://id.example.com", "a/b", "Xk2r") }, "the slug is 'a/b'"},
	{"Authentik with an application's name", func() validator.Issuer {
		return providers.Authentik("https://id.example.com", "Our orders", "Xk2r")
	}, "the slug is 'Our orders'"},
	{"Authentik without a client ID", func() validator.Issuer { return providers.Authentik("https://id.example.com", "orders", "") }, "Audience holds an empty name"},
	{"ADFS without a host", func() validator.Issuer { return providers.ADFS("", orders) }, "the host is ''"},
	{"ADFS with a URL", func() validator.Issuer { return providers.ADFS("https://fs.example.com/adfs", orders) }, "the host is 'https://fs.example.com/adfs', wanted the federation service's name alone"},
	{"ADFS with its arguments exchanged", func() validator.Issuer { return providers.ADFS(orders, "fs.example.com") }, "the host is 'https://orders.example.com'"},
	{"ADFS without an audience", func() validator.Issuer { return providers.ADFS("fs.example.com") }, "Audience is empty"},
	{"ADFS with an empty audience", func() validator.Issuer { return providers.ADFS("fs.example.com", "") }, "Audience holds an empty name"},
	{"ADFS with two in one", func() validator.Issuer { return providers.ADFS("fs.example.com", api+" "+orders) }, "wanted a name without blanks"},
	{"PingFederate without a base URL", func() validator.Issuer { return providers.PingFederate("", orders) }, "is not an absolute URL"},
	{"PingFederate with its document", func() validator.Issuer {
		return providers.PingFederate("https://id.example.com/.well-known/openid-configuration", orders)
	}, "wanted the issuer, not its document"},
	{"PingFederate without an audience", func() validator.Issuer { return providers.PingFederate("https://id.example.com", "") }, "Audience holds an empty name"},
	{"GitLab without jobs", func() validator.Issuer { return providers.GitLab("https://gitlab.com", orders) }, "every project of the instance can get a token"},
	{"GitLab without an issuer", func() validator.Issuer {
		return providers.GitLab("", orders, providers.GitLabJob{ProjectID: "20", Ref: "refs/heads/main"})
	}, "the issuer URL is empty"},
	{"GitLab with its default audience", func() validator.Issuer {
		return providers.GitLab("https://gitlab.com", "https://gitlab.com/", providers.GitLabJob{ProjectID: "20", Ref: "refs/heads/main"})
	}, "the audience is 'https://gitlab.com/', which is what tokens name unasked"},
	{"GitLab with a project's path", gitLab(providers.GitLabJob{ProjectID: "shop/orders", Ref: "refs/heads/main"}), "a job's ProjectID is 'shop/orders', wanted the project's number"},
	{"GitLab with a project alone", gitLab(providers.GitLabJob{ProjectID: "20"}), "a job is told by project 20 alone"},
	{"GitLab with a branch's short name", gitLab(providers.GitLabJob{ProjectID: "20", Ref: "main"}), "a job's Ref is 'main', wanted one branch or tag in full"},
	{"GitLab with a blank environment", gitLab(providers.GitLabJob{ProjectID: "20", Environment: " "}), "a job's Environment is ' '"},
	{"FusionAuth without a base URL", func() validator.Issuer { return providers.FusionAuth("", "acme.com", entity) }, "is not an absolute URL"},
	{"FusionAuth without an issuer", func() validator.Issuer { return providers.FusionAuth("https://id.example.com", "", entity) }, "the issuer is empty"},
	{"FusionAuth with an issuer of a file", func() validator.Issuer {
		return providers.FusionAuth("https://id.example.com", "acme.com\n", entity)
	}, `the issuer is 'acme.com\n'`},
	{"FusionAuth without an entity", func() validator.Issuer { return providers.FusionAuth("https://id.example.com", "acme.com", "") }, "the entity ID is ''"},
	{"FusionAuth with an entity's name", func() validator.Issuer {
		return providers.FusionAuth("https://id.example.com", "acme.com", "orders")
	}, "the entity ID is 'orders', wanted that of the API's entity, a GUID"},
	{"Zitadel without an issuer", func() validator.Issuer { return providers.Zitadel("", project) }, "the issuer URL is empty"},
	{"Zitadel with a project's name", func() validator.Issuer { return providers.Zitadel("https://id.example.com", "orders") }, "the project ID is 'orders', wanted its number"},
	{"Zitadel with a client of the project", func() validator.Issuer {
		return providers.Zitadel("https://id.example.com", "178204173316200001@shop")
	}, "the project ID is not shown"},
	{"Zitadel with an organization's domain", func() validator.Issuer {
		return providers.Zitadel("https://id.example.com", project, "shop.example.com")
	}, "an organization is 'shop.example.com', wanted its number"},
	{"Casdoor without a base URL", func() validator.Issuer { return providers.Casdoor("", orders, "d4a8") }, "is not an absolute URL"},
	{"Casdoor with its document", func() validator.Issuer {
		return providers.Casdoor("https://door.example.com/.well-known/jwks", orders, "d4a8")
	}, "wanted the issuer, not its document"},
	{"Casdoor without clients", func() validator.Issuer { return providers.Casdoor("https://door.example.com", orders) }, "every application can ask for any resource"},
	{"Casdoor without an audience", func() validator.Issuer { return providers.Casdoor("https://door.example.com", "", "d4a8") }, "Audience holds an empty name"},
	{"SPIFFE without a trust domain", func() validator.Issuer { return providers.SPIFFE("", bundle, orders) }, "the trust domain is ''"},
	{"SPIFFE with the ID of a trust domain", func() validator.Issuer { return providers.SPIFFE("spiffe://example.org", bundle, orders) }, "the trust domain is 'spiffe://example.org', wanted its name alone"},
	{"SPIFFE with a trust domain in capitals", func() validator.Issuer { return providers.SPIFFE("Example.org", bundle, orders) }, "the trust domain is 'Example.org'"},
	{"SPIFFE with a port", func() validator.Issuer { return providers.SPIFFE("example.org:443", bundle, orders) }, "the trust domain is 'example.org:443'"},
	{"SPIFFE without a bundle", func() validator.Issuer { return providers.SPIFFE("example.org", "", orders) }, "is not an absolute URL"},
	{"SPIFFE with the ID of a bundle's server", func() validator.Issuer {
		return providers.SPIFFE("example.org", "example.org/spire", orders)
	}, "is not an absolute URL"},
	{"SPIFFE without an audience", func() validator.Issuer { return providers.SPIFFE("example.org", bundle, "") }, "Audience holds an empty name"},
	{"SPIFFE with a workload of another trust domain", func() validator.Issuer {
		return providers.SPIFFE("example.org", bundle, orders, "spiffe://example.net/shop/reports")
	}, "a workload is 'spiffe://example.net/shop/reports', wanted its whole SPIFFE ID in trust domain 'example.org'"},
	{"SPIFFE with a workload's path", func() validator.Issuer { return providers.SPIFFE("example.org", bundle, orders, "/shop/reports") }, "a workload is '/shop/reports'"},
	{"SPIFFE with any workload", func() validator.Issuer {
		return providers.SPIFFE("example.org", bundle, orders, "spiffe://example.org/*")
	}, "a workload is 'spiffe://example.org/*'"},
	{"SPIFFE with a trust domain for a workload", func() validator.Issuer {
		return providers.SPIFFE("example.org", bundle, orders, "spiffe://example.org")
	}, "a workload is 'spiffe://example.org'"},
	{"RFC9068 without an issuer", func() validator.Issuer { return providers.RFC9068("", orders) }, "URL is empty"},
	{"RFC9068 with a host alone", func() validator.Issuer { return providers.RFC9068("id.example.com", orders) }, "is not an absolute URL"},
	{"RFC9068 with a blank in the audience", func() validator.Issuer { return providers.RFC9068("https://id.example.com", "orders invoices") }, "wanted a name without blanks"},
}

// laterChanges are what the documentation lets a user change in what a preset
// returned, and more.
var laterChanges = map[string]func(*validator.Issuer){
	"nothing":              func(*validator.Issuer) {},
	"URL":                  func(i *validator.Issuer) { i.URL = "https://id.example.com" },
	"Keys.URL":             changeKeys,
	"Keys":                 func(i *validator.Issuer) { i.Keys = &jwks.Config{URL: "https://id.example.com/keys"} },
	"Keys, a fixed set":    func(i *validator.Issuer) { i.Keys = &jwks.Config{Set: testdata.Providers()[0].JWKS} },
	"no Keys":              func(i *validator.Issuer) { i.Keys = nil },
	"Introspection":        func(i *validator.Issuer) { i.Introspection = &introspection.Config{Auth: auth} },
	"Introspection over":   changeIntrospection,
	"Audience and Clients": func(i *validator.Issuer) { i.Audience, i.Clients = []string{"orders"}, []string{"reports"} },
	"Profile":              func(i *validator.Issuer) { i.Profile, i.AppOnly = validator.Profile{}, false },
	"roles as scopes": func(i *validator.Issuer) {
		i.Profile.ScopeClaims = append(i.Profile.ScopeClaims, i.Profile.RoleClaims...)
	},
	"everything": func(i *validator.Issuer) {
		i.URL, i.Audience, i.Clients = "https://id.example.com", []string{"orders"}, nil
		i.Keys, i.Introspection = &jwks.Config{}, nil
		i.Algorithms, i.AppOnly, i.Profile = nil, false, validator.Profile{}
		i.DangerouslyAllowHTTP = true
	},
}

func changeKeys(i *validator.Issuer) {
	if i.Keys != nil {
		i.Keys.URL = "https://id.example.com/keys?appid=orders"
	}
}

func changeIntrospection(i *validator.Issuer) {
	if i.Introspection != nil {
		i.Introspection.DangerouslyAllowHTTP = true
		i.Introspection.Endpoint = "http://hydra-admin.internal:4445/admin/oauth2/introspect"
	}
}

// TestNoKeyInWrongAddresses: what may be a key in the place of an address is not shown,
// nor a query, and the fault says which issuer it is.
func TestNoKeyInWrongAddresses(t *testing.T) {
	for name, preset := range map[string]func(string) validator.Issuer{
		"okta":       func(url string) validator.Issuer { return providers.Okta(url, orders) },
		"oktaOrg":    func(url string) validator.Issuer { return providers.OktaOrg(url, nil, "x") },
		"auth0":      func(url string) validator.Issuer { return providers.Auth0(url, orders) },
		"adfs":       func(url string) validator.Issuer { return providers.ADFS(url, orders) },
		"fusionAuth": func(url string) validator.Issuer { return providers.FusionAuth(url, "acme.com", "x") },
		"keycloak":   func(url string) validator.Issuer { return providers.Keycloak(url, "bank", orders) },
	} {
		for _, url := range []string{"https://u:secret0", "https://example.com/?key=secret", "secret0123456789abcdef0123456789", "https://u:secret@example.com"} {
			_, err := validator.New(validator.Config{Issuers: []validator.Issuer{providers.RFC9068("https://id.example.com", orders), preset(url)}})
			if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "(Issuers[1])") {
				t.Errorf("%s, %s: %v", name, url, err)
			}
		}
	}
}

// TestWrongArguments: a wrong argument is no panic and no open door. New says
// what is wrong, once, in one line, whatever was changed afterwards.
func TestWrongArguments(t *testing.T) {
	for _, tt := range wrongArguments {
		for what, change := range laterChanges {
			t.Run(tt.name+", changed: "+what, func(t *testing.T) {
				iss := tt.iss()
				change(&iss)
				v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}})
				if err == nil {
					v.Close()
					t.Fatal("no error")
				}
				text := err.Error()
				if strings.Count(text, tt.want) != 1 || strings.Contains(text, "\n") || strings.Contains(text, "secret") {
					t.Errorf("got %s\nwanted one line that says once: %s", text, tt.want)
				}
				function, _, _ := strings.Cut(tt.name, " ")
				if !strings.HasPrefix(text, "validator: providers."+function+": ") {
					t.Errorf("%s does not name the function", text)
				}
				if !strings.Contains(tt.want, "absolute URL") && strings.Contains(text, "absolute URL") {
					t.Errorf("%s goes on about what the sentence stands for", text)
				}
			})
		}
	}
}

// Two wrong arguments are two sentences, and the user's own faults are told too.
func TestEveryWrongArgumentIsTold(t *testing.T) {
	iss := providers.Keycloak("id.example.com", "", "orders\n")
	iss.Algorithms = []string{"HS256"}
	iss.Keys.URL = "http://id.example.com/keys"
	_, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss, providers.EntraID("common", api), providers.EntraID("common", api)}})
	if err == nil {
		t.Fatal("no error")
	}
	for want, times := range map[string]int{
		"is not an absolute URL": 1, "the realm is ''": 1, `the audience is 'orders\n'`: 1,
		`Algorithms holds "HS256"`: 1, `Keys: jwks: Config.URL: "http://id.example.com/keys"`: 1,
		"would let every tenant in": 2, "\n": 6,
	} {
		if n := strings.Count(err.Error(), want); n != times {
			t.Errorf("%q is there %d times, wanted %d:\n%v", want, n, times, err)
		}
	}
}

// What only a finished Issuer shows is told by its own field.
func TestHTTPIsForTheFinishedIssuerToSay(t *testing.T) {
	for name, iss := range map[string]validator.Issuer{
		"Okta":        providers.Okta("http://example.okta.com/oauth2/default", "api://default"),
		"Keycloak":    providers.Keycloak("http://keycloak:8080", "shop", "orders"),
		"Hydra":       providers.Hydra("http://id.example.com/", orders),
		"HydraOpaque": providers.HydraOpaque("https://id.example.com/", orders, "http://hydra-admin.internal:4445", auth),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}})
			if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "use https, or set DangerouslyAllowHTTP") {
				t.Errorf("got %v", err)
			}
			iss.DangerouslyAllowHTTP = true
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}})
			if err != nil {
				t.Fatal(err)
			}
			v.Close()
		})
	}
}

// Whoever copies what a refused preset holds into an Issuer of their own is
// refused, too.
func TestWrongArgumentStaysClosed(t *testing.T) {
	fake := issuertest.NewInMemory(t)
	h, token := fixture(t, "EntraID")
	refused := providers.EntraID("common", api)
	copied := validator.Issuer{URL: refused.URL, Audience: refused.Audience, Profile: refused.Profile, Keys: &jwks.Config{Set: h.JWKS}}
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{copied}})
	if err == nil {
		defer v.Close()
		_, err = v.Verify(t.Context(), raw(t, fake, token))
	}
	if err == nil || !strings.Contains(err.Error(), "refused by providers.EntraID") {
		t.Errorf("got %v", err)
	}
}
