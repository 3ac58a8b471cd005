package validator

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/m2mguard/m2mguard/internal/quote"
	"github.com/m2mguard/m2mguard/scopes"
)

// maxImplied bounds Profile.Implies: what a token that grants all of it costs, once.
const maxImplied = 1000

// faults says which fields would refuse every token, grant what nobody meant, or
// name nothing.
func (p *Profile) faults() (faults []string) {
	if p.Types != nil && len(p.Types) == 0 {
		faults = append(faults, "Types is empty, wanted nil for the default or at least one type")
	}
	for _, typ := range p.Types {
		if strings.Contains(typ, "/") {
			faults = append(faults, fmt.Sprintf("Types holds %q, wanted the type without its %q prefix", typ, "application/"))
		}
	}
	for field, names := range map[string][]string{
		"Require": p.Require, "ScopeClaims": p.ScopeClaims, "NameClaims": p.NameClaims, "RoleClaims": p.RoleClaims,
		"Match": slices.Collect(maps.Keys(p.Match)), "MatchAnswer": slices.Collect(maps.Keys(p.MatchAnswer)),
	} {
		if slices.Contains(names, "") {
			faults = append(faults, field+" names an empty claim")
		}
	}
	for field, match := range map[string]map[string][]string{"Match": p.Match, "MatchAnswer": p.MatchAnswer} {
		for name, wanted := range match {
			if len(wanted) == 0 {
				faults = append(faults, fmt.Sprintf("%s lists no value for %s, wanted at least one: no token could hold it", field, quote.Value(name)))
			}
		}
	}
	faults = append(faults, p.splitFaults()...)
	faults = append(faults, p.impliesFaults()...)
	if _, err := (scopes.Set{}).WithWildcards(p.WildcardSuffix); err != nil && p.WildcardSuffix != "" {
		faults = append(faults, fmt.Sprintf("WildcardSuffix is %s, wanted one character of punctuation and a star, such as %q, or none", quote.Value(p.WildcardSuffix), ":*"))
	}
	slices.Sort(faults)
	return faults
}

// splitFaults names claims that would be split after all.
func (p *Profile) splitFaults() (faults []string) {
	lists := p.ScopeClaims
	if lists == nil {
		lists = plainScopes
	}
	for _, name := range p.NameClaims {
		if slices.ContainsFunc(lists, func(list string) bool { return slices.Equal(steps(list), steps(name)) }) {
			faults = append(faults, fmt.Sprintf("NameClaims holds %s, which ScopeClaims splits, by default if it is nil, wanted the claim in one of them", quote.Value(name)))
		}
	}
	return faults
}

// impliesFaults is about names that no token or rule can hold, or that grant less or
// more than they seem to.
func (p *Profile) impliesFaults() (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	n := 0
	for _, name := range slices.Sorted(maps.Keys(p.Implies)) {
		implied := p.Implies[name]
		n += 1 + len(implied)
		if len(implied) == 0 {
			fault("Implies lists nothing for %s, wanted the scopes that it stands for", quote.Value(name))
		}
		if !scopes.Valid(name) {
			fault("Implies names %s, "+noScopeName, quote.Value(name))
		}
		for _, other := range implied {
			switch {
			case !scopes.Valid(other):
				fault("Implies lists %s for %s, "+noScopeName, quote.Value(other), quote.Value(name))
			case strings.HasSuffix(other, "*") && !p.isWildcard(other):
				fault("Implies lists %s for %s, which is no wildcard by WildcardSuffix and so grants that name alone, wanted the scopes that are meant", quote.Value(other), quote.Value(name))
			}
		}
	}
	if n > maxImplied {
		fault("Implies lists %d names, wanted at most %d", n, maxImplied)
	} else if circle := p.circle(); circle != nil {
		fault("Implies goes in a circle: %s: each of them would grant all of them", strings.Join(circle, ", "))
	}
	return faults
}

const noScopeName = `wanted a scope name of printable ASCII without space, '"' and '\' (RFC 6749 §3.3)`

// isWildcard asks the one place that knows, by a name that the wildcard would cover.
func (p *Profile) isWildcard(name string) bool {
	one, err := scopes.Of(name)
	if err != nil {
		return false
	}
	one, err = one.WithWildcards(p.WildcardSuffix)
	return err == nil && one.Contains(strings.TrimSuffix(name, "*")+"x")
}

// circle returns names of Implies of which each implies the next, and the last the
// first, quoted; or nil.
func (p *Profile) circle() []string {
	done := make(map[string]bool)
	var path []string
	var walk func(name string) []string
	walk = func(name string) []string {
		if at := slices.Index(path, name); at >= 0 {
			return append(slices.Clone(path[at:]), name)
		}
		if done[name] {
			return nil
		}
		path = append(path, name)
		defer func() { path = path[:len(path)-1]; done[name] = true }()
		for _, next := range p.Implies[name] {
			if found := walk(next); found != nil {
				return found
			}
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(p.Implies)) {
		if circle := walk(name); circle != nil {
			for i, name := range circle {
				circle[i] = quote.Value(name)
			}
			return circle
		}
	}
	return nil
}
