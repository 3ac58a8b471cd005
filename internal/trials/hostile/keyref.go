package hostile

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
)

// keyIDs are kids that name no key, under a signature that is good: nothing but
// an exact match in the key set may find the key.
func (b *builder) keyIDs() {
	const cite = "RFC 7515 §4.1.4; RFC 8725 §3.10"
	for _, kid := range []string{
		"", " ", ".", "/", "*", "%", "0", "null", "undefined", "kid",
		"../../../../../../dev/null", "/dev/null", "/proc/sys/kernel/randomize_va_space", `..\..\..\windows\win.ini`,
		"file:///etc/passwd",
		"../" + edKey, edKey + "/../" + edKey, "./" + edKey, edKey + ".pem",
		"x' UNION SELECT 'AAAA';--", "' OR '1'='1", edKey + "'--", `"; DROP TABLE keys;--`,
		"|/bin/sh -c id", "$(id)", "`id`", "${jndi:ldap://127.0.0.1/x}", "{{7*7}}", "*)(uid=*", "%00", "%n%n%n",
		b.canary + "/jwks.json", "did:web:127.0.0.1", "__proto__", "constructor",
		edKey + " ", " " + edKey, edKey + "\x00", edKey + "\n", edKey + "\r\nX-Injected: 1", edKey + "\u200b",
		edKey[:len(edKey)-1], edKey + "a", strings.ToUpper(edKey), "еd25519-a", "ed25519-ａ", "ed25519\u2010a", "made-up",
		strings.Repeat("k", 10_000), "\u202ea-91552de",
	} {
		name := fmt.Sprintf("kid %.40q", kid)
		if len(kid) > 100 {
			name += "…, 10 kB"
		}
		b.refuse(name, cite, b.headed("kid", quote(kid)), "key")
	}
	for _, kid := range []string{`0`, `1`, `-1.5`, `1e400`, `true`, `false`, `{}`, `[]`, `["` + edKey + `"]`, `{"` + edKey + `":1}`} {
		b.refuse("kid is "+kid, "RFC 7515 §4.1.4 (a string)", b.headed("kid", kid), "json")
	}
	for _, alg := range []string{"RS256", "PS256"} {
		b.refuse("no kid, and a key that nobody published, with "+alg, "RFC 7515 §4.1.4, §6; RFC 8725 §3.1",
			sign(header(alg, rsaKey).without("kid").String(), b.claims().String(), foreignRSA, alg), "signature")
	}
	b.refuse("no kid, and PS256 by a key that is published for RS256 alone", "RFC 7517 §4.4",
		sign(header("PS256", rsaKey).without("kid").String(), b.claims().String(), "rsa-2048-c", "PS256"), "signature")
	b.refuse("no kid, and the second of two keys with one kid", "RFC 7517 §4.5",
		sign(header("RS256", rsaKey).without("kid").String(), b.claims().String(), "rsa-2048-d", "RS256"), "signature")
	b.refuse("a Kelvin sign for the k of kid, and a key that nobody published", "RFC 7515 §4 (names are compared as they are); encoding/json folds case",
		sign(object{{"alg", `"RS256"`}, {"\u212aid", quote(rsaKey)}}.String(), b.claims().String(), foreignRSA, "RS256"), "signature")
}

// ownKeys are tokens that bring the key to verify them along.
func (b *builder) ownKeys() {
	jwk := published(foreignEd)
	secret := private(foreignEd)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		panic("hostile: " + err.Error())
	}
	chain := `["` + base64.StdEncoding.EncodeToString(cert) + `"]`
	const embedded = "RFC 8725 §3.10; CVE-2018-0114; CVE-2026-27962"
	const pointed = "RFC 8725 §3.10; RFC 7515 §4.1.2, §4.1.5"
	for _, ref := range []struct{ name, value, cite string }{
		{"jwk", jwk.String(), embedded},
		{"jwk", jwk.with("kid", quote(edKey)).String(), embedded},
		{"jwk", `{"kty":"oct","k":""}`, embedded},
		{"jku", quote(b.canary + "/jwks.json"), pointed},
		{"jku", quote(b.issuer + "@" + strings.TrimPrefix(b.canary, "http://") + "/jwks.json"), pointed},
		{"jku", quote("data:application/json,{\"keys\":[" + jwk.String() + "]}"), pointed},
		{"x5u", quote(b.canary + "/cert.pem"), pointed},
		{"x5c", chain, embedded},
		{"x5t", `"AAAAAAAAAAAAAAAAAAAAAAAAAAA"`, pointed},
		{"x5t#S256", `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`, pointed},
		{"keys", `[` + jwk.String() + `]`, embedded},
		{"iss", quote(b.canary), "RFC 7519 §5.3 (a replicated claim finds no key)"},
		{"url", quote(b.canary), pointed},
	} {
		for _, kid := range []struct{ name, value, want string }{
			{"the issuer's", quote(edKey), "signature"}, {"the attacker's", quote(foreignEd), "key"}, {"no", "", "signature"},
		} {
			h := header("EdDSA", edKey).with("kid", kid.value)
			if kid.value == "" {
				h = h.without("kid")
			}
			h = h.with(ref.name, ref.value)
			b.refuse(fmt.Sprintf("attacker's key by %s %.50s, %s kid", ref.name, ref.value, kid.name), ref.cite,
				sign(h.String(), b.claims().String(), foreignEd, "EdDSA"), kid.want)
		}
	}
}

// critical are extensions that say that they must be understood.
func (b *builder) critical() {
	const cite = "RFC 7515 §4.1.11; CVE-2025-59420; CVE-2026-32597"
	for _, crit := range []string{
		`["exp"]`, `["b64"]`, `["alg"]`, `["kid"]`, `["http://example.com/x"]`, `["exp","exp"]`, `[]`, `[""]`,
		`[null]`, `[["exp"]]`,
		`"exp"`, `""`, `null`, `true`, `0`, `{}`, `{"exp":true}`,
	} {
		b.refuse("crit "+crit, cite, b.headed("crit", crit), "crit")
		b.refuse("crit "+crit+", with the extension there", cite,
			token(edHeader().with("crit", crit).with("exp", "1").with("http://example.com/x", "true"), b.claims()), "crit")
	}
	const unencoded = "RFC 7797 §3, §6, §7; jwx v2 takes it without crit"
	for _, b64 := range []string{`false`, `true`, `null`, `"false"`, `0`} {
		b.refuse("b64 "+b64+" without crit", unencoded, b.headed("b64", b64), "crit")
	}
	b.refuse("b64 false with crit", unencoded, token(edHeader().with("b64", "false").with("crit", `["b64"]`), b.claims()), "crit")
	raw := edHeader().with("b64", "false").with("crit", `["b64"]`)
	b.refuse("b64 false with crit and an unencoded payload", unencoded,
		seal(segment(raw.String())+"."+`{"sub":"x"}`, edKey, "EdDSA"), "crit")
	b.refuse("b64 false without crit and an unencoded payload", unencoded,
		seal(segment(edHeader().with("b64", "false").String())+"."+`{"sub":"x"}`, edKey, "EdDSA"), "crit")
}

// publishedKeys are tokens signed, and well, by keys that the issuer should not
// have published, or not for this.
func (b *builder) publishedKeys() {
	input := func(kid string) string {
		return segment(header("RS256", kid).String()) + "." + segment(b.claims().String())
	}
	for _, weak := range weakRSA() {
		b.refuse(fmt.Sprintf("RSA key of %d bits", weak.n.BitLen()), "RFC 7518 §3.3",
			input(weak.kid)+"."+segment(rawRSA(input(weak.kid), weak.n, weak.d)), "key")
	}
	b.refuse("RSA key of 1024 bits", "RFC 7518 §3.3", seal(input("rsa-1024"), "rsa-1024", "RS256"), "key")
	b.refuse("PS256 by an RSA key of 1024 bits", "RFC 7518 §3.5",
		sign(header("PS256", "rsa-1024").String(), b.claims().String(), "rsa-1024", "PS256"), "key")
	one := big.NewInt(1)
	b.refuse("RSA key with the exponent 1, under which anybody can sign", "RFC 8017 §3.1",
		input("exponent-1")+"."+segment(rawRSA(input("exponent-1"), rsaPrivate("rsa-2048-d").N, one)), "key")

	for _, k := range []struct{ kid, cite, key, alg string }{
		{"for-encryption", "RFC 7517 §4.2; keyfunc takes it", "rsa-2048-b", "RS256"},
		{"for-signing-only", "RFC 7517 §4.3", "rsa-2048-b", "RS256"},
		{"with-private-half", "RFC 7517 §9.2", "rsa-2048-b", "RS256"},
		{"alg-none", "RFC 7517 §4.4", "rsa-2048-b", "RS256"},
		{"alg-hs256", "RFC 7517 §4.4; RFC 8725 §3.1", "rsa-2048-b", "RS256"},
		{"alg-of-rsa", "RFC 7517 §4.4; RFC 8725 §3.1", "p256-b", "ES256"},
		{"off-the-curve", "RFC 8725 §2.5, §3.4", "p256-b", "ES256"},
		{"secp256k1", "RFC 7518 §3.4; RFC 8812 §3.2", "p256-b", "ES256"},
		{"ed448", "RFC 8037 §3.1", "ed25519-b", "EdDSA"},
		{"x25519", "RFC 8037 §3.2", "ed25519-b", "EdDSA"},
		{"twins", "RFC 7517 §4.4; CVE-2026-22817", "rsa-2048-c", "PS256"},
	} {
		b.refuse("signed by the published key "+k.kid+" with "+k.alg, k.cite,
			sign(header(k.alg, k.kid).String(), b.claims().String(), k.key, k.alg), "key")
	}
	b.refuse("signed by the second of two keys with one kid", "RFC 7517 §4.5",
		sign(header("RS256", "twins").String(), b.claims().String(), "rsa-2048-d", "RS256"), "signature")
	for _, alg := range []string{"RS256", "PS256"} {
		b.refuse(alg+" by a key that nobody published, under a kid that somebody did", "RFC 7515 §5.2",
			sign(header(alg, rsaKey).String(), b.claims().String(), foreignRSA, alg), "signature")
		b.refuse(alg+" by a key that nobody published, under its own kid", "RFC 7515 §4.1.4, §5.2",
			sign(header(alg, foreignRSA).String(), b.claims().String(), foreignRSA, alg), "key")
	}
}
