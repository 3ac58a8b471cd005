package guardtest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// scopeAttribute is the scope attribute of a challenge (RFC 6750 §3).
var scopeAttribute = regexp.MustCompile(`\bscope="([^"]*)"`)

// compareRules sends good tokens whose scopes tell the rule of Want from others. The
// scopes that a challenge asks for are tried, too: a rule that Handle did not
// register may name some that are in no list.
func (q question) compareRules() {
	q.Helper()
	rule := q.want[q.pattern]
	tried := make(map[string]bool)
	for sets := q.sets(rule); len(sets) > 0; sets = sets[1:] {
		set := sets[0]
		key := strings.Join(set, " ")
		if tried[key] {
			continue
		}
		tried[key] = true
		got := q.send(q.token(set))
		if !q.compare(rule, set, got) {
			return
		}
		if q.learn(got) {
			sets = append(sets, q.sets(rule)...)
		}
	}
}

// learn adds the scopes that a challenge asks for to those that are tried.
func (r *run) learn(got reply) (more bool) {
	for _, asked := range scopeAttribute.FindAllStringSubmatch(got.challenges, -1) {
		for name := range strings.FieldsSeq(asked[1]) {
			if !slices.Contains(r.universe, name) && scopes.Valid(name) {
				r.universe, more = append(slices.Clone(r.universe), name), true
			}
		}
	}
	return more
}

// compare reports an answer that the rule would not have given.
func (q question) compare(rule scopes.Rule, set []string, got reply) bool {
	q.Helper()
	allowed := rule.Allows(granted(set))
	switch {
	case got.status == http.StatusUnauthorized || got.status == http.StatusServiceUnavailable && strings.Contains(got.body, "temporarily_unavailable"):
		q.Errorf("guardtest: %s answers %d to a good token: the app must trust the issuer and have the audience that it is given; for a route with an audience of its own, name that in guardtest.Claims",
			q, got.status)
	case allowed && got.scopeMissing():
		q.Errorf("guardtest: %s refuses a token with the scopes %q, which satisfy the rule in Want: another rule, a group's rule that Want leaves out (scopes.AllOf), or a shadowed route",
			q, set)
	case !allowed && got.status != http.StatusForbidden:
		q.Errorf("guardtest: %s answers %d to a token with the scopes %q, wanted 403: another rule, a group's rule that Want leaves out (scopes.AllOf), or a shadowed route",
			q, got.status, set)
	case !allowed && !got.scopeMissing() && q.refusesGood(rule):
		q.Errorf("guardtest: %s answers 403 to every token, so its rule cannot be seen: Claims can make tokens that the API's own policy accepts",
			q)
	default:
		return true
	}
	return false
}

// refusesGood reports whether a token with the right scopes gets the same kind of
// answer as one without: 403 that names no missing scope. Bodies are not compared,
// because they may hold what differs with each request.
func (q question) refusesGood(rule scopes.Rule) bool {
	got := q.send(q.token(strings.Fields(rule.Needs())))
	return got.status == http.StatusForbidden && !got.scopeMissing()
}

// everySubset is of how many names every subset is tried.
const everySubset = 8

// sets are the scopes to try. A rule lets no token in less for one scope more, so
// two rules are the same if both let in the smallest sets that one lets in, and
// refuse the largest that it refuses. Single scopes and all but one come first,
// because a report of those says more.
func (q question) sets(rule scopes.Rule) [][]string {
	names := rule.Names()
	others := without(q.universe, names...)
	sets := [][]string{nil, strings.Fields(rule.Needs()), q.universe}
	for _, name := range q.universe {
		sets = append(sets, []string{name}, without(q.universe, name))
	}
	for _, seed := range seeds(names) {
		if rule.Allows(granted(seed)) {
			for _, name := range names {
				if fewer := without(seed, name); rule.Allows(granted(fewer)) {
					seed = fewer
				}
			}
			sets = append(sets, seed)
			continue
		}
		for _, name := range without(names, seed...) {
			if more := append(slices.Clone(seed), name); !rule.Allows(granted(more)) {
				seed = more
			}
		}
		sets = append(sets, slices.Concat(others, seed))
	}
	for _, set := range sets {
		slices.Sort(set)
	}
	return sets
}

// seeds are all subsets of a few names; of more, those of one or two names, and of
// all but those.
func seeds(names []string) (sets [][]string) {
	if len(names) > everySubset {
		for i, name := range names {
			for _, second := range names[i:] {
				pair := slices.Compact([]string{name, second})
				sets = append(sets, pair, without(names, pair...))
			}
		}
		return sets
	}
	for bits := range 1 << len(names) {
		var set []string
		for i, name := range names {
			if bits>>i&1 == 1 {
				set = append(set, name)
			}
		}
		sets = append(sets, set)
	}
	return sets
}

// without is a copy of names that lacks some.
func without(names []string, some ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(some, name) })
}

// granted is what a token with these scopes may do.
func granted(names []string) scopes.Set {
	set, err := scopes.Of(names...)
	if err != nil {
		panic("guardtest: " + err.Error()) // they come from rules, which hold none but valid ones
	}
	return set
}

// with are the claims of a token with these scopes.
func (r *run) with(names []string) issuertest.Claims {
	c := r.claims
	c.Scope = strings.Join(names, " ")
	return c
}

// token is a good token with these scopes.
func (r *run) token(names []string) string {
	key := strings.Join(names, " ")
	if r.tokens[key] == "" {
		r.tokens[key] = r.iss.Token(r.with(names))
	}
	return r.tokens[key]
}
