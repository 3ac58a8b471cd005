package config_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// ofFleet is a file with a fleet, of which part is the mapping.
func ofFleet(fleet, more string) string {
	return "issuers: [{url: https://id.example.com, audience: [x]}]\n" + more + "fleet: {" + fleet + "}\n"
}

func put(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestFleet: fields say that they are the fleet's, and reading connects nowhere.
func TestFleet(t *testing.T) {
	t.Setenv("FLEET", strings.Repeat("s", 32))
	t.Setenv("REDIS", "p@ss:word/")
	f, err := read(t, `
revocations: fleet
dpop: {replays: fleet, nonces: fleet}
issuers:
  - url: https://id.example.com
    audience: [x]
    introspection: {auth: {clientID: orders, secret: {env: FLEET}}, shared: fleet, sharedAs: orders, sharedTimeout: 20ms}
fleet:
  url: rediss://cache.invalid:6380/1?addr=other.invalid:6380
  user: orders
  password: {env: REDIS}
  name: orders
  secrets: [{env: FLEET}]
  replicas: 1
  revokeTimeout: 7s
  revocations: {staleAfter: 10s, whenStale: refuse}
`)
	if err != nil {
		t.Fatal(err)
	}
	c := f.Fleet.Config
	if c.URL != "rediss://orders:p%40ss%3Aword%2F@cache.invalid:6380/1?addr=other.invalid:6380" || c.Name != "orders" || c.Replicas != 1 || c.RevokeTimeout != 7*time.Second || c.Revocations.WhenStale != revocation.StaleRefuse {
		t.Errorf("%q, %+v", c.URL, c.Revocations)
	}
	if asked := f.Config.Issuers[0].Introspection; f.DPoP.Replays == nil || f.DPoP.Nonces == nil || asked.Shared == nil || asked.SharedAs != "orders" || asked.SharedTimeout != 20*time.Millisecond {
		t.Errorf("%+v, %+v", f.DPoP, asked)
	}
	if !f.FollowsFleet() || f.WaitForRevocations(t.Context()) == nil || len(f.Fleet.Told()) > 0 {
		t.Error("the list is filled before anybody asked for that")
	}
	before := f.Revocations
	f.Follow()
	if f.Revocations == before || f.FollowsFleet() {
		t.Error("the list is not the fleet's")
	}
}

// TestSecretsOfAFleet: their bytes are those of the API, whatever it makes them of.
func TestSecretsOfAFleet(t *testing.T) {
	raw := append(bytes.Repeat([]byte{0xfe}, 31), '\n')
	for name, test := range map[string]struct {
		content  []byte
		encoding string
		want     []byte
	}{
		"raw":    {raw, ", encoding: raw", raw},
		"text":   {bytes.Repeat([]byte("x"), 33), "", bytes.Repeat([]byte("x"), 33)},
		"line":   {append(bytes.Repeat([]byte("x"), 33), '\n'), ", encoding: text", bytes.Repeat([]byte("x"), 33)},
		"hex":    {fmt.Appendf(nil, "%s\n", hex.EncodeToString(raw)), ", encoding: hex", raw},
		"base64": {fmt.Appendf(nil, "%s\n", base64.StdEncoding.EncodeToString(raw)), ", encoding: base64", raw},
	} {
		f, err := read(t, ofFleet("url: 'redis://cache.invalid:6379', name: orders, secrets: [{file: '"+put(t, test.content)+"'"+test.encoding+"}]", ""))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := f.Fleet.Config.Secrets(); len(got) != 1 || !bytes.Equal(got[0], test.want) {
			t.Errorf("%s: %d secrets, wanted the file's bytes", name, len(got))
		}
	}
}

func TestFaultsOfAFleet(t *testing.T) {
	const secret = "not-to-be-seen-anywhere-in-a-message"
	t.Setenv("FLEET", secret)
	const good = "url: 'redis://cache.invalid:6379', name: orders, secrets: [{env: FLEET}]"
	for name, test := range map[string]struct {
		fleet, more string
		want        string
	}{
		"a password in the URL":    {"url: 'redis://:" + secret + "@cache.invalid', name: orders, secrets: [{env: FLEET}]", "", "line 2: fleet.url holds a user or a password, wanted them as user"},
		"a URL that is none":       {"url: 'redis://%" + secret + "', name: orders, secrets: [{env: FLEET}]", "", "line 2: fleet.url cannot be read"},
		"another scheme":           {"url: 'http://cache.invalid', name: orders, secrets: [{env: FLEET}]", "", "line 2: fleet Config.URL cannot be read, wanted redis://"},
		"no URL":                   {"name: orders, secrets: [{env: FLEET}]", "", "line 2: fleet Config.URL and Conn are empty"},
		"no name":                  {"url: 'redis://cache.invalid', secrets: [{env: FLEET}]", "", "line 2: fleet Config.Name has 0 characters"},
		"no secrets":               {"url: 'redis://cache.invalid', name: orders", "", "line 2: fleet secrets is missing"},
		"a secret written out":     {"url: 'redis://cache.invalid', name: orders, secrets: [" + secret + "]", "", "line 2: fleet.secrets[0] is a string, wanted a mapping"},
		"a short secret":           {"url: 'redis://cache.invalid', name: orders, secrets: [{file: " + put(t, []byte("short")) + "}]", "", "line 2: fleet Config.Secrets returns one of 5 bytes"},
		"raw from the environment": {"url: 'redis://cache.invalid', name: orders, secrets: [{env: FLEET, encoding: raw}]", "", "line 2: fleet.secrets[0] has the encoding raw, which is for file"},
		"no hexadecimal digits":    {"url: 'redis://cache.invalid', name: orders, secrets: [{env: FLEET, encoding: hex}]", "", "line 2: fleet.secrets[0] is not encoded in hex"},
		"another encoding":         {"url: 'redis://cache.invalid', name: orders, secrets: [{env: FLEET, encoding: rot13}]", "", "line 2: fleet.secrets[0] has another encoding than text, raw, hex, base64"},
		"a user without password":  {good + ", user: orders", "", "line 2: fleet.user has no password"},
		"TLS without rediss":       {good + ", tls: {caFile: /nowhere}", "", "line 2: fleet.tls.caFile names a file that cannot be read"},
		"a file of its own":        {good + ", revocations: {file: /x}", "", "line 2: fleet Config.Revocations.File is set, wanted none"},
		"a key that is none":       {good + ", names: x", "", "line 2: fleet.names is no key here: wanted name"},
		"a length of time":         {good + ", revokeTimeout: 1ms", "", "line 2: fleet Config.RevokeTimeout is 1ms, wanted 100ms to 5m0s"},
		"a fleet of two lines":     {good, "revocations: fleets\n", "line 2: revocations is a string, wanted a mapping"},
		"another word":             {good, "dpop: {nonces: fleets}\n", "line 2: dpop.nonces is a string, wanted a mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, ofFleet(test.fleet, test.more))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("%v, wanted %q", err, test.want)
			}
		})
	}
	if _, err := read(t, "issuers: [{url: https://id.example.com, audience: [x]}]\nrevocations: fleet\n"); err == nil || !strings.Contains(err.Error(), "line 2: revocations is fleet, and there is none: wanted the key fleet") {
		t.Error(err)
	}
	// Faults stand as in the file, though the fleet is read first.
	if _, err := read(t, ofFleet("url: 'redis://cache.invalid', name: orders", "nonsense: 1\n")); err == nil || !strings.HasPrefix(err.Error(), "line 2: nonsense") {
		t.Error(err)
	}
	// What is wrong with the fleet is told once, and not of all that would use it.
	if _, err := read(t, ofFleet("name: orders, secrets: [{env: FLEET}]", "revocations: fleet\n")); err == nil || strings.Count(err.Error(), "\n") != 0 {
		t.Error(err)
	}
}
