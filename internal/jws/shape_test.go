package jws_test

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/m2mguard/m2mguard/internal/jws"
)

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// utf16Text is ASCII text in UTF-16, after its byte order mark if there is one.
func utf16Text(text string, big, mark bool) string {
	var out []byte
	if mark {
		text = "\ufeff" + text
	}
	for _, unit := range utf16.Encode([]rune(text)) {
		low, high := byte(unit), byte(unit>>8)
		if big {
			low, high = high, low
		}
		out = append(out, low, high)
	}
	return string(out)
}

// TestReadsAsJOSE tries what some reader takes for a header: Python reads UTF-16
// and skips foreign characters, Go and .NET fold case, PHP and Java's MIME
// decoder drop what is not their alphabet, Gson reads comments and bare names.
func TestReadsAsJOSE(t *testing.T) {
	const plain = `{"alg":"RS256"}`
	padded := base64.StdEncoding.EncodeToString([]byte(plain + " "))
	odd := `{"x":"???>>>~~~","alg":"RS256"}` // has - and _, or + and /
	middle := func(insert string) string { s := b64(plain); return s[:5] + insert + s[5:] }
	for name, part := range map[string]string{
		"plain":                                b64(plain),
		"white space":                          b64(" \t\r\n{ \"alg\" : \"none\" }\n"),
		"standard alphabet":                    strings.NewReplacer("-", "+", "_", "/").Replace(b64(odd)),
		"URL alphabet":                         b64(odd),
		"padding":                              padded,
		"stray bits":                           b64(plain + "x")[:len(b64(plain+"x"))-1] + "R",
		"a letter that stands for no byte":     b64(plain) + "A",
		"a foreign character":                  middle("~"),
		"characters outside the URL alphabet":  middle("+/"),
		"characters of the URL alphabet alone": middle("-_"),
		"alg null":                             b64(`{"alg":null}`),
		"alg twice":                            b64(`{"alg":"RS256","alg":"none"}`),
		"another name twice":                   b64(`{"x":1,"x":1,"alg":"none"}`),
		"another case":                         b64(`{"ALG":"RS256"}`),
		"an escape":                            b64(`{"\u0061lg":"RS256"}`),
		"an escape, and a comma too many":      b64(`{"\u0061\u004Cg":"RS256",}`),
		"an escape of another kind":            b64(`{"\x61l\g":"RS256",}`),
		"not UTF-8":                            b64("{\"x\":\"\xff\",\"alg\":\"RS256\"}"),
		"too deep":                             b64(`{"x":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `,"alg":"RS256"}`),
		"too many members":                     b64(`{"alg":"RS256"` + manyMembers(200) + `}`),
		"text after it":                        b64(plain + "x"),
		"an object after it":                   b64(plain + `{"x":1}`),
		"cut off":                              b64(`{"alg":"RS256"`),
		"a byte order mark":                    b64("\ufeff" + plain),
		"a record separator":                   b64("\x1e" + plain),
		"NUL before it":                        b64("\x00" + plain),
		"UTF-16":                               b64(utf16Text(plain, false, false)),
		"UTF-16, big end first":                b64(utf16Text(plain, true, false)),
		"UTF-16 with a mark":                   b64(utf16Text(plain, false, true)),
		"UTF-16, big end first, with a mark":   b64(utf16Text(plain, true, true)),
		"a comment before it":                  b64("/* [1] */" + plain),
		"a line comment before it":             b64("// x\n" + plain),
		"a shell comment before it":            b64("# x\n" + plain),
		"a guard before it":                    b64(")]}'\n" + plain),
		"a comment in it":                      b64(`{/**/"alg"/**/:"RS256"}`),
		"bare names":                           b64(`{alg:'RS256'}`),
		"single quotes":                        b64(`{'alg' : 'RS256'}`),
		"an equals sign":                       b64(`{alg = RS256; typ = JWT}`),
		"a comma too many":                     b64(`{"alg":"RS256",}`),
		"long white space before it":           b64(strings.Repeat(" ", 500) + plain),
		"longer white space before it":         b64(strings.Repeat(" ", 5000) + plain),
		"a no-break space before it":           b64("\u00a0" + plain),
		"a line separator before it":           b64("\u2028" + plain),
		"an ideographic space before it":       b64("\u3000" + plain),
		"no character before it":               b64("\x80" + plain),
		"a no-break space in it":               b64("{\"alg\"\u00a0:\"RS256\",}"),
		"an octal escape":                      b64(`{"\141\154g":"RS256",}`),
		"an escape in braces":                  b64(`{"a\u{6C}\u{00000067}":"RS256",}`),
		"a line that goes on":                  b64("{\"a\\\nl\\\r\ng\":\"RS256\",}"),
		"escapes in UTF-16":                    b64(utf16Text(`{"\u0061\x6cg":"RS256",}`, true, false)),
		"escapes one after another":            b64(`{"\\u0061\u00\u0061\u006cg":"RS256",}`),
		"the name after its beginnings":        b64(`{aalalalg:'RS256'}`),
		"the name after much text":             b64("{" + strings.Repeat("Orders are valid\n", 600) + "'alg':1"),
	} {
		for _, token := range []string{part, part + ".", part + ".x", part + ".x.y", part + ".x.y.z", part + ".x.y.z.a", part + ".x.y.z.a.b", "." + part + ".x.y", part + "..", "..." + part,
			"~." + part + ".x.y", "A." + part + ".x.y", "~.A..=.IA." + part, b64("\u00a0") + "." + part + ".x", b64("\ufeff \x00") + "." + part + ".x.y"} {
			parts := len(strings.FieldsFunc(token, func(r rune) bool { return r == '.' }))
			if parts >= 3 || !strings.Contains(part, "~") {
				if !jws.ReadsAsJOSE(token) {
					t.Errorf("%s: %q reads as no JOSE", name, token)
				}
			}
		}
	}
	for name, token := range map[string]string{
		"joined, and three parts":      b64(plain) + "~AAAA.x.y.",
		"joined, and dots between":     b64(plain) + "~AAAA..x..y",
		"joined, and five":             b64(plain) + "~AAAA.x.y.z.a..",
		"blanks without end":           strings.Repeat("A", 16<<10),
		"two alphabets in a long part": b64("{"+strings.Repeat("x", 1<<10)) + "+-",
		"beginnings without end":       b64("{" + strings.Repeat("al", 1<<10)),
	} {
		if !jws.ReadsAsJOSE(token) {
			t.Errorf("%s: %.80q reads as no JOSE", name, token)
		}
	}
	for name, token := range map[string]string{
		"nothing":                     "",
		"dots":                        "...",
		"words":                       "a.b.c",
		"an empty object":             b64(`{}`) + ".x.y",
		"an object without alg":       b64(`{"typ":"JWT","kid":"alg"}`) + ".x.y",
		"alg one level down":          b64(`{"header":{"alg":"RS256"}}`) + ".x.y",
		"alg in a value":              b64(`{"x":"{\"alg\":\"RS256\"}"}`) + ".x.y",
		"a longer name":               b64(`{"algorithm":"RS256","alg ":"x","x-alg":1}`) + ".x.y",
		"an array":                    b64(`[{"alg":"RS256"}]`) + ".x.y",
		"alg that is a number":        b64(`{"alg":1}`) + ".x.y",
		"alg that is a list":          b64(`{"alg":["EdDSA"]}`) + ".x.y",
		"a string":                    b64(`"alg"`) + ".x.y",
		"null":                        b64(`null`) + ".x.y",
		"a header as the second part": "v4.public." + b64(plain),
		"a form":                      b64(`alg=RS256&typ=JWT`) + ".x.y",
		"XML":                         b64(`<alg>RS256</alg>`) + ".x.y",
		"a JWT without its dots":      b64(plain) + "~" + b64(`{"iss":"x"}`) + ".x",
		"rubbish in braces":           b64("{\x93\xa1\x00\x11alga\x80}") + ".x.y",
		"two parts joined, and dots":  b64(`{"alg":"RS256",}`) + "~" + b64(`{"iss":"x"}`) + "..x..",
		"words without the name":      b64("{" + strings.Repeat("Orders of the first half of the year, in euros. ", 250)),
		"a long line":                 strings.Repeat("a", 16<<10),
		"a line of blanks":            strings.Repeat("A", 1<<10),
		"many dots":                   strings.Repeat(".", 16<<10),
	} {
		if jws.ReadsAsJOSE(token) {
			t.Errorf("%s: %.80q reads as JOSE", name, token)
		}
	}
}

// TestOpaqueTokensAreNoJOSE: of the random text that opaque tokens are made of,
// one in 256 begins as an object does.
func TestOpaqueTokensAreNoJOSE(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 40_000 {
		raw := make([]byte, 30+r.IntN(60))
		for i := range raw {
			raw[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 {
			raw[0] = '{'
		}
		token := base64.RawURLEncoding.EncodeToString(raw)
		if r.IntN(2) == 0 {
			token = base64.StdEncoding.EncodeToString(raw)
		}
		if jws.ReadsAsJOSE(token) || jws.ReadsAsJOSE(token+".x") || jws.ReadsAsJOSE(token+".x.y") {
			t.Fatalf("%q reads as JOSE", token)
		}
	}
}

func TestCheckEncrypted(t *testing.T) {
	header := b64(`{"alg":"RSA-OAEP","enc":"A256GCM"}`)
	for token, want := range map[string]error{
		header + ".a2V5.aXY.Y2lwaGVy.dGFn":                                      nil,
		b64(`{"alg":"dir","enc":"A128GCM","kid":null}`) + "..aXY.Y2lwaGVy.dGFn": nil,

		header:                              jws.ErrParts,
		header + ".a2V5.aXY.Y2lwaGVy":       jws.ErrParts,
		header + ".a2V5.aXY.Y2lwaGVy.dGFn.": jws.ErrParts,
		header + ".a2V5.aXY":                jws.ErrParts,
		header + strings.Repeat(".", 9000):  jws.ErrParts,
		"." + header + ".a2V5.aXY.Y2lwaGVy": jws.ErrEncrypted,
		header + ".a2V5..Y2lwaGVy.dGFn":     jws.ErrEncrypted,
		header + ".a2V5.aXY..dGFn":          jws.ErrEncrypted,
		header + ".a2V5.aXY.Y2lwaGVy.":      jws.ErrEncrypted,
		header + "....":                     jws.ErrEncrypted,
		header + ".a2V5.aXY.Y2lwaGVy.dGFn=": jws.ErrEncoding,
		header + ".a2V5.aXY.Y2lwaGVy.d~Fn":  jws.ErrEncoding,
		header + ".a2V5.aXZ.Y2lwaGVy.dGFn":  jws.ErrEncoding,
		// A JWT with something at its end.
		b64(`{"alg":"RS256"}`) + ".e30.c2ln..":                                        jws.ErrEncrypted,
		b64(`{"alg":"RS256"}`) + ".e30.c2ln.Y2lwaGVy.dGFn":                            jws.ErrEncrypted,
		b64(`{"alg":"dir","enc":null}`) + ".a2V5.aXY.Y2lwaGVy.dGFn":                   jws.ErrEncrypted,
		b64(`{"alg":"dir","enc":""}`) + ".a2V5.aXY.Y2lwaGVy.dGFn":                     jws.ErrEncrypted,
		b64(`{"alg":"dir","enc":"A128GCM","crit":["x"]}`) + ".a2V5.aXY.Y2lwaGVy.dGFn": jws.ErrCritical,
		b64(`{"enc":"A128GCM"}`) + ".a2V5.aXY.Y2lwaGVy.dGFn":                          jws.ErrAlgorithm,
	} {
		if err := jws.CheckEncrypted(token); err != want {
			t.Errorf("%.100q: %v, wanted %v", token, err, want)
		}
	}
}
