package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
	"github.com/m2mguard/m2mguard/validator"
)

func read(t *testing.T, text string) (*config.File, error) {
	t.Helper()
	f, err := config.Read(strings.NewReader(text))
	if err == nil {
		t.Cleanup(f.Close)
	}
	return f, err
}

func TestRead(t *testing.T) {
	t.Setenv("ORDERS_SECRET", "s3cret-of-orders")
	f, err := read(t, `
clockSkew: 10s
cacheEntries: -1
dpop: {maxAge: 30s, replays: 5000, nonces: {lifetime: 1m}}
issuers:
  - clients: [reports]
    appOnly: false
    provider:
      keycloak: {baseURL: https://id.example.com, realm: shop, audience: orders}
    introspection:
      auth: {clientID: orders, secret: {env: ORDERS_SECRET}}
      positiveLifetime: 5s
  - url: https://other.example.com
    audience: [https://orders.example.com]
    binding: required
    profile: {scopeClaims: [/realm_access/roles], match: {azp: [a, b]}, app: subjectIsClient}
api:
  publicURL: [https://api.example.com]
`)
	if err != nil {
		t.Fatal(err)
	}
	first, second := f.Config.Issuers[0], f.Config.Issuers[1]
	got := []any{f.ClockSkew, f.CacheEntries, f.DPoP.MaxAge, f.DPoP.Replays != nil, f.DPoP.Nonces != nil, first.URL, first.Clients, first.AppOnly,
		first.Introspection.PositiveLifetime, second.Binding, second.Profile.ScopeClaims, second.Profile.Match, second.Profile.App != nil, f.API.PublicURL}
	want := []any{10 * time.Second, -1, 30 * time.Second, true, true, "https://id.example.com/realms/shop", []string{"reports"}, false,
		5 * time.Second, validator.BindingRequired, []string{"/realm_access/roles"}, map[string][]string{"azp": {"a", "b"}}, true, []string{"https://api.example.com"}}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// secret is what no error may show.
const secret = "hunter2-hunter2-hunter2"

func TestFaults(t *testing.T) {
	t.Setenv("EMPTY_SECRET", "")
	folder := t.TempDir()
	empty := filepath.Join(folder, "empty.pem")
	if err := os.WriteFile(empty, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	large, key := filepath.Join(folder, "large"), filepath.Join(folder, "key.pem")
	if err := os.WriteFile(large, make([]byte, 64<<10+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, testKey(t), 0o600); err != nil {
		t.Fatal(err)
	}
	const good = "issuers: [{url: 'https://id.example.com', audience: [orders]}]\n"
	introspected := func(auth string) string {
		return "issuers:\n- url: https://id.example.com\n  audience: [orders]\n  introspection:\n    auth: " + auth + "\n"
	}
	for name, test := range map[string]struct {
		text string
		want []string // a line each
	}{
		"nothing":                    {"", []string{"is empty, wanted at least issuers"}},
		"no YAML":                    {"issuers: [", []string{"is no YAML: yaml: line 1: did not find expected node content"}},
		"a list":                     {"- a", []string{"line 1: is a list, wanted a mapping of keys to values", "validator: Config.Issuers is empty, wanted at least one"}},
		"two documents":              {good + "---\n" + good, []string{"a second document begins, wanted one"}},
		"unknown key":                {good + "max-token-bytes: 1000\nnonsense: 1", []string{"line 2: max-token-bytes is no key here: wanted maxTokenBytes", "line 3: nonsense is no key here: wanted some of api, cacheEntries, "}},
		"slips told apart":           {good + "oauth2: x\nserve: {logging: x, http2: true, hunter2-hunter2-hunter2: x}", []string{"line 2: oauth2 is no key here", "line 3: serve.logging is no key here", "line 3: serve.http2 is no key here", "line 3: serve.[another key, of 23 bytes] is no key here"}},
		"a letter missing":           {good + "clokSkew: 1s", []string{"line 2: clokSkew is no key here: wanted clockSkew"}},
		"a letter too many":          {good + "clockSkews: 1s", []string{"line 2: clockSkews is no key here: wanted clockSkew"}},
		"another letter":             {good + "clockSkow: 1s", []string{"line 2: clockSkow is no key here: wanted clockSkew"}},
		"two letters changed places": {good + "clokcSkew: 1s", []string{"line 2: clokcSkew is no key here: wanted clockSkew"}},
		"a short word":               {good + "apo: 1s", []string{"line 2: apo is no key here: wanted some of api, "}},
		"function":                   {good + "observer: x", []string{"line 2: observer is no key here: "}},
		"twice":                      {good + "clockSkew: 1s\nclockSkew: 2s", []string{"clockSkew"}},
		"anchor":                     {"issuers: &a [{url: 'https://id.example.com', audience: [orders]}]", []string{"line 1: issuers has an anchor or an alias, wanted the value itself, written out", "Config.Issuers is empty"}},
		"null":                       {good + "clockSkew:", []string{"line 2: clockSkew has no value: wanted one, or the key left out"}},
		"no unit":                    {good + "clockSkew: 30", []string{"line 2: clockSkew is a number, wanted a length of time with its unit, such as 30s, 5m or 1h30m"}},
		"string for a number":        {good + "cacheEntries: many", []string{"line 2: cacheEntries is a string, wanted a whole number in decimal digits"}},
		"string for yes or no":       {"issuers:\n- url: https://id.example.com\n  audience: [orders]\n  appOnly: 'true'", []string{"line 4: issuers[0].appOnly is a string, wanted true or false"}},
		"nobody":                     {introspected("{method: tls_client_auth}"), []string{"line 5: issuers[0].introspection.auth has no clientID"}},
		"no algorithm":               {introspected("{method: private_key_jwt, clientID: orders, keyFile: " + key + "}"), []string{"auth has no algorithm: wanted what the key signs with"}},
		"a large secret":             {introspected("{clientID: orders, secret: {file: " + large + "}}"), []string{"auth.secret names a file that cannot be read: it is no file, or too large"}},
		"an issuer not shown":        {"issuers:\n- url: https://id.example.com\n  audience: [orders]\n- audience: [orders]\n  url: https://u:" + secret, []string{"line 5: issuers[1], [a value of 33 bytes]: URL is not a URL"}},
		"a provider's, not shown":    {"issuers:\n- appOnly: true\n  provider:\n    okta: {issuerURL: 'https://u:" + secret + "', audience: x}", []string{"line 4: issuers[0]: providers.Okta: the issuer is [a value of 33 bytes], wanted "}},
		"octal":                      {good + "cacheEntries: 0x10", []string{"line 2: cacheEntries is a number, wanted a whole number in decimal digits"}},
		"string for a list":          {"issuers:\n- url: https://id.example.com\n  audience: orders", []string{"line 3: issuers[0].audience is a string, wanted a list, such as [a, b]", "Audience is empty"}},
		"number for a string":        {"issuers:\n- url: https://id.example.com\n  audience: [orders, 0123]", []string{"line 3: issuers[0].audience[1] is a number, wanted a string: ", "validator: "}},
		"another word":               {"issuers:\n- url: https://id.example.com\n  audience: [orders]\n  binding: never", []string{"line 4: issuers[0].binding is another word, wanted byToken or required"}},
		"library's and ours at once": {"issuers:\n- url: http://id.example.com\n  audience: [orders]\nclockSkew: 1h\nmaxtokenbytes: 5", []string{"line 5: maxtokenbytes is no key here: wanted maxTokenBytes", "validator: Config.ClockSkew is 1h0m0s, wanted at most 5m0s", "DangerouslyAllowHTTP"}},
		"two providers":              {"issuers:\n- provider:\n    okta: {}\n    auth0: {}", []string{"line 3: issuers[0].provider names auth0 and okta, wanted one of them", "URL", "Audience"}},
		"no provider":                {"issuers:\n- url: https://id.example.com\n  audience: [orders]\n  provider: {}", []string{"line 4: issuers[0].provider names none, wanted one"}},
		"provider's argument":        {"issuers:\n- provider:\n    auth0: {domain: 'https://x.eu.auth0.com', audience: orders}", []string{"Auth0"}},
		"a secret in the file":       {introspected("{clientID: orders, secret: " + secret + "}"), []string{"line 5: issuers[0].introspection.auth.secret is a string, wanted a mapping"}},
		"a secret as a number":       {introspected("{clientID: orders, secret: 1234567}"), []string{"line 5: issuers[0].introspection.auth.secret is a number, wanted a mapping"}},
		"no secret":                  {introspected("{clientID: orders}"), []string{"line 5: issuers[0].introspection.auth has no secret: wanted secret: {env: NAME} or {file: PATH}"}},
		"unset secret":               {introspected("{clientID: orders, secret: {env: NOBODY_SET_THIS}}"), []string{"line 5: issuers[0].introspection.auth.secret names an environment variable that is not set"}},
		"empty secret":               {introspected("{clientID: orders, secret: {env: EMPTY_SECRET}}"), []string{"auth.secret names a secret that is empty"}},
		"two secrets":                {introspected("{clientID: orders, secret: {env: EMPTY_SECRET, file: " + empty + "}}"), []string{"auth.secret wants one of env and file"}},
		"missing file":               {introspected("{clientID: orders, secret: {file: /nowhere/secret}}"), []string{"auth.secret names a file that cannot be read: no such file"}},
		"a secret for a name":        {introspected("{clientID: orders, secret: {env: " + secret + "}}"), []string{"auth.secret names an environment variable that is not set"}},
		"a secret for a file":        {introspected("{clientID: orders, secret: {file: " + secret + "}}"), []string{"auth.secret names a file that cannot be read: "}},
		"a secret for a key":         {good + strings.Repeat(secret, 2) + ": 1", []string{"line 2: [another key, of 46 bytes] is no key here"}},
		"no key in a file":           {introspected("{method: private_key_jwt, clientID: orders, algorithm: RS256, keyFile: " + empty + "}"), []string{"auth.keyFile names "}},
		"another method":             {introspected("{method: " + secret + ", clientID: orders}"), []string{"auth has another method than client_secret_basic, "}},
		"no certificate authority":   {good + "client: {httpClient: {caFile: " + empty + "}}", []string{"line 2: client.httpClient.caFile names "}},
		"no proofs remembered":       {good + "dpop: {replays: 0}", []string{"line 2: dpop.replays is 0, wanted how many proofs are remembered, 1 or more"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, test.text)
			if err == nil {
				t.Fatal("was taken")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(test.want) {
				t.Errorf("%d faults, wanted %d:\n%v", len(lines), len(test.want), err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no line with %q:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("a secret is shown:\n%v", err)
			}
		})
	}
}

// testKey is a private key in PEM.
func testKey(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TestKeyInAFile: in each form that keys come in.
func TestKeyInAFile(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		text      []byte
		algorithm string
	}{
		"PKCS #8": {testKey(t), "ES256"},
		"SEC 1":   {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), "ES256"},
		"PKCS #1": {pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(old)}), "PS256"},
	} {
		file := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(file, test.text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := (config.Auth{Method: "private_key_jwt", ClientID: "orders", KeyFile: file, Algorithm: test.algorithm}).ClientAuth(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFAPI2 is applied after whatever else is said of the issuer.
func TestFAPI2(t *testing.T) {
	f, err := read(t, "dpop: {algorithms: [PS256, ES256, EdDSA]}\nissuers: [{fapi2: true, url: 'https://id.example.com', audience: [orders], algorithms: [RS256, PS256]}]")
	if err != nil {
		t.Fatal(err)
	}
	if iss := f.Config.Issuers[0]; iss.Binding != validator.BindingRequired || len(iss.Algorithms) != 1 {
		t.Errorf("got %v, %v", iss.Binding, iss.Algorithms)
	}
}

func TestFileIsBounded(t *testing.T) {
	if _, err := read(t, strings.Repeat("# comment\n", 1<<17)); err == nil || !strings.Contains(err.Error(), "has more than 1048576 bytes") {
		t.Errorf("got %v", err)
	}
}

// TestSecretInAFile: its line break is no part of it, and it may rotate.
func TestSecretInAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	for _, text := range []string{"first", "second"} {
		if err := os.WriteFile(file, []byte(text+"\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := (config.Secret{File: file}).Read(); got != text || err != nil {
			t.Errorf("got %q, %v, wanted %q", got, err, text)
		}
	}
}
