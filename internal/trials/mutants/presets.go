package main

// presetMutants concern what tells a provider's tokens apart: the kinds of them, and
// whom they were issued to.
var presetMutants = []mutant{
	{"presets", "an ID token of authentik is none of access", []edit{{"validator/providers/authentik.go", `[]string{"azp", "uid"}`, `[]string{"azp"}`}}, ofProviders},
	{"presets", "a session at authentik is a user's", []edit{{"validator/providers/authentik.go", "c.Session == nil && ", ""}}, ofProviders},
	{"presets", "AD FS puts a prefix before an identifier", []edit{never("validator/providers/adfs.go", `!strings.Contains(name, ":")`)}, ofProviders},
	{"presets", "a principal name of AD FS is a user's", []edit{{"validator/providers/adfs.go", "c.UPN == nil && ", ""}}, ofProviders},
	{"presets", "an ID token of PingFederate names no client", []edit{{"validator/providers/pingfederate.go", `[]string{"client_id"}`, "nil"}}, ofProviders},
	{"presets", "an application's token of FusionAuth is a user's", []edit{{"validator/providers/fusionauth.go", "c.Application == nil && ", ""}}, ofProviders},
	{"presets", "the grant of a token of FusionAuth is a client's alone", []edit{{"validator/providers/fusionauth.go", `slices.Equal(c.Grants, []string{"client_credentials"})`, `slices.Contains(c.Grants, "client_credentials")`}}, ofProviders},
	{"presets", "a service account of Kubernetes is told by the cluster, too", []edit{{"validator/providers/kubernetes.go", `t.Subject() == "system:serviceaccount:"+c.Kubernetes.Namespace+":"+c.Kubernetes.Account.Name &&`, "true &&"}}, ofProviders},
	{"presets", "a service account that is not listed is refused", []edit{{"validator/providers/kubernetes.go", "slices.Contains(accounts, t.Subject())", "true"}}, ofProviders},
	{"presets", "a pod's token is sent to its API server alone", []edit{{"validator/providers/kubernetesapi.go", `!strings.HasPrefix(req.URL.String(), k.server+"/")`, "false"}}, ofProviders},
	{"presets", "a pod's token is sent over TLS alone", []edit{{"validator/providers/kubernetesapi.go", `!strings.HasPrefix(k.server, "https://")`, "false"}}, ofProviders},
	{"presets", "a pod's token is one line", []edit{{"validator/providers/kubernetesapi.go", "bytes.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })", "false"}}, ofProviders},
}
