package proofs

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// fields are header fields that are not one line with one proof.
func (b *builder) fields() {
	const cite = "RFC 9449 §4.3, check 1; §7.1; huskarl#199"
	one, two := b.good(), b.good()
	first, second := one.raw(), two.raw()
	b.add("no field line", cite, "field", one)
	b.add("the same line twice", cite, "field", one, first, first)
	b.add("two good proofs", cite, "field", one, first, second)
	b.add("three lines", cite, "field", one, first, second, first)
	b.add("an empty line before it", cite, "field", one, "", first)
	b.add("an empty line after it", cite, "field", one, first, "")
	for name, line := range map[string]string{
		"two proofs joined": first + "," + second, "two proofs joined with a space": first + ", " + second,
		"the same joined": first + "," + first, "a comma after it": first + ",", "a comma before it": "," + first,
		"a comma and a space after it": first + ", ", "a comma within": strings.Replace(first, ".", ",", 1),
		"a parameter after a comma": first + ", x=1", "a comma alone": ",",
	} {
		b.add(name, "RFC 9449 §4.3, check 1; RFC 9110 §5.3", "field", one, line)
	}
}

// sizes are of 4,096 bytes and a little more.
func (b *builder) sizes() {
	const cite = "RFC 9449 §4.3; RFC 8725 §2.4"
	b.add("4,097 bytes", cite, "size", b.good(), padded(b.good(), 4097))
	b.add("16 KiB", cite, "size", b.good(), padded(b.good(), 16<<10))
	b.add("1 MiB of letters", cite, "size", b.good(), strings.Repeat("A", 1<<20))
	b.add("4,097 commas", cite, "size", b.good(), strings.Repeat(",", 4097))
	many := func(n int) (members string) {
		for i := range n {
			members += fmt.Sprintf(`,"x%d":0`, i)
		}
		return members
	}
	p := b.good()
	b.add("a header of 33 members", "RFC 8725 §2.4", "size", p,
		sign(strings.TrimSuffix(p.header.String(), "}")+many(33)+"}", p.claims.String(), p.key, p.alg))
	p = b.good()
	b.add("33 claims", "RFC 8725 §2.4", "size", p,
		sign(p.header.String(), strings.TrimSuffix(p.claims.String(), "}")+many(33)+"}", p.key, p.alg))
	b.refuse("a claim of 70 elements", "RFC 8725 §2.4", "size", b.good().claim("x", "["+strings.Repeat("0,", 70)+"0]"))
	b.refuse("a header member of 70 elements", "RFC 8725 §2.4", "size", b.good().head("x", "["+strings.Repeat("0,", 70)+"0]"))
	b.refuse("a claim of 40 members", "RFC 8725 §2.4", "size", b.good().claim("x", "{"+strings.TrimPrefix(many(40), ",")+"}"))
	b.refuse("a header of 2 KiB", "RFC 8725 §2.4", "size", b.good().head("x", quote(strings.Repeat("a", 1200))))
	b.refuse("a long header and long claims", "RFC 8725 §2.4", "size", b.good().head("x", quote(strings.Repeat("a", 560))).claim("x", quote(strings.Repeat("a", 560))))
	b.accept("a long header", "RFC 9449 §4.2", b.good().head("x", quote(strings.Repeat("a", 560))))
	b.accept("long claims", "RFC 9449 §4.2", b.good().claim("x", quote(strings.Repeat("a", 560))))
	for name, unit := range map[string]string{"escapes": `\n`, "many escapes": `\\`, "bytes beyond ASCII": "é"} {
		b.refuse("600 "+name, "RFC 8725 §2.4", "size", b.good().claim("x", `"`+strings.Repeat(unit, map[string]int{"escapes": 600, "many escapes": 600, "bytes beyond ASCII": 300}[name])+`"`))
	}
	b.refuse("600 spaces", "RFC 8725 §2.4", "size", b.good().claim("x", strings.Repeat(" ", 600)+"0"))
	b.accept("100 spaces", "RFC 8259 §2", b.good().claim("x", strings.Repeat(" ", 100)+"0"))
	b.accept4096()
}

func (b *builder) accept4096() {
	p := b.good()
	b.add("4,000 bytes, of claims that nobody needs", "RFC 8725 §2.4", "size", p, padded(p, 4000))
	p = b.good()
	p.url = URL + "/" + strings.Repeat("a", 1400)
	b.add("4,096 bytes, for a long URL", "RFC 9449 §4.3", "", p, padded(p.claim("htu", quote(p.url)), 4096))
}

// padded is p with members more that make it so long.
func padded(p *proof, size int) string {
	chars := base64.RawURLEncoding.EncodedLen
	for extra := range 3 { // not every length can be had by claims alone
		p.head("kid", quote(strings.Repeat("k", extra)))
		bare := p.claim("pad", `""`).claims.String()
		for n := range size {
			if chars(len(p.header.String()))+chars(len(bare)+n)+chars(64)+2 == size {
				return p.claim("pad", quote(strings.Repeat("a", n))).raw()
			}
		}
	}
	panic("proofs: no proof of that size")
}

// parts are no three parts.
func (b *builder) parts() {
	const cite = "RFC 9449 §4.3, check 2; RFC 7515 §7.1"
	p := b.good()
	raw := p.raw()
	part := strings.Split(raw, ".")
	for name, line := range map[string]string{
		"nothing": "", "a word": "none", "one part": part[0], "two parts": part[0] + "." + part[1],
		"no signature and no dot": part[0] + part[1], "a part more": raw + "." + part[2], "a dot more": raw + ".",
		"a dot before it": "." + raw, "five parts": raw + ".a.b", "a detached payload by two dots more": part[0] + "...." + part[2],
		"an SD-JWT's tail": raw + ".~", "one dot": ".",
	} {
		b.add(name, cite, "parts", p, line)
	}
	b.add("two dots alone", cite, "json", p, "..")
	b.add("no header", cite, "json", p, "."+part[1]+"."+part[2])
	b.add("a detached payload", "RFC 7515 Appendix F", "json", p, part[0]+".."+part[2])
	b.add("no signature", "RFC 9449 §4.3, check 6; RFC 7519 §6", "signature", p, part[0]+"."+part[1]+".")
}

// encodings are not strict base64url.
func (b *builder) encodings() {
	const cite = "RFC 7515 §2; RFC 4648 §3.2, §3.5; CVE-2022-39227"
	p := b.good()
	part := strings.Split(p.raw(), ".")
	for n, of := range []string{"header", "claims", "signature"} {
		for name, text := range map[string]string{
			"padding": part[n] + "=", "two of padding": part[n] + "==", "a line break at the end": part[n] + "\n",
			"a line break within": part[n][:8] + "\r\n" + part[n][8:], "a space before it": " " + part[n], "a tab within": part[n][:4] + "\t" + part[n][4:],
			"the other alphabet": part[n][:4] + "+/+/" + part[n][8:], "a NUL": part[n] + "\x00", "an escape": part[n] + "%3D", "no ASCII": part[n] + "é",
			"one character more": oneMore(part[n]), "stray bits": stray(part[n]),
		} {
			changed := append([]string(nil), part...)
			changed[n] = text
			b.add(of+", "+name, cite, "encoding", p, strings.Join(changed, "."))
		}
	}
	b.add("the scheme before it", "RFC 9449 §4.1", "encoding", p, "DPoP "+p.raw())
	b.add("quotation marks", "RFC 9449 §4.1", "encoding", p, `"`+p.raw()+`"`)
}

// oneMore has a length that is 1 modulo 4, which no base64 text has.
func oneMore(part string) string {
	for len(part)%4 != 1 {
		part += "A"
	}
	return part
}

// stray has bits in its last character that stand for nothing; a part that has no such
// bits is made shorter first.
func stray(part string) string {
	for len(part)%4 < 2 {
		part = part[:len(part)-1]
	}
	return part[:len(part)-1] + "B" // bits beyond the last octet are set
}
