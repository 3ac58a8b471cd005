package proofs

import (
	"crypto/ecdsa"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// signatures are not the key's, or not of this proof.
func (b *builder) signatures() {
	const cite = "RFC 9449 §4.3, check 6; RFC 7518 §3.4; CVE-2022-21449"
	p := b.good()
	raw := p.raw()
	input, sig := raw[:strings.LastIndexByte(raw, '.')], octets(raw[strings.LastIndexByte(raw, '.')+1:])
	order := private("p256-a").(*ecdsa.PrivateKey).Params().N
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		panic("proofs: " + err.Error())
	}
	pair := func(r, s *big.Int) []byte { return fixed(private("p256-a").(*ecdsa.PrivateKey), r, s) }
	zero := new(big.Int)
	for name, signature := range map[string][]byte{
		"zeros": make([]byte, 64), "cut": sig[:63], "half of it": sig[:32], "an octet more": append(slices.Clone(sig), 0), "twice": append(slices.Clone(sig), sig...), "in DER": der, "one octet": {0},
		"a bit off": flipped(slices.Clone(sig)), "halves exchanged": pair(s, r), "r is zero": pair(zero, s), "s is zero": pair(r, zero), "r and s are the order": pair(order, order),
		"of another proof": signature("x.y", "p256-a", "ES256"), "by another key": signature(input, "p256-b", "ES256"), "over SHA-384": signature(input, "p256-a", "ES384"), "ones": slices.Repeat([]byte{0xff}, 64),
	} {
		b.add("signature, "+name, cite, "signature", p, input+"."+segment(signature))
	}
	one, two := strings.Split(b.good().raw(), "."), strings.Split(b.good().raw(), ".")
	b.add("the claims of another proof", cite, "signature", p, one[0]+"."+two[1]+"."+one[2])
	b.add("the header of another proof of the key", cite, "signature", p, segment(p.header.and("kid", `"x"`).String())+"."+one[1]+"."+one[2])
	for _, wrong := range []struct{ key, alg, by string }{{"rsa-2048-a", "RS256", "PS256"}, {"rsa-2048-a", "PS256", "RS256"}, {"rsa-2048-a", "RS512", "RS256"}, {"rsa-2048-a", "PS384", "PS512"}} {
		p := b.goodBy(wrong.key, wrong.alg)
		p.alg = wrong.by
		b.refuse(wrong.alg+" signed by "+wrong.by, "RFC 7518 §3.3, §3.5", "signature", p)
	}
	p = b.goodBy("ed25519-a", "EdDSA")
	raw = p.raw()
	input, sig = raw[:strings.LastIndexByte(raw, '.')], octets(raw[strings.LastIndexByte(raw, '.')+1:])
	b.add("EdDSA, S beyond the order", "RFC 8032 §5.1.7", "signature", p, input+"."+segment(beyondOrder(sig)))
	b.add("EdDSA, zeros", "RFC 8032 §5.1.7", "signature", p, input+"."+segment(make([]byte, 64)))
	b.add("EdDSA, cut", "RFC 8032 §5.1.7", "signature", p, input+"."+segment(sig[:63]))
	b.add("EdDSA, by another key", "RFC 8032 §5.1.7", "signature", p, input+"."+segment(signature(input, "ed25519-b", "EdDSA")))
}

// beyondOrder adds the order of Ed25519's group to S, which means the same to who does
// not look.
func beyondOrder(sig []byte) []byte {
	order, _ := new(big.Int).SetString("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed", 16)
	s := slices.Clone(sig[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return slices.Concat(sig[:32], sum)
}

// replays were seen before.
func (b *builder) replays() {
	const cite = "RFC 9449 §11.1"
	p := b.good()
	raw := p.raw()
	b.add("the same proof twice", cite, "replay", p, raw)
	b.after(raw)
	p = b.good().claim("iat", fmt.Sprint(Now().Unix()-60))
	raw = p.raw()
	b.add("the same proof at the end of its time", cite+"; keycloak#43505", "replay", p, raw)
	b.after(raw)
	p = b.good()
	raw = p.raw()
	b.add("the same proof, its signature the other way", cite+"; ECDSA: s and n − s", "replay", p, otherS(raw))
	b.after(raw)
	p = b.good()
	raw = p.raw()
	b.add("the same jti, signed again", cite, "replay", p, p.raw())
	b.after(raw)
	p = b.good()
	raw = p.raw()
	b.add("the same jti at another time", cite, "replay", p, p.claim("iat", "1781524801").raw())
	b.after(raw)
	p = b.good().claim("jti", `"twin"`)
	raw = p.raw()
	b.add("the same jti in escapes", cite+"; RFC 8259 §8.3", "replay", p, p.claim("jti", `"\u0074win"`).raw())
	b.after(raw)
	p = b.good()
	raw = p.raw()
	b.add("the same jti with another header", cite, "replay", p, p.head("kid", `"x"`).raw())
	b.after(raw)
	p = b.good()
	raw = p.raw()
	b.add("the same jti with more claims", cite, "replay", p, p.claim("x", `"x"`).raw())
	b.after(raw)
	p = b.goodBy("ed25519-a", "EdDSA")
	raw = p.raw()
	b.add("the same jti under the other name of its algorithm", cite+"; RFC 9864", "replay", p, p.head("alg", `"Ed25519"`).raw())
	b.after(raw)
}

// otherS is a proof with n − s for s, which verifies as well.
func otherS(raw string) string {
	dot := strings.LastIndexByte(raw, '.')
	sig := octets(raw[dot+1:])
	key := private("p256-a").(*ecdsa.PrivateKey)
	s := new(big.Int).Sub(key.Params().N, new(big.Int).SetBytes(sig[32:]))
	return raw[:dot+1] + segment(fixed(key, new(big.Int).SetBytes(sig[:32]), s))
}

// examples are those of the RFCs, byte for byte.
func (b *builder) examples() {
	const (
		header = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
		claims = "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9"
		api    = header + "." + claims + ".2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
		login  = header + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
		renew  = header + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjY1Mjk2fQ.pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5QsGSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA"
	)
	b.config = Example
	resource := &proof{method: "GET", url: "https://resource.example.org/protectedresource", token: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}
	server := *resource
	server.method, server.url = "POST", "https://server.example.com/token"
	at := func(seconds int64) { b.at(time.Unix(seconds, 0)) }
	b.add("RFC 9449, Figure 12", "RFC 9449 §7.1", "", resource, api)
	at(1562262618)
	b.add("RFC 9449, Figure 12, a minute later", "RFC 9449 §7.1", "", resource, api)
	at(1562262618 + 60)
	b.add("RFC 9449, Figure 12, another second later", "RFC 9449 §7.1, §11.1", "iat", resource, api)
	at(1562262618 + 61)
	b.add("RFC 9449, Figure 12, twice", "RFC 9449 §7.1, §11.1", "replay", resource, api)
	b.after(api)
	at(1562262618)
	elsewhere := *resource
	elsewhere.token += "x"
	b.add("RFC 9449, Figure 12, another token", "RFC 9449 §7.1", "ath", &elsewhere, api)
	at(1562262618)
	b.add("RFC 9449, Figure 12, at the token endpoint", "RFC 9449 §7.1", "htm", &server, api)
	at(1562262618)
	b.add("RFC 9449, Figure 2, which is for no token", "RFC 9449 §4.1, §5", "ath", &server, login)
	at(1562262616)
	b.add("RFC 9449, Figure 2, at the resource", "RFC 9449 §4.1", "htm", resource, login)
	at(1562262616)
	b.add("RFC 9449, Figure 6, which is for no token", "RFC 9449 §5", "ath", &server, renew)
	at(1562265296)

	// RFC 7638 tells the thumbprint of a key, and signs nothing by it.
	const n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	jwk := object{{"kty", `"RSA"`}, {"n", quote(n)}, {"e", `"AQAB"`}, {"alg", `"RS256"`}, {"kid", `"2011-04-29"`}}
	b.config = Plain
	p := b.goodBy("rsa-2048-a", "RS256").head("jwk", jwk.String())
	p.thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
	p.token = b.token(p.thumbprint)
	b.refuse("RFC 7638's key and its thumbprint, signed by another", "RFC 7638 §3.1", "signature", p.claim("ath", quote(hashOf(p.token))))
	p = b.goodBy("rsa-2048-a", "RS256").head("jwk", jwk.String())
	b.refuse("RFC 7638's key and another thumbprint", "RFC 7638 §3.1", "jkt", p)
}
