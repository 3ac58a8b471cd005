package jws_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"math/big"
	"testing"

	"github.com/m2mguard/m2mguard/internal/jws"
)

// sealed is a private key that only signs: its kind cannot be looked at, as with
// one in an HSM.
type sealed struct{ crypto.Signer }

// signers is one private key of each kind, by the names of kindOf.
func signers(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	all := make(map[string]crypto.Signer)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	all["RSA"], all["Ed25519"] = rsaKey, edKey
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		all[curve.Params().Name] = key
	}
	return all
}

func TestSign(t *testing.T) {
	header, payload := []byte(`{"alg":"whatever"}`), []byte("any bytes \xff")
	for kind, key := range signers(t) {
		for _, alg := range jws.Algorithms() {
			for name, key := range map[string]crypto.Signer{"in memory": key, "sealed": sealed{key}} {
				token, err := jws.Sign(alg, key, header, payload)
				if fits := kindOf[alg] == kind; fits != (err == nil) || !fits && token != "" {
					t.Errorf("%s with %s, %s: %q, %v", alg, kind, name, token, err)
				}
				if err == nil {
					checkSigned(t, alg, key.Public(), token, header, payload)
				}
			}
		}
		for _, alg := range []string{"", "none", "HS256", "Ed25519", "ES256K", "rs256"} {
			if token, err := jws.Sign(alg, key, header, payload); err == nil {
				t.Errorf("%q with %s: %q", alg, kind, token)
			}
		}
	}
}

// checkSigned takes a token apart and verifies it, by this package and by the
// standard library alone.
func checkSigned(t *testing.T, alg string, public crypto.PublicKey, token string, header, payload []byte) {
	t.Helper()
	c, ok := jws.Split(token)
	if !ok {
		t.Fatalf("%s: %q is not compact", alg, token)
	}
	parts := make([][]byte, 3)
	for n, segment := range []string{c.Header, c.Payload, c.Signature} {
		var err error
		if parts[n], err = jws.AppendDecode(nil, segment); err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
	}
	if !bytes.Equal(parts[0], header) || !bytes.Equal(parts[1], payload) {
		t.Errorf("%s: %q . %q", alg, parts[0], parts[1])
	}
	if err := jws.Verify(alg, public, c.SigningInput, parts[2]); err != nil {
		t.Errorf("%s: %v", alg, err)
	}
	good := false
	switch key := public.(type) {
	case *rsa.PublicKey:
		digest := sum(hashOf(alg), []byte(c.SigningInput))
		if alg[0] == 'P' { // RFC 7518 §3.5: the salt is as long as the hash
			good = rsa.VerifyPSS(key, hashOf(alg), digest, parts[2], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		} else {
			good = rsa.VerifyPKCS1v15(key, hashOf(alg), digest, parts[2]) == nil
		}
	case *ecdsa.PublicKey: // RFC 7518 §3.4: R and S, each as long as the curve
		size := (key.Params().BitSize + 7) / 8
		good = len(parts[2]) == 2*size && ecdsa.Verify(key, sum(hashOf(alg), []byte(c.SigningInput)),
			new(big.Int).SetBytes(parts[2][:size]), new(big.Int).SetBytes(parts[2][size:]))
	case ed25519.PublicKey:
		good = ed25519.Verify(key, []byte(c.SigningInput), parts[2])
	}
	if !good {
		t.Errorf("%s: the standard library does not verify it", alg)
	}
}

// broken fails to sign, or signs what is no signature.
type broken struct {
	crypto.Signer
	signature []byte
	err       error
}

func (b broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return b.signature, b.err }

func TestSignWithABrokenKey(t *testing.T) {
	errLocked := errors.New("locked")
	for kind, key := range signers(t) {
		for _, alg := range jws.Algorithms() {
			if kindOf[alg] != kind {
				continue
			}
			token, err := jws.Sign(alg, broken{Signer: key, err: errLocked}, nil, nil)
			if token != "" || !errors.Is(err, errLocked) {
				t.Errorf("%s: %q, %v, wanted the key's error", alg, token, err)
			}
		}
	}
}

func TestSignWithWeakRSA(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	if token, err := jws.Sign("RS256", key, nil, nil); err == nil {
		t.Errorf("signed with 1024 bits: %q", token)
	}
}
