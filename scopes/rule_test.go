package scopes_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/m2mguard/m2mguard/scopes"
)

func TestRule(t *testing.T) {
	for _, tc := range []struct {
		name   string
		rule   scopes.Rule
		needs  string
		allows []string // space-delimited sets
		denies []string
	}{
		{name: "zero", rule: scopes.Rule{}, denies: []string{"", "a"}},
		{name: "All of nothing", rule: scopes.All(), denies: []string{"", "a"}},
		{name: "Any of nothing", rule: scopes.Any(), denies: []string{"", "a"}},
		{name: "AllOf nothing", rule: scopes.AllOf(), denies: []string{"", "a"}},
		{name: "AnyOf nothing", rule: scopes.AnyOf(), denies: []string{"", "a"}},
		{name: "AnyToken", rule: scopes.AnyToken(), allows: []string{"", "a"}},
		{name: "All of one", rule: scopes.All("a"), needs: "a", allows: []string{"a", "b a"}, denies: []string{"", "b", "A", "aa"}},
		{name: "All of two", rule: scopes.All("a", "b"), needs: "a b", allows: []string{"a b", "c b a"}, denies: []string{"a", "b", ""}},
		{name: "Any of two", rule: scopes.Any("a", "b"), needs: "a", allows: []string{"a", "b", "c b"}, denies: []string{"", "c", "ab"}},
		{
			name: "AllOf", rule: scopes.AllOf(scopes.All("a", "b"), scopes.Any("c", "a")), needs: "a b c",
			allows: []string{"a b", "a b c"}, denies: []string{"a", "b c", ""},
		},
		{
			name: "AnyOf", rule: scopes.AnyOf(scopes.All("a", "b"), scopes.All("admin")), needs: "a b",
			allows: []string{"a b", "admin"}, denies: []string{"a", "b", ""},
		},
		{name: "AllOf with a zero rule", rule: scopes.AllOf(scopes.All("a"), scopes.Rule{}), denies: []string{"a", ""}},
		{name: "AnyOf with a zero rule", rule: scopes.AnyOf(scopes.Rule{}, scopes.All("a")), needs: "a", allows: []string{"a"}, denies: []string{"", "b"}},
		{name: "AllOf with AnyToken", rule: scopes.AllOf(scopes.AnyToken(), scopes.All("a")), needs: "a", allows: []string{"a"}, denies: []string{""}},
		{name: "AnyOf with AnyToken", rule: scopes.AnyOf(scopes.All("a"), scopes.AnyToken()), needs: "a", allows: []string{"", "a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.rule.Needs(); got != tc.needs {
				t.Errorf("Needs %q, wanted %q", got, tc.needs)
			}
			for _, list := range tc.allows {
				if !tc.rule.Allows(parse(t, list)) {
					t.Errorf("refuses %q", list)
				}
			}
			for _, list := range tc.denies {
				if tc.rule.Allows(parse(t, list)) {
					t.Errorf("allows %q", list)
				}
			}
		})
	}
}

func TestRuleOwnsItsNames(t *testing.T) {
	names, rules := []string{"a"}, []scopes.Rule{scopes.All("a")}
	byName, byRule := scopes.All(names...), scopes.AnyOf(rules...)
	names[0], rules[0] = "b", scopes.AnyToken()
	for _, rule := range []scopes.Rule{byName, byRule} {
		if rule.Allows(parse(t, "b")) || !rule.Allows(parse(t, "a")) {
			t.Error("a rule changed with its arguments")
		}
	}
}

func TestWrongNamePanics(t *testing.T) {
	for _, name := range []string{"", "a b", "a\"", `a\`, "a\n", "é"} {
		for fn, rule := range map[string]func(...string) scopes.Rule{"All": scopes.All, "Any": scopes.Any} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s(%q) did not panic", fn, name)
					}
				}()
				rule("fine", name)
			}()
		}
	}
}

func TestChecksAllocateNothing(t *testing.T) {
	set := parse(t, "a b c d e f g h i j k l")
	rule := scopes.AllOf(scopes.All("a", "l"), scopes.Any("x", "f"), scopes.AnyOf(scopes.All("q"), scopes.AnyToken()))
	if n := testing.AllocsPerRun(100, func() {
		if !rule.Allows(set) || rule.Needs() == "" || set.Contains("zz") {
			t.Error("wrong answer")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func ExampleRule() {
	token, _ := scopes.Parse("orders:read orders:list")
	rule := scopes.AnyOf(scopes.All("orders:admin"), scopes.All("orders:read", "orders:list"))
	fmt.Println(rule.Allows(token))
	fmt.Println("a client that has neither is told to ask for:", rule.Needs())
	// Output:
	// true
	// a client that has neither is told to ask for: orders:admin
}

func TestNames(t *testing.T) {
	for name, tc := range map[string]struct {
		rule scopes.Rule
		want []string
	}{
		"zero":     {scopes.Rule{}, nil},
		"any":      {scopes.AnyToken(), nil},
		"all":      {scopes.All("b", "a", "b"), []string{"b", "a"}},
		"one of":   {scopes.Any("a", "b"), []string{"a", "b"}},
		"together": {scopes.AllOf(scopes.Any("a", "b"), scopes.AnyOf(scopes.All("c", "a"), scopes.All("d"))), []string{"a", "b", "c", "d"}},
	} {
		if diff := cmp.Diff(tc.want, tc.rule.Names(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
