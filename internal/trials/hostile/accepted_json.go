package hostile

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// goodJSON are JSON texts in odd but permitted forms, and tokens that are as
// long or as deep as they may be.
func (b *builder) goodJSON() {
	const grammar = "RFC 8259 §2, §7"
	spaced := strings.NewReplacer(`":`, "\" :\t", `,"`, ",\r\n  \"", "{", "{ \n", "}", "\n }")
	escapedNames := strings.NewReplacer(`"exp"`, `"\u0065x\u0070"`, `"iss"`, `"\u0069ss"`, `"aud"`, `"a\u0075d"`)
	head, claims := edHeader(), b.claims()
	for _, c := range []struct{ name, header, payload string }{
		{"white space in the payload", head.String(), spaced.Replace(claims.String())},
		{"white space in the header", spaced.Replace(head.String()), claims.String()},
		{"white space around both", " \t\r\n" + head.String() + "\n", "\n" + claims.String() + " \t\r\n"},
		{"the header in another order", object{head[2], head[1], head[0]}.String(), claims.String()},
		{"escapes in claims", head.String(), strings.ReplaceAll(claims.String(), "/", `\/`)},
		{"escapes for every character of the issuer", head.String(), claims.with("iss", escaped(b.issuer)).String()},
		{"escapes in names of claims", head.String(), escapedNames.Replace(claims.String())},
		{"escapes in the header", `{"\u0061lg":"\u0045dDS\u0041","k\u0069d":` + escaped(edKey) + `,"typ":"\u0061t+jwt"}`, claims.String()},
		{"a surrogate pair", head.String(), claims.and("x", `"\ud83d\ude00"`).String()},
		{"UTF-8 beyond the basic plane", head.and("x", `"😀"`).String(), claims.and("ключ", `"😀 значение"`).String()},
		{"NUL, escaped, in an unknown claim", head.String(), claims.and("x", `"\u0000"`).String()},
		{"a byte order mark in a string", head.String(), claims.and("x", "\"\ufeff\"").String()},
		{"U+FFFD in a string", head.String(), claims.and("x", "\"\ufffd\"").String()},
		{"line separators in a string", head.String(), claims.and("x", "\"\u2028\u2029\"").String()},
		{"noncharacters in a string", head.String(), claims.and("x", "\"\uffff\"").String()},
		{"300 claims", head.String(), manyMembers(claims, 300).String()},
		{"100 members of the header", manyMembers(head, 100).String(), claims.String()},
	} {
		b.accept(c.name, grammar, sign(c.header, c.payload, edKey, "EdDSA"))
	}
	const depth = "RFC 8259 §9; Keycloak nests three levels"
	b.accept("a claim that nests as deeply as it may", depth, b.with("x", strings.Repeat("[", 15)+strings.Repeat("]", 15)))
	b.accept("a claim of brackets in a string", depth, b.with("x", quote(strings.Repeat(`[{"\`, 200))))
	b.accept("a member of the header that nests as deeply as it may", depth, b.headed("x", strings.Repeat("[", 15)+strings.Repeat("]", 15)))
	b.accept("a claim of 1,000 arrays beside each other", depth, b.with("x", "["+strings.Repeat("[],", 999)+"[]]"))
	for n := MaxTokenBytes - 3; n <= MaxTokenBytes; n++ {
		b.accept(fmt.Sprintf("%d bytes", n), "validator.Config.MaxTokenBytes", b.ofLength(n))
	}
	for filler := range 4 {
		name := fmt.Sprintf("segments of a length that needs no padding, or would, %d", filler)
		x := quote(strings.Repeat("x", filler))
		b.accept(name, "RFC 7515 Appendix C", token(edHeader().and("x", x), b.claims().and("x", x)))
	}
}

func manyMembers(o object, n int) object {
	for i := range n {
		o = o.and(fmt.Sprintf("x%d", i), "1")
	}
	return o
}

// escaped writes a JSON string with an escape for every character.
func escaped(ascii string) string {
	var s strings.Builder
	for _, c := range ascii {
		fmt.Fprintf(&s, `\u%04x`, c)
	}
	return `"` + s.String() + `"`
}

// goodOpaque are tokens that introspection proves.
func (b *builder) goodOpaque() {
	const cite = "RFC 7662 §2.2 (only active is required)"
	active := b.active()
	for _, config := range []Config{Introspected, Both} {
		b.config = config
		b.accept("opaque", cite, b.answered(active.String()))
		b.accept("an answer without iss, sub, client_id, iat, jti and token_type", cite,
			b.answered(object{{"active", "true"}, {"aud", quote(issuertest.Audience)}, {"scope", quote(Scope)}}.String()))
		b.accept("an answer without exp", "RFC 7662 §2.2 (optional)", b.answered(active.without("exp").String()))
		b.accept("an answer with aud as an array", cite, b.answered(active.with("aud", `["x",`+quote(issuertest.Audience)+`]`).String()))
		b.accept("an answer with exp as a fraction", "RFC 7519 §2", b.answered(active.with("exp", "1781528400.5").String()))
		b.accept("an answer with exp within the skew", "RFC 7519 §4.1.4 (some leeway)",
			b.answered(active.with("exp", "1781524771").String()))
		b.accept("an answer with white space", "RFC 8259 §2", b.answered("\r\n "+active.String()+"\n"))
		b.accept("an answer with unknown members", "RFC 7662 §2.2", b.answered(active.and("x", `{"y":[null]}`).and("ACTIVE", "false").String()))
		b.accept("an answer with another content type", "RFC 7662 §2.2; servers mislabel it",
			b.opaque(answer{http.StatusOK, "text/html", active.String()}))
		for _, kind := range []string{"bearer", "BEARER"} {
			b.accept("an answer with token_type "+kind, cite, b.answered(active.with("token_type", quote(kind)).String()))
		}
		b.acceptFor("an answer with scope as an array", "RFC 7662 §2.2; some servers send one",
			b.answered(active.with("scope", `["orders:read","x"]`).String()), "orders:read x")
		b.acceptFor("an answer without scope", "RFC 7662 §2.2 (optional)", b.answered(active.without("scope").String()), "")
	}
	for _, name := range []string{"one", "o.dot", "t.w.o", "o-p_a.q~u+e/", "not.a.jwt", "three.dots.and.more", ".", "..", "a="} {
		b.answers[name] = answer{http.StatusOK, "application/json", active.String()}
		b.accept("opaque "+name, "RFC 6749 §1.4 (opaque to the client); Ory Hydra's tokens have a dot", name)
	}
	b.accept("JWT", "RFC 9068 §4", token(edHeader(), b.claims()))
	b.config = Introspected
	jwt := token(edHeader(), b.claims())
	b.answers[jwt] = answer{http.StatusOK, "application/json", active.String()}
	b.accept("a JWT that the endpoint knows", "RFC 7662 §1 (any format)", jwt)
}
