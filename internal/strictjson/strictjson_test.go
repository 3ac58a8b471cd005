package strictjson_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

func TestMembers(t *testing.T) {
	nested := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	for _, tc := range []struct {
		name, text string
		want       []string // name=value
		err        error
	}{
		{name: "empty object", text: `{}`},
		{name: "two", text: `{"a":1,"b":"x"}`, want: []string{"a=1", `b="x"`}},
		{name: "white space", text: " {\t\"a\" : [1, 2] }\r\n", want: []string{"a=[1, 2]"}},
		{name: "escaped name", text: `{"\u0061":1}`, want: []string{"a=1"}},
		{name: "names differ in case", text: `{"a":1,"A":2}`, want: []string{"a=1", "A=2"}},
		{name: "deepest", text: nested(strictjson.MaxDepth - 1), want: []string{"a=" + nested(strictjson.MaxDepth - 1)[5:2*strictjson.MaxDepth+3]}},
		{name: "brackets in strings", text: `{"a":["[[[[[[[[[[[[[[[[[[[[","\"[[[[[[[[[[[[[[[["]}`, want: []string{`a=["[[[[[[[[[[[[[[[[[[[[","\"[[[[[[[[[[[[[[[["]`}},
		{name: "too deep", text: nested(strictjson.MaxDepth), err: strictjson.ErrDepth},
		{name: "far too deep", text: nested(8000), err: strictjson.ErrDepth},
		{name: "duplicate", text: `{"a":1,"a":1}`, err: strictjson.ErrSyntax},
		{name: "duplicate by escape", text: `{"a":1,"\u0061":1}`, err: strictjson.ErrSyntax},
		{name: "nested duplicate", text: `{"a":{"b":1,"b":2}}`, err: strictjson.ErrSyntax},
		{name: "array", text: `[]`, err: strictjson.ErrNotObject},
		{name: "nothing", text: ``, err: strictjson.ErrNotObject},
		{name: "null", text: `null`, err: strictjson.ErrNotObject},
		{name: "two objects", text: `{}{}`, err: strictjson.ErrTrailing},
		{name: "text after", text: `{} x`, err: strictjson.ErrTrailing},
		{name: "NUL after", text: "{}\x00", err: strictjson.ErrTrailing},
		{name: "byte order mark", text: "\ufeff{}", err: strictjson.ErrNotObject},
		{name: "truncated", text: `{"a":1`, err: strictjson.ErrSyntax},
		{name: "trailing comma", text: `{"a":1,}`, err: strictjson.ErrSyntax},
		{name: "single quotes", text: `{'a':1}`, err: strictjson.ErrSyntax},
		{name: "comment", text: `{/**/"a":1}`, err: strictjson.ErrSyntax},
		{name: "NaN", text: `{"a":NaN}`, err: strictjson.ErrSyntax},
		{name: "leading zero", text: `{"a":01}`, err: strictjson.ErrSyntax},
		{name: "invalid UTF-8", text: "{\"a\":\"\xff\"}", err: strictjson.ErrSyntax},
		{name: "invalid UTF-8 in a name", text: "{\"\xff\":1}", err: strictjson.ErrSyntax},
		{name: "lone surrogate", text: `{"a":"\ud800"}`, err: strictjson.ErrSyntax},
		{name: "control character", text: "{\"a\":\"\n\"}", err: strictjson.ErrSyntax},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			err := strictjson.Members([]byte(tc.text), func(name string, value strictjson.Value) error {
				got = append(got, name+"="+string(value))
				return nil
			})
			if !errors.Is(err, tc.err) || (err != nil) != (tc.err != nil) {
				t.Fatalf("error %v, wanted %v", err, tc.err)
			}
			if err == nil {
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestVisitEndsTheWalk(t *testing.T) {
	stop := errors.New("stop")
	n := 0
	err := strictjson.Members([]byte(`{"a":1,"b":2}`), func(string, strictjson.Value) error { n++; return stop })
	if err != stop || n != 1 {
		t.Errorf("error %v after %d members", err, n)
	}
}

func TestDate(t *testing.T) {
	for text, want := range map[string]time.Time{
		"0":             time.Unix(0, 0),
		"1795164741":    time.Unix(1795164741, 0),
		"1795164741.5":  time.Unix(1795164741, 5e8),
		"1.795164741e9": time.Unix(1795164741, 0),
		"253402300799":  time.Unix(253402300799, 0),

		"1795164741.000000001":                     time.Unix(1795164741, 1),
		"1795164741." + strings.Repeat("9", 5_000): time.Unix(1795164741, 999_999_999),
		"0." + strings.Repeat("0", 5_000):          time.Unix(0, 0),
		"1795164741e0":                             time.Unix(1795164741, 0),
		"17951647415e-1":                           time.Unix(1795164741, 5e8),
	} {
		got, err := strictjson.Value(text).Date()
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		`"1795164741"`, "null", "true", "{}", "[]", "-1", "-0.5", "253402300800", "1e12", "1e400",
		"253402300799.5", "1e12",
		"0." + strings.Repeat("0", 5_000) + "1e5000", "1e-" + strings.Repeat("0", 5_000) + "1", // what they cost grows with their length
		"999999999999999999", "1000000000000000000", "9223372036854775807", "9223372036854775808", "18446744073709551616", strings.Repeat("9", 400),
	} {
		if got, err := strictjson.Value(text).Date(); err == nil {
			t.Errorf("%s was read as %v", text, got)
		}
	}
}

func TestStrings(t *testing.T) {
	for text, want := range map[string][]string{
		`"a"`: {"a"}, `""`: {""}, `[]`: nil, `["a","b"]`: {"a", "b"}, `["\u00e9"]`: {"é"},
	} {
		got, err := strictjson.Value(text).Strings(nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for _, text := range []string{"1", "null", "true", "{}", "[1]", `["a",null]`, `[["a"]]`} {
		if _, err := strictjson.Value(text).Strings(nil); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

// TestStringsWithEscapes: each stands for itself alone, and what is kept of a
// string takes no more room than it.
func TestStringsWithEscapes(t *testing.T) {
	for text, want := range map[string]string{
		`"\""`: `"`, `"\\"`: `\`, `"\/"`: `/`, `"\b\f\n\r\t"`: "\b\f\n\r\t", `"\u0000"`: "\x00", `"\u00e9\u20AC"`: "é€", `"\ud83d\ude00"`: "😀", `"a\u0062c"`: "abc",
	} {
		got, err := strictjson.Value(text).String()
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
		if !strictjson.Value(text).Is(want) || strictjson.Value(text).Is(want+"x") {
			t.Errorf("%s is not %q", text, want)
		}
	}
	for _, text := range []string{`"\"`, `"\x"`, `"\u12"`, `"\ud800"`, `"\ud800\u0041"`, `"\udc00\ud800"`, `"`} { // none is a Value
		if got, err := strictjson.Value(text).String(); err == nil {
			t.Errorf("%s was read as %q", text, got)
		}
	}
}

func TestBool(t *testing.T) {
	for text, want := range map[string]error{"true": nil, "false": nil, `"true"`: strictjson.ErrNotBool, "1": strictjson.ErrNotBool, "null": strictjson.ErrNotBool} {
		if _, err := strictjson.Value(text).Bool(); err != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func BenchmarkMembers(b *testing.B) {
	text := []byte(`{"iss":"https://id.example.com","sub":"m2m-client","aud":"https://api.example.test","exp":1795165337,"iat":1795164737,"nbf":1795164737,"jti":"UA6L7rscjNCQ9uB8JRtIUyp_VsPHy8XLC7Z1cGmfLnR","client_id":"m2m-client","scope":"orders:read orders:write","tenant":"acme","gty":"client-credentials","azp":"m2m-client"}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := strictjson.Members(text, func(string, strictjson.Value) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
