package scopes_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/scopes"
)

func ExampleRule_Alternatives() {
	rule := scopes.AllOf(scopes.All("orders:read"), scopes.Any("eu", "us"))
	fmt.Println(rule.Alternatives())
	// Output: [[orders:read eu] [orders:read us]]
}

// TestAlternatives: each set is enough, and no name of it can be left out.
func TestAlternatives(t *testing.T) {
	a, b := scopes.All("a"), scopes.All("b")
	for name, tc := range map[string]struct {
		rule scopes.Rule
		want [][]string
	}{
		"nobody":           {scopes.Rule{}, nil},
		"any token":        {scopes.AnyToken(), [][]string{{}}},
		"all":              {scopes.All("a", "b"), [][]string{{"a", "b"}}},
		"any":              {scopes.Any("a", "b"), [][]string{{"a"}, {"b"}}},
		"any of rules":     {scopes.AnyOf(scopes.All("a", "b"), scopes.All("c")), [][]string{{"a", "b"}, {"c"}}},
		"all of rules":     {scopes.AllOf(scopes.Any("a", "b"), scopes.Any("c", "d")), [][]string{{"a", "c"}, {"a", "d"}, {"b", "c"}, {"b", "d"}}},
		"the same":         {scopes.AllOf(a, a), [][]string{{"a"}}},
		"the same, any":    {scopes.AnyOf(a, a, b), [][]string{{"a"}, {"b"}}},
		"one within":       {scopes.AnyOf(scopes.All("a", "b"), a), [][]string{{"a"}}},
		"any token, or":    {scopes.AnyOf(a, scopes.AnyToken()), [][]string{{}}},
		"any token, and":   {scopes.AllOf(a, scopes.AnyToken()), [][]string{{"a"}}},
		"nobody in an all": {scopes.AllOf(a, scopes.Rule{}), nil},
		"nobody in an any": {scopes.AnyOf(a, scopes.Rule{}), [][]string{{"a"}}},
		"a common part":    {scopes.AllOf(scopes.Any("a", "b"), scopes.Any("a", "c")), [][]string{{"a"}, {"b", "c"}}},
	} {
		got := tc.rule.Alternatives()
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for _, set := range got {
			have, err := scopes.Of(set...)
			if err != nil || !tc.rule.Allows(have) {
				t.Errorf("%s: %q is not enough: %v", name, set, err)
			}
			for i := range set {
				less, _ := scopes.Of(append(append([]string{}, set[:i]...), set[i+1:]...)...)
				if tc.rule.Allows(less) {
					t.Errorf("%s: %q is enough without %q", name, set, set[i])
				}
			}
		}
	}
}
