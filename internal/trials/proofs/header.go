package proofs

import (
	"fmt"
	"strings"
)

// types are no typ of a proof.
func (b *builder) types() {
	const cite = "RFC 9449 §4.3, check 4; RFC 8725 §3.11"
	b.refuse("no typ", cite, "typ", b.good().head("typ", ""))
	for _, typ := range []string{
		"", "JWT", "jwt", "dpop", "dpop+JWT", "DPoP+JWT", "DPOP+JWT", "application/dpop+jwt", "at+jwt", "client-authentication+jwt", "dpop+jwt ",
		" dpop+jwt", "dpop+jwt\x00", "dpop+jwt;v=1", "dpop-jwt", "dpop+jws", "dpop+jwtx", "dpop+jw", "ｄpop+jwt",
	} {
		b.refuse(fmt.Sprintf("typ %q", typ), cite, "typ", b.good().head("typ", quote(typ)))
	}
	for _, text := range []string{`null`, `true`, `0`, `["dpop+jwt"]`, `{"typ":"dpop+jwt"}`} {
		b.refuse("typ "+text, cite, "typ", b.good().head("typ", text))
	}
	b.refuse("Typ in its place", cite, "typ", p256(b).head("typ", "").head("Typ", `"dpop+jwt"`))
}

func p256(b *builder) *proof { return b.good() }

// algorithms are none that a proof may be signed with.
func (b *builder) algorithms() {
	const cite = "RFC 9449 §4.3, check 5, §11.6; RFC 8725 §3.1; CVE-2015-9235"
	b.refuse("no alg", cite, "alg", b.good().head("alg", ""))
	for _, alg := range []string{
		"none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS1", "ES256K", "Ed448", "es256", "ES256 ", " ES256", "ES256\x00", "ECDSA",
		"RSA1_5", "RSA-OAEP", "dir", "A128KW", "ECDH-ES", "ML-DSA-44", "PS1", "ed25519", "EDDSA",
	} {
		b.refuse(fmt.Sprintf("alg %q", alg), cite, "alg", b.good().head("alg", quote(alg)))
	}
	for _, text := range []string{`null`, `256`, `["ES256"]`, `{"alg":"ES256"}`, `true`} {
		b.refuse("alg "+text, cite, "alg", b.good().head("alg", text))
	}
	p := b.good().head("alg", `"none"`)
	b.add("alg none and no signature", cite, "alg", p, segment(p.header.String())+"."+segment(p.claims.String())+".")
	p = b.good().head("alg", `"HS256"`)
	b.add("an HMAC by the public key", "CVE-2015-9235; CVE-2016-10555", "alg", p,
		mac(segment(p.header.String())+"."+segment(p.claims.String()), []byte(publicKey("p256-a").String())))
	b.config = OnlyES256
	for _, other := range []struct{ key, alg string }{{"rsa-2048-a", "RS256"}, {"rsa-2048-a", "PS256"}, {"p384", "ES384"}, {"p521", "ES512"}, {"ed25519-a", "EdDSA"}, {"ed25519-a", "Ed25519"}} {
		b.refuse("good, by "+other.alg, cite, "alg", b.goodBy(other.key, other.alg))
	}
	b.accept("good, by ES256", cite, b.good())
	b.config = Plain
}

// critical are extensions.
func (b *builder) critical() {
	const cite = "RFC 7515 §4.1.11; RFC 7797 §6; CVE-2025-59420"
	for _, text := range []string{`[]`, `["exp"]`, `["b64"]`, `null`, `"exp"`, `["x-unknown"]`} {
		b.refuse("crit "+text, cite, "crit", b.good().head("crit", text))
	}
	for _, text := range []string{`false`, `true`, `null`} {
		b.refuse("b64 "+text, cite, "crit", b.good().head("b64", text))
	}
}

// references bring another key along, or say where one is.
func (b *builder) references() {
	const cite = "RFC 9449 §4.3, check 7; RFC 8725 §3.10; CVE-2018-0114; huskarl#155"
	values := map[string]string{
		"x5u": `"https://evil.example/c.pem"`, "x5c": `["MIIB"]`, "x5t": `"bm9uZQ"`, "x5t#S256": `"bm9uZQ"`, "jku": `"https://evil.example/jwks"`,
	}
	for _, name := range []string{"x5u", "x5c", "x5t", "x5t#S256", "jku"} {
		b.refuse(name+" beside the jwk", cite, "reference", b.good().head(name, values[name]))
		b.refuse(name+" of null beside the jwk", cite, "reference", b.good().head(name, "null"))
		b.refuse(name+" in the jwk", cite, "reference", b.good().head("jwk", publicKey("p256-a").and(name, values[name]).String()))
		b.refuse(name+" in place of the jwk", cite, "reference", b.good().head("jwk", "").head(name, values[name]))
	}
}

// noKeys have no jwk.
func (b *builder) noKeys() {
	const cite = "RFC 9449 §4.2, §4.3, check 7"
	b.refuse("no jwk", cite, "jwk", b.good().head("jwk", ""))
	b.refuse("a kid in place of the jwk", cite, "jwk", b.good().head("jwk", "").head("kid", `"p256-a"`))
	b.refuse("JWK in its place", cite, "jwk", b.good().head("jwk", "").head("JWK", publicKey("p256-a").String()))
	for _, text := range []string{`null`, `true`, `0`, `""`, quote(publicKey("p256-a").String()), `[]`, "[" + publicKey("p256-a").String() + "]", `{}`, `{"keys":[` + publicKey("p256-a").String() + `]}`} {
		b.refuse(fmt.Sprintf("jwk %.40s", text), cite, "jwk", b.good().head("jwk", text))
	}
}

// privateKeys tell what nobody may know.
func (b *builder) privateKeys() {
	const cite = "RFC 9449 §4.3, check 7; huskarl#155; plyr.fm#2072"
	b.refuse("the private EC key", cite, "jwk", b.good().head("jwk", publicKey("p256-a").and("d", quote(privateKey("p256-a")["d"])).String()))
	b.refuse("the private Ed25519 key", cite, "jwk", b.goodBy("ed25519-a", "EdDSA").head("jwk", publicKey("ed25519-a").and("d", quote(privateKey("ed25519-a")["d"])).String()))
	rsa := privateKey("rsa-2048-a")
	for _, name := range []string{"d", "p", "q"} {
		b.refuse("the private RSA key, "+name, cite, "jwk", b.goodBy("rsa-2048-a", "RS256").head("jwk", publicKey("rsa-2048-a").and(name, quote(rsa[name])).String()))
	}
	for _, name := range []string{"dp", "dq", "qi"} {
		b.refuse("the private RSA key, "+name, cite, "jwk", b.goodBy("rsa-2048-a", "RS256").head("jwk", publicKey("rsa-2048-a").and(name, `"AQAB"`).String()))
	}
	b.refuse("the private RSA key, oth", cite, "jwk", b.goodBy("rsa-2048-a", "RS256").head("jwk", publicKey("rsa-2048-a").and("oth", `[]`).String()))
	b.refuse("a private part that is empty", cite, "jwk", b.good().head("jwk", publicKey("p256-a").and("d", `""`).String()))
	b.refuse("a private part of null", cite, "jwk", b.good().head("jwk", publicKey("p256-a").and("d", `null`).String()))
	b.refuse("a private part under an escaped name", cite, "jwk", b.good().head("jwk", strings.Replace(publicKey("p256-a").and("d", `"AQAB"`).String(), `"d"`, `"\u0064"`, 1)))
	b.refuse("a symmetric key", cite, "jwk", b.good().head("jwk", `{"kty":"oct","k":"c2VjcmV0"}`))
	b.refuse("a symmetric key without its value", cite, "jwk", b.good().head("jwk", `{"kty":"oct"}`))
	b.refuse("a k beside a public key", cite, "jwk", b.good().head("jwk", publicKey("p256-a").and("k", `"c2VjcmV0"`).String()))
	b.refuse("a priv (AKP)", "RFC 9964", "jwk", b.good().head("jwk", publicKey("p256-a").and("priv", `"c2VjcmV0"`).String()))
}
