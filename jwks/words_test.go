package jwks_test

import (
	"bytes"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/jwks"
)

// What issuers of the field publish and nobody here can use is named by the
// member that is wrong, and where there is one, with the way out.
func TestWordsAboutOddKeys(t *testing.T) {
	rsa, p256 := rsaKey("k"), ec("k", elliptic.P256())
	x5c := []string{"MIIC"}
	for name, tc := range map[string]struct {
		key  key
		says []string
	}{
		"a certificate alone":    {rsa.with("n", nil, "e", nil, "x5c", x5c), []string{`"n"`, `"x5c"`}},
		"a certificate, EC":      {p256.with("x", nil, "y", nil, "x5c", x5c), []string{`"x"`, `"x5c"`}},
		"an odd coordinate":      {p256.with("x", "AAAA"), []string{`"x"`, "curve", "at offset "}},
		"a long coordinate":      {p256.with("x", b64(bytes.Repeat([]byte{1}, 33))), []string{`"x"`, "leading zeros", "RFC 7518"}},
		"a bad character":        {rsa.with("n", "AA!A"), []string{`"n", at offset `, "base64url"}},
		"an odd certificate":     {rsa.with("x5c", []string{string(x5cOf(ed("")))}), []string{`"x5c", at offset `, "another key"}},
		"a member twice":         {key{"a": json.RawMessage(`{"n":1,"n":2}`)}, []string{`"a/n", at offset 12 of the key`, "twice"}},
		"a member of no type":    {rsa.with("e", 65537), []string{`"e", at offset 5 of the key`, "types"}},
		"secp256k1":              {p256.with("crv", "secp256k1"), []string{"ES256K", `"crv"`, "ES256"}},
		"a post-quantum one":     {key{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}, []string{`"kty"`, "RSA, EC and OKP"}},
		"one for encryption":     {rsa.with("use", "enc"), []string{`"use"`, `"sig"`}},
		"one that anybody signs": {key{"kty": "oct", "k": "AAAA"}, []string{"symmetric"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := jwks.New(jwks.Config{Set: set(tc.key)})
			for _, part := range tc.says {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %s", err, part)
				}
			}
		})
	}
}

// A set that is not strict JSON is said to be so with the place and the reason,
// and nothing of what stands there.
func TestWordsAboutSetsThatAreNoJSON(t *testing.T) {
	good := set(ed("secret-a"))
	for name, tc := range map[string]struct {
		text []byte
		says []string
	}{
		"two byte order marks":   {append([]byte("\xef\xbb\xbf\xef\xbb\xbf"), good...), []string{"byte order mark", "RFC 8259"}},
		"UTF-16":                 {[]byte("\xff\xfe{\x00}\x00"), []string{"byte order mark"}},
		"a bare line break":      {bytes.Replace(good, []byte("secret"), []byte("sec\r\nret"), 1), []string{"at offset ", "a control character, such as a line break"}},
		"broken off":             {good[:len(good)-2], []string{"at offset ", "breaks off"}},
		"a sign-in page":         {[]byte("<html>secret</html>"), []string{"at offset 0", "no JSON"}},
		"JSON of something else": {must(json.Marshal([]string{"secret"})), []string{`not a strict JSON object with an array "keys"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := jwks.New(jwks.Config{Set: tc.text})
			for _, part := range tc.says {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %s", err, part)
				}
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%v quotes the set", err)
			}
		})
	}
}

// What kept keys from us is told with each address once.
func TestFailuresNameEachAddressOnce(t *testing.T) {
	s, err := jwks.New(jwks.Config{URL: "https://id.example.com/keys", HTTPClient: &http.Client{Transport: &issuer{}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Ready(t.Context())
	if n := strings.Count(err.Error(), "https://id.example.com/keys"); n != 1 || !errors.Is(err, errNoConnection) {
		t.Errorf("%v names the address %d times", err, n)
	}
}
