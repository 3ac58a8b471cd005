package jwks_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

// TestLeakedKeys: a key whose private part is in the set serves nobody, under no name.
func TestLeakedKeys(t *testing.T) {
	p256, rsa1, good := ec("a", elliptic.P256()), rsaKey("a"), ed("good")
	ecPrivate := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(k any) string { return inPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(k))) }
	spare := publicPEM(must(ed25519Public()))
	for name, c := range map[string]struct {
		text string
		twin int // how many keys have it beside them
	}{
		"one kid":              {string(set(p256.with("d", "AQAB"), p256, good)), 1},
		"the private one last": {string(set(p256, p256.with("d", "AQAB"), good)), 1},
		"another kid":          {string(set(rsa1.with("d", "AQAB"), rsa1.with("kid", "b"), good)), 1},
		"no kid":               {string(set(p256.with("p", 1), nameless(p256), p256.with("kid", "b"), good)), 2},
		"of another use":       {string(set(p256.with("d", "AQAB", "use", "enc", "alg", "ECDH-ES"), p256, good)), 1},
		"in another spelling":  {string(set(rsa1.with("d", "AQAB", "e", "AAEAAQ=="), rsa1, good)), 1},
		"with a certificate":   {string(set(p256.with("d", "AQAB", "x5c", []string{x5cOf(rsa1)}), p256, good)), 1},
		"by its certificate":   {string(set(p256.with("d", "AQAB", "x", nil, "y", nil, "x5c", []string{x5cOf(p256)}), p256, good)), 1},
		"PEM":                  {pkcs8(ecPrivate) + publicPEM(ecPrivate.Public()) + spare, 1},
		"PEM, a certificate":   {inPEM("CERTIFICATE", certificateOf(ecPrivate.Public())) + pkcs8(ecPrivate) + spare, 1},
		"PEM, Ed25519":         {pkcs8(edPrivate) + publicPEM(edPrivate.Public()) + spare, 1},
		"PEM, SEC 1":           {inPEM("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ecPrivate))) + publicPEM(ecPrivate.Public()) + spare, 1},
		"PEM, PKCS #1":         {inPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(generated())) + publicPEM(generated().Public()) + spare, 1},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &events{}
			s, err := jwks.New(jwks.Config{Set: []byte(c.text), Observer: observe.Observer{Event: seen.add}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			served := 0
			for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
				keys, _ := s.Candidates(t.Context(), jwks.Hint{Algorithm: alg})
				served += len(keys)
			}
			if served != 1 {
				t.Errorf("%d keys serve, wanted the good one", served)
			}
			twins := 0
			for _, e := range seen.of(observe.KeySkipped) {
				if strings.Contains(e.Err.Error(), "the public part of a private key") {
					twins++
				}
			}
			if twins != c.twin {
				t.Errorf("%d keys skipped for it, wanted %d", twins, c.twin)
			}
		})
	}
}
