package proofs

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// claimForms are claims that are missing or not of their type.
func (b *builder) claimForms() {
	const cite = "RFC 9449 §4.2, §4.3, check 3"
	for _, name := range []string{"jti", "htm", "htu", "iat"} {
		b.refuse("no "+name, cite, "claims", b.good().claim(name, ""))
		for _, text := range []string{"null", "true", "[]", "{}"} {
			b.refuse(name+" "+text, cite, "claims", b.good().claim(name, text))
		}
		upper := strings.ToUpper(name)
		b.refuse(upper+" in place of "+name, cite+"; RFC 8259 §8.3", "claims", b.good().claim(name, "").claim(upper, `"x"`))
	}
	for _, name := range []string{"jti", "htm", "htu"} {
		b.refuse(name+" is empty", cite, "claims", b.good().claim(name, `""`))
		b.refuse(name+" is a number", cite, "claims", b.good().claim(name, `7`))
	}
	for _, text := range []string{`"1781524800"`, `-1`, `1e400`, `1781524800000`, `253402300800`, `""`, `"2026-06-15T12:00:00Z"`} {
		b.refuse("iat "+text, "RFC 7519 §2, §4.1.6", "claims", b.good().claim("iat", text))
	}
	b.refuse("jti of 129 bytes", "RFC 9449 §11.1; descope/go-sdk#756", "claims", b.good().claim("jti", quote(strings.Repeat("j", 129))))
	b.refuse("jti of 500 bytes", "RFC 9449 §11.1; descope/go-sdk#756", "claims", b.good().claim("jti", quote(strings.Repeat("j", 500))))
	for _, text := range []string{"null", "7", "[]"} {
		b.refuse("ath "+text, "RFC 9449 §4.2", "claims", b.good().claim("ath", text))
		b.refuse("nonce "+text, "RFC 9449 §4.2", "claims", b.good().claim("nonce", text))
	}
	b.refuse("nonce of 257 bytes", "RFC 9449 §8.1", "claims", b.good().claim("nonce", quote(strings.Repeat("n", 257))))
}

// methods are of other requests.
func (b *builder) methods() {
	const cite = "RFC 9449 §4.3, check 8; RFC 9110 §9.1"
	for _, htm := range []string{"get", "Get", "POST", "HEAD", "GET ", " GET", "GETX", "GE", "*", "G\u200bET", "GET\x00", "PATCH", "GET,POST"} {
		b.refuse(fmt.Sprintf("htm %q", htm), cite, "htm", b.good().claim("htm", quote(htm)))
	}
	for _, method := range []string{"POST", "DELETE", "HEAD", "PUT"} {
		p := b.good()
		p.method = method
		b.refuse("a proof for GET with "+method, cite, "htm", p)
	}
}

// urls are of other requests, or none.
func (b *builder) urls() {
	const cite = "RFC 9449 §4.3, check 9; RFC 3986 §6.2"
	const host = "api.example.test"
	for _, htu := range []string{
		"https://api.example.test/", "https://api.example.test", "https://api.example.test/orders/", "https://api.example.test/Orders", "https://api.example.test//orders",
		"https://api.example.test/orders/1", "https://api.example.test/order", "https://api.example.test/orders;v=1", "https://api.example.test/orders%2F", "https://api.example.test/orders%3Fx",
		"https://api.example.test/%252e%252e/orders", "https://api.example.test/..%2Forders", "https://api.example.test/x/orders", "https://api.example.test/orders/..",
		"https://api.example.test/orders%20", "https://api.example.test/orders.", "https://api.example.test/orders/%2e%2e/admin",
		"http://api.example.test/orders", "https://api.example.test:80/orders", "https://api.example.test:8443/orders", "http://api.example.test:443/orders", "https://api.example.test:0443/orders",
		"https://example.test/orders", "https://evil.example/orders", "https://api.example.test.evil.example/orders", "https://evil.example/https://api.example.test/orders",
		"https://api.example.test./orders", "https://xapi.example.test/orders", "https://api-example.test/orders", "https://api.example.tes/orders", "https://[::1]/orders", "https://127.0.0.1/orders",
		"https://api.example.test/orders/../orders/..", "https://api.example.test%2Forders", "https://api.example.test%00/orders",
	} {
		b.refuse("htu "+htu, cite, "htu", b.good().claim("htu", quote(htu)))
	}
	const malformed = "RFC 9449 §4.2; RFC 3986 §3, §4.3; huskarl#157"
	for _, htu := range []string{
		"/orders", "orders", "//api.example.test/orders", "api.example.test/orders", "https:/api.example.test/orders", "https:api.example.test/orders", "https:///orders", "https://", "https://:443/orders",
		"://api.example.test/orders", "ftp://api.example.test/orders", "wss://api.example.test/orders", "urn:orders", "mailto:orders@api.example.test", "javascript://api.example.test/orders", "?", "#", " ",
		"https://user@api.example.test/orders", "https://user:pass@api.example.test/orders", "https://@api.example.test/orders", "https://evil.example@api.example.test/orders",
		"https://api.example.test\\@evil.example/orders", "https://api.example.test:443x/orders", "https://api.example.test:-443/orders", "https://[api.example.test]/orders", "https://[::1/orders", "https://api.example.test]/orders",
		"https://api.example.test/or%ders", "https://api.example.test/orders%", "https://api.example.test/orders%4", "https://api.example.test/or ders", " https://api.example.test/orders", "https://api.example.test/orders ",
		"https://api.example.test/orders\n", "https://api.example.test/orders\x00", "https://аpi.example.test/orders", "https://api.example.test/örders", "https://api.example.test\\orders", "httpſ://api.example.test/orders",
	} {
		b.refuse(fmt.Sprintf("htu %q", htu), malformed, "htu", b.good().claim("htu", quote(htu)))
	}
	p := b.good()
	p.url = Base + "/admin"
	b.refuse("a proof for /orders at /admin", cite, "htu", p)
	p = b.good().claim("htu", quote("https://"+host+"/a/b"))
	p.url = Base + "/a%2Fb"
	b.refuse("a proof for /a/b at /a%2Fb", cite, "htu", p)
}

// times are outside the window of 60 s and 10 s.
func (b *builder) times() {
	const cite = "RFC 9449 §4.3, check 11, §11.1; FAPI 2.0 §5.3.3"
	for name, offset := range map[string]string{
		"61 s old": "-61", "an hour old": "-3600", "a day old": "-86400", "11 s ahead": "11", "a minute ahead": "60", "an hour ahead": "3600", "a year ahead": "31536000",
	} {
		var seconds int64
		if _, err := fmt.Sscan(offset, &seconds); err != nil {
			panic("proofs: " + err.Error())
		}
		b.refuse("iat "+name, cite, "iat", b.good().claim("iat", fmt.Sprint(Now().Unix()+seconds)))
	}
	b.refuse("iat 60.001 s old", cite, "iat", b.good().claim("iat", fmt.Sprintf("%d.999", Now().Unix()-61)))
	b.refuse("iat 10.001 s ahead", cite, "iat", b.good().claim("iat", fmt.Sprintf("%d.001", Now().Unix()+10)))
	b.refuse("iat 0", cite, "iat", b.good().claim("iat", "0"))
	b.refuse("iat in the year 9999", cite, "iat", b.good().claim("iat", "253402300799"))
	b.refuse("a proof made before its use by an exp", "RFC 9449 §11.2", "iat",
		b.good().claim("iat", fmt.Sprint(Now().Unix()-300)).claim("exp", fmt.Sprint(Now().Unix()+300)))
}

// tokenHashes are of other tokens.
func (b *builder) tokenHashes() {
	const cite = "RFC 9449 §4.3, check 12; §7"
	token := b.good().token
	sum := sha256.Sum256([]byte(token))
	old := sha1.Sum([]byte(token))
	b.refuse("no ath", cite, "ath", b.good().claim("ath", ""))
	for name, ath := range map[string]string{
		"is empty": "", "is of another token": hashOf(token + "x"), "is of the token with its scheme": hashOf("DPoP " + token), "is the token": "token", "is in hexadecimal": hex.EncodeToString(sum[:]),
		"is padded": hashOf(token) + "=", "is cut": hashOf(token)[:42], "is in standard base64": base64.StdEncoding.EncodeToString(sum[:]), "is half of it": segment(sum[:16]), "is by SHA-1": segment(old[:]),
		"is of nothing": hashOf(""), "is in another case": strings.ToUpper(hashOf(token)), "has a space after it": hashOf(token) + " ", "is the thumbprint": b.good().thumbprint,
	} {
		b.refuse("ath "+name, cite, "ath", b.good().claim("ath", quote(ath)))
	}
}

// thumbprints are of tokens that are bound to another key.
func (b *builder) thumbprints() {
	const cite = "RFC 9449 §4.3, check 12, §6.1, §7.1; RFC 7638 §3"
	bound := func(name, cite, thumbprint string, p *proof) {
		p.thumbprint = thumbprint
		p.token = b.token(thumbprint)
		b.refuse(name, cite, "jkt", p.claim("ath", quote(hashOf(p.token))))
	}
	for _, thief := range []struct{ key, alg string }{{"p256-b", "ES256"}, {"p384", "ES384"}, {"ed25519-b", "EdDSA"}, {"rsa-2048-b", "RS256"}, {"rsa-3072", "PS256"}} {
		bound("a stolen token with a proof by "+thief.key, cite, thumbprint(publicKey("p256-a")), b.goodBy(thief.key, thief.alg))
	}
	good := thumbprint(publicKey("p256-a"))
	for name, jkt := range map[string]string{
		"padded": good + "=", "cut": good[:42], "in hexadecimal": hex.EncodeToString(octets(good)), "in upper case": strings.ToUpper(good), "of zeros": segment(make([]byte, 32)),
		"of all members": hashOf(publicKey("p256-a").String()), "of its x": members(publicKey("p256-a"))["x"],
	} {
		bound("a thumbprint "+name, cite, jkt, b.good())
	}
}

// nonces are not the server's.
func (b *builder) nonces() {
	const cite = "RFC 9449 §4.3, check 10, §9; quarkus#54854"
	b.config = Nonces
	b.refuse("no nonce", cite, "nonce", b.good())
	for _, nonce := range []string{"", "other", "Good-Nonce", GoodNonce + " ", GoodNonce[1:], NextNonce[1:]} {
		b.refuse(fmt.Sprintf("nonce %q", nonce), cite, "nonce", b.good().claim("nonce", quote(nonce)))
	}
	p := b.good().claim("nonce", quote(EndingNonce))
	raw := p.raw()
	b.add("a nonce near its end, and a bad signature", cite+"; huskarl#197", "signature", p, raw[:strings.LastIndexByte(raw, '.')+1]+segment(make([]byte, 64)))
	b.accept("a nonce", "RFC 9449 §9", b.good().claim("nonce", quote(GoodNonce)))
	b.accept("a nonce near its end", "RFC 9449 §8.2", b.good().claim("nonce", quote(EndingNonce)))
	b.config = Plain
	b.accept("a nonce that nobody asked for", "RFC 9449 §4.2", b.good().claim("nonce", `"any"`))
}
