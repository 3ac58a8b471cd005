package proofs

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
)

// curveKeys are EC and Ed25519 keys that are none.
func (b *builder) curveKeys() {
	const cite = "RFC 9449 §4.3, check 7; RFC 7518 §6.2.1; go-dpop: malformed EC jwk"
	good := publicKey("p256-a")
	bad := func(name, cite string, jwk object) {
		p := b.good().head("jwk", jwk.String())
		p.thumbprint = thumbprint(jwk)
		p.token = b.token(p.thumbprint)
		b.refuse(name, cite, "jwk", p.claim("ath", quote(hashOf(p.token))))
	}
	x, y := members(good)["x"], members(good)["y"]
	for _, name := range []string{"kty", "crv", "x", "y"} {
		bad("no "+name, cite, good.with(name, ""))
		bad(name+" of null", cite, good.with(name, "null"))
		bad(name+" is empty", cite, good.with(name, `""`))
		bad(name+" is a number", cite, good.with(name, "7"))
	}
	for _, kty := range []string{"ec", "EC2", "RSA", "OKP", "oct", "AKP"} {
		bad("a point of kty "+kty, cite, good.with("kty", quote(kty)))
	}
	for _, crv := range []string{"p-256", "P256", "secp256r1", "prime256v1", "secp256k1", "P-384", "P-521", "Ed25519", "X25519"} {
		bad("a point of crv "+crv, cite, good.with("crv", quote(crv)))
	}
	for name, text := range map[string]string{
		"with a leading zero": encode(append([]byte{0}, octets(x)...)), "cut by an octet": encode(octets(x)[1:]), "padded": x + "=", "with a line break": x + "\n",
		"in the other alphabet": strings.ReplaceAll(strings.ReplaceAll(x, "-", "+"), "_", "/") + "+", "with stray bits": x[:len(x)-1] + "B", "in hexadecimal": hex.EncodeToString(octets(x)),
		"of another point": members(publicKey("p256-b"))["x"], "of the prime and more": encode(beyond(octets(x))),
	} {
		bad("x "+name, cite+"; RFC 7518 §6.2.1.2", good.with("x", quote(text)))
	}
	bad("x and y exchanged", cite, good.with("x", quote(y)).with("y", quote(x)))
	zero := encode(make([]byte, 32))
	bad("the point (0, 0)", "SEC 1 §3.2.2; CVE-2015-7940", good.with("x", quote(zero)).with("y", quote(zero)))
	bad("a point off the curve", "SEC 1 §3.2.2; CVE-2015-7940", good.with("y", quote(encode(flipped(octets(y))))))
	bad("the compressed point", "SEC 1 §2.3.3", good.with("x", quote(encode(append([]byte{2}, octets(x)...)))).with("y", ""))

	ed := publicKey("ed25519-a")
	badEd := func(name, cite string, jwk object) {
		p := b.goodBy("ed25519-a", "EdDSA").head("jwk", jwk.String())
		p.thumbprint = thumbprint(jwk)
		p.token = b.token(p.thumbprint)
		b.refuse(name, cite, "jwk", p.claim("ath", quote(hashOf(p.token))))
	}
	edx := octets(members(ed)["x"])
	badEd("Ed25519, 31 octets", "RFC 8037 §2", ed.with("x", quote(encode(edx[:31]))))
	badEd("Ed25519, 33 octets", "RFC 8037 §2", ed.with("x", quote(encode(append(edx, 0)))))
	badEd("Ed25519, no x", "RFC 8037 §2", ed.with("x", ""))
	badEd("an X25519 key", "RFC 8037 §3.2", ed.with("crv", `"X25519"`))
	badEd("an Ed448 key", "RFC 8037 §2", ed.with("crv", `"Ed448"`))
	badEd("kty EC with Ed25519", "RFC 8037 §2", ed.with("kty", `"EC"`))
	for name, point := range map[string]string{
		"0": strings.Repeat("00", 32), "1": "01" + strings.Repeat("00", 31), "−1": "ec" + strings.Repeat("ff", 30) + "7f",
		"the prime": "ed" + strings.Repeat("ff", 30) + "7f", "the prime + 1": "ee" + strings.Repeat("ff", 30) + "7f",
		"of order 8":          "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"of order 8, negated": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"1, the other sign":   "01" + strings.Repeat("00", 30) + "80",
	} {
		raw, err := hex.DecodeString(point)
		if err != nil {
			panic("proofs: " + err.Error())
		}
		badEd("Ed25519 of small order, "+name, "RFC 8032 §5.1; CVE-2021-41122", ed.with("x", quote(encode(raw))))
	}
}

// rsaKeys are RSA keys that are none, or too dear or too cheap.
func (b *builder) rsaKeys() {
	const cite = "RFC 9449 §4.3, check 7; RFC 7518 §3.3, §6.3.1; go-dpop: malformed RSA jwk"
	good := publicKey("rsa-2048-a")
	bad := func(name, cite string, jwk object) {
		p := b.goodBy("rsa-2048-a", "RS256").head("jwk", jwk.String())
		p.thumbprint = thumbprint(jwk)
		p.token = b.token(p.thumbprint)
		b.refuse(name, cite, "jwk", p.claim("ath", quote(hashOf(p.token))))
	}
	n := octets(members(good)["n"])
	for _, name := range []string{"n", "e"} {
		bad("RSA without "+name, cite, good.with(name, ""))
		bad("RSA, "+name+" is a number", cite, good.with(name, "65537"))
	}
	for name, modulus := range map[string][]byte{
		"even": append(append([]byte(nil), n[:len(n)-1]...), n[len(n)-1]&^1), "with a leading zero": append([]byte{0}, n...), "of 2,040 bits": n[1:],
		"of 4,104 bits": append(append(append([]byte(nil), n...), n...), 1), "of zero": make([]byte, 256), "of one": {1},
	} {
		bad("RSA, a modulus "+name, cite, good.with("n", quote(encode(modulus))))
	}
	p := b.goodBy("rsa-1024", "RS256")
	b.refuse("RSA of 1,024 bits", cite, "jwk", p)
	for name, exponent := range map[string][]byte{
		"1": {1}, "2": {2}, "0": {0}, "65536": {1, 0, 0}, "with a leading zero": {0, 1, 0, 1}, "above 2³¹": {0x80, 0, 0, 1}, "of 5 octets": {1, 0, 0, 0, 1},
	} {
		bad("RSA, an exponent of "+name, cite+"; CVE-2024-10318", good.with("e", quote(encode(exponent))))
	}
	bad("RSA, a padded exponent", cite, good.with("e", `"AQAB="`))
}

// unfitKeys do not belong to their alg, or are for something else.
func (b *builder) unfitKeys() {
	const cite = "RFC 9449 §4.3, check 7; RFC 7518 §3.1; RFC 8725 §3.1"
	for _, pair := range []struct{ alg, key string }{
		{"RS256", "p256-a"}, {"PS256", "p256-a"}, {"EdDSA", "p256-a"}, {"ES384", "p256-a"}, {"ES512", "p256-a"}, {"ES256", "p384"}, {"ES256", "p521"},
		{"ES256", "ed25519-a"}, {"RS256", "ed25519-a"}, {"ES256", "rsa-2048-a"}, {"EdDSA", "rsa-2048-a"}, {"ES384", "p521"}, {"ES512", "p384"},
	} {
		p := b.goodBy(pair.key, map[string]string{"p256-a": "ES256", "p384": "ES384", "p521": "ES512", "ed25519-a": "EdDSA", "rsa-2048-a": "RS256"}[pair.key])
		b.refuse(pair.alg+" with "+pair.key, cite, "jwk", p.head("alg", quote(pair.alg)))
	}
	good := publicKey("p256-a")
	for name, jwk := range map[string]object{
		"use enc": good.and("use", `"enc"`), "use of null": good.and("use", "null"), "key_ops sign": good.and("key_ops", `["sign"]`), "no key_ops": good.and("key_ops", `[]`),
		"key_ops is a string": good.and("key_ops", `"verify"`), "alg of the jwk is another": good.and("alg", `"ES384"`), "alg of the jwk is none": good.and("alg", `"none"`),
		"alg of the jwk is for encryption": good.and("alg", `"ECDH-ES"`), "alg of the jwk is a number": good.and("alg", `256`),
	} {
		b.refuse(name, "RFC 7517 §4.2 to §4.4", "jwk", b.good().head("jwk", jwk.String()))
	}
}

func members(jwk object) map[string]string {
	values := make(map[string]string)
	for _, m := range jwk {
		values[m.name] = strings.Trim(m.text, `"`)
	}
	return values
}

func octets(text string) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		panic(fmt.Sprintf("proofs: %q: %v", text, err))
	}
	return raw
}

func encode(raw []byte) string { return segment(raw) }

func flipped(raw []byte) []byte {
	raw[len(raw)-1] ^= 1
	return raw
}

// beyond is a coordinate of P-256 that stands for the same and is not reduced, cut to
// 32 octets.
func beyond(x []byte) []byte {
	p, _ := new(big.Int).SetString("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", 16)
	sum := new(big.Int).Add(new(big.Int).SetBytes(x), p)
	raw := sum.Bytes()
	return raw[len(raw)-32:]
}
