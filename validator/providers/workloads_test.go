package providers_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// listed are presets that are given whom to let in, where everybody else can get a
// token for any audience.
var listed = []string{"GitHubActions", "GitLab", "Kubernetes", "SPIFFE", "GoogleServiceAccount"}

// userChanges are what users set in a preset, on purpose or not.
var userChanges = map[string]func(*validator.Issuer){
	"Match":   func(i *validator.Issuer) { i.Profile.Match = nil },
	"Accept":  func(i *validator.Issuer) { i.Profile.Accept = func(*validator.Token) error { return nil } },
	"AppOnly": func(i *validator.Issuer) { i.AppOnly = false },
	"App":     func(i *validator.Issuer) { i.Profile.App = func(*validator.Token) bool { return true } },
	"all of these": func(i *validator.Issuer) {
		i.AppOnly, i.Profile.App, i.Profile.Match = false, nil, nil
		i.Profile.Accept = func(*validator.Token) error { return nil }
	},
	"Profile": func(i *validator.Issuer) {
		i.AppOnly, i.Profile = false, validator.Profile{ScopeClaims: i.Profile.ScopeClaims, Types: i.Profile.Types}
	},
}

// What is changed in a preset afterwards lets nobody in who is not listed, and keeps
// nobody out who is.
func TestListsHoldWhateverIsChanged(t *testing.T) {
	fake := issuertest.NewInMemory(t)
	forms := map[string]bool{ // that Match and Require ask of whoever is listed
		"GoogleServiceAccount, address that nobody verified": true,
		"Kubernetes, without the account's uid":              true,
	}
	for _, name := range listed {
		h, _ := fixture(t, name)
		for _, token := range h.Tokens {
			if token.Want == "client" || token.Clients != nil || forms[name+", "+token.Name] {
				continue
			}
			for what, change := range userChanges {
				t.Run(name+", "+token.Name+", changed: "+what, func(t *testing.T) {
					iss := presets[name]()
					change(&iss)
					_, err := newValidator(t, iss, h).Verify(t.Context(), raw(t, fake, token))
					if ok := token.Want == "ok"; (err == nil) != ok {
						t.Errorf("got %v, wanted %s", err, token.Want)
					}
				})
			}
		}
	}
}

// A job that is not listed is no user, and neither the log nor the client is told
// that it was one.
func TestJobsAreNoUsers(t *testing.T) {
	const client = "The access token does not meet a condition of this API."
	gitHub := providers.GitHubActions(orders, append(gitHubJobs(), providers.GitHubJob{RepositoryID: "1", Environment: "production"}, providers.GitHubJob{RepositoryID: "1", Ref: "refs/heads/main"})...)
	gitLab := providers.GitLab("https://gitlab.com", orders,
		providers.GitLabJob{ProjectID: "20", Ref: "refs/heads/main"}, providers.GitLabJob{ProjectID: "21", Environment: "production"})
	pods := providers.Kubernetes(cluster, orders)
	pods.Insist(func(*validator.Token) error { return errors.New("it is not my turn") })
	reports := providers.Kubernetes(cluster, orders, "system:serviceaccount:shop:reports")
	reports.Profile.Match = nil
	workload := providers.SPIFFE("example.org", bundle, orders, "spiffe://example.org/a")
	workload.Profile.Match = nil
	for name, tt := range map[string]struct {
		iss     validator.Issuer
		dialect issuertest.Dialect
		claims  map[string]any
		says    string
	}{
		"GitHub, pull request":              {gitHub, issuertest.GitHubActions, map[string]any{"event_name": "pull_request"}, "a pull request's job (event_name pull_request)"},
		"GitHub, pull request by its ref":   {gitHub, issuertest.GitHubActions, map[string]any{"ref": "refs/pull/7/merge"}, "a pull request's job (ref refs/pull/7/merge)"},
		"GitHub, pull request by its head":  {gitHub, issuertest.GitHubActions, map[string]any{"head_ref": "feature"}, "a pull request's job (head_ref feature)"},
		"GitHub, environment and ref":       {gitHub, issuertest.GitHubActions, map[string]any{"repository_id": "1", "environment": "staging", "ref": "refs/heads/x"}, "no listed job has repository 1, environment staging and ref refs/heads/x"},
		"GitHub, another job's environment": {gitHub, issuertest.GitHubActions, map[string]any{"environment": "staging"}, "no listed job has repository 1296269, owner 583231 and environment staging"},
		"GitHub, no environment":            {gitHub, issuertest.GitHubActions, map[string]any{"environment": nil}, "no listed job has repository 1296269, owner 583231 and no environment"},
		"GitLab, merge request":             {gitLab, issuertest.GitLab, map[string]any{"project_id": "20", "job_project_id": "20", "pipeline_source": "merge_request_event"}, "a merge request's job (pipeline_source merge_request_event)"},
		"GitLab, merge request by its ref":  {gitLab, issuertest.GitLab, map[string]any{"project_id": "20", "job_project_id": "20", "ref_path": "refs/merge-requests/7/head"}, "a merge request's job (ref_path refs/merge-requests/7/head)"},
		"GitLab, child pipeline":            {gitLab, issuertest.GitLab, map[string]any{"project_id": "21", "job_project_id": "21", "environment": "production", "pipeline_source": "parent_pipeline"}, "a child pipeline's job, maybe a merge request's"},
		"GitLab, ref":                       {gitLab, issuertest.GitLab, map[string]any{"project_id": "20", "job_project_id": "20", "ref_path": "refs/heads/x"}, "no listed job has project 20 and ref refs/heads/x"},
		"GitLab, another project":           {gitLab, issuertest.GitLab, map[string]any{"project_id": "20", "job_project_id": "21"}, "a job of project 20 that ran in another one (job_project_id 21)"},
		"GitLab, unprotected": {gitLab, issuertest.GitLab, map[string]any{"project_id": "21", "job_project_id": "21", "environment": "production",
			"ref_path": "refs/heads/x", "ref_protected": "false", "environment_protected": "false"}, "neither ref refs/heads/x nor environment production is protected"},
		"Kubernetes":               {reports, issuertest.Kubernetes, map[string]any{"sub": "system:serviceaccount:shop:x", "kubernetes.io": pod("shop", "x")}, "system:serviceaccount:shop:x is no listed account"},
		"Kubernetes, two accounts": {reports, issuertest.Kubernetes, map[string]any{"kubernetes.io": pod("shop", "x")}, "sub is system:serviceaccount:shop:reports, and kubernetes.io names system:serviceaccount:shop:x"},
		"a check of one's own":     {pods, issuertest.Kubernetes, nil, "it is not my turn"},
		"SPIFFE":                   {workload, issuertest.SPIFFE, map[string]any{"sub": "spiffe://example.org/b"}, "spiffe://example.org/b is no listed workload"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := issuertest.New(t)
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{against(fake, tt.iss)}})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			_, err = v.Verify(t.Context(), fake.DialectToken(tt.dialect, issuertest.Claims{Issuer: tt.iss.URL, Audience: tt.iss.Audience, Extra: tt.claims}))
			e, ok := errors.AsType[*validator.Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if got := e.Description(); got != client {
				t.Errorf("the client is told %q, wanted %q", got, client)
			}
			if text := err.Error(); !strings.Contains(text, tt.says) || !strings.Contains(text, "Issuer.Insist refuses it") || strings.Contains(text, "App") {
				t.Errorf("got %v, wanted it to say %s", err, tt.says)
			}
		})
	}
}

// A user's ID token, which the same keys sign, is a user's, also where no claim is
// asked for.
func TestGitLabTellsUsers(t *testing.T) {
	h, _ := fixture(t, "GitLab")
	iss := presets["GitLab"]()
	iss.Profile.Match, iss.Profile.Require = nil, nil
	v := newValidator(t, iss, h)
	for _, token := range h.Tokens {
		if token.Name != "ID token of a user" {
			continue
		}
		if _, err := v.Verify(t.Context(), raw(t, issuertest.NewInMemory(t), token)); outcome(err) != "app" {
			t.Errorf("got %v, wanted it to be refused as a user's", err)
		}
		return
	}
	t.Error("no such token")
}

// pod is the claim kubernetes.io of a pod's token.
func pod(namespace, account string) map[string]any {
	return map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": account, "uid": "e6a8680e-d103-4cce-80ea-03acbbeacf7d"}}
}

// Without a list every account of the cluster is let in, and nobody else.
func TestKubernetesWithoutAccounts(t *testing.T) {
	fake := issuertest.NewInMemory(t)
	h, _ := fixture(t, "Kubernetes")
	want := map[string]string{
		"account that is not listed": "ok", "same name in another namespace": "ok", "user of the cluster": "app", "node of the cluster": "app",
		"anonymous": "app", "sub that says more than the claims": "claims", "namespace with the rest of sub in it": "claims",
	}
	for _, token := range h.Tokens {
		wanted, ok := want[token.Name]
		if !ok {
			continue
		}
		delete(want, token.Name)
		_, err := newValidator(t, providers.Kubernetes(h.Issuer, orders), h).Verify(t.Context(), raw(t, fake, token))
		if got := outcome(err); got != wanted {
			t.Errorf("%s: %s (%v), wanted %s", token.Name, got, err, wanted)
		}
	}
	if len(want) > 0 {
		t.Errorf("no such tokens: %v", want)
	}
}

// A refusal names the claim that differs, with both values, wherever every job that
// is listed pins it.
func TestRefusedJobsAreToldByTheirClaims(t *testing.T) {
	const workflow = "acme/orders/.github/workflows/deploy.yml@refs/heads/main"
	gitHub := issuertest.GitHubActions
	for name, tt := range map[string]struct {
		iss     func() validator.Issuer
		dialect issuertest.Dialect
		claims  map[string]any
		says    string
	}{
		"GitHub, repository": {job(providers.GitHubJob{RepositoryID: "1296269", Ref: "refs/heads/main"}), gitHub, map[string]any{"repository_id": "99"},
			`claim repository_id has another value: got ["99"], wanted ["1296269"]`},
		"GitHub, owner": {job(providers.GitHubJob{RepositoryID: "1296269", OwnerID: "583231", Ref: "refs/heads/main"}), gitHub, map[string]any{"repository_owner_id": "99"},
			`claim repository_owner_id has another value: got ["99"], wanted ["583231"]`},
		"GitHub, environment": {job(providers.GitHubJob{RepositoryID: "1296269", Environment: "production"}), gitHub, map[string]any{"environment": "staging"},
			`claim environment has another value: got ["staging"], wanted ["production"]`},
		"GitHub, no environment": {job(providers.GitHubJob{RepositoryID: "1296269", Environment: "production"}), gitHub, map[string]any{"environment": nil},
			`claim environment is missing, wanted ["production"]`},
		"GitHub, ref": {job(providers.GitHubJob{RepositoryID: "1296269", Ref: "refs/heads/main"}), gitHub, map[string]any{"ref": "refs/heads/next"},
			`claim ref has another value: got ["refs/heads/next"], wanted ["refs/heads/main"]`},
		"GitHub, workflow": {job(providers.GitHubJob{RepositoryID: "1296269", Workflow: workflow}), gitHub, map[string]any{"job_workflow_ref": workflow + "-2"},
			`claim job_workflow_ref has another value: got ["` + workflow + `-2"], wanted ["` + workflow + `"]`},
		"GitHub, two jobs": {func() validator.Issuer {
			return providers.GitHubActions(orders, providers.GitHubJob{RepositoryID: "2", Environment: "b"}, providers.GitHubJob{RepositoryID: "1296269", Environment: "a"})
		}, gitHub, map[string]any{"environment": "c"}, `got ["c"], wanted ["a", "b"]`},
		"GitLab, project": {gitLab(providers.GitLabJob{ProjectID: "1296269", Ref: "refs/heads/main"}), issuertest.GitLab, map[string]any{"project_id": "99"},
			`claim project_id has another value: got ["99"], wanted ["1296269"]`},
		"GitLab, ref": {gitLab(providers.GitLabJob{ProjectID: "1296269", Ref: "refs/heads/main"}), issuertest.GitLab, map[string]any{"ref_path": "refs/heads/next"},
			`claim ref_path has another value: got ["refs/heads/next"], wanted ["refs/heads/main"]`},
		"GitLab, environment": {gitLab(providers.GitLabJob{ProjectID: "1296269", Environment: "live"}), issuertest.GitLab, map[string]any{"environment": "production"},
			`claim environment has another value: got ["production"], wanted ["live"]`},
	} {
		t.Run(name, func(t *testing.T) {
			fake := issuertest.New(t)
			iss := tt.iss()
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{against(fake, iss)}})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			_, err = v.Verify(t.Context(), fake.DialectToken(tt.dialect, issuertest.Claims{Issuer: iss.URL, Audience: iss.Audience, Extra: tt.claims}))
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, wanted it to say %s", err, tt.says)
			}
		})
	}
}

// A claim that one job pins, and another does not, is no condition for both.
func TestJobsArePinnedOneByOne(t *testing.T) {
	fake := issuertest.New(t)
	iss := against(fake, providers.GitHubActions(orders,
		providers.GitHubJob{RepositoryID: "1", Environment: "production"}, providers.GitHubJob{RepositoryID: "2", Ref: "refs/heads/main"}))
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{iss}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for name, tt := range map[string]struct {
		claims map[string]any
		want   string
	}{
		"the first":                {map[string]any{"repository_id": "1", "ref": "refs/heads/next"}, "ok"},
		"the second":               {map[string]any{"repository_id": "2", "environment": nil}, "ok"},
		"the first, as the second": {map[string]any{"repository_id": "1", "environment": "staging"}, "claims"},
		"the second, as the first": {map[string]any{"repository_id": "2", "ref": "refs/heads/next"}, "claims"},
	} {
		_, err := v.Verify(t.Context(), fake.DialectToken(issuertest.GitHubActions, issuertest.Claims{Issuer: iss.URL, Audience: iss.Audience, Extra: tt.claims}))
		if got := outcome(err); got != tt.want {
			t.Errorf("%s: %s (%v), wanted %s", name, got, err, tt.want)
		}
	}
}
