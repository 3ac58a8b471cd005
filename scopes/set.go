package scopes

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Set is an immutable set of scope names. The zero value is empty.
type Set struct {
	names []string // sorted, distinct, valid
	// under is what the names that a wildcard covers begin with, up to the star;
	// sorted and distinct. Most sets have none.
	under []string
}

// Parse reads a space-delimited list (RFC 6749 §3.3). Superfluous spaces are
// ignored, an empty list is an empty set. It fails if a name holds a character
// that the RFC does not allow; the error does not quote the input.
func Parse(list string) (Set, error) {
	var names []string
	if list != "" {
		names = make([]string, 0, 1+strings.Count(list, " "))
	}
	for list != "" {
		var name string
		name, list, _ = strings.Cut(list, " ")
		if name != "" {
			names = append(names, name)
		}
	}
	return newSet(names)
}

// Of is the set of the given names, as in a claim that is an array. It fails
// like Parse; a name with a space in it is refused, not split.
func Of(names ...string) (Set, error) {
	return newSet(slices.Clone(names))
}

// newSet takes names over.
func newSet(names []string) (Set, error) {
	for _, name := range names {
		if !Valid(name) {
			return Set{}, fmt.Errorf("scopes: a scope name is empty or holds a character outside RFC 6749 §3.3 (printable ASCII without space, %q and %q)", '"', '\\')
		}
	}
	return Set{names: distinct(names)}, nil
}

// distinct takes valid names over. A set of few names keeps no room for the many
// repeats or spaces that it may have been written with.
func distinct(names []string) []string {
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) < cap(names) {
		names = slices.Clone(names)
	}
	return names
}

// Valid reports whether name can be a scope: a scope-token of RFC 6749 §3.3,
// 1*( %x21 / %x23-5B / %x5D-7E ).
func Valid(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return name != ""
}

// Contains reports whether name is in the set, or under one of its wildcards
// (see [Set.WithWildcards]).
func (s Set) Contains(name string) bool { return s.holds(name) || s.covers(name) }

// holds and covers are Contains by name and by wildcard, each small enough for the
// compiler to put in its place.
func (s *Set) holds(name string) bool {
	_, found := slices.BinarySearch(s.names, name)
	return found
}

func (s *Set) covers(name string) bool { return len(s.under) > 0 && goesOn(s.under, name) }

// Len is the number of names in the set.
func (s Set) Len() int { return len(s.names) }

// All yields the names in lexical order.
func (s Set) All() iter.Seq[string] { return slices.Values(s.names) }

// Union is the set of the names that are in s or in t. A wildcard of one of them
// stays one, and makes no name of the other a wildcard.
func (s Set) Union(t Set) Set {
	if len(t.names) == 0 {
		return s
	}
	if len(s.names) == 0 {
		return t
	}
	return Set{distinct(slices.Concat(s.names, t.names)), distinct(slices.Concat(s.under, t.under))}
}

// String is the space-delimited form of RFC 6749 §3.3, in lexical order.
func (s Set) String() string { return strings.Join(s.names, " ") }
