package jwks_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/jwks"
)

// TestDeepElementsAreJSON: what nests more deeply than the decoder reads is held to
// the same grammar, or two readers could take the text for different sets.
func TestDeepElementsAreJSON(t *testing.T) {
	good, other := string(must(json.Marshal(ed("good")))), string(must(json.Marshal(ed("other"))))
	open, end := strings.Repeat("[", 12_000), strings.Repeat("]", 12_000)
	for text, ok := range map[string]bool{
		open + end: true,
		open + `1, "a]", {"a" : [true], "a":{}}` + end:                           true,
		open + "\"\xff\"" + end:                                                  true,
		`{"a":` + open + end + `,"b":null}`:                                      true,
		strings.Repeat(`{"a":`, 12_000) + "-1.5e3" + strings.Repeat("}", 12_000): true,

		open + "eee" + end:           false,
		open + "01" + end:            false,
		open + "1 1" + end:           false,
		open + "1," + end:            false,
		open + ",1" + end:            false,
		open + "1:1" + end:           false,
		open + ":" + end:             false,
		open + `"\q"` + end:          false,
		open + "\"\n\"" + end:        false,
		open + `{"a"}` + end:         false,
		open + `{"a":}` + end:        false,
		open + `{"a":1,}` + end:      false,
		open + `{"a" 1}` + end:       false,
		open + `{"a":"b":1}` + end:   false,
		open + `{1:1}` + end:         false,
		open + `{[]:1}` + end:        false,
		open + `{{}}` + end:          false,
		open + `{"a":1 "b":2}` + end: false,
		open + `[]{}` + end:          false,
		open + `"a""b"` + end:        false,
		open + end + " " + other:     false,
		open + end + open + end:      false,
		other + open + end:           false,
		open + end + ":1":            false,
		open + end + " true":         false,
	} {
		s, err := jwks.New(jwks.Config{Set: []byte(`{"keys":[` + text + "," + good + `]}`)})
		if (err == nil) != ok {
			t.Errorf("%.20q ... %q: %v", text, strings.Trim(text, "[]"), err)
		}
		if err == nil {
			s.Close()
		}
	}
}

// TestManyElementsAreCountedFirst: a set that is refused for how many it has costs
// nothing for each.
func TestManyElementsAreCountedFirst(t *testing.T) {
	text := []byte(`{"keys":[` + strings.Repeat("{},", 500_000) + `0]}`)
	n := testing.AllocsPerRun(1, func() {
		if _, err := jwks.New(jwks.Config{Set: text}); err == nil || !strings.Contains(err.Error(), "more than 1000 keys") {
			t.Errorf("got %v", err)
		}
	})
	if n > 200 {
		t.Errorf("%v allocations", n)
	}
}
