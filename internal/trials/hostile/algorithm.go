package hostile

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
)

// unsecured is every spelling of none, each with no signature and with a good
// one, which must not make it better.
func (b *builder) unsecured() {
	const cite = "RFC 8725 §2.1, §3.2; RFC 7519 §6; CVE-2015-9235"
	for _, alg := range []string{
		`"none"`, `"None"`, `"NONE"`, `"nOnE"`, `"noNE"`, `"none "`, `" none"`, `"none\u0000"`, `"none\n"`,
		`"n\u006fne"`, `"\u006e\u006f\u006e\u0065"`, `"nonе"`, `"ｎｏｎｅ"`, `"n\u200bone"`, `"unsecured"`, `"null"`,
		`"false"`, `""`,
		`null`, `false`, `0`, `["none"]`, `{"alg":"none"}`, `["EdDSA"]`, `["EdDSA","none"]`,
	} {
		h := edHeader().with("alg", alg)
		good := token(h, b.claims())
		b.refuse("alg "+alg+" without signature", cite, good[:strings.LastIndexByte(good, '.')+1], "alg")
		b.refuse("alg "+alg+" with signature", cite, good, "alg")
	}
	h := edHeader().without("alg")
	good := token(h, b.claims())
	b.refuse("no alg, without signature", "RFC 7515 §4.1.1; "+cite, good[:strings.LastIndexByte(good, '.')+1], "alg")
	b.refuse("no alg, with signature", "RFC 7515 §4.1.1", good, "alg")
	b.refuse("alg and nothing else", cite, segment(`{"alg":"none"}`)+"."+segment(b.claims().String())+".", "alg")
}

// hmacWithPublicKey signs with HMAC, with what everybody knows as the secret.
func (b *builder) hmacWithPublicKey() {
	const cite = "RFC 8725 §2.1, §3.1; CVE-2016-10555"
	type form struct {
		kid, name, cite string
		secret          []byte
	}
	rsaPublic := &rsaPrivate(rsaKey).PublicKey
	ecPublic := private(p256Key).Public().(*ecdsa.PublicKey)
	edPublic := private(edKey).Public().(ed25519.PublicKey)
	point, err := ecPublic.Bytes()
	if err != nil {
		panic("hostile: " + err.Error())
	}
	rsaPEM := pemOf("PUBLIC KEY", pkix(rsaPublic))
	forms := []form{
		{rsaKey, "RSA, PEM", cite, rsaPEM},
		{rsaKey, "RSA, PEM without its last line break", cite, rsaPEM[:len(rsaPEM)-1]},
		{rsaKey, "RSA, PEM after white space", "CVE-2026-34950; CVE-2023-48223", append([]byte(" \n"), rsaPEM...)},
		{rsaKey, "RSA, PEM with CR LF", cite, []byte(strings.ReplaceAll(string(rsaPEM), "\n", "\r\n"))},
		{rsaKey, "RSA, PKCS #1 PEM", "CVE-2017-11424", pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(rsaPublic))},
		{rsaKey, "RSA, DER", cite, pkix(rsaPublic)},
		{rsaKey, "RSA, PKCS #1 DER", cite, x509.MarshalPKCS1PublicKey(rsaPublic)},
		{rsaKey, "RSA, JWK", cite, []byte(published(rsaKey).String())},
		{rsaKey, "RSA, modulus", cite, rsaPublic.N.Bytes()},
		{rsaKey, "RSA, modulus in base64url", cite, []byte(segment(rsaPublic.N.Bytes()))},
		{rsaKey, "RSA, the key set", cite, keySet()},
		{p256Key, "P-256, PEM", cite, pemOf("PUBLIC KEY", pkix(ecPublic))},
		{p256Key, "P-256, DER", cite, pkix(ecPublic)},
		{p256Key, "P-256, point", cite, point},
		{p256Key, "P-256, JWK", cite, []byte(published(p256Key).String())},
		{edKey, "Ed25519, PEM", cite, pemOf("PUBLIC KEY", pkix(edPublic))},
		{edKey, "Ed25519, 32 octets", cite, edPublic},
		{edKey, "Ed25519, JWK", cite, []byte(published(edKey).String())},
		{edKey, "Ed25519, OpenSSH", "CVE-2022-29217", openSSH(edPublic)},
		{edKey, "empty", "RFC 8725 §2.2", nil},
		{edKey, "the kid", "RFC 8725 §2.2", []byte(edKey)},
		{"symmetric", "published oct key", "RFC 8725 §2.1; jwx v2 and golang-jwt with keyfunc take it", []byte(sharedSecret)},
		{"symmetric-with-alg", "published oct key with alg", "RFC 8725 §2.1; jwx v2 and golang-jwt with keyfunc take it", []byte(sharedSecret)},
	}
	for _, f := range forms {
		for _, alg := range []string{"HS256", "HS384", "HS512"} {
			b.refuse(fmt.Sprintf("%s keyed with: %s", alg, f.name), f.cite, mac(alg, f.kid, b.claims(), f.secret), "alg")
		}
	}
	b.config = Every
	b.refuse("HS256 keyed with: RSA, PEM", cite, mac("HS256", rsaKey, b.claims(), rsaPEM), "alg")
}

func pkix(key any) []byte {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic("hostile: " + err.Error())
	}
	return der
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// openSSH is the key as one line of an authorized_keys file (RFC 8709 §4).
func openSSH(key ed25519.PublicKey) []byte {
	var wire []byte
	for _, field := range [][]byte{[]byte("ssh-ed25519"), key} {
		wire = binary.BigEndian.AppendUint32(wire, uint32(len(field)))
		wire = append(wire, field...)
	}
	return []byte("ssh-ed25519 " + base64.StdEncoding.EncodeToString(wire))
}

// algorithmNames are those that an access token never has, misspellings of
// those that it may have, and good ones that this issuer's list lacks. The
// signature is always good.
func (b *builder) algorithmNames() {
	for _, alg := range []string{
		"eddsa", "EDDSA", "EdDsa", "EdDSA ", " EdDSA", "EdDSA\x00", "ЕdDSA", "ed25519", "Ed448", "Ed25519ph", "Ed25519ctx",
		"rs256", "Rs256", "RS256,EdDSA", "RSA256", "RSA", "RS1", "RS255", "RS2560", "SHA256withRSA", "ＲＳ256",
		"ES256K", "ES521", "ES224", "PS224", "HS1", "HS256K", "ML-DSA-44", "ML-DSA-65", "SLH-DSA-SHA2-128s",
		"RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "dir", "A128KW", "A256GCMKW", "ECDH-ES", "PBES2-HS256+A128KW",
		"https://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "../../RS256", "*", "any", "1.2.840.113549.1.1.11",
	} {
		b.refuse(fmt.Sprintf("alg %q", alg), "RFC 8725 §3.1; RFC 7515 §4.1.1 (case-sensitive)", b.headed("alg", quote(alg)), "alg")
	}
	for _, a := range algorithms {
		if slices.Contains([]string{"RS256", "PS256", "ES256", "EdDSA", "Ed25519"}, a.name) {
			continue
		}
		b.refuse("good "+a.name+", which is not on the list", "RFC 8725 §3.1; CVE-2026-48523",
			sign(header(a.name, a.key).String(), b.claims().String(), a.key, a.name), "alg")
	}
}

// algorithms are the supported ones, with the published key that serves each.
var algorithms = []struct{ name, key string }{
	{"RS256", rsaKey}, {"RS384", rsaKey}, {"RS512", rsaKey},
	{"PS256", rsaKey}, {"PS384", rsaKey}, {"PS512", rsaKey},
	{"ES256", p256Key}, {"ES384", p384Key}, {"ES512", p521Key},
	{"EdDSA", edKey}, {"Ed25519", edKey},
}

// pairs mixes every algorithm with every key, and every two algorithms of one
// key, where all algorithms are allowed.
func (b *builder) pairs() {
	b.config = Every
	natural := map[string]string{rsaKey: "RS256", p256Key: "ES256", p384Key: "ES384", p521Key: "ES512", edKey: "EdDSA"}
	for _, a := range algorithms {
		for _, key := range []string{rsaKey, p256Key, p384Key, p521Key, edKey} {
			if key == a.key {
				continue
			}
			b.refuse(fmt.Sprintf("%s named, %s by kid, signed by it with %s", a.name, key, natural[key]),
				"RFC 8725 §3.1; RFC 7518 §3.4; CVE-2022-23539",
				sign(header(a.name, key).String(), b.claims().String(), key, natural[key]), "key")
		}
		for _, other := range algorithms {
			if other.name == a.name || other.key != a.key || a.key == edKey {
				continue
			}
			b.refuse(fmt.Sprintf("%s named, signed with %s", a.name, other.name), "RFC 8725 §3.1; jwx v2 takes it",
				sign(header(a.name, a.key).String(), b.claims().String(), a.key, other.name), "signature")
		}
	}
	for _, m := range []struct{ alg, key, hash string }{
		{"ES256", p256Key, "ES384"}, {"ES256", p256Key, "ES512"}, {"ES384", p384Key, "ES256"},
		{"ES384", p384Key, "ES512"}, {"ES512", p521Key, "ES256"}, {"ES512", p521Key, "ES384"},
	} {
		b.refuse(fmt.Sprintf("%s over the hash of %s", m.alg, m.hash), "RFC 7518 §3.4",
			sign(header(m.alg, m.key).String(), b.claims().String(), m.key, m.hash), "signature")
	}
	for _, key := range []string{p256Key, p521Key, rsaKey, edKey} {
		b.refuse("ES384 named, P-384 by kid, signed by "+key, "RFC 7518 §3.4",
			sign(header("ES384", p384Key).String(), b.claims().String(), key, natural[key]), "signature")
	}
}
