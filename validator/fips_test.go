package validator_test

import (
	"crypto"
	"crypto/fips140"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestUnderFIPS140Only runs itself in a process in which Go refuses what FIPS 140
// does not allow. What works otherwise works there, too, or is refused in words
// before the first request.
func TestUnderFIPS140Only(t *testing.T) {
	if !fips140.Enforced() {
		again := exec.Command(os.Args[0], "-test.run=^TestUnderFIPS140Only$", "-test.v")
		again.Env = append(os.Environ(), "GODEBUG=fips140=only")
		if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestUnderFIPS140Only/") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	t.Run("tokens", func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		both := bothOf(iss)
		both.Algorithms = jws.Algorithms()
		v := newMany(t, both)
		for _, alg := range []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"} {
			c := issuertest.Claims{Algorithm: alg}
			raw := iss.Token(c)
			wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
			wantOutcome(t, "ok")(v.Verify(t.Context(), raw)) // from the cache
			wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), raw, 0))
			wantOutcome(t, "signature")(v.Verify(t.Context(), iss.Bad(issuertest.OtherKey, c)))
		}
		opaque := iss.Opaque(issuertest.Claims{})
		wantOutcome(t, "ok")(v.Verify(t.Context(), opaque))
		wantOutcome(t, "ok")(v.Verify(t.Context(), opaque))
	})
	t.Run("a key set", func(t *testing.T) {
		n := base64.RawURLEncoding.EncodeToString(testdata.PrivateKey("rsa-2048-a").(*rsa.PrivateKey).N.Bytes())
		_, err := validator.New(validator.Config{Issuers: []validator.Issuer{{
			URL: "https://id.example.com", Audience: []string{issuertest.Audience},
			Keys: &jwks.Config{Set: fmt.Appendf(nil, `{"keys":[{"kty":"RSA","e":"Aw","n":%q}]}`, n)},
		}}})
		if err == nil || !strings.Contains(err.Error(), `Issuer "https://id.example.com": Keys: jwks: Config.Set`) || !strings.Contains(err.Error(), "GODEBUG=fips140=only") {
			t.Errorf("New: %v", err)
		}
	})
	t.Run("private keys", func(t *testing.T) {
		good := testdata.PrivateKey("rsa-2048-a").(*rsa.PrivateKey)
		small, several, unequal := *good, *good, *good
		small.E = 3
		several.Primes = append(slices.Clone(good.Primes), big.NewInt(3))
		unequal.Primes = []*big.Int{good.Primes[0], new(big.Int).Rsh(good.Primes[1], 2)}
		for name, tc := range map[string]struct {
			key    crypto.Signer
			alg    string
			refuse bool
		}{
			"RSA":                        {good, "RS256", false},
			"RSA, PSS":                   {good, "PS512", false},
			"P-384":                      {testdata.PrivateKey("p384"), "ES384", false},
			"Ed25519":                    {testdata.PrivateKey("ed25519-a"), "EdDSA", false},
			"small exponent":             {&small, "RS256", true},
			"small exponent, PSS":        {&small, "PS256", true},
			"three primes":               {&several, "RS256", true},
			"primes of two sizes":        {&unequal, "RS384", true},
			"small exponent, in an HSM":  {hsm{&small}, "RS256", false},
			"a key of 1024 bits as ever": {testdata.PrivateKey("rsa-1024"), "RS256", true},
		} {
			_, err := validator.NewAssertionSigner("orders-api", tc.key, "", tc.alg)
			if (err != nil) != tc.refuse || err != nil && !strings.Contains(err.Error(), "wanted ") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
