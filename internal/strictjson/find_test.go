package strictjson_test

import (
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

func TestFind(t *testing.T) {
	const text = `{"a":1, "b":{"a":[true], "\u0063":"x", "":{"d":null}}, "e":"{\"a\":2}", "f":[{"a":3}], "":4}`
	for _, tc := range []struct {
		path []string
		want string // empty: there is none
	}{
		{[]string{"a"}, "1"},
		{[]string{"b", "a"}, "[true]"},
		{[]string{"b", "c"}, `"x"`},
		{[]string{"b", "", "d"}, "null"},
		{[]string{""}, "4"},
		{[]string{"A"}, ""},
		{[]string{"c"}, ""},
		{[]string{"b", "b"}, ""},
		{[]string{"b", "a", "0"}, ""},
		{[]string{"a", "a"}, ""},
		{[]string{"e", "a"}, ""}, // JSON within a string is a string
		{[]string{"f", "a"}, ""},
		{[]string{"f", "0", "a"}, ""},
		{[]string{"b", "", "d", "x"}, ""},
		{[]string{"x", "y", "z"}, ""},
	} {
		got, err := strictjson.Find([]byte(text), tc.path...)
		if err != nil || string(got) != tc.want {
			t.Errorf("%q: %q, %v, wanted %q", tc.path, got, err, tc.want)
		}
		if (got == nil) != (tc.want == "") {
			t.Errorf("%q: nil is %v", tc.path, got == nil)
		}
	}
}

// TestFindIsStrict about all of the text, also where it finds what it looks for.
func TestFindIsStrict(t *testing.T) {
	for _, text := range []string{
		``, `null`, `[]`, `{"a":1`, `{"a":1}x`, `{"a":1,"a":2}`, `{"a":1,"b":{"c":1,"c":2}}`, "{\"a\":1,\"b\":\"\xff\"}",
		`{"a":1,"b":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`,
	} {
		if got, err := strictjson.Find([]byte(text), "a"); err == nil {
			t.Errorf("%s: found %q", text, got)
		}
	}
}

// TestElements of an array, and of nothing else.
func TestElements(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []string // nil: an error
	}{
		{`[]`, []string{}}, {` [ ]`, nil}, {`[ ]`, []string{}}, {`[1]`, []string{"1"}}, {`[ "a,b" , {"c":[1,2]} ]`, []string{`"a,b"`, `{"c":[1,2]}`}},
		{`[[],null,-1]`, []string{"[]", "null", "-1"}}, {`[1,2,3,4]`, nil}, {`{}`, nil}, {`"x"`, nil}, {`null`, nil}, {``, nil},
	} {
		got, err := strictjson.Value(tc.text).Elements(3)
		if (err == nil) != (tc.want != nil) || len(got) != len(tc.want) {
			t.Errorf("%s: %q, %v, wanted %q", tc.text, got, err, tc.want)
			continue
		}
		for n := range got {
			if string(got[n]) != tc.want[n] {
				t.Errorf("%s: %q, wanted %q", tc.text, got, tc.want)
			}
		}
	}
}

func TestIs(t *testing.T) {
	for _, tc := range []struct {
		value, text string
		want        bool
	}{
		{`"a"`, "a", true},
		{`"\u0061"`, "a", true},
		{`"a"`, "A", false},
		{`"a"`, `"a"`, false},
		{`""`, "", true},
		{`"true"`, "true", true},
		{`true`, "true", true},
		{`false`, "true", false},
		{`"1"`, "1", true},
		{`1`, "1", true},
		{`1.0`, "1", false},
		{`1e0`, "1", false},
		{`-1`, "-1", true},
		{`null`, "null", false},
		{`null`, "", false},
		{`"null"`, "null", true},
		{`[]`, "[]", false},
		{`["a"]`, "a", false},
		{`{}`, "{}", false},
		{``, "", false},
		{``, "a", false},
	} {
		if got := strictjson.Value(tc.value).Is(tc.text); got != tc.want {
			t.Errorf("%s is %q: %v", tc.value, tc.text, got)
		}
	}
}
