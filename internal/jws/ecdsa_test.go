package jws_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"math/big"
	"testing"

	"github.com/m2mguard/m2mguard/internal/jws"
)

// TestECDSAOfAnyLength makes signatures until halves of every length came that are
// likely: with leading zeros and with a first bit, which DER writes in another length.
func TestECDSAOfAnyLength(t *testing.T) {
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		size := (curve.Params().BitSize + 7) / 8
		short := 0
		for n := 0; n < 2000 && short < 2; n++ {
			r, s, err := ecdsa.Sign(rand.Reader, key, sum(hashOf(alg), []byte("a.b")))
			if err != nil {
				t.Fatal(err)
			}
			sig := make([]byte, 2*size)
			r.FillBytes(sig[:size])
			s.FillBytes(sig[size:])
			if sig[0] == 0 && sig[1] < 0x80 || sig[size] == 0 && sig[size+1] < 0x80 {
				short++
			}
			if err := jws.Verify(alg, &key.PublicKey, "a.b", sig); err != nil {
				t.Fatalf("%s: %x: %v", alg, sig, err)
			}
			for _, bad := range [][2]*big.Int{{r, new(big.Int)}, {new(big.Int), s}, {s, r}, {curve.Params().N, s}, {r, curve.Params().N}} {
				bad[0].FillBytes(sig[:size])
				bad[1].FillBytes(sig[size:])
				if jws.Verify(alg, &key.PublicKey, "a.b", sig) == nil {
					t.Fatalf("%s: %x verifies", alg, sig)
				}
			}
		}
		if short < 2 {
			t.Errorf("%s: no short halves", alg)
		}
	}
	if n := testing.AllocsPerRun(20, ecdsaOnce(t)); n > 14 {
		t.Errorf("%v allocations", n)
	}
}

func ecdsaOnce(t *testing.T) func() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, s, err := ecdsa.Sign(rand.Reader, key, sum(hashOf("ES256"), []byte("a.b")))
	if err != nil {
		t.Fatal(err)
	}
	sig := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return func() {
		if err := jws.Verify("ES256", &key.PublicKey, "a.b", sig); err != nil {
			t.Fatal(err)
		}
	}
}
