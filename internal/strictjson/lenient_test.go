package strictjson_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

func TestLenient(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	for _, text := range []string{
		`{}`, " {\t} \r\n", `{"a":1,"a":2}`, `{"a":{"b":1,"b":[]}}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", "{\"\xff\":[{},[],{\"b\":[1,-0.5e+9,true,false,null]}]}",
		deep(20), deep(10_001), strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000),
	} {
		if !strictjson.Lenient([]byte(text)) {
			t.Errorf("%.60q is no object to a lenient reader", text)
		}
	}
	for _, text := range []string{
		``, ` `, `[]`, `null`, `"{}"`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a":1}}`, `{} {}`, `{}x`, `{a:1}`, `{'a':1}`,
		`{"a" 1}`, `{"a":1 "b":2}`, `{"a":[1,]}`, `{"a":[1 2]}`, `{"a":[}`, `{"a":{]}`, `{"a":01}`, `{"a":1.}`, `{"a":+1}`, `{"a":NaN}`, `{"a":tru}`,
		`{"a":"\x41"}`, `{"a":"\u00e"}`, `{"a":"\`, "{\"a\":\"\n\"}", "\ufeff{}", strings.Repeat("[", 60_000), `{"a":` + strings.Repeat("[", 60_000),
	} {
		if strictjson.Lenient([]byte(text)) {
			t.Errorf("%.60q is an object to a lenient reader", text)
		}
	}
}

// FuzzLenient holds it against encoding/json, which has a bound of depth.
func FuzzLenient(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,{"b":"\u00e9\ud800"}],"a":-1.5e3}`, `{"a":1,}`, "{\"\xff\":\"\x01\"}", `{"a":[]]}`, `[{}]`, ` {"a":true}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 9000 {
			return
		}
		want := json.Valid(text) && bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))
		if got := strictjson.Lenient(text); got != want {
			t.Fatalf("%q: %v, encoding/json says %v", text, got, want)
		}
		if strictjson.Members(text, func(string, strictjson.Value) error { return nil }) == nil && !want {
			t.Fatalf("%q: the strict reader takes what the lenient one does not", text)
		}
	})
}
