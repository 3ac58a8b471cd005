package scopes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/scopes"
)

func TestWithWildcards(t *testing.T) {
	for _, tc := range []struct {
		suffix, list   string
		covers, leaves string // space-delimited names of rules
	}{
		{":*", "orders:*", "orders:* orders:read orders:items:read orders:items:* orders::read orders:*:read orders:-",
			"orders orders: order:read ordersx:read orders-old:read Orders:read ORDERS:read xorders:read x:orders:read orders.read orders/read stock:read * :* : a"},
		{":*", "orders:items:*", "orders:items:read", "orders:read orders:items orders:items: orders:itemsx:read orders:* items:read"},
		{":*", "orders:* stock:read", "orders:read stock:read", "stock:write stock:* stock"},
		{":*", "a:* ab:* abc:*", "a:x ab:x abc:x", "b:x abcd:x a ab"},
		// A star that is no suffix of its own segment, or the only thing there is.
		{":*", "*", "*", "orders:read orders a *: *:*"},
		{":*", ":*", ":*", "orders:read orders :read a"},
		{":*", "*:*", "*:*", "orders:read orders *:read *:"},
		{":*", "*:* orders:*:*", "orders:*:*", "orders:read orders:items:read orders:*:read"},
		{":*", "ord*", "ord*", "orders orders:read ord:read ord ordx"},
		{":*", "orders:re*", "orders:re*", "orders:read orders:re:x"},
		{":*", "orders:** orders:*x", "orders:**", "orders:read orders:x"},
		{":*", "orders*", "orders*", "orders:read orders"},
		{":*", "orders.*", "orders.*", "orders.read orders:read"},
		{":*", "orders:*read orders:?", "orders:?", "orders:read"},
		{".*", "orders.*", "orders.read orders.items.read", "orders:read orders orders. orders"},
		{"/*", "https://api.example.com/*", "https://api.example.com/orders", "https://api.example.com https://api.example.com/ https://api.example.comx/orders http://api.example.com/orders https://evil.example.com/orders"},
		{":*", "orders::*", "orders::read", "orders:read orders: orders::"},
		{"-*", "orders-* a:*", "orders-read a:*", "orders:read a:read orders"},
	} {
		set, err := parse(t, tc.list).WithWildcards(tc.suffix)
		if err != nil {
			t.Errorf("%q: %v", tc.suffix, err)
			continue
		}
		for _, name := range strings.Fields(tc.covers) {
			if !set.Contains(name) || !scopes.All(name).Allows(set) || !scopes.Any("zzz", name).Allows(set) {
				t.Errorf("%q with %q refuses %q", tc.list, tc.suffix, name)
			}
		}
		for _, name := range strings.Fields(tc.leaves) {
			if set.Contains(name) || scopes.All(name).Allows(set) || scopes.Any(name).Allows(set) {
				t.Errorf("%q with %q grants %q", tc.list, tc.suffix, name)
			}
			if plain := parse(t, tc.list); plain.Contains(name) {
				t.Errorf("%q grants %q by itself, which shows nothing", tc.list, name)
			}
		}
		if plain := parse(t, tc.list); set.String() != plain.String() || set.Len() != plain.Len() {
			t.Errorf("the names are %q, wanted %q", set, plain)
		}
	}
}

func TestWildcardsAreOff(t *testing.T) {
	set := parse(t, "orders:* * *:*")
	for _, name := range []string{"orders:read", "orders", "x", "x:y", "*:x"} {
		if set.Contains(name) || scopes.All(name).Allows(set) {
			t.Errorf("%q is granted by a name that is none of it", name)
		}
	}
}

func TestWildcardSuffixes(t *testing.T) {
	for _, suffix := range []string{"", "*", ":", "**", ":**", "*:*", "a*", ":a*", "a:*", "1*", ":* ", " *", "é*", "\"*", `\*`, ":*:", "\x00*", ":*x", "::*", "://*"} {
		if set, err := parse(t, "a:* x").WithWildcards(suffix); err == nil || set.Len() != 0 || !strings.Contains(err.Error(), fmt.Sprintf("%q", suffix)) || !strings.Contains(err.Error(), `":*"`) {
			t.Errorf("%q: %v, %v", suffix, set, err)
		}
	}
	for _, suffix := range []string{":*", ".*", "/*", "-*", "_*", "#*", "!*", "~*"} {
		if _, err := (scopes.Set{}).WithWildcards(suffix); err != nil {
			t.Errorf("%q: %v", suffix, err)
		}
	}
}

// TestWildcardsInAUnion: a wildcard of one set makes none of the other's names, and
// the operands stay as they were.
func TestWildcardsInAUnion(t *testing.T) {
	wild, err := parse(t, "orders:* a").WithWildcards(":*")
	if err != nil {
		t.Fatal(err)
	}
	literal := parse(t, "stock:* b")
	for name, union := range map[string]scopes.Set{"one way": wild.Union(literal), "the other": literal.Union(wild)} {
		var got []string
		for _, name := range []string{"orders:read", "stock:*", "a", "b", "stock:read"} {
			if union.Contains(name) {
				got = append(got, name)
			}
		}
		if diff := cmp.Diff([]string{"orders:read", "stock:*", "a", "b"}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	both, err := wild.Union(literal).WithWildcards(":*")
	if err != nil || !both.Contains("stock:read") || !both.Contains("orders:read") {
		t.Errorf("%v, %v", both, err)
	}
	twice, err := wild.Union(parse(t, "x.*")).WithWildcards(".*")
	if err != nil || !twice.Contains("x.y") || !twice.Contains("orders:read") {
		t.Errorf("%v, %v", twice, err)
	}
	for name, set := range map[string]scopes.Set{"with nothing": wild.Union(scopes.Set{}), "nothing with": scopes.Set{}.Union(wild)} {
		if !set.Contains("orders:read") {
			t.Errorf("%s: the wildcard is gone", name)
		}
	}
	if literal.Contains("stock:read") || wild.Contains("stock:read") {
		t.Error("a union changed an operand")
	}
}

func TestWildcardsAllocateNothing(t *testing.T) {
	set, err := parse(t, "a:* b:* c:* d e f").WithWildcards(":*")
	if err != nil {
		t.Fatal(err)
	}
	rule := scopes.AllOf(scopes.All("a:x", "e"), scopes.Any("zz:x", "c:y:z"))
	if n := testing.AllocsPerRun(100, func() {
		if !rule.Allows(set) || set.Contains("zz:x:y") {
			t.Error("wrong answer")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzWildcards holds WithWildcards against a reader that takes names apart into
// segments.
func FuzzWildcards(f *testing.F) {
	f.Add("orders:* a *", "orders:read", ":*")
	f.Add("orders:*", "ordersx:read", ":*")
	f.Add("a::* *:*", "a::b", ":*")
	f.Add("x.*", "x.y.z", ".*")
	f.Fuzz(func(t *testing.T, list, name, suffix string) {
		plain, err := scopes.Parse(list)
		if err != nil || !scopes.Valid(name) {
			return
		}
		set, err := plain.WithWildcards(suffix)
		if err != nil {
			return
		}
		separator := suffix[:1]
		want := false
		for have := range plain.All() {
			want = want || have == name
			segments := strings.Split(have, separator)
			n := len(segments) - 1
			if n == 0 || segments[n] != "*" || strings.Count(have, "*") != 1 || have == suffix {
				continue
			}
			asked := strings.SplitN(name, separator, n+1)
			want = want || len(asked) == n+1 && asked[n] != "" && slices.Equal(asked[:n], segments[:n])
		}
		if got := set.Contains(name); got != want {
			t.Fatalf("%q with %q contains %q: %v, the oracle says %v", list, suffix, name, got, want)
		}
		if got := scopes.Any("zzz", name).Allows(set); got != (want || set.Contains("zzz")) {
			t.Fatalf("the rule and the set differ about %q", name)
		}
	})
}

func ExampleSet_WithWildcards() {
	granted, _ := scopes.Parse("orders:* reports")
	granted, _ = granted.WithWildcards(":*")
	fmt.Println(scopes.All("orders:read", "reports").Allows(granted))
	fmt.Println(scopes.All("stock:read").Allows(granted))
	// Output:
	// true
	// false
}
