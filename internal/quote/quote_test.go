package quote_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/internal/quote"
)

func TestValue(t *testing.T) {
	entra := "https://login.microsoftonline.com/8d3e6f0a-1c2b-4d5e-9f70-a1b2c3d4e5f6/v2.0"
	for v, want := range map[string]string{
		"":            `""`,
		"api":         `"api"`,
		entra:         `"` + entra + `"`,
		"a\nb\x1b[2J": `"a\nb\x1b[2J"`,
		"pаypal":      `"p\u0430ypal"`, // a Cyrillic letter
		"a\xff":       `"a\xff"`,
	} {
		if diff := cmp.Diff(want, quote.Value(v)); diff != "" {
			t.Error(diff)
		}
	}
}

// pairs are values that are not the same, alike for as long as anybody likes.
func pairs() map[string][2]string {
	long := strings.Repeat("x", 5000)
	wide := strings.Repeat("\u202e", 2000)
	issuer := "https://id.example.com/" + strings.Repeat("tenant/", 40)
	return map[string][2]string{
		"at the end":              {issuer + "v1", issuer + "v2"},
		"at the start":            {"http://" + long, "https://" + long},
		"in the middle":           {long + "1" + long, long + "2" + long},
		"near the middle's start": {long[:100] + "1" + long, long[:100] + "2" + long},
		"near the end":            {long + "1/" + long[:90], long + "2/" + long[:90]},
		"in length":               {long, long + "x"},
		"a slash at the end":      {issuer, issuer + "/"},
		"a prefix":                {issuer, issuer + long},
		"a piece in the middle":   {long + long, long + "/v2.0/" + long},
		"look-alikes":             {issuer + "a", issuer + "\u0430"},
		"what cannot be seen":     {issuer, issuer + "\u200b"},
		"of costly characters":    {wide + "1" + wide, wide + "2" + wide},
		"of bytes that are none":  {strings.Repeat("\xff", 900) + "1" + long, strings.Repeat("\xff", 900) + "2" + long},
	}
}

// wellFormed: one line of ASCII, and no longer than a line may be.
func wellFormed(t *testing.T, text string, most int) {
	t.Helper()
	if len(text) > most || strings.ContainsFunc(text, func(r rune) bool { return r != '…' && (r > unicode.MaxASCII || !unicode.IsPrint(r)) }) {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

func TestLine(t *testing.T) {
	for text, want := range map[string]string{
		`got "a", wanted "b" (RFC 7519 §4.1) …`: `got "a", wanted "b" (RFC 7519 §4.1) …`,
		"a\nINFO b\x1b[2J\u202e\xff":            `a\nINFO b\x1b[2J\u202e\xff`,
		"":                                      "",
	} {
		if diff := cmp.Diff(want, quote.Line(text)); diff != "" {
			t.Error(diff)
		}
	}
	long := quote.Line("begin " + strings.Repeat("é\x1b", 100_000) + " end")
	if len(long) > 16<<10 || !strings.HasPrefix(long, "begin") || !strings.HasSuffix(long, "end") {
		t.Errorf("%d bytes: %.100s", len(long), long)
	}
}

func TestBesideKeepsTheDifference(t *testing.T) {
	for name, pair := range pairs() {
		t.Run(name, func(t *testing.T) {
			a, b := quote.Beside(pair[0], pair[1]), quote.Beside(pair[1], pair[0])
			if a == b {
				t.Errorf("both are written %s", a)
			}
			wellFormed(t, a, 256)
			wellFormed(t, b, 256)
			if a, b = quote.List(pair[:1], pair[1:]), quote.List(pair[1:], pair[:1]); a == b {
				t.Errorf("both lists are written %s", a)
			}
		})
	}
}

func TestBesideShowsWhatIsAroundIt(t *testing.T) {
	long := strings.Repeat("x", 2000)
	if got := quote.Beside(long+"/v1"+long, long+"/v2"+long); !strings.Contains(got, "/v1") || !strings.Contains(got, "(4003 bytes)") {
		t.Error(got)
	}
}

func TestList(t *testing.T) {
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("https://%d.example.com", i)
	}
	for name, tc := range map[string]struct {
		values, others []string
		want           string
	}{
		"none":         {nil, nil, `[]`},
		"one":          {[]string{"a"}, []string{"b"}, `["a"]`},
		"in order":     {[]string{"c", "a", "b"}, nil, `["c", "a", "b"]`},
		"at most four": {many, nil, `["https://0.example.com", "https://1.example.com", "https://2.example.com", "https://3.example.com", 996 more]`},
		"the likest":   {many, []string{"https://777.example.com/"}, `"https://777.example.com", 996 more]`},
		"a slash too many, of a long list": {
			append(many[:20:20], "https://id.example.com/orders/"), []string{"https://id.example.com/orders"}, `"https://id.example.com/orders/", 17 more]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := quote.List(tc.values, tc.others)
			if !strings.Contains(got, tc.want) {
				t.Errorf("got %s, wanted %s", got, tc.want)
			}
			wellFormed(t, got, 360)
		})
	}
}

// A list is no longer than a line may be, whatever is in it.
func TestListIsBounded(t *testing.T) {
	var all []string
	for _, pair := range pairs() {
		all = append(all, pair[0], pair[1])
	}
	for range 3 {
		all = append(all, all...)
	}
	wellFormed(t, quote.List(all, nil), 360)
	wellFormed(t, quote.List(all, all[:7]), 360)
}

func FuzzBeside(f *testing.F) {
	for _, pair := range pairs() {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		wellFormed(t, quote.List([]string{a, b, a}, []string{b}), 360)
		if one, other := quote.Beside(a, b), quote.Beside(b, a); (a == b) != (one == other) {
			t.Errorf("%q and %q are written %s and %s", a, b, one, other)
		}
	})
}
