package scopes

import (
	"fmt"
	"slices"
	"strings"
)

// WithWildcards returns s with its wildcards in force, for issuers that mean them
// so. suffix is the separator of segments and a star, such as ":*". A name that ends in it grants
// each name that begins like it, up to the star, and goes on: "orders:*" grants
// "orders:read" and "orders:items:read", but not "orders", "orders:" or
// "orders-old:read". It stays a name of the set itself. A name that is nothing but
// the suffix, or has another star in it, is a name like any other, and so is a bare
// "*": no name grants everything.
//
// It fails if suffix is not one character of punctuation and a star. After a letter
// or digit a wildcard would end within a word.
func (s Set) WithWildcards(suffix string) (Set, error) {
	if len(suffix) != len(":*") || suffix[1] != '*' || !Valid(suffix) || suffix[0] == '*' || ofWord(suffix[0]) {
		return Set{}, fmt.Errorf("scopes: the suffix of wildcards is %q, wanted one character of punctuation and a star, such as %q", suffix, ":*")
	}
	under := slices.Clone(s.under)
	for _, name := range s.names {
		if head, ends := strings.CutSuffix(name, suffix); ends && head != "" && !strings.Contains(head, "*") {
			under = append(under, name[:len(name)-1])
		}
	}
	return Set{s.names, distinct(under)}, nil
}

// goesOn reports whether name goes on after one of under, which all end in a
// separator. name is a rule's, so it is short, and how many under has matters
// little.
func goesOn(under []string, name string) bool {
	for end := 1; end < len(name); end++ {
		if ofWord(name[end-1]) {
			continue
		}
		if _, found := slices.BinarySearch(under, name[:end]); found {
			return true
		}
	}
	return false
}

// ofWord reports whether c can be part of a word, and of no separator.
func ofWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
