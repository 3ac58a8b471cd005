package hostile

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// base64Twins are other spellings of the same octets. Header and payload are
// signed as they are spelt, so that strictness alone refuses them.
func (b *builder) base64Twins() {
	const cite = "RFC 7515 §2, Appendix C; RFC 4648 §3; Go skips CR and LF, jwx v2 and golang-jwt take stray bits"
	parts := func() []string { return []string{b.plainHeader(), b.dashedPayload()} }
	for i, name := range []string{"header", "payload", "signature"} {
		add := func(what string, twist func(string) string) {
			p := parts()
			if i < 2 {
				p[i] = twist(p[i])
			}
			input := p[0] + "." + p[1]
			sig := segment(signature(input, edKey, "EdDSA"))
			if i == 2 {
				sig = twist(sig)
			}
			b.refuse(name+": "+what, cite, input+"."+sig, "encoding")
		}
		middle := func(insert string) func(string) string {
			return func(s string) string { return s[:len(s)/2] + insert + s[len(s)/2:] }
		}
		add("padding", func(s string) string { return s + strings.Repeat("=", (4-len(s)%4)%4) })
		add("one = too many", func(s string) string { return s + "=====" })
		add("= in the middle", middle("="))
		add("stray last bits", strayBits)
		add("one character that stands for no octet", func(s string) string { return s[:len(s)/4*4] + "A" })
		add("line feed at the end", func(s string) string { return s + "\n" })
		add("line feed at the beginning", func(s string) string { return "\n" + s })
		for _, c := range []string{"\n", "\r", "\r\n", " ", "\t", "\x00", "\x7f", "\v", "%", "%2E", "!", "~", "é", "\u200b", "\xff", "А"} {
			add(fmt.Sprintf("%q in the middle", c), middle(c))
		}
	}
	// The standard alphabet is looked for where the URL one has other letters.
	input := b.plainHeader() + "." + b.dashedPayload()
	good := segment(signature(input, edKey, "EdDSA"))
	standard := strings.NewReplacer("-", "+", "_", "/")
	b.refuse("payload: standard alphabet", cite, seal(b.plainHeader()+"."+standard.Replace(b.dashedPayload()), edKey, "EdDSA"), "encoding")
	b.refuse("payload: standard alphabet, percent-encoded", cite,
		seal(b.plainHeader()+"."+strings.NewReplacer("-", "%2B", "_", "%2F").Replace(b.dashedPayload()), edKey, "EdDSA"), "encoding")
	for !strings.ContainsAny(good, "-_") {
		input = b.plainHeader() + "." + segment(b.claims().with("jti", quote(good)).String())
		good = segment(signature(input, edKey, "EdDSA"))
	}
	b.refuse("signature: standard alphabet", cite, input+"."+standard.Replace(good), "encoding")
	header := edHeader().with("x", `"`+dashed+`"`)
	b.refuse("header: standard alphabet", cite, seal(standard.Replace(segment(header.String()))+"."+b.dashedPayload(), edKey, "EdDSA"), "encoding")
	b.refuse("all segments in hexadecimal", "RFC 7515 §3.1", fmt.Sprintf("%x.%x.%x", edHeader(), b.claims(), "signature"), "shape")
}

// dashed is text whose base64url has the letters - and _, wherever it begins.
const dashed = "???>>>~~~???>>>~~~"

// plainHeader and dashedPayload are segments whose length is no multiple of
// four, so that each has room for padding and for stray bits.
func (b *builder) plainHeader() string {
	return uneven(func(filler string) object { return edHeader().with("x", quote(filler)) })
}

func (b *builder) dashedPayload() string {
	return uneven(func(filler string) object { return b.claims().with("x", `"`+dashed+filler+`"`) })
}

func uneven(with func(filler string) object) string {
	for filler := ""; ; filler += "x" {
		if s := segment(with(filler).String()); len(s)%4 != 0 {
			return s
		}
	}
}

// strayBits changes the last character to one that differs in bits that stand
// for nothing.
func strayBits(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + alphabet[last|1:last|1+1]
}

// segments are tokens of too few, too many or empty segments.
func (b *builder) segments() {
	const cite = "RFC 7515 §7.1; RFC 7519 §7.2"
	const dots = "CVE-2025-30204; CVE-2025-27144; CVE-2025-22868"
	good := token(edHeader(), b.claims())
	p := strings.Split(good, ".")
	for _, c := range []struct{ name, token, want string }{
		{"one segment", p[0], "shape"},
		{"one segment, all in one", strings.Join(p, ""), "shape"},
		{"two segments", p[0] + "." + p[1], "shape"},
		{"two segments, payload and signature", p[1] + "." + p[2], "shape"},
		{"four segments", good + "." + p[2], "shape"},
		{"four segments, the last empty", good + ".", "shape"},
		{"four segments, the first empty", "." + good, "shape"},
		{"five segments", good + "." + p[1] + "." + p[2], "shape"},
		{"six segments", good + "." + good, "shape"},
		{"seven segments", good + "." + good + "." + p[2], "shape"},
		{"three empty segments", "..", "shape"},
		{"empty header", "." + p[1] + "." + p[2], "shape"},
		{"empty payload", seal(p[0]+".", edKey, "EdDSA"), "json"},
		{"header alone with two dots", p[0] + "..", "json"},
		{"commas for dots", strings.ReplaceAll(good, ".", ","), "shape"},
		{"a look-alike for a dot", p[0] + "." + p[1] + "\u2024" + p[2], "shape"},
		{"space after the dots", strings.ReplaceAll(good, ".", ". "), "encoding"},
		{"space after", good + " ", "encoding"},
		{"line break after", good + "\r\n", "encoding"},
		{"NUL after", good + "\x00", "encoding"},
		{"the scheme before", "Bearer " + good, "shape"},
		{"in quotes", `"` + good + `"`, "shape"},
		{"in angle brackets", "<" + good + ">", "shape"},
		{"a parameter after", good + ";v=1", "encoding"},
		{"twice, with a comma", good + "," + good, "shape"},
		{"twice, with a space", good + " " + good, "shape"},
		{"percent-encoded", strings.ReplaceAll(good, ".", "%2E"), "shape"},
		{"byte order mark before", "\ufeff" + good, "shape"},
		{"three words", "a.b.c", "shape"},
		{"null", "null", "shape"},
		{"undefined", "undefined", "shape"},
		{"opaque", strings.Repeat("0123456789abcdef", 4), "shape"},
		{"SD-JWT", good + "~WyJzYWx0IiwibmFtZSIsInZhbHVlIl0~", "encoding"},
	} {
		b.refuse(c.name, cite, c.token, c.want)
	}
	b.refuse("dots alone", dots, strings.Repeat(".", MaxTokenBytes), "shape")
	b.refuse("a good token and dots", dots, good+strings.Repeat(".", 8000), "shape")
}

// serializations are other forms than the compact one, of what is otherwise
// signed as it should be.
func (b *builder) serializations() {
	const cite = "RFC 7515 §7.2; RFC 7519 §3 (compact only); jwx v2 takes it"
	p := strings.Split(token(edHeader(), b.claims()), ".")
	flattened := fmt.Sprintf(`{"payload":"%s","protected":"%s","signature":"%s"}`, p[1], p[0], p[2])
	general := fmt.Sprintf(`{"payload":"%s","signatures":[{"protected":"%s","signature":"%s"}]}`, p[1], p[0], p[2])
	unprotected := fmt.Sprintf(`{"payload":"%s","header":%s,"signature":"%s"}`, p[1], edHeader(), p[2])
	for _, c := range []struct{ name, text string }{{"flattened", flattened}, {"general", general}, {"unprotected", unprotected}} {
		b.refuse(c.name+" JSON", cite, c.text, "shape")
		b.refuse(c.name+" JSON in base64url", cite, segment(c.text), "shape")
		b.refuse(c.name+" JSON in the place of the header", cite, segment(c.text)+"."+p[1]+"."+p[2], "alg")
	}
	b.refuse("detached payload", "RFC 7515 Appendix F", p[0]+".."+p[2], "json")
	b.refuse("nested JWT", "RFC 7519 §5.2", sign(edHeader().with("cty", `"JWT"`).String(), strings.Join(p, "."), edKey, "EdDSA"), "json")
	b.refuse("compressed payload", "RFC 7516 §4.1.3; CVE-2024-28180",
		sign(edHeader().with("zip", `"DEF"`).String(), "\xabVJ\xcd+I-R\xb2R\xaa\x05\x00", edKey, "EdDSA"), "json")
	b.refuse("CBOR payload", "RFC 8392 §7", sign(edHeader().String(), "\xa1\x01\x63iss", edKey, "EdDSA"), "json")

	const jwe = "RFC 7516 §3.1; CVE-2023-51774"
	for _, h := range []string{
		`{"alg":"dir","enc":"A128GCM"}`, `{"alg":"RSA-OAEP","enc":"A256GCM"}`,
		`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}`,
	} {
		b.refuse("JWE "+h, jwe, segment(h)+".AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", "shape")
		b.refuse("JWE header on three segments "+h, jwe, seal(segment(h)+"."+p[1], edKey, "EdDSA"), "alg")
	}
	b.refuse("PASETO", "RFC 7519 §7.2", "v4.public."+segment(b.claims().String())+"."+p[2], "shape")
	b.refuse("macaroon", "RFC 7519 §7.2", "MDAxY2xvY2F0aW9uIA"+strings.Repeat("A", 60), "shape")
	b.refuse("SAML assertion", "RFC 7522 §2.1",
		base64.StdEncoding.EncodeToString([]byte("<Assertion xmlns='urn:oasis:names:tc:SAML:2.0:assertion'/>")), "shape")
	b.refuse("basic credentials", "RFC 7617 §2", base64.StdEncoding.EncodeToString([]byte(issuertest.ClientID+":"+issuertest.ClientSecret)), "shape")
}

// sizes are tokens too long to be looked at.
func (b *builder) sizes() {
	const cite = "CWE-770; validator.Config.MaxTokenBytes"
	const mega = 1 << 20
	p := strings.Split(token(edHeader(), b.claims()), ".")
	fill := func(n int) string { return strings.Repeat("A", n) }
	b.refuse("one byte too long", cite, b.ofLength(MaxTokenBytes+1), "size")
	b.refuse("a megabyte, one segment", cite, fill(mega), "size")
	b.refuse("a megabyte of dots", "CVE-2025-30204", strings.Repeat(".", mega), "size")
	b.refuse("a megabyte of header", cite, fill(mega)+"."+p[1]+"."+p[2], "size")
	b.refuse("a megabyte of payload, well signed", cite, b.with("x", quote(fill(mega))), "size")
	b.refuse("a megabyte of signature", cite, p[0]+"."+p[1]+"."+fill(mega), "size")
	b.refuse("two megabytes of spaces in the middle", cite, p[0]+strings.Repeat(" ", 2*mega)+p[1], "size")
}

// ofLength is a good token of exactly n bytes.
func (b *builder) ofLength(n int) string {
	const signature = 1 + 86
	for _, h := range []object{edHeader(), edHeader().and("x", `"1"`), edHeader().and("x", `"12"`)} {
		head := segment(h.String())
		bare := len(b.claims().with("x", `""`).String())
		for filler := (n-len(head)-1-signature)*3/4 - bare - 2; filler > 0; filler++ {
			payload := segment(b.claims().with("x", quote(strings.Repeat("x", filler))).String())
			switch size := len(head) + 1 + len(payload) + signature; {
			case size == n:
				return seal(head+"."+payload, edKey, "EdDSA")
			case size > n:
				filler = -2 // none of this header fits
			}
		}
	}
	panic("hostile: no token of that length")
}
