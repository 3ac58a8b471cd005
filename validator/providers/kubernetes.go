package providers

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/validator"
)

// Kubernetes accepts the service account tokens of a Kubernetes cluster, such as
// pods get from a projected volume (serviceAccountToken with an audience and an
// expirationSeconds). The issuer is the cluster's (--service-account-issuer), as
// "kubectl get --raw /.well-known/openid-configuration" prints it. The audience is
// this API's own name, and none of the API server's. Accounts, if there are any, lists
// the accepted ones in full, as tokens have them in sub:
// "system:serviceaccount:NAMESPACE:NAME".
//
// Any pod of the cluster can get a token of its own account for any audience.
// There are no scopes: the account's full name is the one scope and role that a
// token has, so a route names whom it lets in, or Profile.Implies what it may do, and
// no other account gets through:
//
//	auth.Require(scopes.Any("system:serviceaccount:shop:reports"))
//	iss.Profile.Implies = map[string][]string{"system:serviceaccount:shop:reports": {"orders:read"}}
//
// The list of accounts shuts out all others from every route. It holds whatever is
// changed in the Issuer afterwards, and so does this: the namespace and name in the
// claim kubernetes.io must be those in sub. Both names may have hyphens in them, so
// never join them by one. Token.Tenant is the namespace. AppOnly is set: sub must be a
// service account's.
//
// Where the keys are depends on the issuer:
//   - one that everybody can reach, as that of EKS, GKE and AKS: discovered;
//   - https://kubernetes.default.svc…, which the cluster alone knows: at the API
//     server, with the pod's own token and CA file, by [KubernetesAPI];
//   - any other: set Keys to KubernetesAPI{…}.Keys(), or to a jwks.Config with the
//     output of "kubectl get --raw /openid/v1/jwks" as its Set.
//
// A cluster whose issuer is being changed has several for a while: list each as an
// Issuer of its own. One that signs with ECDSA needs ES256 in Algorithms.
//
// A token outlives what it was bound to: that its pod or account was deleted is
// not seen before it expires, so ask for short ones (10 minutes is the least), or let
// RequireFresh ask the API server, by [KubernetesAPI.Review].
//
// Source: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/,
// https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/.
func Kubernetes(issuerURL, audience string, accounts ...string) validator.Issuer {
	accounts = slices.Clone(accounts)
	args := of("Kubernetes")
	args.issuer(issuerURL)
	args.audience(audience)
	if audience != "" && strings.TrimSuffix(audience, "/") == strings.TrimSuffix(issuerURL, "/") || isAPIServer(audience) {
		args.wrong("the audience is %s, which is the API server's, wanted a name of this API's own: whoever gets such a token can act in the cluster", shown(audience))
	}
	for _, account := range accounts {
		if !kubernetesAccount.MatchString(account) {
			args.wrong("the account is %s, wanted system:serviceaccount:NAMESPACE:NAME as tokens have it in sub", shown(account))
		}
	}
	iss := validator.Issuer{
		URL:        issuerURL,
		Audience:   []string{audience},
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require:     []string{"/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name", "/kubernetes.io/serviceaccount/uid"},
			ScopeClaims: []string{"sub"},
			RoleClaims:  []string{"sub"},
			TenantClaim: "/kubernetes.io/namespace",
			App:         func(t *validator.Token) bool { return kubernetesAccount.MatchString(t.Subject()) },
		},
	}
	iss.Insist(func(t *validator.Token) error { return kubernetesListed(t, accounts) })
	if len(accounts) > 0 {
		iss.Profile.Match = map[string][]string{"sub": slices.Clone(accounts)} // so that a refusal shows both
	}
	if u, err := url.Parse(issuerURL); err == nil && inCluster.MatchString(u.Hostname()) {
		iss.Keys = KubernetesAPI{}.Keys()
	}
	return args.on(iss)
}

var (
	// A namespace is a DNS label, and a name a DNS subdomain (RFC 1123), so that
	// neither has a colon in it.
	kubernetesAccount = regexp.MustCompile(`^system:serviceaccount:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?:[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

	inCluster = regexp.MustCompile(`^kubernetes\.default(\.svc(\.[^/]+)?)?$`)
)

// isAPIServer reports whether an audience is a name that the API server has in each
// cluster, whatever the issuer is: with a scheme and a port, or without.
func isAPIServer(audience string) bool {
	_, host, ok := strings.Cut(audience, "://")
	if !ok {
		host = audience
	}
	host, _, _ = strings.Cut(strings.TrimSuffix(host, "/"), ":")
	return host == "kubernetes" || inCluster.MatchString(host)
}

// kubernetesListed says why a token is not that of one of the accounts, or nothing.
func kubernetesListed(t *validator.Token, accounts []string) error {
	var c struct {
		Kubernetes struct {
			Namespace string `json:"namespace"`
			Account   struct {
				Name string `json:"name"`
			} `json:"serviceaccount"`
		} `json:"kubernetes.io"`
	}
	if err := t.Claims(&c); err != nil {
		return err
	}
	switch named := "system:serviceaccount:" + c.Kubernetes.Namespace + ":" + c.Kubernetes.Account.Name; {
	case !kubernetesAccount.MatchString(t.Subject()):
		return fmt.Errorf("sub is %s, which is no service account", t.Subject())
	case t.Subject() != named:
		return fmt.Errorf("sub is %s, and kubernetes.io names %s", t.Subject(), named)
	case len(accounts) > 0 && !slices.Contains(accounts, named):
		return fmt.Errorf("%s is no listed account", named)
	}
	return nil
}
