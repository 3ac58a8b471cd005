package scopes

import (
	"fmt"
	"slices"
	"strings"
)

// Rule is what a route asks of a token's scopes. The zero value, and a rule
// made of nothing, let nobody in.
type Rule struct {
	op    op
	names []string
	rules []Rule
	needs string
}

type op uint8

const (
	nobody op = iota
	anyToken
	all
	anyOne
)

// All asks for each of the names. All() lets nobody in. It panics if a name is
// not a scope name of RFC 6749 §3.3.
func All(names ...string) Rule {
	return named("All", all, names, strings.Join(names, " "))
}

// Any asks for at least one of the names. Any() lets nobody in. It panics like
// All.
func Any(names ...string) Rule {
	first := ""
	if len(names) > 0 {
		first = names[0]
	}
	return named("Any", anyOne, names, first)
}

// AllOf asks for what each of the rules asks for. AllOf() lets nobody in, and
// so does an AllOf with a rule in it that lets nobody in.
func AllOf(rules ...Rule) Rule {
	if len(rules) == 0 {
		return Rule{}
	}
	var needs []string
	for _, r := range rules {
		if r.op == nobody {
			return Rule{}
		}
		for name := range strings.FieldsSeq(r.needs) {
			if !slices.Contains(needs, name) {
				needs = append(needs, name)
			}
		}
	}
	return Rule{op: all, rules: slices.Clone(rules), needs: strings.Join(needs, " ")}
}

// AnyOf asks for what at least one of the rules asks for. AnyOf() lets nobody
// in.
func AnyOf(rules ...Rule) Rule {
	open := slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return r.op == nobody })
	if len(open) == 0 {
		return Rule{}
	}
	return Rule{op: anyOne, rules: open, needs: open[0].needs}
}

// AnyToken asks for no scope: every valid token passes.
func AnyToken() Rule { return Rule{op: anyToken} }

// named makes a rule of scope names that it owns.
func named(fn string, o op, names []string, needs string) Rule {
	if len(names) == 0 {
		return Rule{}
	}
	for _, name := range names {
		if !Valid(name) {
			panic(fmt.Sprintf("scopes: %s(%q): one argument is one scope name of printable ASCII without space, %q and %q (RFC 6749 §3.3)", fn, name, '"', '\\'))
		}
	}
	return Rule{op: o, names: slices.Clone(names), needs: needs}
}

// Allows reports whether a token with the scopes of have passes.
func (r Rule) Allows(have Set) bool { return r.allows(&have) }

func (r *Rule) allows(have *Set) bool {
	switch r.op {
	case anyToken:
		return true
	case all:
		for _, name := range r.names {
			if !have.holds(name) && !have.covers(name) {
				return false
			}
		}
		for i := range r.rules {
			if !r.rules[i].allows(have) {
				return false
			}
		}
		return true
	case anyOne:
		for _, name := range r.names {
			if have.holds(name) || have.covers(name) {
				return true
			}
		}
		for i := range r.rules {
			if r.rules[i].allows(have) {
				return true
			}
		}
	}
	return false
}

// Needs is what a client should ask its authorization server for in order to
// pass, in the form of the scope attribute of a challenge (RFC 6750 §3): all of
// an All, the first alternative of an Any. It is empty if the rule asks for no
// scope, and if it lets nobody in.
func (r Rule) Needs() string { return r.needs }

// Names lists the scope names that r mentions, in order and each once. A token
// may satisfy r with fewer of them, or not with all: Allows decides.
func (r Rule) Names() []string {
	names := slices.Clone(r.names)
	for i := range r.rules {
		names = append(names, r.rules[i].Names()...)
	}
	seen := make(map[string]bool, len(names))
	return slices.DeleteFunc(names, func(name string) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
}

// Alternatives lists the sets of scope names of which each is enough for r, as it is
// written: one for an All, one for each name of an Any, and their combinations. It holds
// one empty set if any token passes, and is nil if nobody does. It is for people and
// documents: of a rule whose parts are all alternatives, it grows with their product.
func (r Rule) Alternatives() [][]string {
	switch r.op {
	case anyToken:
		return [][]string{{}}
	case all:
		sets := [][]string{slices.Clone(r.names)}
		for i := range r.rules {
			sets = combined(sets, r.rules[i].Alternatives())
		}
		return minimal(sets)
	case anyOne:
		var sets [][]string
		for _, name := range r.names {
			sets = append(sets, []string{name})
		}
		for i := range r.rules {
			sets = append(sets, r.rules[i].Alternatives()...)
		}
		return minimal(sets)
	}
	return nil
}

// combined are the unions of each set of one list with each of the other.
func combined(some, others [][]string) (all [][]string) {
	for _, s := range some {
		for _, o := range others {
			union := slices.Clone(s)
			for _, name := range o {
				if !slices.Contains(union, name) {
					union = append(union, name)
				}
			}
			all = append(all, union)
		}
	}
	return all
}

// minimal leaves out sets of which another one is a part.
func minimal(sets [][]string) (kept [][]string) {
	within := func(small, large []string) bool {
		return !slices.ContainsFunc(small, func(name string) bool { return !slices.Contains(large, name) })
	}
	for i, s := range sets {
		covered := func(j int, other []string) bool {
			return i != j && within(other, s) && (j < i || !within(s, other))
		}
		needless := false
		for j, other := range sets {
			needless = needless || covered(j, other)
		}
		if !needless {
			kept = append(kept, s)
		}
	}
	return kept
}
