package jwks_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// publicPEM is a public key as openssl writes it.
func publicPEM(public crypto.PublicKey) string {
	return inPEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(public)))
}

// chain makes certificates of the names, each signed by the next, the last by itself.
func chain(public crypto.PublicKey, names ...string) []string {
	var out []string
	for i, name := range names {
		issuer := names[min(i+1, len(names)-1)]
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}}
		parent := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: issuer}}
		if i > 0 {
			public = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public()
		}
		out = append(out, inPEM("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, parent, public, authority))))
	}
	return out
}

// issued makes a certificate that says what its key is for.
func issued(public crypto.PublicKey, ca bool, usage x509.KeyUsage) string {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: fmt.Sprint(ca)}, BasicConstraintsValid: true, IsCA: ca, KeyUsage: usage}
	parent := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "parent"}}
	return inPEM("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, parent, public, authority)))
}

func TestPEM(t *testing.T) {
	rsa1, ed1 := generated().Public(), must(ed25519Public())
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public()
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)).Public()
	small := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	bundle := chain(p256, "signer", "authority", "root")
	selfSigned := []string{chain(p256, "signer")[0], chain(rsa1, "signer")[0]}
	der := must(x509.MarshalPKIXPublicKey(p256))
	for name, c := range map[string]struct {
		text    string
		want    []crypto.PublicKey
		skipped []string // parts of the reasons
		fault   string   // part of New's error
	}{
		"a public key":                    {text: publicPEM(rsa1), want: []crypto.PublicKey{rsa1}},
		"of each type":                    {text: publicPEM(rsa1) + publicPEM(p256) + publicPEM(ed1), want: []crypto.PublicKey{rsa1, p256, ed1}},
		"PKCS #1":                         {text: inPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(rsa1.(*rsa.PublicKey))), want: []crypto.PublicKey{rsa1}},
		"a certificate":                   {text: inPEM("CERTIFICATE", certificateOf(p256)), want: []crypto.PublicKey{p256}},
		"a certificate signed by itself":  {text: selfSigned[0], want: []crypto.PublicKey{p256}},
		"two of one name, at a rollover":  {text: selfSigned[0] + selfSigned[1], want: []crypto.PublicKey{p256, rsa1}},
		"a chain":                         {text: strings.Join(bundle, ""), want: []crypto.PublicKey{p256}, skipped: []string{"authority", "authority"}},
		"a chain in another order":        {text: bundle[2] + bundle[0] + bundle[1], want: []crypto.PublicKey{p256}, skipped: []string{"authority", "authority"}},
		"a certificate for encipherment":  {text: issued(p256, false, x509.KeyUsageKeyEncipherment) + publicPEM(ed1), want: []crypto.PublicKey{ed1}, skipped: []string{"key usage lacks digitalSignature"}},
		"one for signatures, too":         {text: issued(p256, false, x509.KeyUsageKeyEncipherment|x509.KeyUsageDigitalSignature), want: []crypto.PublicKey{p256}},
		"an authority alone":              {text: issued(p256, true, x509.KeyUsageCertSign), fault: "key usage lacks digitalSignature"},
		"an authority that signs tokens":  {text: issued(p256, true, x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign) + publicPEM(ed1), want: []crypto.PublicKey{p256, ed1}},
		"two of them":                     {text: issued(p256, true, 0) + issued(rsa1, true, 0), want: []crypto.PublicKey{p256, rsa1}},
		"one beside another certificate":  {text: issued(p256, true, 0) + issued(rsa1, false, 0), want: []crypto.PublicKey{rsa1}, skipped: []string{"certificate of an authority (RFC 5280 §4.2.1.9)"}},
		"twice the same":                  {text: publicPEM(p256) + publicPEM(p256) + inPEM("CERTIFICATE", certificateOf(p256)), want: []crypto.PublicKey{p256}},
		"text around it":                  {text: "subject=CN = signer\n\n" + bundle[0] + "\nissuer=CN = authority\n", want: []crypto.PublicKey{p256}},
		"CRLF":                            {text: strings.ReplaceAll(publicPEM(p256), "\n", "\r\n"), want: []crypto.PublicKey{p256}},
		"a byte order mark":               {text: "\xef\xbb\xbf" + publicPEM(p256), want: []crypto.PublicKey{p256}},
		"no line break at its end":        {text: strings.TrimSpace(publicPEM(p256)), want: []crypto.PublicKey{p256}},
		"on one line":                     {text: strings.Replace(strings.ReplaceAll(publicPEM(p256), "\n", ""), "KEY-----", "KEY-----\n", 1), fault: "offset 0 is a PEM block that cannot be read"},
		"a private key beside it":         {text: inPEM("PRIVATE KEY", []byte("secret")) + publicPEM(p256), want: []crypto.PublicKey{p256}, skipped: []string{"must be taken for stolen"}},
		"a private key alone":             {text: inPEM("EC PRIVATE KEY", []byte("secret")), fault: `must be taken for stolen: "EC PRIVATE KEY", at offset 0 of the text`},
		"an encrypted private key":        {text: inPEM("ENCRYPTED PRIVATE KEY", []byte("secret")), fault: "must be taken for stolen"},
		"another block":                   {text: "\n" + inPEM("CERTIFICATE REQUEST", der), fault: `another type than PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE: "CERTIFICATE REQUEST", at offset 1 of the text`},
		"parameters of a curve":           {text: inPEM("EC PARAMETERS", []byte{6, 0}) + publicPEM(p256), want: []crypto.PublicKey{p256}, skipped: []string{"another type"}},
		"rubbish in a block":              {text: inPEM("PUBLIC KEY", []byte("rubbish")), fault: `no public key that can be read: "PUBLIC KEY", at offset 0`},
		"a key in a certificate's block":  {text: inPEM("CERTIFICATE", der), fault: `no public key that can be read: "CERTIFICATE"`},
		"a certificate in a key's block":  {text: inPEM("PUBLIC KEY", certificateOf(p256)), fault: "no public key that can be read"},
		"PKIX called PKCS #1":             {text: inPEM("RSA PUBLIC KEY", must(x509.MarshalPKIXPublicKey(rsa1))), fault: "no public key that can be read"},
		"another curve":                   {text: publicPEM(p224), fault: `"crv"`},
		"a small RSA key":                 {text: publicPEM(small), fault: "RSA modulus"},
		"a small one beside a good one":   {text: publicPEM(small) + publicPEM(p256), want: []crypto.PublicKey{p256}, skipped: []string{"RSA modulus"}},
		"a block without an end":          {text: publicPEM(p256) + strings.TrimSuffix(publicPEM(rsa1), "-----END PUBLIC KEY-----\n"), fault: fmt.Sprintf("offset %d is a PEM block that cannot be read", len(publicPEM(p256)))},
		"a block with another one's end":  {text: strings.Replace(publicPEM(p256), "END PUBLIC", "END RSA PUBLIC", 1) + publicPEM(ed1), fault: "offset 0 is a PEM block that cannot be read"},
		"a block that is broken, first":   {text: strings.Replace(publicPEM(p256), "M", "!", 1) + publicPEM(ed1), fault: "offset 0 is a PEM block that cannot be read"},
		"a block in a block":              {text: strings.Replace(publicPEM(p256), "\n", "\n"+publicPEM(ed1), 1), fault: "offset 0 is a PEM block that cannot be read"},
		"headers":                         {text: strings.Replace(publicPEM(p256), "\n", "\nProc-Type: 4,ENCRYPTED\n\n", 1), fault: "offset 0 is a PEM block that cannot be read"},
		"a block within a line":           {text: publicPEM(p256) + "text" + publicPEM(ed1), fault: fmt.Sprintf("offset %d is a PEM block that cannot be read", len(publicPEM(p256))+4)},
		"only a beginning":                {text: "-----BEGIN ", fault: "offset 0 is a PEM block that cannot be read"},
		"base64 without its armour":       {text: strings.Split(publicPEM(p256), "\n")[1], fault: "not a strict JSON object"},
		"a set after it":                  {text: publicPEM(p256) + string(set(ed("a"))), want: []crypto.PublicKey{p256}}, // text around it
		"it after a set":                  {text: string(set(ed("a"))) + publicPEM(p256), fault: "not a strict JSON object"},
		"more than 1,000":                 {text: strings.Repeat(publicPEM(ed1), 1001), fault: "more than 1000 keys"},
		"a private key in a public block": {text: inPEM("PUBLIC KEY", must(x509.MarshalPKCS8PrivateKey(authority))), fault: "no public key that can be read"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &events{}
			s, err := jwks.New(jwks.Config{Set: []byte(c.text), Observer: observe.Observer{Event: seen.add}})
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "secret") {
					t.Fatalf("got %v, wanted %q", err, c.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var reasons []string
			for _, e := range seen.of(observe.KeySkipped) {
				reasons = append(reasons, e.Err.Error())
			}
			if len(reasons) != len(c.skipped) {
				t.Fatalf("skipped %q, wanted %q", reasons, c.skipped)
			}
			for i, part := range c.skipped {
				if !strings.Contains(reasons[i], part) {
					t.Errorf("skipped %q, wanted %q", reasons[i], part)
				}
			}
			var all []*jwks.Key
			for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
				// For a token without a kid as for one with any.
				keys, _ := s.Candidates(t.Context(), jwks.Hint{Algorithm: alg})
				named, _ := s.Candidates(t.Context(), jwks.Hint{Algorithm: alg, KeyID: "any", HasKeyID: true})
				if diff := cmp.Diff(thumbprints(keys), thumbprints(named)); diff != "" {
					t.Errorf("%s, without kid and with one:\n%s", alg, diff)
				}
				all = append(all, keys...)
			}
			if len(all) != len(c.want) {
				t.Fatalf("%d keys, wanted %d", len(all), len(c.want))
			}
			for _, want := range c.want {
				found := false
				for _, k := range all {
					found = found || want.(interface{ Equal(crypto.PublicKey) bool }).Equal(k.Public())
				}
				if !found {
					t.Errorf("there is no %T", want)
				}
			}
		})
	}
}

func ed25519Public() (crypto.PublicKey, error) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	return public, err
}

func thumbprints(keys []*jwks.Key) (out []string) {
	for _, k := range keys {
		out = append(out, k.Thumbprint())
	}
	return out
}

// A key of PEM is the same key as in a set, and its certificate has a name.
func TestPEMNamesKeysAsSetsDo(t *testing.T) {
	k := ed("k")
	inSet := must(jwks.New(jwks.Config{Set: set(k)}))
	defer inSet.Close()
	want := must(find(inSet, k))
	der := certificateOf(want.Public())
	s := must(jwks.New(jwks.Config{Set: []byte(publicPEM(must(ed25519Public())) + inPEM("CERTIFICATE", der))}))
	defer s.Close()
	sum := sha256.Sum256(der)
	got, err := s.Candidates(context.Background(), jwks.Hint{Algorithm: "EdDSA", X5TS256: b64(sum[:])})
	if err != nil || len(got) != 1 || got[0].Thumbprint() != want.Thumbprint() || got[0].ID() != "" {
		t.Errorf("got %v, %v, wanted thumbprint %s", got, err, want.Thumbprint())
	}
	if _, err := s.Lookup(context.Background(), "k", true, "RS256"); !errors.Is(err, jwks.ErrKeyNotFound) {
		t.Errorf("an algorithm that no key serves: %v", err)
	}
}

// PEM is what a configuration may hold, not what an issuer publishes at a URL.
func TestURLsServeNoPEM(t *testing.T) {
	iss := &issuer{}
	iss.serve(answer([]byte(publicPEM(must(ed25519Public())))))
	s := open(t, iss, jwks.Config{})
	if u := wantUnavailable(t, s, ed("a")); !strings.Contains(u.Error(), "not a strict JSON object") {
		t.Error(u)
	}
}

// FuzzPEM: what is accepted is what encoding/pem and crypto/x509 find in the text,
// block by block, with nothing passed over that begins as one.
func FuzzPEM(f *testing.F) {
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public()
	for _, text := range []string{publicPEM(p256), publicPEM(p256) + publicPEM(generated().Public()), strings.Join(chain(p256, "a", "b"), "text"), "-----BEGIN X-----\n-----END X-----\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		begin := bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\ufeff")), " \t\r\n")
		if len(begin) == 0 || begin[0] == '{' || begin[0] == '[' {
			return // FuzzParse's
		}
		s, err := jwks.New(jwks.Config{Set: text})
		if err != nil {
			return
		}
		defer s.Close()
		var found []crypto.PublicKey
		blocks := 0
		for rest := bytes.TrimPrefix(text, []byte("\ufeff")); ; blocks++ {
			var b *pem.Block
			if b, rest = pem.Decode(rest); b == nil {
				break
			}
			if cert, err := x509.ParseCertificate(b.Bytes); err == nil && b.Type == "CERTIFICATE" {
				if cert.KeyUsage&x509.KeyUsageDigitalSignature != 0 || cert.KeyUsage == 0 {
					found = append(found, cert.PublicKey)
				}
			} else if key, err := x509.ParsePKIXPublicKey(b.Bytes); err == nil && b.Type == "PUBLIC KEY" {
				found = append(found, key)
			} else if key, err := x509.ParsePKCS1PublicKey(b.Bytes); err == nil && b.Type == "RSA PUBLIC KEY" {
				found = append(found, key)
			}
		}
		if n := bytes.Count(text, []byte("-----BEGIN ")); n != blocks {
			t.Fatalf("accepted, though of %d beginnings encoding/pem reads %d", n, blocks)
		}
		keys := 0
		for _, alg := range []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"} {
			all, _ := s.Candidates(context.Background(), jwks.Hint{Algorithm: alg})
			for _, k := range all {
				keys++
				if !contains(found, k.Public()) {
					t.Fatalf("a key for %s that is not in the text", alg)
				}
			}
		}
		if keys == 0 {
			t.Fatal("accepted a text without keys")
		}
	})
}

func contains(all []crypto.PublicKey, key crypto.PublicKey) bool {
	for _, k := range all {
		if equal, ok := k.(interface{ Equal(crypto.PublicKey) bool }); ok && equal.Equal(key) {
			return true
		}
	}
	return false
}
