package strictjson_test

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

// FuzzMembers holds the walk over an object against the decoder doing all of it:
// both take the same texts and find the same members.
func FuzzMembers(f *testing.F) {
	many := make([]string, 40)
	for i := range many {
		many[i] = strconv.Quote("m"+strconv.Itoa(i)) + ":" + strconv.Itoa(i)
	}
	for _, seed := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":"b","c":[1,{"d":null}]}`, "\t{\n\"a\" : -1.5e3 , \"b\":true}\r", `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`,
		`{"a":1}x`, `{"a":1,}`, `{,"a":1}`, `{"a" 1}`, `{"a":01}`, `{"a":1 }`, `{"a":12}`, `{"a":1a}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", "{\"a\":\"\x7f\u00e9\"}",
		`{"a":`, `{"a"`, `{"a`, `{`, ``, `[]`, `{"a":{"b":1,"b":2}}`, `{"":""}`, `{"a":"\""}`, `{"a":1]`, `{"a":tru}`, `{"a":"b" "c":1}`,
		`{` + strings.Join(many, ",") + `}`, `{` + strings.Join(many, ",") + `,"m3":0}`, `{` + strings.Join(many, ",") + `,"m39":0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(agree)
}

// Strings are read eight bytes at a time: every byte at every place among
// others, the end of the text included.
func TestEveryByteOfAString(t *testing.T) {
	for place := range 17 {
		before := `{"` + strings.Repeat("n", place) + `":"` + strings.Repeat("v", place)
		for c := range 256 {
			for _, after := range []string{``, `"`, `"}`, `v"}`, "\x00\"}", "\xff\"}", "\\\\\"}", strings.Repeat("v", 9) + `"}`} {
				agree(t, []byte(before+string([]byte{byte(c)})+after))
			}
		}
	}
}

// agree compares the walk with the decoder.
func agree(t *testing.T, text []byte) {
	before := bytes.Clone(text)
	var got []string
	err := strictjson.Members(text, func(name string, value strictjson.Value) error {
		got = append(got, name+"="+string(value))
		return nil
	})
	if !bytes.Equal(before, text) {
		t.Fatalf("%q was changed", before)
	}
	if err == strictjson.ErrDepth {
		return // the decoder has another bound
	}
	want, ok := decode(text)
	if ok != (err == nil) {
		t.Fatalf("%q: error %v, the decoder takes it: %v", text, err, ok)
	}
	if err != nil {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%q: %s", text, diff)
	}
	if !strictjson.Lenient(text) {
		t.Fatalf("%q: the lenient reader does not take what the strict one does", text)
	}
	for _, member := range got {
		name, value, _ := strings.Cut(member, "=")
		if strings.Contains(name+value, "=") {
			continue // where the name ends cannot be told
		}
		if found := strictjson.Value(bytes.TrimLeft(text, " \t\r\n")).Find(name); string(found) != value {
			t.Fatalf("%q: found %q for %q, wanted %q", text, found, name, value)
		}
	}
}

// decode reads an object by the decoder alone.
func decode(text []byte) (members []string, ok bool) {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if start, err := d.ReadToken(); err != nil || start.Kind() != '{' {
		return nil, false
	}
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return nil, false
		}
		name := token.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		members = append(members, name+"="+string(value))
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	_, err := d.ReadToken()
	return members, err == io.EOF
}
