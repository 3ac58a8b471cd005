package providers_test

import (
	"fmt"
	"log"

	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

func ExampleGitHubActions() {
	iss := providers.GitHubActions("https://orders.example.com",
		providers.GitHubJob{RepositoryID: "1296269", OwnerID: "583231", Environment: "production"},
	)

	iss.Profile.Implies = map[string][]string{"1296269": {"orders:write"}} // what its jobs may do

	token := verify(iss, issuertest.GitHubActions, issuertest.Claims{Scope: "1296269"})
	var commit string
	err := token.Claim("sha", &commit)
	fmt.Println(token.Check(scopes.All("orders:write")) == nil, commit, err)
	// Output: true 7fd1a60b01f91b314f59955a4e4d4e80d8edf11d <nil>
}

func ExampleGitLab() {
	iss := providers.GitLab("https://gitlab.com", "https://orders.example.com",
		providers.GitLabJob{ProjectID: "20", Ref: "refs/heads/main"},
	)

	token := verify(iss, issuertest.GitLab, issuertest.Claims{Scope: "20"})
	fmt.Println(token.Check(scopes.Any("20")) == nil, token.Subject())
	// Output: true project_path:acme/orders:ref_type:branch:ref:main
}

func ExampleKubernetes() {
	iss := providers.Kubernetes("https://kubernetes.default.svc.cluster.local", "orders")

	token := verify(iss, issuertest.Kubernetes, issuertest.Claims{Subject: "system:serviceaccount:shop:reports"})
	fmt.Println(token.Check(scopes.Any("system:serviceaccount:shop:reports")) == nil)
	fmt.Println(token.Check(scopes.Any("system:serviceaccount:shop:backup")) == nil)
	fmt.Println(token.Tenant())
	// Output:
	// true
	// false
	// shop
}

// The keys of another cluster, read with an account that this API has there.
func ExampleKubernetesAPI_Keys() {
	iss := providers.Kubernetes("https://cluster.example.com", "orders", "system:serviceaccount:shop:reports")
	iss.Keys = providers.KubernetesAPI{
		URL:       "https://10.0.0.1:6443",
		TokenFile: "/etc/orders/cluster/token",
		CAFile:    "/etc/orders/cluster/ca.crt",
	}.Keys()

	fmt.Println(iss.Keys.URL)
	// Output: https://10.0.0.1:6443/openid/v1/jwks
}

// Routes behind RequireFresh ask the API server whether the pod is still there.
func ExampleKubernetesAPI_Review() {
	iss := providers.Kubernetes("https://kubernetes.default.svc.cluster.local", "orders")
	iss.Introspection = providers.KubernetesAPI{}.Review(iss.Audience...)

	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	fmt.Println(v.CanVerifyFresh())
	// Output: <nil>
}

func ExampleSPIFFE() {
	iss := providers.SPIFFE("example.org", "https://spire.example.org/bundle", "spiffe://example.org/orders")
	iss.Profile.Implies = map[string][]string{"spiffe://example.org/shop/reports": {"orders:read"}}

	token := verify(iss, issuertest.SPIFFE, issuertest.Claims{Subject: "spiffe://example.org/shop/reports"})
	fmt.Println(token.Issuer(), token.Check(scopes.All("orders:read")) == nil)
	// Output: spiffe://example.org true
}
