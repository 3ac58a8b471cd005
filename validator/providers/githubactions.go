package providers

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/validator"
)

// GitHubActions accepts the OIDC tokens of GitHub Actions: each is one job's, and
// lives for minutes. The audience is this API's own name, which the workflow asks
// for with core.getIDToken(audience); unasked, tokens name the repository's owner.
// Jobs lists the accepted jobs, at least one.
//
// The list is what keeps strangers out: every repository of GitHub can get a
// token for any audience. It holds whatever is changed in the Issuer afterwards. A
// job is told by ids, which stay when names change, and never by sub: that begins
// alike for repositories whose names do, has several forms, and can be rewritten by
// who owns a repository. See [GitHubJob].
//
// There are no scopes. The repository's id is the one scope and role that a
// token has, so a route names whom it lets in, or Profile.Implies what it may do:
//
//	auth.Require(scopes.Any("1296269"))
//	iss.Profile.Implies = map[string][]string{"1296269": {"orders:write"}}
//
// AppOnly is set: each token is a job's, and none is a user's. Token.Claim reads
// its other claims ("environment", "sha", "actor"). A job of a pull request is never
// let in: what it runs is what somebody proposed.
//
// The keys are discovered, so that an enterprise needs no more than its issuer in
// URL: "https://token.actions.githubusercontent.com/ENTERPRISE", or
// "https://HOST/_services/token" for GitHub Enterprise Server.
//
// Source: https://docs.github.com/en/actions/reference/security/oidc.
func GitHubActions(audience string, jobs ...GitHubJob) validator.Issuer {
	jobs = slices.Clone(jobs)
	args := of("GitHubActions")
	args.audience(audience)
	if strings.HasPrefix(audience, "https://github.com/") {
		args.wrong("the audience is %s, which is what tokens name unasked, wanted a name of this API's own", shown(audience))
	}
	if len(jobs) == 0 {
		args.wrong("there are no jobs, wanted those to let in: every repository of GitHub can get a token for any audience")
	}
	for _, job := range jobs {
		if problem := job.fault(); problem != "" {
			args.wrong("%s", problem)
		}
	}
	iss := validator.Issuer{
		URL:        "https://token.actions.githubusercontent.com",
		Audience:   []string{audience},
		AppOnly:    true,
		Algorithms: []string{"RS256"},
		Profile: validator.Profile{
			Require: []string{"repository_id", "ref", "event_name"},
			Match: pinned(map[string]func(GitHubJob) string{
				"repository_id":       func(j GitHubJob) string { return j.RepositoryID },
				"repository_owner_id": func(j GitHubJob) string { return j.OwnerID },
				"job_workflow_ref":    func(j GitHubJob) string { return j.Workflow },
				"environment":         func(j GitHubJob) string { return j.Environment },
				"ref":                 func(j GitHubJob) string { return j.Ref },
			}, jobs),
			ScopeClaims: []string{"repository_id"},
			RoleClaims:  []string{"repository_id"},
			App:         func(*validator.Token) bool { return true }, // this issuer has no users
		},
	}
	iss.Insist(func(t *validator.Token) error { return gitHubListed(t, jobs) })
	return args.on(iss)
}

// GitHubJob says which jobs are let in: those that have all that is set here,
// compared byte for byte. RepositoryID is needed, and one of Workflow, Environment
// and Ref: whoever can push a branch to a repository can run any job in it.
type GitHubJob struct {
	_ [0]func()

	// RepositoryID is the repository's number (repository_id), as
	// "gh api repos/OWNER/NAME --jq .id" prints it. It stays when the repository
	// is renamed, and is never given to another one, unlike its name.
	RepositoryID string

	// OwnerID is the number of the organization or user that owns the repository
	// (repository_owner_id). With it, a repository that is handed over is let in
	// no longer. Default: any.
	OwnerID string

	// Workflow is the file that the job is in, and the commit, branch or tag that it
	// was taken from (job_workflow_ref), such as
	// "acme/orders/.github/workflows/deploy.yml@refs/heads/main". For a job of a
	// reusable workflow it is that one. Default: any.
	Workflow string

	// Environment is the deployment environment that the job names (environment).
	// Any branch's workflow can name one: let the environment's protection rules
	// say which branches may deploy to it, or set Ref, too. Default: any.
	Environment string

	// Ref is the branch or tag that the workflow ran for (ref), such as
	// "refs/heads/main". Default: any but that of a pull request.
	Ref string
}

var (
	number       = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)
	workflowFile = regexp.MustCompile(`^[^/@\s]+/[^/@\s]+/\.github/workflows/[^/@\s]+@[^@\s]+$`)
	branchOrTag  = regexp.MustCompile(`^refs/(heads|tags)/[^\s*?\[\\^~:\pC]+$`)
)

// fault says what is wrong with j, or nothing.
func (j GitHubJob) fault() string {
	switch {
	case !number.MatchString(j.RepositoryID):
		return fmt.Sprintf("a job's RepositoryID is %s, wanted the repository's number, such as 1296269: names can come to be another's", shown(j.RepositoryID))
	case j.OwnerID != "" && !number.MatchString(j.OwnerID):
		return fmt.Sprintf("a job's OwnerID is %s, wanted the owner's number, such as 583231: names can come to be another's", shown(j.OwnerID))
	case j.Workflow != "" && !workflowFile.MatchString(j.Workflow):
		return fmt.Sprintf("a job's Workflow is %s, wanted OWNER/NAME/.github/workflows/FILE@REF as tokens have it in job_workflow_ref", shownWorkflow(j.Workflow))
	case strings.TrimSpace(j.Environment) != j.Environment || unseen(strings.ReplaceAll(j.Environment, " ", "")):
		return fmt.Sprintf("a job's Environment is %s, wanted its name alone", shown(j.Environment))
	case j.Ref != "" && !branchOrTag.MatchString(j.Ref):
		return fmt.Sprintf("a job's Ref is %s, wanted one branch or tag in full, such as refs/heads/main", shown(j.Ref))
	case j.Workflow == "" && j.Environment == "" && j.Ref == "":
		return fmt.Sprintf("a job is told by repository %s alone, wanted Workflow, Environment or Ref, too: whoever can push a branch can run any job there", j.RepositoryID)
	}
	return ""
}

// shownWorkflow is a workflow as an error may quote it: it has an "@" in it, and
// is a URL with a password only if it begins like a URL.
func shownWorkflow(workflow string) string {
	if before, after, ok := strings.Cut(workflow, "@"); ok && !strings.Contains(before, ":") {
		return shown(before) + "@" + shown(after)
	}
	return shown(workflow)
}

// gitHubClaims are those that tell one job from another.
type gitHubClaims struct {
	RepositoryID string `json:"repository_id"`
	OwnerID      string `json:"repository_owner_id"`
	Workflow     string `json:"job_workflow_ref"`
	Environment  string `json:"environment"`
	Ref          string `json:"ref"`
	Event        string `json:"event_name"`
	Head         string `json:"head_ref"` // of a pull request alone
}

// gitHubListed says why a token is not that of one of the jobs, or nothing.
func gitHubListed(t *validator.Token, jobs []GitHubJob) error {
	var c gitHubClaims
	switch err := t.Claims(&c); {
	case err != nil:
		return err
	case strings.HasPrefix(c.Event, "pull_request"):
		return fmt.Errorf("a pull request's job (event_name %s)", c.Event)
	case strings.HasPrefix(c.Ref, "refs/pull/"):
		return fmt.Errorf("a pull request's job (ref %s)", c.Ref)
	case c.Head != "":
		return fmt.Errorf("a pull request's job (head_ref %s)", c.Head)
	case c.Event == "" || c.Ref == "":
		return errors.New("a job that may be a pull request's (no event_name or ref)")
	case slices.ContainsFunc(jobs, c.are):
		return nil
	}
	same := slices.DeleteFunc(slices.Clone(jobs), func(j GitHubJob) bool { return j.RepositoryID != c.RepositoryID })
	return notListed("repository", c.RepositoryID,
		pin("owner", c.OwnerID, same, func(j GitHubJob) string { return j.OwnerID }),
		pin("environment", c.Environment, same, func(j GitHubJob) string { return j.Environment }),
		pin("ref", c.Ref, same, func(j GitHubJob) string { return j.Ref }),
		pin("workflow", c.Workflow, same, func(j GitHubJob) string { return j.Workflow }))
}

// are reports whether the claims are those of j.
func (c *gitHubClaims) are(j GitHubJob) bool {
	return c.RepositoryID == j.RepositoryID && unsetOr(j.OwnerID, c.OwnerID) &&
		unsetOr(j.Workflow, c.Workflow) && unsetOr(j.Environment, c.Environment) && unsetOr(j.Ref, c.Ref)
}

// pinned lists the values that a claim may have, of the claims that each of the jobs
// pins: a token with another one is refused by the claim's name. Whether all that is
// pinned belongs to one job is for what the preset insists on to say.
func pinned[J any](claims map[string]func(J) string, jobs []J) map[string][]string {
	match := make(map[string][]string)
	for claim, of := range claims {
		var values []string
		for _, job := range jobs {
			values = append(values, of(job))
		}
		slices.Sort(values)
		if values = slices.Compact(values); len(values) > 0 && values[0] != "" {
			match[claim] = values
		}
	}
	return match
}

// pin says what a token has of a claim that one of the jobs pins, or nothing.
func pin[J any](name, found string, jobs []J, of func(J) string) string {
	switch {
	case !slices.ContainsFunc(jobs, func(j J) bool { return of(j) != "" }):
		return ""
	case found == "":
		return "no " + name
	}
	return name + " " + found
}

// notListed is the error for a job of this number with those pins.
func notListed(kind, id string, pins ...string) error {
	pins = slices.DeleteFunc(append([]string{kind + " " + id}, pins...), func(pin string) bool { return pin == "" })
	last := len(pins) - 1
	if last == 0 {
		return errors.New("no listed job has " + pins[0])
	}
	return errors.New("no listed job has " + strings.Join(pins[:last], ", ") + " and " + pins[last])
}

// unsetOr reports whether a claim is what was asked for, if it was.
func unsetOr(wanted, found string) bool { return wanted == "" || wanted == found }
