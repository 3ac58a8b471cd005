package revocation_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// document is one with these entries.
func document(sequence int64, entries ...string) string {
	return fmt.Sprintf(`{"m2mguard_revocations":1,"sequence":%d,"entries":[%s]}`, sequence, strings.Join(entries, ","))
}

const (
	blocked  = `{"issuer":"https://id.example.com","client":"bad","block":true}`
	leaked   = `{"issuer":"https://id.example.com","key_id":"2026-10","issued_before":"2026-11-26T09:00:00Z"}`
	oneToken = `{"token_id":"7d1c","note":"INC-4711","issuer":"https://id.example.com","block":true}`
)

// TestDocuments that are wrong say where, what was wanted and how to mend it.
func TestDocuments(t *testing.T) {
	hash := strings.Repeat("0f", 32)
	for name, c := range map[string]struct {
		text string
		want string // of the error; empty: there is none
	}{
		"none":                  {document(1), ""},
		"some":                  {document(1, blocked, leaked, oneToken), ""},
		"each target":           {document(9007199254740992, blocked, `{"issuer":"i","subject":"s","block":true}`, `{"issuer":"i","opaque_hash":"`+hash+`","block":true}`, `{"issuer":"i","all":true,"issued_before":"2026-11-26T10:00:00.5+01:00","dangerously_expires":"2027-11-26T09:00:00Z"}`), ""},
		"escapes":               {document(1, `{"\u0069ssuer":"\u0069","client":"c","block":true}`), ""},
		"empty":                 {"", "it is not a JSON object: it is empty"},
		"half":                  {document(1, blocked, leaked)[:120], "breaks off"},
		"lines":                 {blocked + "\n" + leaked, "has data after the JSON object"},
		"an array":              {"[]", "is not a JSON object"},
		"twice the same name":   {`{"m2mguard_revocations":1,"sequence":1,"sequence":2,"entries":[]}`, "no duplicate names"},
		"no version":            {`{"sequence":1,"entries":[]}`, "m2mguard_revocations is missing, wanted 1"},
		"another version":       {`{"m2mguard_revocations":2,"sequence":1,"entries":[]}`, "m2mguard_revocations is not 1"},
		"a version in quotes":   {`{"m2mguard_revocations":"1","sequence":1,"entries":[]}`, "m2mguard_revocations is not 1"},
		"no sequence":           {`{"m2mguard_revocations":1,"entries":[]}`, "sequence is missing"},
		"sequence 0":            {document(0), "sequence is no whole number from 1 to 2^53"},
		"a negative sequence":   {document(-1), "sequence is no whole number"},
		"a broken sequence":     {`{"m2mguard_revocations":1,"sequence":1.5,"entries":[]}`, "sequence is no whole number"},
		"too high a sequence":   {document(9007199254740993), "sequence is no whole number from 1 to 2^53"},
		"far too high a one":    {`{"m2mguard_revocations":1,"sequence":99999999999999999999999999,"entries":[]}`, "sequence is no whole number"},
		"no entries":            {`{"m2mguard_revocations":1,"sequence":1}`, "entries is missing, wanted an array"},
		"entries that are none": {`{"m2mguard_revocations":1,"sequence":1,"entries":{}}`, "entries: is no array"},
		"too many entries":      {document(1, strings.Split(strings.Repeat(blocked+"\n", 1001), "\n")[:1001]...), "too many elements (Config.MaxEntries is 1000)"},
		"a misspelt member":     {`{"m2mguard_revocations":1,"sequence":1,"entrys":[],"entries":[]}`, `there is a member "entrys"`},
		"an entry in text":      {document(1, `"client"`), "entry 1: it is not a JSON object"},
		"a misspelt target":     {document(1, blocked, `{"issuer":"i","cilent":"c","block":true}`), `entry 2: there is a member "cilent", wanted issuer, one of token_id, client`},
		"no target":             {document(1, `{"issuer":"i","block":true}`), "it names 0 targets, wanted one of token_id"},
		"two targets":           {document(1, `{"issuer":"i","client":"c","subject":"s","block":true}`), "it names 2 targets"},
		"all beside a target":   {document(1, `{"issuer":"i","client":"c","all":true,"block":true}`), "it names 2 targets"},
		"all of no":             {document(1, `{"issuer":"i","all":false,"block":true}`), "all is not true"},
		"no issuer":             {document(1, `{"client":"c","block":true}`), "issuer is empty, wanted the issuer's name as its tokens have it in iss"},
		"a number for issuer":   {document(1, `{"issuer":1,"client":"c","block":true}`), "issuer is no string"},
		"a blank in issuer":     {document(1, `{"issuer":"i ","client":"c","block":true}`), `issuer is "i ", which no token holds`},
		"an empty client":       {document(1, `{"issuer":"i","client":"","block":true}`), "client is empty, wanted what tokens have there; for everything of the issuer, say so"},
		"null for client":       {document(1, `{"issuer":"i","client":null,"block":true}`), "client is no string"},
		"a line in client":      {document(1, `{"issuer":"i","client":"c\n","block":true}`), `client is "c\n", which no token holds`},
		"a long client":         {document(1, `{"issuer":"i","client":"`+strings.Repeat("c", 5000)+`","block":true}`), "more than 4096 bytes"},
		"a JWT":                 {document(1, `{"issuer":"i","token_id":"eyJhbGciOiJFUzI1NiJ9.e30.c2ln","block":true}`), "token_id is a token's text (29 characters), wanted the name"},
		"a token for a hash":    {document(1, `{"issuer":"i","opaque_hash":"opaque-token","block":true}`), "opaque_hash is no hash of an opaque token (12 characters), wanted 64 small hexadecimal digits"},
		"a hash in capitals":    {document(1, `{"issuer":"i","opaque_hash":"`+strings.ToUpper(hash)+`","block":true}`), "64 small hexadecimal digits"},
		"no verb":               {document(1, `{"issuer":"i","client":"c"}`), "wanted either block, true until the entry is taken out, or issued_before"},
		"both verbs":            {document(1, `{"issuer":"i","client":"c","block":true,"issued_before":"2026-11-26T09:00:00Z"}`), "wanted either block"},
		"no block":              {document(1, `{"issuer":"i","client":"c","block":false}`), "block is not true; to lift it, take the whole entry out and raise sequence"},
		"a date":                {document(1, `{"issuer":"i","client":"c","issued_before":"2026-11-26"}`), `issued_before is "2026-11-26", wanted a time such as "2026-11-26T09:00:00Z" (RFC 3339)`},
		"a time without zone":   {document(1, `{"issuer":"i","client":"c","issued_before":"2026-11-26T09:00:00"}`), "issued_before is"},
		"seconds":               {document(1, `{"issuer":"i","client":"c","issued_before":1795683600}`), `issued_before is ""`},
		"a time of long ago":    {document(1, `{"issuer":"i","client":"c","issued_before":"0001-01-01T00:00:00Z"}`), "from 1970 to 2106"},
		"a time far ahead":      {document(1, `{"issuer":"i","client":"c","issued_before":"2206-01-01T00:00:00Z"}`), "from 1970 to 2106"},
		"a wrong end":           {document(1, `{"issuer":"i","client":"c","block":true,"dangerously_expires":"soon"}`), `dangerously_expires is "soon"`},
		"several faults":        {document(0, `{"issuer":"","client":"c","block":true}`, `{"issuer":"i","client":"c"}`), "entry 2: wanted either block"},
	} {
		t.Run(name, func(t *testing.T) {
			sequence, entries, err := revocation.Parse([]byte(c.text), 1000)
			switch {
			case c.want == "" && (err != nil || sequence == 0):
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, wanted %q", err, c.want)
			case c.want == "":
				if n := strings.Count(c.text, "suer\""); len(entries) != n {
					t.Errorf("%d entries, wanted %d", len(entries), n)
				}
			}
		})
	}
}

// TestFaultsAreBounded: a file in which all is wrong is told of in few words.
func TestFaultsAreBounded(t *testing.T) {
	text := document(1, strings.Split(strings.Repeat(`{"issuer":"i"}`+"\n", 900), "\n")[:900]...)
	_, _, err := revocation.Parse([]byte(text), 1000)
	if err == nil || len(err.Error()) > 4096 || strings.Count(err.Error(), "entry 8: ") != 1 || strings.Contains(err.Error(), "entry 9: ") {
		t.Errorf("%v", err)
	}
	var members strings.Builder
	for n := range 900 {
		fmt.Fprintf(&members, `,"no member of ours, number %d":1`, n)
	}
	for _, text := range []string{document(1, `{"issuer":"i"`+members.String()+`}`), `{"m2mguard_revocations":1` + members.String() + `}`} {
		if _, _, err := revocation.Parse([]byte(text), 1000); err == nil || len(err.Error()) > 4096 {
			t.Errorf("%v", err)
		}
	}
}

// TestRecordRefuses what would revoke nothing, or what nobody means.
func TestRecordRefuses(t *testing.T) {
	l := newList(t, revocation.Config{})
	c := revocation.Client(example, "c")
	for want, e := range map[string]revocation.Entry{
		"the entry says nothing":            {},
		"the target is empty":               revocation.Block(revocation.Target{}),
		"issuer is empty":                   revocation.Lift(revocation.Issuer("")),
		"client is empty":                   revocation.Block(revocation.Client(example, "")),
		"key_id is \"k\\x00\"":              revocation.Block(revocation.KeyID(example, "k\x00")),
		"issued_before is 1969":             revocation.IssuedBefore(c, time.Unix(-1, 0)),
		"issued_before is 2106":             revocation.IssuedBefore(c, time.Unix(revocation.Forever, 0)),
		"dangerously_expires is 1970-01-01": revocation.Block(c).DangerouslyExpire(time.Unix(0, 0)),
		"without Config.Secrets":            revocation.Block(revocation.OpaqueToken(example, strings.Repeat("0f", 32))),
	} {
		if r, err := l.Record(e, 1); err == nil || !strings.Contains(err.Error(), want) || r != (revocation.Record{}) {
			t.Errorf("%v, wanted %q", err, want)
		}
	}
	if _, err := l.Record(revocation.Block(c), 0); err == nil || !strings.Contains(err.Error(), "sequence is 0") {
		t.Error(err)
	}
}

// FuzzDocument: what is read is read in one way, and can be told of.
func FuzzDocument(f *testing.F) {
	for _, text := range []string{document(1), document(7, blocked, leaked, oneToken), document(1, `{"issuer":"i","all":true,"block":true}`), document(1, `{"\u0069ssuer":"\ud83d\ude00","client":"c","issued_before":"2026-11-26T10:00:00.5+01:00"}`), "", "{", "[]"} {
		f.Add([]byte(text))
	}
	l := newList(f, revocation.Config{Secrets: secrets('a')})
	f.Fuzz(func(t *testing.T, text []byte) {
		before := string(text)
		sequence, entries, err := revocation.Parse(text, 100)
		if string(text) != before {
			t.Fatal("the text was written to")
		}
		if err != nil {
			if len(err.Error()) > 1<<14 || strings.Contains(err.Error(), "%!") {
				t.Errorf("an error of %d bytes: %q", len(err.Error()), err)
			}
			return
		}
		if sequence < 1 || sequence > 1<<53 || len(entries) > 100 {
			t.Errorf("sequence %d, %d entries", sequence, len(entries))
		}
		clear(text) // nothing may point into it
		for _, e := range entries {
			r, err := l.Record(e, sequence)
			if err != nil {
				t.Errorf("an entry was read that no record can be made of: %v", err)
			}
			if r.Lift || r.Kind != e.Target().Kind() {
				t.Errorf("%v became %v", e, r.Kind)
			}
		}
	})
}

// TestPage: what docs/revocation.md shows is read, and each member has its row there.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../docs/revocation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```json\n")
	shown, _, found := strings.Cut(rest, "```")
	if sequence, entries, err := revocation.Parse([]byte(shown), 10); !found || err != nil || sequence != 12 || len(entries) != 2 {
		t.Errorf("%d entries, sequence %d, %v", len(entries), sequence, err)
	}
	_, _, err = revocation.Parse([]byte(document(1, `{"?":1}`)), 10)
	for _, member := range []string{"issuer", "token_id", "client", "subject", "key_id", "opaque_hash", "all", "block", "issued_before", "dangerously_expires", "note"} {
		if !strings.Contains(err.Error(), member) || !strings.Contains(string(page), "`"+member+"`") {
			t.Errorf("%s is not on the page, or not in %v", member, err)
		}
	}
}
