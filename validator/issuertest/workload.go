package issuertest

import (
	"cmp"
	"crypto/rand"
	"strings"
)

// What the dialects of workloads write about a job or pod of nobody's.
const (
	jobRepository = "acme/orders"
	jobNumber     = "1296269" // of the repository or project
	jobWorkflow   = jobRepository + "/.github/workflows/deploy.yml@refs/heads/main"
	jobCommit     = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d"
	jobPlace      = "production"
	accountPrefix = "system:serviceaccount:"
	podAccount    = accountPrefix + "shop:reports"
	spiffeID      = "spiffe://example.org/shop/reports"
)

func gitHubClaims(c Claims) map[string]any {
	return map[string]any{
		"client_id": nil, "scope": nil,
		"sub":                   cmp.Or(c.Subject, "repo:"+jobRepository+":environment:"+jobPlace),
		"repository_id":         cmp.Or(c.Scope, jobNumber),
		"repository":            jobRepository,
		"repository_owner":      "acme",
		"repository_owner_id":   "583231",
		"repository_visibility": "private",
		"ref":                   "refs/heads/main",
		"ref_type":              "branch",
		"ref_protected":         "true",
		"head_ref":              "",
		"base_ref":              "",
		"sha":                   jobCommit,
		"event_name":            "workflow_dispatch",
		"environment":           jobPlace,
		"workflow":              "deploy",
		"workflow_ref":          jobWorkflow,
		"workflow_sha":          jobCommit,
		"job_workflow_ref":      jobWorkflow,
		"job_workflow_sha":      jobCommit,
		"run_id":                "12839471055",
		"run_number":            "10",
		"run_attempt":           "2",
		"runner_environment":    "github-hosted",
		"actor":                 "octocat",
		"actor_id":              "12",
	}
}

func gitLabClaims(c Claims) map[string]any {
	project := cmp.Or(c.Scope, jobNumber)
	claims := map[string]any{
		"client_id": nil, "scope": nil,
		"sub":                   cmp.Or(c.Subject, "project_path:"+jobRepository+":ref_type:branch:ref:main"),
		"user_id":               "1",
		"user_login":            "sample-user",
		"user_email":            "sample-user@example.com",
		"user_access_level":     "developer",
		"pipeline_id":           "574",
		"pipeline_source":       "push",
		"job_id":                "302",
		"job_source":            "push",
		"ref":                   "main",
		"ref_type":              "branch",
		"ref_path":              "refs/heads/main",
		"ref_protected":         "true",
		"environment":           jobPlace,
		"environment_protected": "true",
		"environment_action":    "start",
		"deployment_tier":       "production",
		"runner_id":             1,
		"runner_environment":    "self-hosted",
		"sha":                   jobCommit,
		"project_visibility":    "private",
		"ci_config_ref_uri":     "gitlab.example.com/" + jobRepository + "//.gitlab-ci.yml@refs/heads/main",
		"ci_config_sha":         jobCommit,
	}
	for _, of := range []string{"", "job_"} {
		claims[of+"project_id"], claims[of+"project_path"] = project, jobRepository
		claims[of+"namespace_id"], claims[of+"namespace_path"] = "72", "acme"
	}
	return claims
}

func kubernetesClaims(c Claims) map[string]any {
	account := cmp.Or(c.Subject, c.Scope, podAccount)
	names, ok := strings.CutPrefix(account, accountPrefix)
	if !ok { // no service account
		names = strings.TrimPrefix(podAccount, accountPrefix)
	}
	namespace, name, _ := strings.Cut(names, ":")
	return map[string]any{
		"client_id": nil, "scope": nil,
		"sub": account,
		"aud": list(c.Audience),
		"kubernetes.io": map[string]any{
			"namespace":      namespace,
			"node":           map[string]any{"name": "worker-1", "uid": rand.Text()},
			"pod":            map[string]any{"name": name + "-0", "uid": rand.Text()},
			"serviceaccount": map[string]any{"name": name, "uid": accountID},
		},
	}
}

// spiffeClaims are without iss: whose a JWT-SVID is, is in its sub.
func spiffeClaims(c Claims) map[string]any {
	return map[string]any{
		"client_id": nil, "jti": nil, "scope": nil, "iss": nil,
		"sub": cmp.Or(c.Subject, c.Scope, spiffeID),
		"aud": list(c.Audience),
	}
}
