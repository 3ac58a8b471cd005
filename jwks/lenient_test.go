package jwks_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

// authority signs the certificates of tests. Its own expired long ago, as theirs did.
var authority = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))

// certificateOf is one in DER for a test key, or for any public key.
func certificateOf(public crypto.PublicKey) []byte {
	if k, ok := public.(key); ok {
		s := must(jwks.New(jwks.Config{Set: set(k.with("kid", "c"))}))
		defer s.Close()
		public = must(find(s, k.with("kid", "c"))).Public()
	}
	issuer := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "signer"}, NotAfter: time.Unix(1e9, 0)}
	return must(x509.CreateCertificate(rand.Reader, leaf, issuer, public, authority))
}

// x5cOf is a certificate in the base64 of an x5c.
func x5cOf(public crypto.PublicKey) string {
	return base64.StdEncoding.EncodeToString(certificateOf(public))
}

// spelt writes a member of k in another form.
func (k key) spelt(member string, form func([]byte) string) key {
	return k.with(member, form(must(base64.RawURLEncoding.DecodeString(k[member].(string)))))
}

// ecWith makes a P-256 key whose x begins with so many zero octets, and whose y with
// none.
func ecWith(kid string, zeros int) key {
	for {
		k := ec(kid, elliptic.P256())
		x, y := must(base64.RawURLEncoding.DecodeString(k["x"].(string))), must(base64.RawURLEncoding.DecodeString(k["y"].(string)))
		if len(bytes.TrimLeft(x, "\x00")) == 32-zeros && y[0] != 0 {
			return k
		}
	}
}

// TestLeniencies: what issuers write beside the standards is the key that they mean,
// by its value and by its thumbprint, or it is skipped, by the member and its place.
func TestLeniencies(t *testing.T) {
	rsa1, ed1, p256, p384, short := rsaKey("k"), ed("k"), ecWith("k", 0), ec("k", elliptic.P384()), ecWith("k", 1)
	forms := map[string]func([]byte) string{
		"padded":                  base64.URLEncoding.EncodeToString,
		"standard":                base64.StdEncoding.EncodeToString,
		"standard without pads":   base64.RawStdEncoding.EncodeToString,
		"a zero more":             func(b []byte) string { return b64(append([]byte{0}, b...)) },
		"zeros more":              func(b []byte) string { return b64(append(make([]byte, 9), b...)) },
		"without its zeros":       func(b []byte) string { return b64(bytes.TrimLeft(b, "\x00")) },
		"a zero more, standard":   func(b []byte) string { return base64.StdEncoding.EncodeToString(append([]byte{0}, b...)) },
		"without its first octet": func(b []byte) string { return b64(b[1:]) },
		"a zero at its end":       func(b []byte) string { return b64(append(bytes.Clone(b), 0)) },
		"an octet in front":       func(b []byte) string { return b64(append([]byte{1}, b...)) },
		"a pad more":              func(b []byte) string { return base64.URLEncoding.EncodeToString(b) + "=" },
		"a pad less":              func(b []byte) string { return strings.TrimSuffix(base64.URLEncoding.EncodeToString(b), "=") },
		"a pad in front":          func(b []byte) string { return "=" + b64(b) },
		"white space":             func(b []byte) string { return " " + b64(b) },
		"a line break":            func(b []byte) string { return b64(b)[:2] + "\r\n" + b64(b)[2:] },
		"a line break at its end": func(b []byte) string { return b64(b) + "\n" },
		"stray bits":              func(b []byte) string { return twist(b64(b)) },
		"hexadecimal":             func(b []byte) string { return "0x" + b64(b) },
		"a dot":                   func(b []byte) string { return b64(b) + "." },
		"nothing":                 func([]byte) string { return "" },
		"pads alone":              func([]byte) string { return "====" },
		"two alphabets":           func(b []byte) string { return "+_" + b64(b)[2:] },
		"doubled":                 func(b []byte) string { return b64(append(bytes.Clone(b), b...)) },
	}
	const good = ""
	for _, c := range []struct {
		key    key
		member string
		forms  string
		want   string // part of the reason
	}{
		{rsa1, "n", "padded | standard | standard without pads | a zero more | zeros more | without its zeros | a zero more, standard", good},
		{rsa1, "n", "a pad more | a pad in front | white space | a line break | a line break at its end | stray bits | a dot | nothing | pads alone | two alphabets", `base64, padded or not: "n", at offset `},
		{rsa1, "n", "a pad less", `base64, padded or not: "n", at offset `}, // of two
		{rsa1, "n", "a zero at its end", "RSA modulus"},
		{rsa1, "e", "padded | standard | a zero more | zeros more", good},
		{rsa1, "e", "white space | a line break | nothing | a pad more | a pad in front | a dot", `"e", at offset `},
		{rsa1, "e", "a zero at its end | without its first octet", "RSA exponent"},
		{ed1, "x", "padded | standard | standard without pads", good},
		{ed1, "x", "a zero more | zeros more | without its first octet | a zero at its end", `wrong length, wanted 32 octets (RFC 8037 §2): "x", at offset `},
		{ed1, "x", "a pad more | white space | a line break | stray bits | nothing | two alphabets", `base64, padded or not: "x", at offset `},
		{p256, "x", "padded | standard | standard without pads | a zero more | zeros more | without its zeros", good},
		{p256, "y", "padded | standard | standard without pads | a zero more | zeros more | without its zeros", good},
		{p256, "x", "a zero at its end | an octet in front | doubled", `longer than its curve's`},
		{p256, "x", "a pad more | white space | a line break | stray bits | nothing | two alphabets | hexadecimal", `"x", at offset `},
		{p256, "y", "a zero at its end | an octet in front", `"y", at offset `},
		{short, "x", "without its zeros | without its first octet | a zero more | padded", good},
		{short, "x", "a zero at its end", "not on its curve"},
		{p384, "x", "padded | standard | a zero more", good},
	} {
		for _, name := range strings.Split(c.forms, " | ") {
			checkForm(t, c.key, c.key.spelt(c.member, forms[name]), c.member+" "+name, c.want)
		}
	}
}

// checkForm reads k in another form, beside a good key, and wants the same key or a
// reason.
func checkForm(t *testing.T, k, form key, name, want string) {
	t.Helper()
	seen := &events{}
	s, err := jwks.New(jwks.Config{Set: set(form, ec("good", elliptic.P521())), Observer: observe.Observer{Event: seen.add}})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer s.Close()
	got, err := find(s, k)
	skipped := seen.of(observe.KeySkipped)
	if want != "" {
		if got != nil || !errors.Is(err, jwks.ErrKeyNotFound) || len(skipped) != 1 || !strings.Contains(skipped[0].Err.Error(), want) {
			t.Errorf("%s: got %v, skipped %v, wanted one with %q", name, got, skipped, want)
		}
		return
	}
	if err != nil || len(skipped) != 0 {
		t.Errorf("%s: %v, skipped %v", name, err, skipped)
		return
	}
	plain := must(jwks.New(jwks.Config{Set: set(k)}))
	defer plain.Close()
	if diff := cmp.Diff(members(k), public(got)); diff != "" || got.Thumbprint() != must(find(plain, k)).Thumbprint() {
		t.Errorf("%s: another key, or another thumbprint %s (-want +got):\n%s", name, got.Thumbprint(), diff)
	}
}

// TestKeysByCertificate: a first certificate stands in for what is not there, and
// agrees with what is.
func TestKeysByCertificate(t *testing.T) {
	rsa1, ed1, p256, p521 := rsaKey("k"), ed("k"), ec("k", elliptic.P256()), ec("k", elliptic.P521())
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	x5c := func(k key) []string { return []string{x5cOf(k), x5cOf(ed("authority"))} }
	bare := map[string]key{
		"RSA":     rsa1.with("n", nil, "e", nil),
		"EC":      p256.with("x", nil, "y", nil, "crv", nil),
		"P-521":   p521.with("x", nil, "y", nil),
		"Ed25519": ed1.with("x", nil),
	}
	whole := map[string]key{"RSA": rsa1, "EC": p256, "P-521": p521, "Ed25519": ed1}
	const (
		other  = `another key (RFC 7517 §4.7): "x5c", at offset `
		unread = `cannot be read as a certificate in base64 (RFC 7517 §4.7): "x5c", at offset `
	)
	for kind, k := range whole {
		b, good := bare[kind], x5c(k)
		single := map[string]string{"RSA": "e", "EC": "y", "P-521": "crv", "Ed25519": "crv"}[kind]
		for name, c := range map[string]struct {
			form key
			want string
		}{
			"alone":                                 {b.with("x5c", good), ""},
			"beside the key":                        {k.with("x5c", good), ""},
			"beside a member":                       {b.with("x5c", good, single, k[single]), ""},
			"null beside it":                        {b.with("x5c", good, "n", json.RawMessage("null"), "x", json.RawMessage("null")), ""},
			"in base64url":                          {b.with("x5c", []string{b64(certificateOf(k))}), ""},
			"without pads":                          {b.with("x5c", []string{strings.TrimRight(x5cOf(k), "=")}), ""},
			"rubbish behind the first":              {b.with("x5c", []any{good[0], "rubbish", 7}), ""},
			"rubbish beside the key":                {k.with("x5c", []string{"LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0K=x"}), ""},
			"none beside the key":                   {k.with("x5c", []string{}), ""},
			"a number beside the key":               {k.with("x5c", 7), ""},
			"no list beside the key":                {k.with("x5c", good[0]), ""},
			"with line breaks beside the key":       {k.with("x5c", []string{good[0][:64] + "\n" + good[0][64:]}), ""},
			"with more behind it, beside the key":   {k.with("x5c", []string{base64.StdEncoding.EncodeToString(append(certificateOf(k), 0))}), ""},
			"in PEM beside the key":                 {k.with("x5c", []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificateOf(k)}))}), ""},
			"for a key of an odd curve, beside one": {k.with("x5c", []string{x5cOf(p224.Public())}), other},
			"of another key":                        {k.with("x5c", []string{x5cOf(ec("other", elliptic.P256())), good[0]}), other},
			"of another key of the kind":            {k.with("x5c", []string{x5cOf(map[string]any{"RSA": rsaBits("o", 3072), "EC": ec("o", elliptic.P256()), "P-521": ec("o", elliptic.P521()), "Ed25519": ed("o")}[kind])}), other},
			"of another kind, alone":                {b.with("x5c", x5c(whole[map[string]string{"RSA": "EC", "EC": "RSA", "P-521": "Ed25519", "Ed25519": "P-521"}[kind]])), other},
			"of another curve, alone":               {b.with("x5c", x5c(ec("o", elliptic.P384())), "crv", "P-256"), other},
			"rubbish, alone":                        {b.with("x5c", []string{"rubbish"}), unread},
			"of no bytes, alone":                    {b.with("x5c", []string{""}), unread},
			"a number, alone":                       {b.with("x5c", []int{7}), unread},
			"no list, alone":                        {b.with("x5c", x5cOf(k)), unread},
			"an empty list, alone":                  {b.with("x5c", []string{}), "lacks"},
			"with line breaks, alone":               {b.with("x5c", []string{good[0][:64] + "\n" + good[0][64:]}), unread},
			"in PEM, alone":                         {b.with("x5c", []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificateOf(k)}))}), unread},
			"with more behind it, alone":            {b.with("x5c", []string{base64.StdEncoding.EncodeToString(append(certificateOf(k), 0))}), unread},
			"null, alone":                           {b.with("x5c", json.RawMessage("null")), "lacks"},
			"not there":                             {b, "lacks"},
			"a private member beside it":            {b.with("x5c", good, "d", "AAAA"), "private"},
			"for encryption":                        {b.with("x5c", good, "use", "enc"), `"use"`},
		} {
			checkForm(t, k, c.form, kind+", certificate "+name, c.want)
		}
	}
}

// TestCertificatesOfSmallKeys: a certificate makes no key good that is bad.
func TestCertificatesOfSmallKeys(t *testing.T) {
	small := bytes.Clone(must(base64.StdEncoding.DecodeString(x5cOf(rsaKey("k")))))
	n := must(base64.RawURLEncoding.DecodeString(rsaKey("k")["n"].(string)))
	at := bytes.Index(small, n)
	small[at+len(n)-1] &^= 1 // an even modulus; nobody checks the certificate's signature
	checkForm(t, rsaKey("k"), rsaKey("k").with("n", nil, "e", nil, "x5c", []string{base64.StdEncoding.EncodeToString(small)}), "an even modulus", "RSA modulus")
}

// TestCertificatesNameKeys: a hint finds a key by the certificate's own thumbprint,
// also where the set does not tell it or tells another.
func TestCertificatesNameKeys(t *testing.T) {
	k := ed("k")
	der := certificateOf(k)
	by1, by256 := sha1.Sum(der), sha256.Sum256(der)
	named := k.with("kid", "named", "x5c", []string{base64.StdEncoding.EncodeToString(der)}, "x5t", "written")
	s := must(jwks.New(jwks.Config{Set: set(ed("other"), named)}))
	defer s.Close()
	for _, h := range []jwks.Hint{
		{X5T: b64(by1[:])}, {X5TS256: b64(by256[:])}, {X5T: "written"}, {X5T: "another", X5TS256: b64(by256[:])},
	} {
		h.Algorithm = "EdDSA"
		got, err := s.Candidates(t.Context(), h)
		if err != nil || len(got) != 1 || got[0].ID() != "named" {
			t.Errorf("%+v: got %v, %v", h, got, err)
		}
	}
	if got, err := s.Candidates(t.Context(), jwks.Hint{Algorithm: "EdDSA", X5T: b64(by256[:])}); err != nil || len(got) != 2 {
		t.Errorf("an x5t by SHA-256 chose %d keys, %v", len(got), err)
	}
}

// TestByteOrderMark before a set says nothing and is passed over, once.
func TestByteOrderMark(t *testing.T) {
	k := ed("k")
	s, err := jwks.New(jwks.Config{Set: append([]byte("\xef\xbb\xbf"), set(k)...)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantKey(t, s, k)
}

// TestSpellingIsNoRotation: an issuer that changes how it writes a key has the same
// key.
func TestSpellingIsNoRotation(t *testing.T) {
	k := ecWith("k", 1)
	iss := &issuer{}
	iss.keys(k)
	s := open(t, iss, jwks.Config{})
	before := wantKey(t, s, k)
	iss.keys(k.spelt("x", func(b []byte) string { return base64.StdEncoding.EncodeToString(b[1:]) }))
	wantNotFound(t, s, key{"kid": "made up", "crv": "Ed25519"}) // a fetch
	if wantKey(t, s, k) != before || !s.Usable(before) {
		t.Error("the key is another one")
	}
}
