package hostile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// broken is one octet string in place of a signature.
type broken struct {
	name, cite string
	octets     []byte
}

// spoiled are the ways in which any good signature can be spoiled. They keep no
// relation to the signing input, so the same list serves every algorithm.
func spoiled(good []byte) []broken {
	flipped := slices.Clone(good)
	flipped[len(flipped)/2] ^= 1
	reversed := slices.Clone(good)
	slices.Reverse(reversed)
	const cut = "RFC 7515 §5.2; CVE-2020-28042"
	const length = "RFC 7518 §3.3, §3.4; RFC 8032 §5.1.7"
	zeros := make([]byte, len(good))
	return []broken{
		{"empty", cut, nil},
		{"one octet", cut, good[:1]},
		{"first half", cut, good[:len(good)/2]},
		{"last octet cut off", cut, good[:len(good)-1]},
		{"first octet cut off", cut, good[1:]},
		{"one octet more", length, append(slices.Clone(good), 0)},
		{"zero octet before", length, append([]byte{0}, good...)},
		{"doubled", length, slices.Concat(good, good)},
		{"padded with zeros", length, append(slices.Clone(good), zeros...)},
		{"all zeros", "CVE-2022-21449", zeros},
		{"all ones", "RFC 7515 §5.2", slices.Repeat([]byte{0xff}, len(good))},
		{"one bit flipped", "RFC 7515 §5.2", flipped},
		{"octets reversed", "RFC 7515 §5.2", reversed},
		{"in hexadecimal", "RFC 7515 §3.1", []byte(hex.EncodeToString(good))},
	}
}

// spoil adds a token for each broken signature, those of the algorithm's own
// among them.
func (b *builder) spoil(alg, kid string, extra func(input string) []broken) {
	input := segment(header(alg, kid).String()) + "." + segment(b.claims().String())
	for _, s := range append(spoiled(signature(input, kid, alg)), extra(input)...) {
		b.refuse(alg+" signature: "+s.name, s.cite, input+"."+segment(s.octets), "signature")
	}
}

func (b *builder) ecdsaSignatures() {
	key := private(p256Key).(*ecdsa.PrivateKey)
	n := key.Params().N
	b.spoil("ES256", p256Key, func(input string) []broken {
		r, s := signECDSA(key, crypto.SHA256, input)
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			panic("hostile: " + err.Error())
		}
		zero, one := new(big.Int), big.NewInt(1)
		const psychic = "CVE-2022-21449; FIPS 186-5 §6.4.2"
		return []broken{
			{"DER", "RFC 7518 §3.4", der},
			{"DER, padded", "RFC 7518 §3.4", append(der, make([]byte, 80-len(der))...)},
			{"r = 0", psychic, fixed(key, zero, s)},
			{"s = 0", psychic, fixed(key, r, zero)},
			{"r = s = 1", psychic, fixed(key, one, one)},
			{"r = n", psychic, fixed(key, n, s)},
			{"s = n", psychic, fixed(key, r, n)},
			{"r = s = n", psychic, fixed(key, n, n)},
			{"r = n - r", psychic, fixed(key, new(big.Int).Sub(n, r), s)},
			{"r and s swapped", "RFC 7518 §3.4", fixed(key, s, r)},
			{"each half as long as P-384's", "RFC 7518 §3.4", slices.Concat(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48)))},
			{"each half with a zero octet before", "RFC 7518 §3.4", slices.Concat(r.FillBytes(make([]byte, 33)), s.FillBytes(make([]byte, 33)))},
			{"over the payload alone", "RFC 7515 §5.1", signature(input[strings.IndexByte(input, '.')+1:], p256Key, "ES256")},
		}
	})
}

func (b *builder) rsaSignatures() {
	key := rsaPrivate(rsaKey)
	size := key.Size()
	b.spoil("RS256", rsaKey, func(input string) []broken {
		pkcs1 := func(hash crypto.Hash, digest []byte) []byte {
			out, err := rsa.SignPKCS1v15(nil, key, hash, digest)
			if err != nil {
				panic("hostile: " + err.Error())
			}
			return out
		}
		sum := digest(crypto.SHA256, input)
		return []broken{
			{"1", "RFC 8017 §8.2.2", big.NewInt(1).FillBytes(make([]byte, size))},
			{"n - 1", "RFC 8017 §8.2.2", new(big.Int).Sub(key.N, big.NewInt(1)).Bytes()},
			{"n", "RFC 8017 §8.2.2", key.N.Bytes()},
			{"SHA-1", "RFC 7518 §3.3", pkcs1(crypto.SHA1, digest(crypto.SHA1, input))},
			{"without DigestInfo", "RFC 8017 §9.2", pkcs1(0, sum)},
			{"the padded hash itself, not signed", "RFC 8017 §8.2.1", rawRSA(input, key.N, big.NewInt(1))},
			{"over the payload alone", "RFC 7515 §5.1", signature(input[strings.IndexByte(input, '.')+1:], rsaKey, "RS256")},
		}
	})
	b.spoil("PS256", rsaKey, func(input string) []broken {
		var out []broken
		for _, salt := range []int{0, 1, 8, 20, 31, 33, 48, 64, 100, size - 32 - 2} {
			out = append(out, broken{fmt.Sprintf("salt of %d octets", salt), "RFC 7518 §3.5; jwx v2 takes any salt",
				rawPSS(key, input, make([]byte, salt), crypto.SHA256)})
		}
		return append(out,
			broken{"MGF1 with SHA-1", "RFC 7518 §3.5", rawPSS(key, input, make([]byte, 32), crypto.SHA1)},
			broken{"MGF1 with SHA-512", "RFC 7518 §3.5", rawPSS(key, input, make([]byte, 32), crypto.SHA512)})
	})
}

func (b *builder) edwardsSignatures() {
	key := private(edKey).(ed25519.PrivateKey)
	b.spoil("EdDSA", edKey, func(input string) []broken {
		good := signature(input, edKey, "EdDSA")
		with := func(message []byte, opts *ed25519.Options) []byte {
			out, err := key.Sign(nil, message, opts)
			if err != nil {
				panic("hostile: " + err.Error())
			}
			return out
		}
		identity := append([]byte{1}, make([]byte, 63)...)
		return []broken{
			{"s + L, its malleable twin", "RFC 8032 §5.1.7, §8.4", addOrder(good)},
			{"R is the identity, s = 0", "RFC 8032 §5.1.7", identity},
			{"halves swapped", "RFC 8032 §5.1.6", slices.Concat(good[32:], good[:32])},
			{"sign bit of R flipped", "RFC 8032 §5.1.7", slices.Concat(good[:31], []byte{good[31] ^ 0x80}, good[32:])},
			{"Ed25519ph", "RFC 8037 §3.1", with(digest(crypto.SHA512, input), &ed25519.Options{Hash: crypto.SHA512})},
			{"Ed25519ctx", "RFC 8037 §3.1", with([]byte(input), &ed25519.Options{Context: "jwt"})},
			{"over the payload alone", "RFC 7515 §5.1", signature(input[strings.IndexByte(input, '.')+1:], edKey, "EdDSA")},
			{"over both segments without the dot", "RFC 7515 §5.1", signature(strings.Replace(input, ".", "", 1), edKey, "EdDSA")},
			{"over the decoded segments", "RFC 7515 §5.1", signature(edHeader().String()+"."+b.claims().String(), edKey, "EdDSA")},
			{"over the hash of the input", "RFC 8032 §5.1.6", signature(string(digest(crypto.SHA256, input)), edKey, "EdDSA")},
			{"by a key that nobody published", "RFC 7515 §5.2", signature(input, foreignEd, "EdDSA")},
			{"the public key and zeros", "RFC 8032 §5.1.7", append(slices.Clone([]byte(key.Public().(ed25519.PublicKey))), make([]byte, 32)...)},
		}
	})
}

// addOrder adds the order of the group to s, which is the same point again.
func addOrder(signature []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	little := slices.Clone(signature[32:])
	slices.Reverse(little)
	sum := new(big.Int).Add(new(big.Int).SetBytes(little), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return slices.Concat(signature[:32], sum)
}

// movedSignatures are good signatures of other tokens.
func (b *builder) movedSignatures() {
	const cite = "RFC 7515 §5.2"
	one := strings.Split(token(edHeader(), b.claims()), ".")
	two := strings.Split(token(edHeader().with("typ", `"JWT"`), b.claims().with("scope", `"admin orders:read"`)), ".")
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	b.refuse("signature of another token", cite, join(one[0], one[1], two[2]), "signature")
	b.refuse("payload of another token", cite, join(one[0], two[1], one[2]), "signature")
	b.refuse("header of another token", cite, join(two[0], one[1], one[2]), "signature")
	b.refuse("payload changed after signing", cite, join(one[0], segment(b.claims().with("scope", `"admin"`).String()), one[2]), "signature")
	b.refuse("member added to the header after signing", cite, join(segment(edHeader().and("x", "1").String()), one[1], one[2]), "signature")
	b.refuse("white space added to the payload after signing", cite, join(one[0], segment(b.claims().String()+" "), one[2]), "signature")
	b.refuse("header and payload swapped", cite, join(one[1], one[0], one[2]), "alg")
	b.refuse("payload in the place of the signature", cite, join(one[0], one[1], one[1]), "signature")
}
