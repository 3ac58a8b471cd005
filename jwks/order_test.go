package jwks_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/jwks"
)

// ofSmallOrder are the encodings of y, without the sign of x.
var ofSmallOrder = map[string]string{
	"0":              strings.Repeat("00", 32),
	"1":              "01" + strings.Repeat("00", 31),
	"p-1":            "ec" + strings.Repeat("ff", 30) + "7f",
	"0 as p":         "ed" + strings.Repeat("ff", 30) + "7f",
	"1 as p+1":       "ee" + strings.Repeat("ff", 30) + "7f",
	"of order 8":     "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"its complement": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
}

// TestSmallOrderKeys: what verifies a signature that nobody made is no key, in none of
// its encodings.
func TestSmallOrderKeys(t *testing.T) {
	nobodys := append([]byte{1}, make([]byte, 63)...) // R is the neutral point, and S is 0
	for name, y := range ofSmallOrder {

		for _, sign := range []byte{0, 0x80} {
			x, err := hex.DecodeString(y)
			if err != nil {
				t.Fatal(err)
			}
			x[31] |= sign
			forged := false
			for n := range 1000 {
				forged = forged || ed25519.Verify(x, fmt.Append(nil, n), nobodys)
			}
			if !forged {
				t.Errorf("%s, sign %x: no such key, for crypto/ed25519", name, sign)
			}
			_, err = jwks.New(jwks.Config{Set: set(key{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": b64(x)})})
			if err == nil || !strings.Contains(err.Error(), "of small order") {
				t.Errorf("%s, sign %x: %v", name, sign, err)
			}
			if _, err = jwks.New(jwks.Config{Set: []byte(publicPEM(ed25519.PublicKey(x)))}); err == nil || !strings.Contains(err.Error(), "of small order") {
				t.Errorf("%s, sign %x, in PEM: %v", name, sign, err)
			}
		}
	}
	// Not the neighbours.
	for _, first := range []byte{2, 3, 4, 5} {
		x := append([]byte{first}, bytes.Repeat([]byte{0}, 31)...)
		s, err := jwks.New(jwks.Config{Set: set(key{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": b64(x)})})
		if err != nil {
			t.Error(err)
			continue
		}
		s.Close()
	}
}
