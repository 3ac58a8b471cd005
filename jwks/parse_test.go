package jwks_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

func TestKeyHygiene(t *testing.T) {
	edKey, p256, p521, rsa2048 := ed("k"), ec("k", elliptic.P256()), ec("k", elliptic.P521()), rsaKey("k")
	n := must(base64.RawURLEncoding.DecodeString(rsa2048["n"].(string)))
	x := must(base64.RawURLEncoding.DecodeString(p256["x"].(string)))
	even := append(bytes.Clone(n[:len(n)-1]), n[len(n)-1]&^1)
	exponent := func(e ...byte) key { return rsa2048.with("e", b64(e)) }
	const (
		typeFault = "members of the right types"
		base64url = "neither base64url"
		lacks     = "lacks"
	)
	cases := map[string]struct {
		key  any
		want string // part of the reason; empty: the key is used
	}{
		"Ed25519":                            {edKey, ""},
		"P-256":                              {p256, ""},
		"P-384":                              {ec("k", elliptic.P384()), ""},
		"P-521":                              {p521, ""},
		"RSA 2048":                           {rsa2048, ""},
		"RSA 4096":                           {rsaBits("k", 4096), ""},
		"RSA, e=3":                           {exponent(3), ""},
		"RSA, e=2³¹−1":                       {exponent(0x7f, 0xff, 0xff, 0xff), ""},
		"RSA, leading zero in n":             {rsa2048.with("n", b64(append([]byte{0}, n...))), ""},
		"RSA, leading zero in e":             {exponent(0, 1, 0, 1), ""},
		"use sig":                            {edKey.with("use", "sig"), ""},
		"key_ops with verify":                {edKey.with("key_ops", []string{"sign", "verify"}), ""},
		"alg of its own":                     {rsa2048.with("alg", "PS512"), ""},
		"alg EdDSA":                          {edKey.with("alg", "EdDSA"), ""},
		"alg Ed25519 (RFC 9864)":             {edKey.with("alg", "Ed25519"), ""},
		"members that nobody knows":          {edKey.with("note", map[string]any{"a": []int{1}}, "ext", true), ""},
		"members nested 16 levels":           {edKey.with("a", json.RawMessage(strings.Repeat("[", 15)+strings.Repeat("]", 15))), ""},
		"RSA modulus in standard base64":     {rsa2048.with("n", base64.StdEncoding.EncodeToString(n)), ""},
		"EC x padded":                        {p256.with("x", p256["x"].(string)+"="), ""},
		"EC x with a zero in front":          {p256.with("x", b64(append([]byte{0}, x...))), ""},
		"other names of a certificate":       {edKey.with("x5c", []string{}, "x5t", 1, "x5t#S256", nil, "x5u", "http://192.0.2.1/"), ""},
		"members in another case are others": {edKey.with("D", "x", "USE", "enc", "ALG", "HS256", "KTY", "oct"), ""},

		"a certificate that is none": {edKey.with("x5c", []string{"bm8gY2VydGlmaWNhdGU="}), ""},
		"x5c that is not an array":   {edKey.with("x5c", 7), ""},
		"not an object":              {"key", typeFault},
		"null":                       {nil, `"kty"`},
		"number":                     {1, typeFault},
		"array":                      {[]string{"a"}, typeFault},
		"empty object":               {key{}, `"kty"`},
		"kty missing":                {edKey.with("kty", nil), `"kty"`},
		"kty unknown":                {edKey.with("kty", "AKP"), `"kty"`},
		"kty in another case":        {edKey.with("kty", "okp"), `"kty"`},
		"kty a number":               {edKey.with("kty", 1), typeFault},
		"kid a number":               {edKey.with("kid", 1), typeFault},
		"oct":                        {key{"kty": "oct", "kid": "k", "k": "AAAA", "alg": "HS256"}, "symmetric"},
		"private Ed25519":            {edKey.with("d", "AAAA"), "private"},
		"private, empty":             {edKey.with("d", ""), "private"},
		"private RSA prime":          {rsa2048.with("p", "AAAA"), "private"},
		"private RSA q":              {rsa2048.with("q", "AAAA"), "private"},
		"private RSA dp":             {rsa2048.with("dp", "AAAA"), "private"},
		"private RSA dq":             {rsa2048.with("dq", "AAAA"), "private"},
		"private RSA qi":             {rsa2048.with("qi", "AAAA"), "private"},
		"private RSA oth":            {rsa2048.with("oth", []int{}), "private"},
		"RSA with a symmetric key":   {rsa2048.with("k", "AAAA"), "private"},
		"use enc":                    {rsa2048.with("use", "enc"), `"use"`},
		"use empty":                  {rsa2048.with("use", ""), `"use"`},
		"use an array":               {rsa2048.with("use", []string{"sig"}), typeFault},
		"key_ops without verify":     {rsa2048.with("key_ops", []string{"sign"}), `"key_ops"`},
		"key_ops empty":              {rsa2048.with("key_ops", []string{}), `"key_ops"`},
		"key_ops a string":           {rsa2048.with("key_ops", "verify"), typeFault},
		"alg HS256":                  {rsa2048.with("alg", "HS256"), `"alg"`},
		"alg none":                   {rsa2048.with("alg", "none"), `"alg"`},
		"alg empty":                  {rsa2048.with("alg", ""), `"alg"`},
		"alg RSA-OAEP":               {rsa2048.with("alg", "RSA-OAEP"), `"alg"`},
		"alg in another case":        {rsa2048.with("alg", "rs256"), `"alg"`},
		"alg of another family":      {rsa2048.with("alg", "ES256"), "cannot serve"},
		"alg of another curve":       {p256.with("alg", "ES384"), "cannot serve"},
		"alg EdDSA on EC":            {p256.with("alg", "EdDSA"), "cannot serve"},
		"RSA 1024":                   {rsaBits("k", 1024), "RSA modulus"},
		"RSA 2047":                   {rsaBits("k", 2047), "RSA modulus"},
		"RSA 4097":                   {rsaBits("k", 4097), "RSA modulus"},
		"RSA 16384":                  {rsaBits("k", 16384), "RSA modulus"},
		"RSA modulus even":           {rsa2048.with("n", b64(even)), "RSA modulus"},
		"RSA modulus zero":           {rsa2048.with("n", b64(make([]byte, 256))), "RSA modulus"},
		"RSA modulus missing":        {rsa2048.with("n", nil), lacks},
		"RSA modulus padded":         {rsa2048.with("n", rsa2048["n"].(string)+"="), base64url},
		"RSA modulus with line end":  {rsa2048.with("n", rsa2048["n"].(string)[:8]+"\r\n"+rsa2048["n"].(string)[8:]), base64url},
		"RSA exponent missing":       {rsa2048.with("e", nil), lacks},
		"RSA exponent a number":      {rsa2048.with("e", 65537), typeFault},
		"RSA e=0":                    {exponent(0), "RSA exponent"},
		"RSA e=1":                    {exponent(1), "RSA exponent"},
		"RSA e=2":                    {exponent(2), "RSA exponent"},
		"RSA e=65536":                {exponent(1, 0, 0), "RSA exponent"},
		"RSA e=2³¹+1":                {exponent(0x80, 0, 0, 1), "RSA exponent"},
		"RSA e=2⁶⁴+3":                {exponent(1, 0, 0, 0, 0, 0, 0, 0, 3), "RSA exponent"},
		"EC off its curve":           {p256.with("y", b64(make([]byte, 32))), "not on its curve"},
		"EC at infinity":             {p256.with("x", b64(make([]byte, 32)), "y", b64(make([]byte, 32))), "not on its curve"},
		"EC beyond the field":        {p256.with("x", b64(bytes.Repeat([]byte{0xff}, 32))), "not on its curve"},
		"EC on another curve":        {p256.with("crv", "P-384"), "not on its curve"},
		"EC x not canonical":         {p256.with("x", twist(p256["x"].(string))), base64url},
		"EC x without its end":       {p256.with("x", b64(x[:31])), "not on its curve"},
		"EC y missing":               {p256.with("y", nil), lacks},
		"EC secp256k1":               {p256.with("crv", "secp256k1"), `"crv"`},
		"EC P-224":                   {p256.with("crv", "P-224"), `"crv"`},
		"EC without crv":             {p256.with("crv", nil), `"crv"`},
		"EC with Ed25519":            {p256.with("crv", "Ed25519"), `"crv"`},
		"OKP X25519":                 {edKey.with("crv", "X25519"), `"crv"`},
		"OKP Ed448":                  {edKey.with("crv", "Ed448"), `"crv"`},
		"OKP P-256":                  {edKey.with("crv", "P-256"), `"crv"`},
		"OKP too short":              {edKey.with("x", b64(make([]byte, 31))), "wrong length"},
		"OKP x missing":              {edKey.with("x", nil), lacks},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			good, seen := ed("good"), &events{}
			text := must(json.Marshal(map[string]any{"keys": []any{c.key, good}}))
			s, err := jwks.New(jwks.Config{Set: text, Observer: observe.Observer{Event: seen.add}})
			if err != nil {
				t.Fatal(err) // one bad key never breaks a set
			}
			defer s.Close()
			wantKey(t, s, good)
			skipped := seen.of(observe.KeySkipped)
			if c.want == "" {
				if len(skipped) != 0 {
					t.Fatalf("skipped: %v", skipped)
				}
				k := c.key.(key)
				alg := algOf(k)
				if own, ok := k["alg"].(string); ok {
					alg = own
				}
				if _, err := s.Lookup(t.Context(), "k", true, alg); err != nil {
					t.Error(err)
				}
				return
			}
			if len(skipped) != 1 || !strings.Contains(skipped[0].Err.Error(), c.want) {
				t.Fatalf("skipped %v, wanted one with %q", skipped, c.want)
			}
			wantNotFound(t, s, key{"kid": "k", "crv": "P-256"})
			if k, ok := c.key.(key); ok {
				if id, ok := k["kid"].(string); ok && !strings.Contains(c.want, "types") && skipped[0].KeyID != id {
					t.Errorf("KeyID %q, wanted %q", skipped[0].KeyID, id)
				}
				for _, member := range []string{"n", "x", "y", "d", "k"} {
					if text, ok := k[member].(string); ok && len(text) > 3 && strings.Contains(fmt.Sprint(skipped[0]), text) {
						t.Errorf("the event holds the key's %s", member)
					}
				}
			}
			// Alone, such a key makes a set that cannot be used.
			text = must(json.Marshal(map[string]any{"keys": []any{c.key}}))
			if _, err := jwks.New(jwks.Config{Set: text}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("a set of this key alone: %v", err)
			}
		})
	}
}

// twist sets a bit of the last base64url character that encodes nothing.
func twist(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, text[len(text)-1])
	return text[:len(text)-1] + string(alphabet[last|1])
}

func TestDuplicateKIDs(t *testing.T) {
	first, second, other := ed("k"), ed("k"), ec("k", elliptic.P256())
	rs, ps := rsaKey("k").with("alg", "RS256"), rsaKey("k").with("alg", "PS256")
	cases := map[string]struct {
		keys    []key
		want    map[string]key // by alg
		skipped int
	}{
		"the same key twice":                    {[]key{first, first}, map[string]key{"EdDSA": first}, 0},
		"the same key in other words":           {[]key{first, first.with("use", "sig", "alg", "EdDSA")}, map[string]key{"EdDSA": first}, 0},
		"different keys, one algorithm":         {[]key{first, second}, map[string]key{"EdDSA": first}, 1},
		"different families":                    {[]key{first, other}, map[string]key{"EdDSA": first, "ES256": other}, 0},
		"one key, two algorithms":               {[]key{rs, ps}, map[string]key{"RS256": rs, "PS256": ps}, 0},
		"different keys, two algorithms":        {[]key{rs, rsaBits("k", 3072).with("alg", "PS256")}, map[string]key{"RS256": rs, "PS256": rsaBits("k", 3072)}, 0},
		"a key takes nothing from another":      {[]key{rs, rsaBits("k", 3072).with("alg", "PS256"), rs.with("alg", nil)}, map[string]key{"RS256": rs, "PS256": rsaBits("k", 3072), "RS512": rs}, 0},
		"a bad one first":                       {[]key{first.with("use", "enc"), second}, map[string]key{"EdDSA": second}, 1},
		"without kid there are no duplicates":   {[]key{first.with("kid", nil), other.with("kid", nil), first}, map[string]key{"EdDSA": first}, 0},
		"the same key twice, without kid":       {[]key{first, other.with("kid", nil), other.with("kid", nil)}, map[string]key{"EdDSA": first}, 0},
		"three, of which the last is the first": {[]key{first, second, first}, map[string]key{"EdDSA": first}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			seen := &events{}
			s, err := jwks.New(jwks.Config{Set: set(c.keys...), Observer: observe.Observer{Event: seen.add}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for alg, want := range c.want {
				got, err := s.Lookup(t.Context(), "k", true, alg)
				if err != nil {
					t.Errorf("%s: %v", alg, err)
				} else if diff := cmp.Diff(members(want), public(got)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", alg, diff)
				}
			}
			if got := seen.of(observe.KeySkipped); len(got) != c.skipped {
				t.Errorf("skipped %v, wanted %d", got, c.skipped)
			}
		})
	}
}

// members is the public part of a test key, public that of a looked-up one.
func members(k key) map[string]string {
	out := map[string]string{}
	for _, name := range []string{"crv", "x", "y", "n", "e"} {
		if text, ok := k[name].(string); ok {
			out[name] = text
		}
	}
	return out
}

func public(k *jwks.Key) map[string]string {
	switch p := k.Public().(type) {
	case ed25519.PublicKey:
		return map[string]string{"crv": "Ed25519", "x": b64(p)}
	case *ecdsa.PublicKey:
		point := must(p.Bytes())[1:]
		return map[string]string{"crv": p.Params().Name, "x": b64(point[:len(point)/2]), "y": b64(point[len(point)/2:])}
	case *rsa.PublicKey:
		return map[string]string{"n": b64(p.N.Bytes()), "e": b64([]byte{byte(p.E >> 16), byte(p.E >> 8), byte(p.E)})}
	}
	return nil
}

// The examples of RFC 7638 §3.1 and RFC 8037 A.3.
func TestThumbprint(t *testing.T) {
	rfc7638 := key{
		"kty": "RSA", "kid": "2011-04-29", "alg": "RS256", "e": "AQAB",
		"n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs" +
			"tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1" +
			"n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
	}
	rfc8037 := key{"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
	s, err := jwks.New(jwks.Config{Set: set(rfc7638, rfc8037, rfc7638.with("kid", "zero", "e", "AAEAAQ"))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct{ kid, alg, want string }{
		{"2011-04-29", "RS256", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		{"zero", "RS256", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}, // another spelling of the same exponent
		{"ed", "EdDSA", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
	} {
		k, err := s.Lookup(t.Context(), c.kid, true, c.alg)
		if err != nil {
			t.Fatal(err)
		}
		if k.Thumbprint() != c.want {
			t.Errorf("%s: thumbprint %s, wanted %s", c.kid, k.Thumbprint(), c.want)
		}
	}
}

func TestAlgorithmsBoundTheKeys(t *testing.T) {
	rsa1, ec1, ps := rsaKey("rsa"), ec("ec", elliptic.P256()), rsaKey("ps").with("alg", "PS256")
	seen := &events{}
	s, err := jwks.New(jwks.Config{Set: set(rsa1, ec1, ps, ed("ed")), Algorithms: []string{"RS256", "Ed25519"}, Observer: observe.Observer{Event: seen.add}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var skipped []string
	for _, e := range seen.of(observe.KeySkipped) {
		skipped = append(skipped, e.KeyID)
	}
	if diff := cmp.Diff([]string{"ec", "ps"}, skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	for alg, kid := range map[string]string{"RS256": "rsa", "EdDSA": "ed"} {
		if _, err := s.Lookup(t.Context(), kid, true, alg); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Lookup(t.Context(), "rsa", true, "RS384"); !errors.Is(err, jwks.ErrKeyNotFound) {
		t.Errorf("an algorithm that is not accepted: %v", err)
	}
}

func TestSkippedKeysAreReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good, bad, seen := ed("good"), rsaKey("bad").with("use", "enc"), &events{}
		iss := &issuer{}
		iss.keys(good, bad, bad)
		s := open(t, iss, jwks.Config{Observer: observe.Observer{Event: seen.add}, Issuer: "https://id.example.com", URL: "https://id.example.com/keys?appid=1"})
		got := wantKey(t, s, good)
		keepUsing(s, got, 2*time.Hour, time.Second)
		skipped := seen.of(observe.KeySkipped)
		if len(skipped) != 1 {
			t.Fatalf("%d KeySkipped, wanted 1", len(skipped))
		}
		e := skipped[0]
		if e.KeyID != "bad" || e.Issuer.Text != "https://id.example.com" || e.URL != "https://id.example.com/keys" || e.Err == nil {
			t.Errorf("got %+v", e)
		}
		iss.keys(good, bad.with("use", "sig", "alg", "HS256"))
		keepUsing(s, got, time.Hour, time.Second)
		if n := len(seen.of(observe.KeySkipped)); n != 2 {
			t.Errorf("%d KeySkipped after the reason changed, wanted 2", n)
		}
	})
}
