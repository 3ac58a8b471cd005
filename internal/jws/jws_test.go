package jws_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/internal/strictjson"
)

func TestSplit(t *testing.T) {
	for token, want := range map[string]bool{
		"a.b.c": true, "aa.bb.cc": true,
		"": false, "a": false, "a.b": false, "a.b.c.d": false, "a.b.c.d.e": false,
		".b.c": true, "a..c": true, "a.b.": true, "..": true, ".": false, "...": false,
	} {
		c, ok := jws.Split(token)
		if ok != want {
			t.Errorf("Split(%q): %v", token, ok)
		}
		if ok && c.Header+"."+c.Payload+"."+c.Signature != token || ok && c.SigningInput != c.Header+"."+c.Payload {
			t.Errorf("Split(%q) = %+v", token, c)
		}
	}
}

func TestAppendDecode(t *testing.T) {
	for _, tc := range []struct {
		segment string
		want    string
		bad     bool
	}{
		{segment: "", want: ""},
		{segment: "Zg", want: "f"},
		{segment: "Zm9v", want: "foo"},
		{segment: "_-8", want: "\xff\xef"},
		{segment: "Zh", bad: true},     // a twin of Zg: stray bits
		{segment: "Zg==", bad: true},   // padding
		{segment: "Zm9v\n", bad: true}, // Go skips these even when strict
		{segment: "Zm\r9v", bad: true},
		{segment: "Zm 9v", bad: true},
		{segment: "/+8", bad: true}, // the other alphabet
		{segment: "Z", bad: true},
		{segment: "é", bad: true},
	} {
		got, err := jws.AppendDecode(nil, tc.segment)
		if (err != nil) != tc.bad {
			t.Errorf("%q: error %v", tc.segment, err)
		}
		if !tc.bad && string(got) != tc.want {
			t.Errorf("%q: got %q", tc.segment, got)
		}
	}
}

func TestParseHeader(t *testing.T) {
	for _, tc := range []struct {
		text string
		want jws.Header
		err  error
	}{
		{text: `{"alg":"RS256"}`, want: jws.Header{Algorithm: "RS256"}},
		{text: `{"typ":"JWT","kid":"","alg":"ES256"}`, want: jws.Header{Algorithm: "ES256", HasKeyID: true, Type: "JWT", HasType: true}},
		{text: `{"alg":"RS256","kid":"k","jwk":{"kty":"oct"},"jku":"https://evil.example"}`, want: jws.Header{Algorithm: "RS256", KeyID: "k", HasKeyID: true}},
		{text: `{"alg":"RS256"}`, want: jws.Header{Algorithm: "RS256"}},
		{text: `{"ALG":"RS256"}`, err: jws.ErrAlgorithm},
		{text: `{}`, err: jws.ErrAlgorithm},
		{text: `{"alg":null}`, err: jws.ErrAlgorithm},
		{text: `{"alg":["RS256"]}`, err: jws.ErrAlgorithm},
		{text: `{"alg":"RS256","kid":1}`, err: jws.ErrKeyID},
		{text: `{"alg":"RS256","kid":null}`, want: jws.Header{Algorithm: "RS256"}},
		{text: `{"alg":"RS256","x5t":"a","x5t#S256":"\u0062","X5T":"c"}`, want: jws.Header{Algorithm: "RS256", X5T: "a", X5TS256: "b"}},
		{text: `{"alg":"RS256","x5t":7,"x5t#S256":null}`, want: jws.Header{Algorithm: "RS256"}},
		{text: `{"alg":"RS256","x5t":"a","x5t":"b"}`, err: strictjson.ErrSyntax},
		{text: `{"alg":"RS256","kid":null,"kid":"k"}`, err: strictjson.ErrSyntax},
		{text: `{"alg":"RS256","kid":"k","kid":null}`, err: strictjson.ErrSyntax},
		{text: `{"alg":"RS256","typ":null}`, err: jws.ErrType},
		{text: `{"alg":"RS256","crit":null}`, err: jws.ErrCritical},
		{text: `{"alg":"RS256","b64":null}`, err: jws.ErrCritical},
		{text: `{"alg":"RS256"` + manyMembers(200) + `}`, err: strictjson.ErrMany},
		{text: `{"alg":"RS256","x":[` + strings.Repeat("0,", 600) + `0]}`, err: strictjson.ErrMany},
		{text: `{"alg":"RS256","crit":["exp"]}`, err: jws.ErrCritical},
		{text: `{"alg":"RS256","b64":true}`, err: jws.ErrCritical},
		{text: `{"alg":"RS256","alg":"RS256"}`, err: strictjson.ErrSyntax},
		{text: `{"alg":"RS256"} {}`, err: strictjson.ErrTrailing},
		{text: `["alg"]`, err: strictjson.ErrNotObject},
		{text: `{"alg":"RS256"`, err: strictjson.ErrSyntax},
		{text: "", err: strictjson.ErrNotObject},
	} {
		got, err := jws.ParseHeader([]byte(tc.text))
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: error %v, wanted %v", tc.text, err, tc.err)
		}
		if err == nil {
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: %s", tc.text, diff)
			}
		}
	}
}

func manyMembers(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, `,"x%d":0`, i)
	}
	return s.String()
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"a.b.c", "", "..", "eyJhbGciOiJub25lIn0.e30.", "a.b.c.d.e", "Zg.Zh.Zg=="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		c, ok := jws.Split(token)
		parts := strings.Split(token, ".")
		want := len(parts) == 3
		if ok != want {
			t.Fatalf("Split %v, the oracle %v", ok, want)
		}
		if !ok {
			return
		}
		for _, segment := range []string{c.Header, c.Payload, c.Signature} {
			raw, err := jws.AppendDecode(nil, segment)
			// Strict means that encoding again gives the very same text.
			again := base64.RawURLEncoding.EncodeToString(raw)
			if err == nil && again != segment {
				t.Fatalf("%q decodes, but is spelt %q", segment, again)
			}
			if loose, lerr := base64.RawURLEncoding.DecodeString(segment); err != nil && lerr == nil && base64.RawURLEncoding.EncodeToString(loose) == segment {
				t.Fatalf("%q is canonical and was refused", segment)
			}
		}
	})
}

// keys is one public key of each kind, with a function that signs.
type keyPair struct {
	name   string
	public crypto.PublicKey
	sign   func(alg string, input []byte) []byte
}

func keyPairs(t *testing.T) []keyPair {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	edPub, edKey, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	pairs := []keyPair{
		{"RSA", &rsaKey.PublicKey, func(alg string, input []byte) []byte {
			h := hashOf(alg)
			digest := sum(h, input)
			var sig []byte
			var err error
			if alg[0] == 'P' {
				sig, err = rsa.SignPSS(rand.Reader, rsaKey, h, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
			} else {
				sig, err = rsa.SignPKCS1v15(nil, rsaKey, h, digest)
			}
			must(err)
			return sig
		}},
		{"Ed25519", edPub, func(_ string, input []byte) []byte { return ed25519.Sign(edKey, input) }},
	}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		must(err)
		pairs = append(pairs, keyPair{curve.Params().Name, &key.PublicKey, func(alg string, input []byte) []byte {
			r, s, err := ecdsa.Sign(rand.Reader, key, sum(hashOf(alg), input))
			must(err)
			size := (curve.Params().BitSize + 7) / 8
			sig := make([]byte, 2*size)
			r.FillBytes(sig[:size])
			s.FillBytes(sig[size:])
			return sig
		}})
	}
	return pairs
}

func hashOf(alg string) crypto.Hash {
	switch alg[len(alg)-3:] {
	case "384":
		return crypto.SHA384
	case "512":
		return crypto.SHA512
	}
	return crypto.SHA256
}

func sum(h crypto.Hash, input []byte) []byte {
	w := h.New()
	w.Write(input)
	return w.Sum(nil)
}

// kindOf says which of keyPairs an algorithm is for.
var kindOf = map[string]string{
	"RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
	"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519",
}

func TestVerify(t *testing.T) {
	pairs := keyPairs(t)
	const input = "header.payload"
	for _, alg := range jws.Algorithms() {
		for _, pair := range pairs {
			fits := kindOf[alg] == pair.name
			if got := jws.Fits(alg, pair.public); got != fits {
				t.Errorf("Fits(%s, %s) = %v", alg, pair.name, got)
			}
			if !fits {
				// Whatever the signature, a key of another kind verifies nothing.
				if err := jws.Verify(alg, pair.public, input, make([]byte, 256)); err != jws.ErrSignature {
					t.Errorf("Verify(%s, %s): %v", alg, pair.name, err)
				}
				continue
			}
			sig := pair.sign(alg, []byte(input))
			if err := jws.Verify(alg, pair.public, input, sig); err != nil {
				t.Errorf("%s: a good signature: %v", alg, err)
			}
			for name, bad := range map[string][]byte{
				"empty":     nil,
				"zero":      make([]byte, len(sig)),
				"truncated": sig[:len(sig)-1],
				"extended":  append(bytes.Clone(sig), 0),
				"doubled":   append(bytes.Clone(sig), sig...),
				"a bit off": flip(sig),
			} {
				if err := jws.Verify(alg, pair.public, input, bad); err != jws.ErrSignature {
					t.Errorf("%s, signature %s: %v", alg, name, err)
				}
			}
			if err := jws.Verify(alg, pair.public, input+"x", sig); err != jws.ErrSignature {
				t.Errorf("%s: another input: %v", alg, err)
			}
		}
	}
}

func flip(sig []byte) []byte {
	bad := bytes.Clone(sig)
	bad[len(bad)/2] ^= 1
	return bad
}

func TestUnknownAlgorithms(t *testing.T) {
	for _, alg := range []string{"", "none", "None", "HS256", "HS512", "rs256", "ES256K", "Ed448", "RS1"} {
		if jws.Supported(jws.Canonical(alg)) {
			t.Errorf("%q is supported", alg)
		}
		if err := jws.Verify(alg, &rsa.PublicKey{}, "a.b", []byte("x")); err != jws.ErrSignature {
			t.Errorf("%q: %v", alg, err)
		}
	}
	if jws.Canonical("Ed25519") != "EdDSA" {
		t.Error("Ed25519 (RFC 9864) is EdDSA")
	}
}

// RFC 7518 §3.5: the salt is as long as the hash. Other lengths verify in
// lenient libraries.
func TestSaltLengths(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, salt := range []int{1, 8, 20, 31, 32, 33, 100} {
		sig, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum(crypto.SHA256, []byte("a.b")), &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		if got := jws.Verify("PS256", &key.PublicKey, "a.b", sig) == nil; got != (salt == 32) {
			t.Errorf("a salt of %d bytes: accepted %v", salt, got)
		}
	}
}

func TestWeakRSAFitsNothing(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	for bits, want := range map[int]bool{1024: false, 2040: false, 2048: true} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		if got := jws.Fits("RS256", &key.PublicKey); got != want {
			t.Errorf("%d bits: %v", bits, got)
		}
	}
}
