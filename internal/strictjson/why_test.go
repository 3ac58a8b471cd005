package strictjson_test

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/m2mguard/m2mguard/internal/strictjson"
)

func TestWhy(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"good":                {`{"keys":[]}`, ""},
		"of another form":     {`[]`, ""},
		"empty":               {"", "it is empty"},
		"UTF-8's mark":        {"\xef\xbb\xbf{}", "it begins with a byte order mark of UTF-8,"},
		"UTF-16, little end":  {"\xff\xfe{\x00}\x00", "it begins with a byte order mark of UTF-16,"},
		"UTF-16, big end":     {"\xfe\xff\x00{\x00}", "it begins with a byte order mark"},
		"UTF-16 without it":   {"{\x00}\x00", "it reads as UTF-16"},
		"the other end":       {"\x00{\x00}", "it reads as UTF-16"},
		"gzip":                {"\x1f\x8b\x08secret", "it is compressed by gzip"},
		"a line break":        {"{\"keys\":[{\"x5c\":\"secret\r\nsecret\"}]}", "at offset 23 of 35 bytes, a control character"},
		"a name twice":        {`{"keys":[{"kid":"secret","kid":"b"}]}`, "at offset 25 of 37 bytes, a member has the name of an earlier one"},
		"no UTF-8":            {"{\"keys\":[{\"kid\":\"secret\xff\"}]}", "at offset 23 of 28 bytes, there is what is no UTF-8"},
		"broken off":          {`{"keys":[`, "at offset 9 of 9 bytes, it breaks off"},
		"text after it":       {`{"keys":[]} secret`, "at offset 12 of 18 bytes, it is no JSON from there on"},
		"a page":              {"<html>secret", "at offset 0 of 12 bytes, it is no JSON from there on"},
		"nested without end":  {`{"keys":` + strings.Repeat("[", 20000), "it is no JSON from there on"},
		"a number after it":   {"{}\n7", "at offset 3 of 4 bytes"},
		"a name with a quote": {`{"a":1,secret:2}`, "at offset 7 of 16 bytes, it is no JSON from there on"},
	} {
		t.Run(name, func(t *testing.T) {
			var doc struct {
				Keys []jsontext.Value `json:"keys"`
			}
			why := strictjson.Why([]byte(tc.text), json.Unmarshal([]byte(tc.text), &doc))
			if !strings.Contains(why, tc.want) || (tc.want == "") != (why == "") || strings.Contains(why, "secret") {
				t.Errorf("%q, wanted %q", why, tc.want)
			}
		})
	}
}
