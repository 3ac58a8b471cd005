package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// Provider names one function of package providers, and its arguments.
type Provider struct {
	ADFS                 *adfs          `doc:"AD FS."`
	Auth0                *auth0         `doc:"Auth0."`
	Authentik            *authentik     `doc:"authentik."`
	Casdoor              *casdoor       `doc:"Casdoor."`
	Cognito              *cognito       `doc:"AWS Cognito."`
	EntraID              *entraID       `doc:"Microsoft Entra ID, tokens of version 2."`
	EntraIDv1            *entraIDv1     `doc:"Microsoft Entra ID, tokens of version 1."`
	FusionAuth           *fusionAuth    `doc:"FusionAuth."`
	GitHubActions        *gitHubActions `doc:"Jobs of GitHub Actions."`
	GitLab               *gitLab        `doc:"Jobs of GitLab CI/CD."`
	GoogleServiceAccount *google        `doc:"Service accounts of Google."`
	Hydra                *hydra         `doc:"Ory Hydra with JWTs."`
	HydraOpaque          *hydraOpaque   `doc:"Ory Hydra with opaque tokens."`
	Keycloak             *keycloak      `doc:"Keycloak."`
	Kubernetes           *kubernetes    `doc:"Service accounts of Kubernetes."`
	Okta                 *okta          `doc:"Okta, a custom authorization server."`
	OktaOrg              *oktaOrg       `doc:"Okta, the organization's own authorization server."`
	PingFederate         *pingFederate  `doc:"PingFederate."`
	RFC9068              *rfc9068       `doc:"Any server that follows RFC 9068."`
	SPIFFE               *spiffe        `doc:"JWT-SVIDs of SPIFFE."`
	Zitadel              *zitadel       `doc:"ZITADEL."`
}

// preset is the arguments of one function.
type preset interface{ issuer() validator.Issuer }

// issuer calls the function that p names.
func (p Provider) issuer() (validator.Issuer, error) {
	var named []string
	var chosen preset
	v := reflect.ValueOf(p)
	for _, m := range members(v.Type()) {
		if field := v.FieldByIndex(m.index); !field.IsNil() {
			named = append(named, m.key)
			chosen = field.Interface().(preset)
		}
	}
	switch len(named) {
	case 0:
		return validator.Issuer{}, errors.New("names none, wanted one")
	case 1:
		return chosen.issuer(), nil
	}
	return validator.Issuer{}, fmt.Errorf("names %s, wanted one of them", strings.Join(named, " and "))
}

type (
	adfs struct {
		Host     string   `doc:"The host of the federation service."`
		Audience []string `doc:"The API's identifiers."`
	}
	auth0 struct {
		Domain   string `doc:"The tenant's domain, such as example.eu.auth0.com."`
		Audience string `doc:"The API's identifier."`
	}
	authentik struct {
		BaseURL  string `doc:"Address of the server."`
		Slug     string `doc:"The application's slug."`
		ClientID string `doc:"The provider's client id."`
	}
	casdoor struct {
		BaseURL  string   `doc:"Address of the server."`
		Audience string   `doc:"The API's name."`
		Clients  []string `doc:"The client ids that are let in."`
	}
	cognito struct {
		Region     string   `doc:"The region, such as eu-central-1."`
		UserPoolID string   `doc:"The user pool's id."`
		ClientIDs  []string `doc:"The app clients' ids that are let in."`
	}
	entraID struct {
		Tenant   string `doc:"The tenant's id, a GUID."`
		Audience string `doc:"The API's application id, a GUID."`
	}
	entraIDv1 struct {
		Tenant   string   `doc:"The tenant's id, a GUID."`
		Audience []string `doc:"The API's names: its client id, and each application id URI that clients ask with."`
	}
	fusionAuth struct {
		BaseURL  string `doc:"Address of the server."`
		IssuerID string `doc:"The tenant's issuer."`
		EntityID string `doc:"The API's entity id."`
	}
	gitHubActions struct {
		Audience string                `doc:"The audience that jobs ask for, one of the API's own."`
		Jobs     []providers.GitHubJob `doc:"The jobs that are let in."`
	}
	gitLab struct {
		IssuerURL string                `doc:"Address of the server."`
		Audience  string                `doc:"The audience that jobs ask for."`
		Jobs      []providers.GitLabJob `doc:"The jobs that are let in."`
	}
	google struct {
		Audience string   `doc:"The audience that clients ask for."`
		Emails   []string `doc:"The service accounts that are let in, by e-mail address."`
	}
	hydra struct {
		IssuerURL string `doc:"The issuer."`
		Audience  string `doc:"The API's name."`
	}
	hydraOpaque struct {
		IssuerURL string                   `doc:"The issuer."`
		Audience  string                   `doc:"The API's name."`
		AdminURL  string                   `doc:"Address of the admin API."`
		Auth      introspection.ClientAuth `doc:"How this API authenticates there."`
	}
	keycloak struct {
		BaseURL  string `doc:"Address of the server."`
		Realm    string `doc:"The realm's name."`
		Audience string `doc:"The API's client id, which an audience mapper puts into aud."`
	}
	kubernetes struct {
		IssuerURL string                   `doc:"The cluster's issuer."`
		Audience  string                   `doc:"The API's name."`
		Accounts  []string                 `doc:"The service accounts that are let in, in full: system:serviceaccount:NAMESPACE:NAME. Default: every account, and rules decide."`
		API       *providers.KubernetesAPI `doc:"Takes the keys from the cluster's API server. {} for a pod in that cluster."`
	}
	okta struct {
		IssuerURL string `doc:"The issuer, such as https://example.okta.com/oauth2/default."`
		Audience  string `doc:"The API's name."`
	}
	oktaOrg struct {
		OrgURL  string                   `doc:"Address of the organization."`
		Auth    introspection.ClientAuth `doc:"How this API authenticates there."`
		Clients []string                 `doc:"The client ids that are let in."`
	}
	pingFederate struct {
		BaseURL  string `doc:"Address of the server."`
		Audience string `doc:"The API's name."`
	}
	rfc9068 struct {
		IssuerURL string `doc:"The issuer."`
		Audience  string `doc:"The API's name."`
	}
	spiffe struct {
		TrustDomain string   `doc:"The trust domain, such as example.org."`
		BundleURL   string   `doc:"Address of its bundle."`
		Audience    string   `doc:"The API's name."`
		Workloads   []string `doc:"The SPIFFE IDs that are let in. Default: every workload of the trust domain, and rules decide."`
	}
	zitadel struct {
		IssuerURL     string   `doc:"The issuer."`
		ProjectID     string   `doc:"The project's id."`
		Organizations []string `doc:"The ids of the organizations whose roles count. Default: all."`
	}
)

func (a *adfs) issuer() validator.Issuer  { return providers.ADFS(a.Host, a.Audience...) }
func (a *auth0) issuer() validator.Issuer { return providers.Auth0(a.Domain, a.Audience) }
func (a *authentik) issuer() validator.Issuer {
	return providers.Authentik(a.BaseURL, a.Slug, a.ClientID)
}
func (a *casdoor) issuer() validator.Issuer {
	return providers.Casdoor(a.BaseURL, a.Audience, a.Clients...)
}
func (a *cognito) issuer() validator.Issuer {
	return providers.Cognito(a.Region, a.UserPoolID, a.ClientIDs...)
}
func (a *entraID) issuer() validator.Issuer   { return providers.EntraID(a.Tenant, a.Audience) }
func (a *entraIDv1) issuer() validator.Issuer { return providers.EntraIDv1(a.Tenant, a.Audience...) }
func (a *fusionAuth) issuer() validator.Issuer {
	return providers.FusionAuth(a.BaseURL, a.IssuerID, a.EntityID)
}
func (a *gitHubActions) issuer() validator.Issuer {
	return providers.GitHubActions(a.Audience, a.Jobs...)
}
func (a *gitLab) issuer() validator.Issuer {
	return providers.GitLab(a.IssuerURL, a.Audience, a.Jobs...)
}
func (a *google) issuer() validator.Issuer {
	return providers.GoogleServiceAccount(a.Audience, a.Emails...)
}
func (a *hydra) issuer() validator.Issuer { return providers.Hydra(a.IssuerURL, a.Audience) }
func (a *hydraOpaque) issuer() validator.Issuer {
	return providers.HydraOpaque(a.IssuerURL, a.Audience, a.AdminURL, a.Auth)
}
func (a *keycloak) issuer() validator.Issuer {
	return providers.Keycloak(a.BaseURL, a.Realm, a.Audience)
}
func (a *kubernetes) issuer() validator.Issuer {
	iss := providers.Kubernetes(a.IssuerURL, a.Audience, a.Accounts...)
	if a.API != nil {
		iss.Keys = a.API.Keys()
	}
	return iss
}
func (a *okta) issuer() validator.Issuer    { return providers.Okta(a.IssuerURL, a.Audience) }
func (a *oktaOrg) issuer() validator.Issuer { return providers.OktaOrg(a.OrgURL, a.Auth, a.Clients...) }
func (a *pingFederate) issuer() validator.Issuer {
	return providers.PingFederate(a.BaseURL, a.Audience)
}
func (a *rfc9068) issuer() validator.Issuer { return providers.RFC9068(a.IssuerURL, a.Audience) }
func (a *spiffe) issuer() validator.Issuer {
	return providers.SPIFFE(a.TrustDomain, a.BundleURL, a.Audience, a.Workloads...)
}
func (a *zitadel) issuer() validator.Issuer {
	return providers.Zitadel(a.IssuerURL, a.ProjectID, a.Organizations...)
}
