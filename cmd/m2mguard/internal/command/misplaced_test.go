package command_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestMisplacedKeyIsNotShown: what stands in the place of a file's name, and is none, is in
// nothing that a command writes: neither what is told for a key at once, nor what is
// looked for as a file.
func TestMisplacedKeyIsNotShown(t *testing.T) {
	iss := issuertest.New(t)
	raw := []byte("\x04\x91hunter2-hunter2-hunter2-hunter2\xfe\xff\xbf")
	der := append([]byte{0x30, byte(len(raw) + 2), 0x04, byte(len(raw))}, raw...)
	places := map[string]string{
		"keys.file":        "issuers: [{url: %[1]q, audience: [%[2]q], keys: {file: %%q}}]\n",
		"revocations.file": "issuers: [{url: %[1]q, audience: [%[2]q]}]\nrevocations: {file: %%q, whenStale: goOn}\n",
		"serve.openAPI":    "issuers: [{url: %[1]q, audience: [%[2]q]}]\nserve: {proxy: nginx, from: [127.0.0.1/32], openAPI: %%q}\n",
	}
	for form, value := range map[string]string{
		"PEM": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "base64": base64.StdEncoding.EncodeToString(der),
		"base64 of no DER": base64.StdEncoding.EncodeToString(raw), "base64url of no DER": base64.RawURLEncoding.EncodeToString(raw),
		"with slashes": "/" + base64.StdEncoding.EncodeToString(raw)[:20] + "/" + base64.StdEncoding.EncodeToString(raw)[20:],
		"hexadecimal":  hex.EncodeToString(der), "hexadecimal of no DER": hex.EncodeToString(raw),
		"JWK": `{"kty":"OKP","crv":"Ed25519","d":"` + base64.RawURLEncoding.EncodeToString(raw) + `"}`, "a word": "hunter2-hunter2",
		"a long one": base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(raw), 20))),
	} {
		for at, text := range places {
			file := write(t, fmt.Sprintf(text, iss.URL(), issuertest.Audience), value)
			for _, args := range [][]string{{"doctor"}, {"doctor", "--json"}, {"explain"}, {"explain", "--json"}, {"serve", "--check"}, {"routes"}} {
				r := feed(t, iss.Token(issuertest.Claims{}), nil, append(args, "-c", file)...)
				if said := r.out + r.err; shows(said, value) {
					t.Errorf("%s of %s, %v: %s", form, at, args, said)
				} else if at == "keys.file" && args[0] == "doctor" && !strings.Contains(said, "keys.file") {
					t.Errorf("%s, %v: it names no key: %s", form, args, said)
				}
			}
		}
		good := write(t, "issuers: [{url: %q, audience: [x]}]\n", iss.URL())
		for _, flag := range []string{"--keys", "--certificate", "--proof"} {
			if r := feed(t, iss.Token(issuertest.Claims{}), nil, "explain", "-c", good, flag, value); r.code != 2 || shows(r.out+r.err, value) || !strings.Contains(r.err, flag) {
				t.Errorf("%s of %s: %+v", form, flag, r)
			}
		}
	}
}

// shows reports whether a text holds a piece of a value.
func shows(text, value string) bool {
	const piece = 12
	for n := 0; n+piece <= len(value); n++ {
		if part := value[n : n+piece]; strings.Contains(text, part) && !strings.Contains("-----BEGIN PRIVATE KEY-----END PRIVATE KEY-----", part) {
			return true
		}
	}
	return false
}
