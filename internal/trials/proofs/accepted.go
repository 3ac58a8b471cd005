package proofs

import (
	"fmt"
	"strings"
)

// goodAlgorithms are all that there are.
func (b *builder) goodAlgorithms() {
	const cite = "RFC 9449 §4.2; RFC 7518 §3.1; RFC 8037 §3.1; RFC 9864"
	for _, pair := range []struct{ key, alg string }{
		{"rsa-2048-a", "RS256"}, {"rsa-2048-a", "RS384"}, {"rsa-2048-a", "RS512"}, {"rsa-3072", "PS256"}, {"rsa-2048-b", "PS384"}, {"rsa-2048-c", "PS512"},
		{"p256-b", "ES256"}, {"p384", "ES384"}, {"p521", "ES512"}, {"ed25519-a", "EdDSA"}, {"ed25519-b", "Ed25519"},
	} {
		b.accept("good, by "+pair.alg, cite, b.goodBy(pair.key, pair.alg))
	}
}

// goodHeaders are odd and right.
func (b *builder) goodHeaders() {
	good := publicKey("p256-a")
	for name, p := range map[string]*proof{
		"a kid beside the jwk":           b.good().head("kid", `"any"`),
		"a kid of null":                  b.good().head("kid", `null`),
		"members that nobody knows":      b.good().head("x", `{"y":[1,2,{"z":null}]}`).head("cty", `"json"`),
		"a kid in the jwk":               b.good().head("jwk", good.and("kid", `"any"`).String()),
		"use sig":                        b.good().head("jwk", good.and("use", `"sig"`).String()),
		"key_ops verify":                 b.good().head("jwk", good.and("key_ops", `["verify"]`).and("ext", "true").String()),
		"the alg of the jwk":             b.good().head("jwk", good.and("alg", `"ES256"`).String()),
		"members of the jwk turned":      b.good().head("jwk", object{good[3], good[2], good[1], good[0]}.String()),
		"members of the header turned":   turned(b.good()),
		"escapes in the header":          b.good().head("typ", `"dpop\u002bjwt"`).head("alg", `"\u0045S256"`),
		"names with escapes":             escaped(b.good()),
		"white space":                    b.good().head("x", "\t[ 1 ,\n2 ] "),
		"a member called D is no d":      b.good().head("jwk", good.and("D", `"x"`).String()),
		"names of the jwk in upper case": b.good().head("jwk", good.and("KTY", `"oct"`).and("X5C", `[]`).String()),
	} {
		b.accept(name, "RFC 7515 §4; RFC 7517 §4; RFC 9449 §4.2", p)
	}
	p := b.goodBy("ed25519-a", "EdDSA")
	b.accept("Ed25519 with the alg of the jwk under its other name", "RFC 9864; RFC 8037 §3.1", p.head("jwk", publicKey("ed25519-a").and("alg", `"Ed25519"`).String()))
}

func turned(p *proof) *proof {
	p.header = object{p.header[2], p.header[1], p.header[0]}
	p.claims = object{p.claims[4], p.claims[3], p.claims[2], p.claims[1], p.claims[0]}
	return p
}

// escaped has a member more whose name is written in escapes, and is none of ours.
func escaped(p *proof) *proof { return p.head("n\u00e9e", `"\u00e9\ud83d\ude00"`) }

// goodClaims are odd and right.
func (b *builder) goodClaims() {
	const cite = "RFC 9449 §4.2; RFC 7519 §2, §4"
	now := Now().Unix()
	for name, p := range map[string]*proof{
		"jti of one byte":            b.good().claim("jti", `"1"`),
		"jti of 128 bytes":           b.good().claim("jti", quote(strings.Repeat("j", 128))),
		"jti of 32 characters of 4":  b.good().claim("jti", quote(strings.Repeat("😀", 32))),
		"jti in escapes":             b.good().claim("jti", `"`+strings.Repeat(`\u006a`, 127)+`"`),
		"a UUID":                     b.good().claim("jti", `"6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b"`),
		"claims that nobody knows":   b.good().claim("exp", "0").claim("iss", `"x"`).claim("x", `{"y":[1,{"z":null}]}`),
		"iat 60 s old":               b.good().claim("iat", fmt.Sprint(now-60)),
		"iat 10 s ahead":             b.good().claim("iat", fmt.Sprint(now+10)),
		"iat a second ahead":         b.good().claim("iat", fmt.Sprint(now+1)),
		"iat with a fraction":        b.good().claim("iat", fmt.Sprintf("%d.123", now-1)),
		"iat with an exponent":       b.good().claim("iat", "17815248e2"),
		"htm in escapes":             b.good().claim("htm", `"\u0047ET"`),
		"an escaped solidus":         b.good().claim("htu", `"https:\/\/api.example.test\/orders"`),
		"an ath in escapes":          b.good().claim("ath", strings.Replace(quote(hashOf(b.good().token)), `"`, `"\u00`+fmt.Sprintf("%02x", hashOf(b.good().token)[0]), 1)),
		"a text that is no JSON yet": b.good().claim("x", `"{\"jti\":1}"`),
	} {
		if name == "an ath in escapes" { // the first character stands there twice
			ath := hashOf(p.token)
			p.claim("ath", fmt.Sprintf(`"\u%04x%s"`, ath[0], ath[1:]))
		}
		b.accept(name, cite, p)
	}
}

// goodURLs are the request's, spelt otherwise.
func (b *builder) goodURLs() {
	const cite = "RFC 9449 §4.3, check 9; RFC 3986 §6.2.2, §6.2.3"
	for _, htu := range []string{
		"HTTPS://api.example.test/orders", "https://API.Example.TEST/orders", "https://api.example.test:443/orders", "https://api.example.test:/orders", "https://api.example.test/%6Frders",
		"https://api.example.test/%6frders", "https://api.example.test/./orders", "https://api.example.test/x/../orders", "https://api.example.test/../orders", "https://api.example.test/x/%2e%2E/orders",
		"https://%61pi.example.test/orders", "https://api.example.test/orders?x=1", "https://api.example.test/orders#top", "https://api.example.test/orders?", "https://api.example.test/orders#", "https://api.example.test/orders?a=/../x#y?z",
	} {
		b.accept("htu "+htu, cite, b.good().claim("htu", quote(htu)))
	}
	for _, pair := range [][2]string{
		{"/", ""}, {"", "/"}, {"/a%2fb", "/a%2Fb"}, {"/a%2Fb", "/a%2fb"}, {"/%7Euser", "/~user"}, {"/a/b", "/a/./b"}, {"/a/", "/a/b/.."}, {"/a/", "/a/."}, {"/x//y", "/x//y"},
		{"/orders?page=2", "/orders"}, {"/%E2%82%AC", "/%e2%82%ac"}, {"/a;b=c", "/a;b=c"}, {"/a:b@c", "/a:b@c"},
	} {
		p := b.good().claim("htu", quote(Base+pair[1]))
		p.url = Base + pair[0]
		b.accept(fmt.Sprintf("htu %q at %q", pair[1], pair[0]), cite, p)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "HEAD", "OPTIONS", "QUERY", "M-SEARCH"} {
		p := b.good().claim("htm", quote(method))
		p.method = method
		b.accept("a proof for "+method, "RFC 9449 §4.3, check 8", p)
	}
}

// goodRepeats look like replays and are none.
func (b *builder) goodRepeats() {
	const cite = "RFC 9449 §11.1; opentdf: replay memory keyed by jti alone"
	p, other := b.goodBy("p256-b", "ES256"), b.goodBy("p256-b", "ES256")
	b.add("another jti", cite, "", p, p.raw())
	b.after(other.raw())
	p = b.good().claim("jti", `"TWIN"`)
	b.add("a jti in another case", cite, "", p, p.raw())
	b.after(p.claim("jti", `"Twin"`).raw())
	p = b.good()
	first := p.claim("jti", `"a"`).raw()
	b.add("a jti that begins like another", cite, "", p, p.claim("jti", `"ab"`).raw())
	b.after(first)
}
