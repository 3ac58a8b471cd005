package jwks_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/jwks"
)

// FuzzParse feeds key sets to New. Whatever it accepts, a second reading of the
// same text by other code (encoding/json, crypto's own point parser) must find
// too: a public signature key of a known kind, with that kid and no binding
// against its use, in a JSON text that leaves no choice of how to read it.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "null", "[]", `{"keys":null}`, `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if text == nil {
			text = []byte{}
		}
		s, err := jwks.New(jwks.Config{Set: text})
		if err != nil {
			if s != nil {
				t.Fatal("a key set beside an error")
			}
			return
		}
		defer s.Close()
		var doc map[string]json.RawMessage
		if err := json.Unmarshal(text, &doc); err != nil {
			if strings.Contains(err.Error(), "exceeded max depth") {
				return // of encoding/json; TestOneBadKeyVoidsNoSet goes deeper
			}
			t.Fatalf("accepted, though encoding/json says %v", err)
		}
		var raw []json.RawMessage
		if err := json.Unmarshal(doc["keys"], &raw); err != nil || len(raw) == 0 {
			t.Fatalf("accepted a set without keys: %v", err)
		}
		if d := read(text, "keys"); d.twice || d.replaced {
			t.Fatalf("accepted a set that could be read in two ways: %+v", d)
		}
		var again []secondReading
		for _, r := range raw {
			if k, ok := readAgain(r); ok {
				again = append(again, k)
			}
		}
		found := 0
		for _, alg := range jws.Algorithms() {
			for _, k := range again {
				found += checkAgainst(t, s, again, k.kid, k.hasKID, alg)
			}
			found += checkAgainst(t, s, again, "", false, alg)
		}
		if len(again) == 0 {
			t.Fatal("accepted a set in which a second reading finds no usable key")
		}
		if found == 0 && len(again) == 1 {
			t.Fatal("accepted a set of one key, but the key is not found")
		}
	})
}

// checkAgainst looks a key up and compares it with what the second reading has.
func checkAgainst(t *testing.T, s *jwks.KeySet, again []secondReading, kid string, hasKID bool, alg string) int {
	got, err := s.Lookup(context.Background(), kid, hasKID, alg)
	if err != nil {
		return 0
	}
	if !s.Usable(got) {
		t.Fatal("a key that is found is not usable")
	}
	for _, k := range again {
		if (!hasKID || k.hasKID && k.kid == kid) && (k.alg == "" || jws.Canonical(k.alg) == alg) && k.equal(got) {
			return 1
		}
	}
	t.Fatalf("key %q for %s is not what a second reading finds", kid, alg)
	return 0
}

// secondReading is a key as the oracle reads it.
type secondReading struct {
	kid    string
	hasKID bool
	alg    string
	equal  func(*jwks.Key) bool
}

// readAgain decodes one key by a path that shares nothing with the package.
func readAgain(raw []byte) (secondReading, bool) {
	var m map[string]any
	if d := read(raw, ""); d.twice || d.replaced || d.depth > 16 || json.Unmarshal(raw, &m) != nil || m == nil {
		return secondReading{}, false
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, present := m[private]; present {
			return secondReading{}, false
		}
	}
	if use := m["use"]; use != nil && use != "sig" {
		return secondReading{}, false
	}
	if ops, ok := m["key_ops"].([]any); ok {
		verify := false
		for _, op := range ops {
			verify = verify || op == "verify"
		}
		if !verify {
			return secondReading{}, false
		}
	}
	var k secondReading
	k.kid, k.hasKID = m["kid"].(string)
	k.alg, _ = m["alg"].(string)
	octets := func(name string) []byte {
		text, _ := m[name].(string)
		out, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil {
			return nil
		}
		return out
	}
	switch kty, crv := m["kty"], m["crv"]; {
	case kty == "RSA":
		n, e := new(big.Int).SetBytes(octets("n")), new(big.Int).SetBytes(octets("e"))
		if n.BitLen() < 2048 || n.BitLen() > 4096 || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || e.Bit(0) == 0 {
			return k, false
		}
		k.equal = func(other *jwks.Key) bool {
			public, ok := other.Public().(*rsa.PublicKey)
			return ok && public.N.Cmp(n) == 0 && int64(public.E) == e.Int64()
		}
	case kty == "OKP" && crv == "Ed25519":
		x := octets("x")
		if len(x) != ed25519.PublicKeySize {
			return k, false
		}
		k.equal = func(other *jwks.Key) bool {
			public, ok := other.Public().(ed25519.PublicKey)
			return ok && public.Equal(ed25519.PublicKey(x))
		}
	case kty == "EC":
		curve := map[any]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[crv]
		if curve == nil {
			return k, false
		}
		want, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, octets("x")...), octets("y")...))
		if err != nil {
			return k, false
		}
		k.equal = func(other *jwks.Key) bool {
			public, ok := other.Public().(*ecdsa.PublicKey)
			return ok && public.Equal(want)
		}
	default:
		return k, false
	}
	return k, true
}

// doubts are what encoding/json decides by itself: which of two members of one
// name counts, and what stands for bytes that are no characters.
type doubts struct {
	twice, replaced bool
	depth           int
}

// read looks for doubts in a JSON text, but for one member of its object.
func read(text []byte, except string) (d doubts) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	d.value(dec, text, 0, except)
	return d
}

func (d *doubts) value(dec *json.Decoder, text []byte, depth int, except string) {
	switch d.token(dec, text) {
	case json.Delim('{'):
		depth++
		seen := make(map[any]bool)
		for dec.More() {
			name := d.token(dec, text)
			d.twice = d.twice || seen[name]
			seen[name] = true
			if except != "" && name == except {
				var skipped json.RawMessage
				_ = dec.Decode(&skipped)
				continue
			}
			d.value(dec, text, depth, "")
		}
		_, _ = dec.Token()
	case json.Delim('['):
		depth++
		for dec.More() {
			d.value(dec, text, depth, "")
		}
		_, _ = dec.Token()
	}
	d.depth = max(d.depth, depth)
}

// token is the next token. A replacement character in it that the text does not
// have stands for something else.
func (d *doubts) token(dec *json.Decoder, text []byte) json.Token {
	before := dec.InputOffset()
	token, _ := dec.Token()
	const replacement = "\ufffd"
	raw := strings.ReplaceAll(string(text[before:dec.InputOffset()]), `\\`, "")
	if decoded, ok := token.(string); ok {
		written := strings.Count(raw, replacement) + strings.Count(strings.ToLower(raw), `\ufffd`)
		d.replaced = d.replaced || strings.Count(decoded, replacement) > written
	}
	return token
}
