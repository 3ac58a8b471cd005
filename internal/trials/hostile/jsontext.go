package hostile

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// damaged are the ways in which the text of a JSON object can be wrong, as
// changes of a good one that begins with '{' and ends with '}'.
var damaged = []struct {
	name, cite string
	change     func(string) string
	object     bool // some reader may still take the text for an object
}{
	{"text after it", "RFC 8259 §2; jwx v2 takes it", func(s string) string { return s + "x" }, true},
	{"another object after it", "RFC 8259 §2", func(s string) string { return s + `{"scope":"admin"}` }, true},
	{"the same object again", "RFC 8259 §2", func(s string) string { return s + "\n" + s }, true},
	{"a brace after it", "RFC 8259 §2", func(s string) string { return s + "}" }, true},
	{"a comma after it", "RFC 8259 §2", func(s string) string { return s + "," }, true},
	{"NUL after it", "RFC 8259 §2", func(s string) string { return s + "\x00" }, true},
	{"a comment after it", "RFC 8259 §2", func(s string) string { return s + "//" }, true},
	{"cut off", "RFC 8259 §4", func(s string) string { return s[:len(s)-1] }, true},
	{"cut off in a string", "RFC 8259 §4", func(s string) string { return s[:strings.LastIndexByte(s, '"')] }, true},
	{"a comma before the brace", "RFC 8259 §4", before(`,}`), true},
	{"two commas", "RFC 8259 §4", before(`,,"x":1}`), true},
	{"a member without a value", "RFC 8259 §4", before(`,"x"}`), true},
	{"a value without a member", "RFC 8259 §4", before(`,1}`), true},
	{"a name without quotes", "RFC 8259 §4", before(`,x:1}`), true},
	{"a name in single quotes", "RFC 8259 §4", before(`,'x':1}`), true},
	{"a comment", "RFC 8259 §2", before(`/* */}`), true},
	{"NaN", "RFC 8259 §6", before(`,"x":NaN}`), true},
	{"Infinity", "RFC 8259 §6", before(`,"x":-Infinity}`), true},
	{"a number that begins with 0", "RFC 8259 §6", before(`,"x":01}`), true},
	{"a hexadecimal number", "RFC 8259 §6", before(`,"x":0x10}`), true},
	{"a number without digits after the point", "RFC 8259 §6", before(`,"x":1.}`), true},
	{"a number with a plus", "RFC 8259 §6", before(`,"x":+1}`), true},
	{"True", "RFC 8259 §3", before(`,"x":True}`), true},
	{"undefined", "RFC 8259 §3", before(`,"x":undefined}`), true},
	{"a line break in a string", "RFC 8259 §7", before(",\"x\":\"a\nb\"}"), true},
	{"a control character in a string", "RFC 8259 §7", before(",\"x\":\"\x01\"}"), true},
	{"NUL in a string", "RFC 8259 §7", before(",\"x\":\"\x00\"}"), true},
	{"an escape that does not exist", "RFC 8259 §7", before(`,"x":"\x41"}`), true},
	{"an escape cut short", "RFC 8259 §7", before(`,"x":"\u00e"}`), true},
	{"a byte that is not UTF-8", "RFC 7515 §4; RFC 8259 §8.1", before(",\"x\":\"\xff\"}"), true},
	{"UTF-8 cut short", "RFC 8259 §8.1", before(",\"x\":\"\xe2\x82\"}"), true},
	{"overlong UTF-8", "RFC 3629 §3", before(",\"x\":\"\xc0\xaf\"}"), true},
	{"a surrogate in UTF-8", "RFC 3629 §3", before(",\"x\":\"\xed\xa0\x80\"}"), true},
	{"beyond Unicode", "RFC 3629 §3", before(",\"x\":\"\xf4\x90\x80\x80\"}"), true},
	{"a lone high surrogate", "RFC 8259 §8.2; RFC 7493 §2.1", before(`,"x":"\ud800"}`), true},
	{"a lone low surrogate", "RFC 8259 §8.2; RFC 7493 §2.1", before(`,"x":"\udc00"}`), true},
	{"surrogates in the wrong order", "RFC 8259 §8.2; RFC 7493 §2.1", before(`,"x":"\udc00\ud800"}`), true},
	{"a name that is not UTF-8", "RFC 8259 §8.1", before(",\"\xff\":1}"), true},
	{"a no-break space", "RFC 8259 §2", before("\u00a0}"), true},
	{"a vertical tab", "RFC 8259 §2", before("\v}"), true},
	{"a record separator before it", "RFC 7464 §2.2", func(s string) string { return "\x1e" + s }, true},
	{"a byte order mark before it", "RFC 8259 §8.1", func(s string) string { return "\ufeff" + s }, true},
	{"UTF-16", "RFC 8259 §8.1; Python reads it", inUTF16, true},
	{"in an array", "RFC 7519 §7.2; RFC 7515 §4", func(s string) string { return "[" + s + "]" }, false},
	{"in a string", "RFC 7519 §7.2; RFC 7515 §4", quote, false},
	{"null", "RFC 7519 §7.2; RFC 7515 §4", func(string) string { return "null" }, false},
	{"a number", "RFC 7519 §7.2; RFC 7515 §4", func(string) string { return "1" }, false},
	{"an empty string", "RFC 7519 §7.2; RFC 7515 §4", func(string) string { return `""` }, false},
	{"white space alone", "RFC 7519 §7.2; RFC 7515 §4", func(string) string { return " \n" }, false},
	{"a form", "RFC 7519 §7.2; RFC 7515 §4", func(string) string { return "alg=EdDSA&iss=x" }, false},
	{"XML", "RFC 7519 §7.2; RFC 7515 §4", func(string) string { return "<alg>EdDSA</alg>" }, false},
}

// before replaces the last brace.
func before(end string) func(string) string {
	return func(s string) string { return strings.TrimSuffix(s, "}") + end }
}

func inUTF16(s string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return string(out)
}

func (b *builder) headerJSON() {
	for _, d := range damaged {
		want := "json"
		if !d.object {
			want = "shape" // it is no JWT at all
		}
		b.refuse("header: "+d.name, d.cite, sign(d.change(edHeader().String()), b.claims().String(), edKey, "EdDSA"), want)
	}
	const twice = "RFC 7515 §4 (names are unique); RFC 8725 §2.6"
	for _, d := range []object{
		edHeader().and("alg", `"EdDSA"`), edHeader().and("alg", `"none"`), append(object{{"alg", `"none"`}}, edHeader()...),
		edHeader().and("kid", quote(foreignEd)), edHeader().and("kid", quote(edKey)), edHeader().and("typ", `"JWT"`),
		edHeader().and(`\u0061lg`, `"none"`), edHeader().and(`a\u006cg`, `"EdDSA"`),
		edHeader().and("x", "1").and("x", "1"), edHeader().and("", "1").and("", "1"),
		edHeader().and("x", `{"y":1,"y":2}`), edHeader().and("x", `[{"y":1,"\u0079":1}]`),
		edHeader().and("jwk", `{"kty":"OKP","kty":"oct"}`),
	} {
		b.refuse("header with a name twice: "+d.String(), twice, token(d, b.claims()), "json")
	}
}

func (b *builder) payloadJSON() {
	for _, d := range damaged {
		b.refuse("payload: "+d.name, d.cite, sign(edHeader().String(), d.change(b.claims().String()), edKey, "EdDSA"), "json")
	}
	const twice = "RFC 7519 §4 (names are unique); jwx v2 and golang-jwt take the last"
	for _, m := range []member{
		{"exp", seconds(0)}, {"exp", "9999999999"}, {"iss", quote(b.issuer)}, {"iss", `"https://evil.example"`},
		{"aud", `"x"`}, {"sub", `"admin"`},
		{"scope", `"admin"`}, {"scope", quote(Scope)}, {"iat", "0"}, {"jti", `"x"`}, {"client_id", `"admin"`},
		{`\u0065xp`, "9999999999"}, {`s\u0063ope`, `"admin"`}, {`\u0073\u0075\u0062`, `"admin"`},
	} {
		b.refuse(fmt.Sprintf("payload with %s twice, the other %.20s", m.name, m.value), twice, token(edHeader(), b.claims().and(m.name, m.value)), "json")
		b.refuse(fmt.Sprintf("payload with %s twice, the first %.20s", m.name, m.value), twice, token(edHeader(), append(object{m}, b.claims()...)), "json")
	}
	for _, m := range []member{{"nbf", "0"}, {"scp", `"a"`}, {"azp", `"a"`}, {"x", "null"}, {"", "0"}} {
		b.refuse(fmt.Sprintf("payload with %q twice", m.name), twice, token(edHeader(), b.claims().and(m.name, m.value).and(m.name, m.value)), "json")
	}
	for _, value := range []string{`{"a":1,"a":2}`, `[{"a":1,"\u0061":2}]`, `{"a":{"b":{"c":1,"c":1}}}`} {
		b.refuse("payload with a name twice inside: "+value, twice, b.with("x", value), "json")
	}
}

// foldedNames are names that are a known one only to a reader that folds case
// (as encoding/json does) or compatibility characters. Under such a name the
// known member is missing.
func (b *builder) foldedNames() {
	const cite = "RFC 7519 §10.1.1, RFC 7515 §9.1 (case-sensitive); encoding/json folds case"
	for _, f := range []struct{ name, folded, want string }{
		{"exp", "EXP", "exp"}, {"exp", "Exp", "exp"}, {"exp", "ｅｘｐ", "exp"}, {"exp", "exp ", "exp"},
		{"exp", `exp\u0000`, "exp"}, {"exp", "еxp", "exp"},
		{"iss", "ISS", "iss"}, {"iss", "iſs", "iss"}, {"iss", "isſ", "iss"}, {"iss", `i\u017fs`, "iss"},
		{"aud", "AUD", "aud"}, {"aud", "aud ", "aud"}, {"aud", "audience", "aud"},
		{"scope", "SCOPE", "scope"}, {"scope", "ſcope", "scope"}, {"scope", `\u017fcope`, "scope"},
		{"scope", "scopes", "scope"}, {"scope", "Scp", "scope"},
	} {
		claims := b.claims()
		for i := range claims {
			if claims[i].name == f.name {
				claims[i].name = f.folded
			}
		}
		b.refuse(fmt.Sprintf("%s for %s", f.folded, f.name), cite, token(edHeader(), claims), f.want)
	}
	b.refuse("exp past, EXP to come", cite, token(edHeader(), b.claims().with("exp", "1").and("EXP", "9999999999")), "exp")
	b.refuse("EXP to come, exp past", cite, token(edHeader(), append(object{{"EXP", "9999999999"}}, b.claims().with("exp", "1")...)), "exp")
	b.refuse("iss foreign, iſs ours", cite, token(edHeader(), b.claims().with("iss", `"https://evil.example"`).and("iſs", quote(b.issuer))), "iss")
	b.refuse("aud foreign, AUD ours", cite,
		token(edHeader(), b.claims().with("aud", `"https://evil.example"`).and("AUD", `"https://api.example.test"`)), "aud")
	b.refuseRoute("scope poor, SCOPE rich", cite,
		token(edHeader(), b.claims().with("scope", `"none"`).and("SCOPE", quote(Scope))), "none")
	b.refuse("ALG for alg", cite, token(append(object{{"ALG", `"EdDSA"`}}, edHeader().without("alg")...), b.claims()), "alg")
	b.refuse("alg none, ALG good", cite, token(edHeader().with("alg", `"none"`).and("ALG", `"EdDSA"`), b.claims()), "alg")
	b.config = Strict
	b.refuse("ſub for sub", cite, token(edHeader(), b.claims().without("sub").and("ſub", `"admin"`)), "claims")
	b.refuse("TYP for typ", cite, token(edHeader().without("typ").and("TYP", `"at+jwt"`), b.claims()), "typ")
}

// nesting is depth, and other ways to make a short text expensive.
func (b *builder) nesting() {
	const cite = "RFC 8259 §9; CWE-674"
	arrays := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for _, depth := range []int{16, 17, 100, 1000, 4000} {
		b.refuse(fmt.Sprintf("payload: %d arrays in each other", depth), cite, b.with("x", arrays(depth)), "json")
		b.refuse(fmt.Sprintf("header: %d arrays in each other", depth), cite, b.headed("x", arrays(depth)), "json")
	}
	for _, depth := range []int{16, 100, 1900} {
		b.refuse(fmt.Sprintf("payload: %d objects in each other", depth), cite, b.with("x", objects(depth)), "json")
		b.refuse(fmt.Sprintf("header: %d objects in each other", depth), cite, b.headed("x", objects(depth)), "json")
	}
	b.refuse("payload: 9,000 arrays that nobody closes", cite, b.with("x", strings.Repeat("[", 9000)), "json")
	b.refuse("header: 9,000 arrays that nobody closes", cite, b.headed("x", strings.Repeat("[", 9000)), "json")
	b.refuse("aud: arrays in each other", cite, b.with("aud", arrays(15)), "aud")
	b.refuse("scope: arrays in each other", cite, b.with("scope", arrays(15)), "claims")
	b.refuse("exp of 9,000 digits", "RFC 7519 §2", b.with("exp", strings.Repeat("9", 9000)), "exp")
	b.refuse("exp with an exponent of 9,000 digits", "RFC 7519 §2", b.with("exp", "1e"+strings.Repeat("9", 9000)), "exp")
}
