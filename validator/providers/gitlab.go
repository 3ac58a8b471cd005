package providers

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/validator"
)

// GitLab accepts the ID tokens of GitLab CI/CD jobs: each is one job's, and lives
// as long as the job may. The issuer is the instance, such as
// "https://gitlab.com"; the audience is this API's own name, which the job asks
// for with id_tokens: aud. Jobs lists the accepted jobs, at least one.
//
// The list is what keeps strangers out: every project of the instance can get a
// token for any audience. It holds whatever is changed in the Issuer afterwards. A
// job is told by its project's id, and never by sub, which begins alike for projects
// whose paths do and can be configured. See [GitLabJob].
//
// There are no scopes. The project's id is the one scope and role that a token
// has, so a route names whom it lets in, or Profile.Implies what it may do:
//
//	auth.Require(scopes.Any("20"))
//	iss.Profile.Implies = map[string][]string{"20": {"orders:write"}}
//
// AppOnly is set: users' ID tokens come from the same issuer, with the same keys,
// and have no job_id.
//
// A merge request's job is refused: what it runs is what somebody proposed. A child
// pipeline does not tell whether its parent was a merge request's, and names the branch
// that was proposed, so only the jobs of a listed Ref let one in.
//
// The keys are discovered, at /oauth/discovery/keys.
//
// Source: https://docs.gitlab.com/ci/secrets/id_token_authentication/.
func GitLab(issuerURL, audience string, jobs ...GitLabJob) validator.Issuer {
	jobs = slices.Clone(jobs)
	args := of("GitLab")
	args.issuer(issuerURL)
	args.audience(audience)
	if audience != "" && strings.TrimSuffix(audience, "/") == strings.TrimSuffix(issuerURL, "/") {
		args.wrong("the audience is %s, which is what tokens name unasked, wanted a name of this API's own", shown(audience))
	}
	if len(jobs) == 0 {
		args.wrong("there are no jobs, wanted those to let in: every project of the instance can get a token for any audience")
	}
	for _, job := range jobs {
		if problem := job.fault(); problem != "" {
			args.wrong("%s", problem)
		}
	}
	iss := validator.Issuer{
		URL:        issuerURL,
		Audience:   []string{audience},
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require: []string{"project_id", "job_id", "ref_path", "pipeline_source"},
			Match: pinned(map[string]func(GitLabJob) string{
				"project_id":  func(j GitLabJob) string { return j.ProjectID },
				"ref_path":    func(j GitLabJob) string { return j.Ref },
				"environment": func(j GitLabJob) string { return j.Environment },
			}, jobs),
			ScopeClaims: []string{"project_id"},
			RoleClaims:  []string{"project_id"},
			App:         func(t *validator.Token) bool { return t.Claim("job_id", new(string)) == nil }, // a user's has none
		},
	}
	iss.Insist(func(t *validator.Token) error { return gitLabListed(t, jobs) })
	return args.on(iss)
}

// GitLabJob says which jobs are let in: those that have all that is set here,
// compared byte for byte. ProjectID is needed, and Ref or Environment: whoever can
// push a branch to a project can run any job in it.
type GitLabJob struct {
	_ [0]func()

	// ProjectID is the project's number (project_id), which stays when the project
	// is renamed or moved. Where the token tells in which project the job ran
	// (job_project_id, from GitLab 18.4 on), it must be the same one.
	ProjectID string

	// Ref is the branch or tag in full (ref_path), such as "refs/heads/main".
	// Default: any, if it or the environment is protected (ref_protected,
	// environment_protected), and not in a child pipeline.
	Ref string

	// Environment is the one that the job deploys to (environment). Any branch's
	// pipeline can name one, hence the condition above. Default: any.
	Environment string
}

// fault says what is wrong with j, or nothing.
func (j GitLabJob) fault() string {
	switch {
	case !number.MatchString(j.ProjectID):
		return fmt.Sprintf("a job's ProjectID is %s, wanted the project's number, such as 20: paths can come to be another's", shown(j.ProjectID))
	case j.Ref != "" && !branchOrTag.MatchString(j.Ref):
		return fmt.Sprintf("a job's Ref is %s, wanted one branch or tag in full, such as refs/heads/main", shown(j.Ref))
	case strings.TrimSpace(j.Environment) != j.Environment || unseen(strings.ReplaceAll(j.Environment, " ", "")):
		return fmt.Sprintf("a job's Environment is %s, wanted its name alone", shown(j.Environment))
	case j.Ref == "" && j.Environment == "":
		return fmt.Sprintf("a job is told by project %s alone, wanted Ref or Environment, too: whoever can push a branch can run any job there", j.ProjectID)
	}
	return ""
}

// gitLabClaims are those that tell one job from another. What is true or false
// is a string.
type gitLabClaims struct {
	ProjectID            string `json:"project_id"`
	JobProjectID         string `json:"job_project_id"`
	Ref                  string `json:"ref_path"`
	RefProtected         string `json:"ref_protected"`
	Environment          string `json:"environment"`
	EnvironmentProtected string `json:"environment_protected"`
	Source               string `json:"pipeline_source"`
}

// gitLabListed says why a token is not that of one of the jobs, or nothing.
func gitLabListed(t *validator.Token, jobs []GitLabJob) error {
	var c gitLabClaims
	switch err := t.Claims(&c); {
	case err != nil:
		return err
	case c.Source == "merge_request_event" || c.Source == "external_pull_request_event":
		return fmt.Errorf("a merge request's job (pipeline_source %s)", c.Source)
	case strings.HasPrefix(c.Ref, "refs/merge-requests/"):
		return fmt.Errorf("a merge request's job (ref_path %s)", c.Ref)
	case c.Source == "" || c.Ref == "":
		return errors.New("a job that may be a merge request's (no pipeline_source or ref_path)")
	case c.JobProjectID != "" && c.JobProjectID != c.ProjectID:
		return fmt.Errorf("a job of project %s that ran in another one (job_project_id %s)", c.ProjectID, c.JobProjectID)
	}
	like := slices.DeleteFunc(slices.Clone(jobs), func(j GitLabJob) bool { return !c.like(j) })
	protected := c.RefProtected == "true" || c.EnvironmentProtected == "true"
	switch {
	case len(like) == 0:
		same := slices.DeleteFunc(slices.Clone(jobs), func(j GitLabJob) bool { return j.ProjectID != c.ProjectID })
		return notListed("project", c.ProjectID,
			pin("environment", c.Environment, same, func(j GitLabJob) string { return j.Environment }),
			pin("ref", c.Ref, same, func(j GitLabJob) string { return j.Ref }))
	case slices.ContainsFunc(like, func(j GitLabJob) bool { return j.Ref != "" }):
		return nil
	case c.Source == "parent_pipeline":
		return errors.New("a child pipeline's job, maybe a merge request's (pipeline_source parent_pipeline), and no listed job of it has a Ref")
	case !protected:
		return fmt.Errorf("neither ref %s nor environment %s is protected, and no listed job of it has a Ref", c.Ref, c.Environment)
	}
	return nil
}

// like reports whether the claims are those of j, as far as j says.
func (c *gitLabClaims) like(j GitLabJob) bool {
	return c.ProjectID == j.ProjectID && unsetOr(j.Ref, c.Ref) && unsetOr(j.Environment, c.Environment)
}
