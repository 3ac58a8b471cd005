package jwks_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

// badSets are answers that must never replace a good set.
func badSets() map[string]struct {
	text []byte
	want string
} {
	good := string(set(ed("a")))
	inKey := func(old, new string) []byte { return []byte(strings.Replace(good, old, new, 1)) }
	const notSet = "not a strict JSON object"
	return map[string]struct {
		text []byte
		want string
	}{
		"empty body":               {nil, notSet},
		"empty object":             {[]byte(`{}`), notSet},
		"keys null":                {[]byte(`{"keys":null}`), notSet},
		"keys an object":           {[]byte(`{"keys":{}}`), notSet},
		"keys in another case":     {[]byte(`{"Keys":[]}`), notSet},
		"keys deeper down":         {[]byte(`{"set":` + good + `}`), notSet},
		"array":                    {[]byte(`[]`), notSet},
		"array of a set":           {[]byte(`[` + good + `]`), notSet},
		"HTML":                     {[]byte(`<!doctype html><title>Sign in</title>`), "at offset 0 of 37 bytes"},
		"truncated":                {set(ed("a"), ed("b"))[:100], "at offset 100 of 100 bytes, it breaks off"},
		"two byte order marks":     {[]byte("\xef\xbb\xbf\xef\xbb\xbf" + good), "begins with a byte order mark"},
		"mark of UTF-16":           {[]byte("\xfe\xff" + good), "begins with a byte order mark"},
		"byte order mark within":   {[]byte("{\xef\xbb\xbf" + good[1:]), "no UTF-8, or belongs into a string"},
		"text after it":            {[]byte(good + "x"), "no JSON from there on"},
		"another set after it":     {[]byte(good + good), notSet},
		"text before it":           {[]byte(")]}'," + good), notSet},
		"keys twice":               {[]byte(`{"keys":[],` + good[1:]), "at offset 11 of 110 bytes, a member has the name of an earlier one"},
		"keys twice, one escaped":  {[]byte(good[:len(good)-1] + `,"k\u0065ys":[]}`), "a member has the name of an earlier one"},
		"keys twice, one no array": {[]byte(`{"keys":{},` + good[1:]), notSet},
		"another member twice":     {[]byte(`{"a":1,"a":1,` + good[1:]), "a member has the name of an earlier one"},
		"name that is not UTF-8":   {[]byte("{\"keys\xff\":[]," + good[1:]), "no UTF-8"},
		"value that is not UTF-8":  {[]byte("{\"a\":\"\xff\"," + good[1:]), "no UTF-8"},
		"two keys without a comma": {inKey(`]}`, ` {"kty":"oct"}]}`), notSet},
		"comma after the last key": {inKey(`]}`, `,]}`), notSet},
		"empty element":            {inKey(`[{`, `[,{`), notSet},
		"comma within a key":       {inKey(`"kty"`, `,"kty"`), "at offset 36"},
		"no colon within a key":    {inKey(`"kty":`, `"kty" `), notSet},
		"half a word within a key": {inKey(`"kty"`, `"a":tru,"kty"`), notSet},
		"comment within a key":     {inKey(`"kty"`, `/*"*/"kty"`), notSet},
		"single quotes":            {inKey(`"kty"`, `'a':1,"kty"`), notSet},
		"line end within a string": {inKey(`"kid":"a`, "\"kid\":\"a\r\nb"), "a control character"},
		"unknown escape":           {inKey(`"kid":"a`, `"kid":"\x`), notSet},
		"brackets that cross":      {inKey(`"kty"`, `"a":[{]},"kty"`), notSet},
		"key that does not end":    {inKey(`}]}`, `]}`), notSet},
		"junk deep in a key":       {inKey(`"kty"`, `"a":`+strings.Repeat("[", 100)+"tru"+strings.Repeat("]", 100)+`,"kty"`), notSet},
		"no keys":                  {[]byte(`{"keys":[]}`), "the set is empty"},
		"no usable key":            {set(key{"kty": "oct", "k": "AAAA"}, rsaKey("a").with("use", "enc")), "none of the 2 keys of the set can be used; the first is symmetric"},
		"its only key has a fault": {inKey(`"kty"`, `"kid":"b","kty"`), "the only key of the set cannot be used: it has a member twice"},
		"nothing but depth":        {[]byte(`{"keys":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`), "the only key of the set cannot be used: it nests deeper than 16 levels"},
		"10,000 keys":              {[]byte(`{"keys":[` + strings.TrimSuffix(strings.Repeat(`{"kty":"oct"},`, 10000), ",") + `]}`), "more than 1000 keys"},
	}
}

func TestBadFixedSet(t *testing.T) {
	for name, c := range badSets() {
		t.Run(name, func(t *testing.T) {
			text := c.text
			if text == nil {
				text = []byte{}
			}
			s, err := jwks.New(jwks.Config{Set: text})
			if s != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, wanted %q", err, c.want)
			}
		})
	}
}

func TestBadSetNeverReplacesAGoodOne(t *testing.T) {
	for name, c := range badSets() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good, seen := ed("good"), &events{}
				iss := &issuer{}
				iss.keys(good)
				s := open(t, iss, jwks.Config{Observer: observe.Observer{Event: seen.add}})
				got := wantKey(t, s, good)
				iss.serve(answer(c.text, "Content-Type", "text/html", "ETag", `"bad"`))
				if _, not := keepUsing(s, got, time.Hour, time.Second); not != 0 {
					t.Errorf("not usable %d times", not)
				}
				failed := seen.of(observe.RefreshFailed)
				if len(failed) == 0 {
					t.Fatal("no RefreshFailed")
				}
				for _, want := range []string{c.want, "https://id.example.com/keys", "status 200", `"text/html"`} {
					if text := failed[0].Err.Error(); !strings.Contains(text, want) {
						t.Errorf("%q does not say %q", text, want)
					}
				}
				// The background notices the recovery, and no ETag of a bad set was kept.
				fresh := ed("fresh")
				iss.keys(fresh, good)
				keepUsing(s, got, 4*time.Minute, time.Second)
				wantKey(t, s, fresh)
				for _, r := range iss.requests() {
					if r.tag != "" {
						t.Errorf("If-None-Match %q was sent", r.tag)
					}
				}
			})
		})
	}
}

func TestAThousandKeysAreUsed(t *testing.T) {
	keys := make([]key, 1000)
	for n := range keys {
		keys[n] = ed(fmt.Sprint(n))
	}
	s, err := jwks.New(jwks.Config{Set: set(keys...)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantKey(t, s, keys[999])
	if _, err := jwks.New(jwks.Config{Set: set(append(keys, ed("one more"))...)}); err == nil {
		t.Error("1,001 keys were taken")
	}
}

// What is wrong with one key concerns no other, wherever it stands and whether
// the set is fixed, fetched first or fetched again.
func TestOneBadKeyVoidsNoSet(t *testing.T) {
	bad := string(must(json.Marshal(ed("bad"))))
	with := func(members string) string { return "{" + members + "," + bad[1:] }
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	const (
		twice   = "has a member twice"
		notUTF8 = "is not UTF-8"
		tooDeep = "nests deeper than 16 levels"
		typ     = "members of the right types"
	)
	for name, c := range map[string]struct{ text, want, kid string }{
		"kty twice":                     {with(`"kty":"OKP"`), twice, "bad"},
		"kid twice":                     {with(`"kid":"good"`), twice, "bad"},
		"kid twice, one escaped":        {with(`"k\u0069d":"good"`), twice, "bad"},
		"key material twice":            {with(`"x":"AAAA"`), twice, "bad"},
		"alg twice":                     {with(`"alg":"EdDSA","alg":"EdDSA"`), twice, "bad"},
		"unknown member twice":          {with(`"a":1,"a":1`), twice, "bad"},
		"twice within a member":         {with(`"a":[{"b":1,"b":2}]`), twice, "bad"},
		"many times":                    {with(strings.TrimSuffix(strings.Repeat(`"a":1,`, 5000), ",")), twice, "bad"},
		"kid not UTF-8":                 {strings.Replace(bad, `"bad"`, "\"b\xffd\"", 1), notUTF8, "b\ufffdd"},
		"unknown value not UTF-8":       {with("\"a\":\"\xc3\""), notUTF8, "bad"},
		"name not UTF-8":                {with("\"\xc3\x28\":1"), notUTF8, "bad"},
		"overlong UTF-8":                {with("\"a\":\"\xc0\xaf\""), notUTF8, "bad"},
		"surrogate in UTF-8":            {with("\"a\":\"\xed\xa0\x80\""), notUTF8, "bad"},
		"high surrogate alone":          {with(`"a":"\ud800"`), notUTF8, "bad"},
		"low surrogate first":           {with(`"a":"\udc00\ud800"`), notUTF8, "bad"},
		"surrogate in a name":           {with(`"\udbff":1`), notUTF8, "bad"},
		"surrogate in the kid":          {strings.Replace(bad, `"bad"`, `"\ud83dbad"`, 1), notUTF8, "\ufffdbad"},
		"not UTF-8, and twice":          {with("\"a\":\"\xff\",\"a\":1"), "", "bad"},
		"nested 17 levels":              {with(`"a":` + deep(16)), tooDeep, "bad"},
		"nested 5,000 levels":           {with(`"a":` + deep(5000)), tooDeep, "bad"},
		"nested 10,001 levels":          {with(`"a":` + deep(10000)), tooDeep, ""},
		"nested 100,000 levels":         {with(`"a":` + deep(100000)), tooDeep, ""},
		"100,000 objects in each other": {strings.Repeat(`{"a":`, 100000) + "1" + strings.Repeat("}", 100000), tooDeep, ""},
		"brackets within strings":       {with(`"a":"]}{[\"]}\\","a":1`), twice, "bad"},
		"no object: number":             {"-1.5e3", typ, ""},
		"no object: string":             {`"a,b]}"`, typ, ""},
		"no object: true":               {"true", typ, ""},
		"no object: array":              {`[[],{"keys":[1,2]}]`, typ, ""},
		"no object: null":               {"null", `"kty"`, ""},
		"a set":                         {string(set(ed("inner"))), `"kty"`, ""},
		"member of another type":        {with(`"use":["sig"]`), typ, "bad"},
		"kid of another type":           {strings.Replace(bad, `"bad"`, "7", 1), typ, ""},
	} {
		t.Run(name, func(t *testing.T) {
			first, last := ed("first"), ed("last")
			text := []byte("{\"a\": [1, {}],\r\n\t\"keys\" : [ " + string(must(json.Marshal(first))) + " ,\n" +
				c.text + ", " + string(must(json.Marshal(last))) + "\n] , \"b\":\"]}\"}\n")
			skipped := func(seen *events) {
				t.Helper()
				got := seen.of(observe.KeySkipped)
				if len(got) != 1 || got[0].KeyID != c.kid || !strings.Contains(got[0].Err.Error(), c.want) {
					t.Errorf("skipped %+v, wanted kid %q with %q", got, c.kid, c.want)
				}
			}
			served := func(s *jwks.KeySet) {
				t.Helper()
				wantKey(t, s, first)
				wantKey(t, s, last)
				wantNotFound(t, s, key{"kid": "bad", "crv": "Ed25519"})
			}
			seen := &events{}
			s, err := jwks.New(jwks.Config{Set: text, Observer: observe.Observer{Event: seen.add}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			served(s)
			skipped(seen)
			synctest.Test(t, func(t *testing.T) {
				iss, seen := &issuer{}, &events{}
				iss.serve(answer(text))
				s := open(t, iss, jwks.Config{Observer: observe.Observer{Event: seen.add}})
				served(s)
				elapse(time.Hour) // and once more
				served(s)
				s.Close()
				skipped(seen)
			})
		})
	}
}
