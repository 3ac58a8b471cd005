package jwks_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/jwks"
)

// FuzzParse feeds key sets to New. Whatever it accepts, a second reading of the
// same text by other code (encoding/json, crypto's own point parser) must find
// too: a public signature key of a known kind, with that kid and no binding
// against its use, in a JSON text that leaves no choice of how to read it. The second
// reader is strict but for what is lenient by name: a byte order mark, base64 in
// either alphabet and with padding (octets), leading zeros of numbers (number), and
// a certificate for what is not there (certified).
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "null", "[]", `{"keys":null}`, `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`} {
		f.Add([]byte(text))
	}
	p256, rsa1, ed1 := ec("k", elliptic.P256()), rsaKey("k"), ed("k")
	padded := p256.spelt("x", base64.StdEncoding.EncodeToString).spelt("y", base64.URLEncoding.EncodeToString)
	for _, k := range []key{
		p256, rsa1, ed1, padded, padded.with("kid", nil), ecWith("k", 1).spelt("x", func(b []byte) string { return b64(b[1:]) }),
		rsa1.with("n", nil, "e", nil, "x5c", []string{x5cOf(rsa1)}), p256.with("x", nil, "crv", nil, "x5c", []string{x5cOf(p256)}),
		ed1.with("x5c", []string{x5cOf(ed1)}), ed1.with("x5c", []string{x5cOf(p256)}), ed1.with("kid", nil, "x5t", "a"),
	} {
		f.Add(set(k))
		f.Add(append([]byte("\ufeff"), set(k, ed("other"))...))
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
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
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
		var again, leaked []secondReading
		for _, r := range raw {
			switch k, ok := readAgain(r); {
			case ok && k.private:
				leaked = append(leaked, k)
			case ok:
				again = append(again, k)
			}
		}
		again = slices.DeleteFunc(again, func(k secondReading) bool {
			return slices.ContainsFunc(leaked, func(l secondReading) bool { return l.public.Equal(k.public) })
		})
		found := 0
		for _, alg := range jws.Algorithms() {
			for _, k := range again {
				found += checkAgainst(t, s, again, k.kid, k.hasKID, alg)
			}
			found += checkAgainst(t, s, again, "", false, alg)
			found += checkAgainst(t, s, again, "no key of the set has this kid", true, alg)
		}
		if len(again) == 0 {
			t.Fatal("accepted a set in which a second reading finds no usable key")
		}
		if found == 0 && len(again) == 1 {
			t.Fatal("accepted a set of one key, but the key is not found")
		}
	})
}

// checkAgainst asks for keys and compares them with what the second reading has.
func checkAgainst(t *testing.T, s *jwks.KeySet, again []secondReading, kid string, hasKID bool, alg string) (found int) {
	keys, err := s.Candidates(context.Background(), jwks.Hint{KeyID: kid, HasKeyID: hasKID, Algorithm: alg})
	if err != nil {
		return 0
	}
	if len(keys) > 4 {
		t.Fatalf("%d keys for one token", len(keys))
	}
	named := slices.ContainsFunc(again, func(k secondReading) bool { return k.hasKID && k.kid == kid })
	for _, got := range keys {
		if !s.Usable(got) {
			t.Fatal("a key that is found is not usable")
		}
		if !slices.ContainsFunc(again, func(k secondReading) bool {
			mayServe := !hasKID || named && k.hasKID && k.kid == kid || !named && !k.hasKID
			return mayServe && (k.alg == "" || jws.Canonical(k.alg) == alg) && k.equal(got)
		}) {
			t.Fatalf("key %q for %s is not what a second reading finds", kid, alg)
		}
	}
	return len(keys)
}

// secondReading is a key as the oracle reads it.
type secondReading struct {
	kid    string
	hasKID bool
	alg    string
	public publicKey

	private bool // and well-formed, so that it says which key is no secret
}

func (k secondReading) equal(other *jwks.Key) bool { return k.public.Equal(other.Public()) }

// readAgain decodes one key by a path that shares nothing with the package.
func readAgain(raw []byte) (secondReading, bool) {
	var m map[string]any
	if d := read(raw, ""); d.twice || d.replaced || d.depth > 16 || json.Unmarshal(raw, &m) != nil || m == nil {
		return secondReading{}, false
	}
	var k secondReading
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		_, present := m[private]
		k.private = k.private || present
	}
	for _, name := range []string{"kid", "use", "alg", "crv", "n", "e", "x", "y"} {
		if _, text := m[name].(string); m[name] != nil && !text {
			return secondReading{}, false
		}
	}
	if use := m["use"]; use != nil && use != "sig" && !k.private {
		return secondReading{}, false
	}
	if ops, ok := m["key_ops"].([]any); ok && k.private {
		for _, op := range ops {
			if _, text := op.(string); op != nil && !text {
				return secondReading{}, false
			}
		}
	} else if k.private && m["key_ops"] != nil {
		return secondReading{}, false
	}
	if ops, ok := m["key_ops"].([]any); ok && !k.private {
		verify := false
		for _, op := range ops {
			verify = verify || op == "verify"
		}
		if !verify {
			return secondReading{}, false
		}
	}
	k.kid, k.hasKID = m["kid"].(string)
	k.alg, _ = m["alg"].(string)
	crv, _ := m["crv"].(string)
	members := make(map[string][]byte)
	for _, name := range []string{"n", "e", "x", "y"} {
		if m[name] == nil {
			continue
		}
		text, _ := m[name].(string)
		if members[name] = octets(text); members[name] == nil {
			delete(members, name)
			if strings.Contains(map[any]string{"RSA": "ne", "EC": "xy", "OKP": "x"}[m["kty"]], name) {
				return k, false
			}
		}
	}
	certified := certified(m["x5c"])
	public, ok := assemble(m["kty"], crv, maps.Clone(members), certified)
	if k.private && (!ok || certified != nil && !public.Equal(certified)) {
		certified = nil
		public, ok = assemble(m["kty"], crv, members, nil)
	}
	if !ok || certified != nil && !public.Equal(certified) {
		return k, false
	}
	k.public = public
	return k, true
}

// publicKey is what the keys of crypto have in common.
type publicKey interface{ Equal(crypto.PublicKey) bool }

// assemble makes a key of its members and, for those that are not there, of a
// certificate's key.
func assemble(kty any, crv string, members map[string][]byte, certified crypto.PublicKey) (publicKey, bool) {
	switch from := certified.(type) {
	case *rsa.PublicKey:
		if kty != "RSA" {
			return nil, false
		}
		certify(members, "n", from.N.Bytes())
		certify(members, "e", big.NewInt(int64(from.E)).Bytes())
	case *ecdsa.PublicKey:
		if crv == "" {
			crv = from.Params().Name
		}
		if kty != "EC" || crv != from.Params().Name {
			return nil, false
		}
		point, err := from.Bytes()
		if err != nil {
			return nil, false
		}
		certify(members, "x", point[1:1+len(point)/2])
		certify(members, "y", point[1+len(point)/2:])
	case ed25519.PublicKey:
		if kty != "OKP" {
			return nil, false
		}
		if crv == "" {
			crv = "Ed25519"
		}
		certify(members, "x", from)
	case nil:
	default:
		return nil, false
	}
	switch {
	case kty == "RSA":
		n, e := number(members["n"]), number(members["e"])
		bad := n.BitLen() < 2048 || n.BitLen() > 4096 || n.Bit(0) == 0 || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || e.Bit(0) == 0
		return &rsa.PublicKey{N: n, E: int(e.Int64())}, !bad
	case kty == "OKP" && crv == "Ed25519":
		x := bytes.Clone(members["x"])
		if len(x) != ed25519.PublicKeySize {
			return nil, false
		}
		x[31] &= 0x7f
		for _, y := range ofSmallOrder {
			if y == hex.EncodeToString(x) {
				return nil, false
			}
		}
		return ed25519.PublicKey(members["x"]), true
	case kty == "EC":
		curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[crv]
		if curve == nil || members["x"] == nil || members["y"] == nil {
			return nil, false
		}
		size := (curve.Params().BitSize + 7) / 8
		x, y := number(members["x"]), number(members["y"])
		if x.BitLen() > 8*size || y.BitLen() > 8*size {
			return nil, false
		}
		public, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x.FillBytes(make([]byte, size))...), y.FillBytes(make([]byte, size))...))
		return public, err == nil
	}
	return nil, false
}

func certify(members map[string][]byte, name string, value []byte) {
	if members[name] == nil {
		members[name] = value
	}
}

// number reads octets whatever zeros are in front; without any it is too small for
// all that is asked of one.
func number(octets []byte) *big.Int { return new(big.Int).SetBytes(octets) }

// Base64 is of one alphabet, with all of its padding or none.
var (
	inBase64    = regexp.MustCompile(`^[A-Za-z0-9+/]+(={0,2})$`)
	inBase64URL = regexp.MustCompile(`^[A-Za-z0-9_-]+(={0,2})$`)
)

// octets is what base64 means, or nil.
func octets(text string) []byte {
	for _, in := range []struct {
		form        *regexp.Regexp
		padded, raw *base64.Encoding
	}{{inBase64, base64.StdEncoding, base64.RawStdEncoding}, {inBase64URL, base64.URLEncoding, base64.RawURLEncoding}} {
		if !in.form.MatchString(text) {
			continue
		}
		encoding := in.raw
		if strings.HasSuffix(text, "=") {
			encoding = in.padded
		}
		if out, err := encoding.Strict().DecodeString(text); err == nil && len(out) > 0 {
			return out
		}
	}
	return nil
}

// certified is the key of the first certificate of an x5c, or nil.
func certified(x5c any) crypto.PublicKey {
	chain, _ := x5c.([]any)
	if len(chain) == 0 {
		return nil
	}
	first, _ := chain[0].(string)
	cert, err := x509.ParseCertificate(octets(first))
	if err != nil {
		return nil
	}
	if cert.PublicKey == nil {
		return x509.UnknownPublicKeyAlgorithm // it is another one than any here
	}
	return cert.PublicKey
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
