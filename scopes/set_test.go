package scopes_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/scopes"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, list string
		want       []string
		bad        bool
	}{
		{name: "empty", list: ""},
		{name: "one", list: "orders:read", want: []string{"orders:read"}},
		{name: "two", list: "write read", want: []string{"read", "write"}},
		{name: "twice the same", list: "a b a", want: []string{"a", "b"}},
		{name: "case counts", list: "Read read", want: []string{"Read", "read"}},
		{name: "superfluous spaces", list: "  a   b ", want: []string{"a", "b"}},
		{name: "a URL", list: "https://api.example.com/orders.read", want: []string{"https://api.example.com/orders.read"}},
		{name: "every allowed character", list: "!#[]^~", want: []string{"!#[]^~"}},
		{name: "tab", list: "a\tb", bad: true},
		{name: "line feed", list: "a\nb", bad: true},
		{name: "quote", list: `a"b`, bad: true},
		{name: "backslash", list: `a\b`, bad: true},
		{name: "control", list: "a\x00", bad: true},
		{name: "delete", list: "a\x7f", bad: true},
		{name: "not ASCII", list: "léger", bad: true},
		{name: "no-break space", list: "a\u00a0b", bad: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := scopes.Parse(tc.list)
			if (err != nil) != tc.bad {
				t.Fatalf("error %v, wanted one: %v", err, tc.bad)
			}
			if diff := cmp.Diff(tc.want, slices.Collect(got.All())); diff != "" {
				t.Error(diff)
			}
			if got.Len() != len(tc.want) {
				t.Errorf("Len %d, wanted %d", got.Len(), len(tc.want))
			}
		})
	}
}

func TestOf(t *testing.T) {
	names := []string{"b", "a", "b"}
	set, err := scopes.Of(names...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b", "a", "b"}, names); diff != "" {
		t.Errorf("Of changed its argument: %s", diff)
	}
	if got := set.String(); got != "a b" {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"", "a b", " ", "a ", "\"", "é"} {
		if _, err := scopes.Of("ok", bad); err == nil {
			t.Errorf("Of(%q) was taken", bad)
		} else if bad != "" && strings.Contains(err.Error(), "é") {
			t.Errorf("the error quotes the input: %v", err)
		}
	}
}

func TestContainsIsExact(t *testing.T) {
	set := parse(t, "orders:read admin a b c d e f g h i j")
	for name, want := range map[string]bool{
		"orders:read": true, "admin": true, "j": true,
		"orders": false, "orders:rea": false, "orders:read ": false, "orders:readx": false,
		"Orders:read": false, "": false, " ": false, "a b": false,
	} {
		if got := set.Contains(name); got != want {
			t.Errorf("Contains(%q) = %v", name, got)
		}
	}
	if (scopes.Set{}).Contains("") {
		t.Error("the empty set contains the empty name")
	}
}

func TestUnion(t *testing.T) {
	a, b := parse(t, "x y"), parse(t, "y z")
	if got := a.Union(b).String(); got != "x y z" {
		t.Errorf("got %q", got)
	}
	if got := a.Union(scopes.Set{}).String(); got != "x y" {
		t.Errorf("got %q", got)
	}
	if got := (scopes.Set{}).Union(b).String(); got != "y z" {
		t.Errorf("got %q", got)
	}
	if a.String() != "x y" || b.String() != "y z" {
		t.Error("Union changed an operand")
	}
}

func parse(t testing.TB, list string) scopes.Set {
	t.Helper()
	set, err := scopes.Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "a", "a b", " a  b ", "orders:read orders:write", "a\x00", "é", `"`, strings.Repeat("s ", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		set, err := scopes.Parse(list)
		// The oracle reads the list its own way.
		var want []string
		bad := false
		for _, field := range strings.Split(list, " ") {
			bad = bad || strings.IndexFunc(field, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) >= 0
			if field != "" {
				want = append(want, field)
			}
		}
		if bad != (err != nil) {
			t.Fatalf("error %v, the oracle says bad: %v", err, bad)
		}
		if err != nil {
			return
		}
		slices.Sort(want)
		if diff := cmp.Diff(slices.Compact(want), slices.Collect(set.All())); diff != "" {
			t.Fatal(diff)
		}
		again, err := scopes.Parse(set.String())
		if err != nil || again.String() != set.String() {
			t.Fatalf("no round trip: %q, %v", again, err)
		}
		for name := range set.All() {
			if !scopes.All(name).Allows(set) {
				t.Fatalf("All(%q) refuses a set that holds it", name)
			}
		}
	})
}
