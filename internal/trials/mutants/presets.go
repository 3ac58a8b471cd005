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
	{"presets", "an ID token of ZITADEL is none of access", []edit{{"validator/providers/zitadel.go", `[]string{"jti"}`, "nil"}}, ofProviders},
	{"presets", "a role at ZITADEL counts if a listed organization gave it", []edit{{"validator/providers/zitadel.go", "len(organizations) == 0 || slices.Contains(organizations, organization)", "len(organizations) == 0 || organization != \"\""}}, ofProviders},
	{"presets", "a refresh token of Casdoor is none of access", []edit{{"validator/providers/casdoor.go", `map[string][]string{"tokenType": {"access-token"}}`, "nil"}}, ofProviders},
	{"presets", "an application of Casdoor has a name of two parts", []edit{{"validator/providers/casdoor.go", `ok && owner != "" && name != "" && !strings.Contains(name, "/")`, "ok || owner == name"}}, ofProviders},
	{"presets", "a service account of Kubernetes is told by the cluster, too", []edit{{"validator/providers/kubernetes.go", `t.Subject() == "system:serviceaccount:"+c.Kubernetes.Namespace+":"+c.Kubernetes.Account.Name &&`, "true &&"}}, ofProviders},
	{"presets", "a service account that is not listed is refused", []edit{{"validator/providers/kubernetes.go", "(len(accounts) == 0 || slices.Contains(accounts, t.Subject()))", "true"}}, ofProviders},
	{"presets", "a job is told by its repository's number", []edit{{"validator/providers/githubactions.go", "c.RepositoryID == j.RepositoryID && ", ""}}, ofProviders},
	{"presets", "a job is told by its owner's number", []edit{{"validator/providers/githubactions.go", "unsetOr(j.OwnerID, c.OwnerID) &&", "true &&"}}, ofProviders},
	{"presets", "a job is told by its workflow and what it was taken from", []edit{{"validator/providers/githubactions.go", "unsetOr(j.Workflow, c.Workflow) && ", ""}}, ofProviders},
	{"presets", "a job of a pull request is refused", []edit{{"validator/providers/githubactions.go", `c.Head != "" || strings.HasPrefix(c.Event, "pull_request") || strings.HasPrefix(c.Ref, "refs/pull/")`, "false"}}, ofProviders},
	{"presets", "a job of a pull request is refused on the target's branch, too", []edit{{"validator/providers/githubactions.go", `strings.HasPrefix(c.Event, "pull_request")`, `c.Event == "pull_request"`}, {"validator/providers/githubactions.go", `c.Head != "" || `, ""}}, ofProviders},
	{"presets", "a claim is asked for if every job pins it", []edit{{"validator/providers/githubactions.go", `len(values) > 0 && values[0] != ""`, "len(values) > 0"}}, ofProviders},
	{"presets", "a repository by itself is no job", []edit{{"validator/providers/githubactions.go", `case j.Workflow == "" && j.Environment == "" && j.Ref == "":`, "case false:"}}, ofProviders},
	{"presets", "a job of GitLab ran in its own project", []edit{{"validator/providers/gitlab.go", "unsetOr(c.JobProjectID, j.ProjectID) &&", "true &&"}}, ofProviders},
	{"presets", "a job of a merge request is refused", []edit{{"validator/providers/gitlab.go", `c.Source == "merge_request_event" || `, ""}}, ofProviders},
	{"presets", "an environment that any branch can name is no proof", []edit{{"validator/providers/gitlab.go", `protected := c.RefProtected == "true" || c.EnvironmentProtected == "true"`, "protected := true"}}, ofProviders},
	{"presets", "a pod's token is sent to its API server alone", []edit{{"validator/providers/kubernetesapi.go", `!strings.HasPrefix(req.URL.String(), k.server+"/")`, "false"}}, ofProviders},
	{"presets", "a pod's token is sent over TLS alone", []edit{{"validator/providers/kubernetesapi.go", `!strings.HasPrefix(k.server, "https://")`, "false"}}, ofProviders},
	{"presets", "a pod's token is one line", []edit{{"validator/providers/kubernetesapi.go", "bytes.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })", "false"}}, ofProviders},
}
