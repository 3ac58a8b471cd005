package jwks_test

import (
	"crypto/elliptic"
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

// TestUnderFIPS140Only runs itself in a process in which Go refuses what FIPS 140
// does not allow: keys that could verify nothing there are skipped, in words, and
// all others serve.
func TestUnderFIPS140Only(t *testing.T) {
	if !fips140.Enforced() {
		again := exec.Command(os.Args[0], "-test.run=^TestUnderFIPS140Only$", "-test.v")
		again.Env = append(os.Environ(), "GODEBUG=fips140=only")
		if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestUnderFIPS140Only/") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	const refused = "GODEBUG=fips140=only does not allow"
	for name, c := range map[string]struct {
		key  key
		want string
	}{
		"RSA 2048":            {rsaKey("k"), ""},
		"RSA 4096":            {rsaBits("k", 4096), ""},
		"RSA 2049":            {rsaBits("k", 2049), refused},
		"RSA 4095":            {rsaBits("k", 4095), refused},
		"RSA, e=3":            {rsaKey("k").with("e", "Aw"), refused},
		"RSA, e=65535":        {rsaKey("k").with("e", b64([]byte{0xff, 0xff})), refused},
		"RSA, e=2³¹−1":        {rsaKey("k").with("e", b64([]byte{0x7f, 0xff, 0xff, 0xff})), ""},
		"RSA, e=3, PS256":     {rsaKey("k").with("e", "Aw", "alg", "PS256"), refused},
		"P-256":               {ec("k", elliptic.P256()), ""},
		"P-384":               {ec("k", elliptic.P384()), ""},
		"P-521":               {ec("k", elliptic.P521()), ""},
		"Ed25519":             {ed("k"), ""},
		"by its certificate":  {rsaKey("k").with("n", nil, "e", nil, "x5c", []string{x5cOf(rsaKey("k"))}), ""},
		"RSA 1024, as always": {rsaBits("k", 1024), "RSA modulus"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &events{}
			s, err := jwks.New(jwks.Config{Set: set(c.key, ed("good")), Observer: observe.Observer{Event: seen.add}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			wantKey(t, s, key{"kid": "good", "crv": "Ed25519"})
			if c.want == "" {
				wantKey(t, s, c.key)
				return
			}
			wantNotFound(t, s, c.key)
			if skipped := seen.of(observe.KeySkipped); len(skipped) != 1 || !strings.Contains(skipped[0].Err.Error(), c.want) {
				t.Errorf("skipped %v, wanted one with %q", skipped, c.want)
			}
			if _, err := jwks.New(jwks.Config{Set: set(c.key)}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("a set of this key alone: %v, wanted %q", err, c.want)
			}
		})
	}
}
