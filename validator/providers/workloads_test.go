package providers_test

import (
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
	"github.com/m2mguard/m2mguard/validator/providers"
)

// workloads are presets whose list of whom to let in is part of AppOnly.
var workloads = []string{"GitHubActions", "GitLab", "Kubernetes", "SPIFFE"}

// Whoever asks for other claims in Profile.Match opens nothing: the list is in App,
// too.
func TestWorkloadsAreListedInAppAlone(t *testing.T) {
	fake := issuertest.NewInMemory(t)
	for _, name := range workloads {
		h, _ := fixture(t, name)
		for _, token := range h.Tokens {
			if token.Want == "client" || token.Clients != nil {
				continue
			}
			t.Run(name+", "+token.Name, func(t *testing.T) {
				iss := presets[name]()
				iss.Profile.Match = nil
				_, err := newValidator(t, iss, h).Verify(t.Context(), raw(t, fake, token))
				if ok := token.Want == "ok"; (err == nil) != ok {
					t.Errorf("got %v, wanted %s", err, token.Want)
				}
			})
		}
	}
}

// Without a list every account of the cluster is let in, and nobody else.
func TestKubernetesWithoutAccounts(t *testing.T) {
	fake := issuertest.NewInMemory(t)
	h, _ := fixture(t, "Kubernetes")
	want := map[string]string{
		"account that is not listed": "ok", "same name in another namespace": "ok", "user of the cluster": "app", "node of the cluster": "app",
		"anonymous": "app", "sub that says more than the claims": "app", "namespace with the rest of sub in it": "app",
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
		"the first, as the second": {map[string]any{"repository_id": "1", "environment": "staging"}, "app"},
		"the second, as the first": {map[string]any{"repository_id": "2", "ref": "refs/heads/next"}, "app"},
	} {
		_, err := v.Verify(t.Context(), fake.DialectToken(issuertest.GitHubActions, issuertest.Claims{Issuer: iss.URL, Audience: iss.Audience, Extra: tt.claims}))
		if got := outcome(err); got != tt.want {
			t.Errorf("%s: %s (%v), wanted %s", name, got, err, tt.want)
		}
	}
}
