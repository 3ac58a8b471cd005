package proofs

import "strings"

// headerJSON and claimsJSON are texts that two readers may take differently.
func (b *builder) headerJSON() {
	p := b.good()
	for name, text := range notJSON(p.header.String(), "alg", `"ES256"`) {
		b.add("header, "+name, "RFC 7515 §4; RFC 8259; RFC 8725 §2.4", "json", p, sign(text, p.claims.String(), p.key, p.alg))
	}
	const cite = "RFC 7515 §4; RFC 7517 §4"
	double := func(name string, text string) {
		b.add(name, cite, "json", p, sign(text, p.claims.String(), p.key, p.alg))
	}
	double("a typ twice", p.header.and("typ", `"dpop+jwt"`).String())
	double("a jwk twice", p.header.and("jwk", publicKey("p256-b").String()).String())
	double("a member of the jwk twice", p.header.with("jwk", publicKey("p256-a").and("x", publicKey("p256-b")[2].text).String()).String())
	double("a jwk twice by an escape", strings.TrimSuffix(p.header.String(), "}")+`,"jw\u006b":`+publicKey("p256-b").String()+"}")
}

func (b *builder) claimsJSON() {
	p := b.good()
	for name, text := range notJSON(p.claims.String(), "htm", `"GET"`) {
		b.add("claims, "+name, "RFC 7519 §4; RFC 8259; RFC 8725 §2.4", "json", p, sign(p.header.String(), text, p.key, p.alg))
	}
	for _, name := range []string{"jti", "htu", "iat", "ath"} {
		text := `"x"`
		if name == "iat" {
			text = "0"
		}
		b.add("a "+name+" twice", "RFC 7519 §4", "json", p, sign(p.header.String(), p.claims.and(name, text).String(), p.key, p.alg))
	}
	b.add("an ath twice by an escape", "RFC 7519 §4", "json", p, sign(p.header.String(), strings.TrimSuffix(p.claims.String(), "}")+`,"\u0061th":"x"}`, p.key, p.alg))
}

// notJSON are texts that are no strict JSON object. name is of a member of the good
// one.
func notJSON(good, name, value string) map[string]string {
	inner := strings.TrimSuffix(strings.TrimPrefix(good, "{"), "}")
	return map[string]string{
		"empty": "", "null": "null", "an array": "[" + good + "]", "a string": quote(good), "a number": "1", "white space": "  ",
		"a member twice":           "{" + inner + `,"` + name + `":` + value + "}",
		"a member twice, first":    `{"` + name + `":` + value + "," + inner + "}",
		"a second object":          good + good,
		"text after it":            good + "x",
		"a NUL after it":           good + "\x00",
		"a byte order mark":        "\ufeff" + good,
		"a comma at the end":       "{" + inner + ",}",
		"a comment":                "{/**/" + inner + "}",
		"single quotes":            strings.ReplaceAll(good, `"`, `'`),
		"broken off":               good[:len(good)-1],
		"a name without quotes":    "{x:0," + inner + "}",
		"no UTF-8":                 "{" + inner + ",\"x\":\"\xff\"}",
		"half a surrogate pair":    "{" + inner + `,"x":"\ud800"}`,
		"a control character":      "{" + inner + ",\"x\":\"\n\"}",
		"17 levels":                "{" + inner + `,"x":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + "}",
		"a number that is none":    "{" + inner + `,"x":NaN}`,
		"a number with a zero":     "{" + inner + `,"x":01}`,
		"a double within a member": "{" + inner + `,"x":{"a":1,"a":1}}`,
	}
}
