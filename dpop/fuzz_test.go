package dpop_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/internal/trials/proofs"
)

// FuzzProof holds the verdict against a slow reader: what it says is wrong must be
// refused. It knows no order, and leaves URLs and signatures by RSA to others.
func FuzzProof(f *testing.F) {
	cases := catalogue()
	for n, tc := range cases {
		if len(tc.Proofs) == 1 && len(tc.Prior) == 0 && len(tc.Proofs[0]) < 8<<10 && (n%7 == 0 || !tc.Hostile()) {
			f.Add(tc.Proofs[0], uint16(n))
		}
	}
	f.Fuzz(func(t *testing.T, line string, n uint16) {
		tc := cases[int(n)%len(cases)]
		v := verifierFor(t, tc)
		_, err := v.Verify(t.Context(), requestOf(tc, []string{line}))
		flaw := flawOf(tc, line)
		if flaw != "" && err == nil {
			t.Fatalf("%q is accepted, and has a flaw: %s", line, flaw)
		}
		if err != nil {
			if refused, ok := errors.AsType[*dpop.Error](err); !ok || refused.Description() == "" || errors.Is(err, dpop.ErrUnavailable) {
				t.Fatalf("%q: %v", line, err)
			}
			return
		}
		if _, err := v.Verify(t.Context(), requestOf(tc, []string{line})); err == nil || err.(*dpop.Error).Check() != dpop.CheckReplay {
			t.Fatalf("%q twice: %v", line, err)
		}
	})
}

// flawOf reads a proof by the standard library, and says what is wrong.
func flawOf(tc proofs.Case, line string) string {
	parts := strings.Split(line, ".")
	if len(parts) != 3 || len(line) > 4096 || strings.Contains(line, ",") {
		return "no three parts"
	}
	raw := make([][]byte, 3)
	for n, part := range parts {
		var err error
		if raw[n], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil || b64(raw[n]) != part {
			return "no base64url"
		}
	}
	header, flaw := objectOf(raw[0])
	claims, flaw2 := objectOf(raw[1])
	if flaw+flaw2 != "" {
		return flaw + flaw2
	}
	jwk, _ := header["jwk"].(map[string]any)
	if header["typ"] != "dpop+jwt" || jwk == nil {
		return "no typ or jwk"
	}
	for _, name := range []string{"crit", "b64", "x5u", "x5c", "x5t", "x5t#S256", "jku"} {
		if _, has := header[name]; has {
			return "a " + name
		}
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "x5u", "x5c", "x5t", "x5t#S256", "jku"} {
		if _, has := jwk[name]; has {
			return "a private " + name
		}
	}
	jti, _ := claims["jti"].(string)
	if jti == "" || len(jti) > 128 || claims["htm"] != tc.Method || claims["ath"] != tc.TokenHash() {
		return "jti, htm or ath"
	}
	iat, err := claims["iat"].(json.Number).Float64()
	if now := float64(tc.Now.Unix()); err != nil || iat < now-60.001 || iat > now+10.001 {
		return "iat"
	}
	if same, ok := slowly(fmt.Sprint(claims["htu"]), tc.URL); !same || !ok {
		return "htu"
	}
	if tc.Config == proofs.Nonces && claims["nonce"] != proofs.GoodNonce && claims["nonce"] != proofs.EndingNonce {
		return "nonce"
	}
	return flawOfSignature(tc, header, jwk, parts, raw[2])
}

func flawOfSignature(tc proofs.Case, header, jwk map[string]any, parts []string, sig []byte) string {
	alg, _ := header["alg"].(string)
	member := func(name string) string { s, _ := jwk[name].(string); return s }
	octets := func(name string) []byte {
		raw, _ := base64.RawURLEncoding.Strict().DecodeString(member(name))
		return raw
	}
	canonical := map[string]string{
		"EC":  fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`, member("crv"), member("x"), member("y")),
		"OKP": fmt.Sprintf(`{"crv":"%s","kty":"OKP","x":"%s"}`, member("crv"), member("x")),
		"RSA": fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, member("e"), member("n")),
	}[member("kty")]
	if sum := sha256.Sum256([]byte(canonical)); b64(sum[:]) != tc.Thumbprint {
		return "thumbprint"
	}
	if tc.Config == proofs.OnlyES256 && alg != "ES256" {
		return "alg"
	}
	input := []byte(parts[0] + "." + parts[1])
	switch alg {
	case "ES256":
		x, y := octets("x"), octets("y")
		point := append([]byte{4}, append(bytes.Repeat([]byte{0}, max(0, 32-len(x))), x...)...)
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append(point, bytes.Repeat([]byte{0}, max(0, 32-len(y)))...), y...))
		sum := sha256.Sum256(input)
		if member("crv") != "P-256" || err != nil || len(sig) != 64 || !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
			return "signature"
		}
	case "EdDSA", "Ed25519":
		if x := octets("x"); len(x) != 32 || !ed25519.Verify(x, input, sig) {
			return "signature"
		}
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		if n := new(big.Int).SetBytes(octets("n")); n.BitLen() < 2048 || len(sig) != (&rsa.PublicKey{N: n}).Size() {
			return "signature"
		}
	case "ES384", "ES512":
	default:
		return "alg"
	}
	return ""
}

// objectOf reads JSON by tokens, so that it sees names that come twice.
func objectOf(text []byte) (object map[string]any, flaw string) {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	value, flaw := valueOf(d)
	object, ok := value.(map[string]any)
	if flaw == "" && (!ok || !utf8.Valid(text)) {
		flaw = "no object"
	}
	if _, err := d.Token(); flaw == "" && err != io.EOF {
		flaw = "text after it"
	}
	if iat, ok := object["iat"]; flaw == "" && ok {
		if _, ok := iat.(json.Number); !ok {
			flaw = "no iat"
		}
	} else if flaw == "" && !slices.Contains([]string{"dpop+jwt"}, fmt.Sprint(object["typ"])) {
		flaw = "no iat"
	}
	return object, flaw
}

func valueOf(d *json.Decoder) (value any, flaw string) {
	token, err := d.Token()
	if err != nil {
		return nil, "no JSON"
	}
	switch token {
	case json.Delim('{'):
		object := make(map[string]any)
		for d.More() {
			name, err := d.Token()
			text, ok := name.(string)
			if _, twice := object[text]; err != nil || !ok || twice {
				return nil, "a name twice"
			}
			if object[text], flaw = valueOf(d); flaw != "" {
				return nil, flaw
			}
		}
		if _, err := d.Token(); err != nil {
			return nil, "no JSON"
		}
		return object, ""
	case json.Delim('['):
		for d.More() {
			if _, flaw := valueOf(d); flaw != "" {
				return nil, flaw
			}
		}
		if _, err := d.Token(); err != nil {
			return nil, "no JSON"
		}
		return []any{}, ""
	}
	return token, ""
}
