package config_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
)

// places are where the file names a file of a secret, a key or a certificate, each with
// what it is called in a fault.
var places = map[string]string{
	"issuers: [{url: 'https://id.example.com', audience: [x], introspection: {auth: {clientID: x, secret: {file: %s}}}}]":                                                 "introspection.auth.secret",
	"issuers: [{url: 'https://id.example.com', audience: [x], introspection: {auth: {method: private_key_jwt, algorithm: ES256, clientID: x, keyFile: %s}}}]":             "introspection.auth.keyFile",
	"issuers: [{url: 'https://id.example.com', audience: [x], keys: {file: %s}}]":                                                                                         "keys.file",
	"issuers: [{url: 'https://id.example.com', audience: [x], keys: {httpClient: {caFile: %s}}}]":                                                                         "keys.httpClient.caFile",
	"issuers: [{url: 'https://id.example.com', audience: [x], keys: {httpClient: {keyFile: %s, certificateFile: /nowhere}}}]":                                             "keys.httpClient.keyFile",
	"issuers: [{url: 'https://id.example.com', audience: [x], keys: {httpClient: {certificateFile: %s, keyFile: /nowhere}}}]":                                             "keys.httpClient.certificateFile",
	"issuers: [{provider: {kubernetes: {issuerURL: 'https://id.example.com', audience: x, api: {tokenFile: %s}}}}]":                                                       "tokenFile",
	"issuers: [{provider: {kubernetes: {issuerURL: 'https://id.example.com', audience: x, api: {caFile: %s}}}}]":                                                          "caFile",
	"issuers: [{url: 'https://id.example.com', audience: [x]}]\nrevocations: {file: %s}":                                                                                  "revocations.file",
	"issuers: [{url: 'https://id.example.com', audience: [x]}]\nfleet: {url: 'redis://127.0.0.1:1', name: x, secrets: [{file: %s, encoding: raw}]}":                       "fleet.secrets[0]",
	"issuers: [{url: 'https://id.example.com', audience: [x]}]\nfleet: {url: 'rediss://127.0.0.1:1', name: x, secrets: [{file: /nowhere}], tls: {caFile: %s}}":            "fleet.tls.caFile",
	"issuers: [{url: 'https://id.example.com', audience: [x]}]\nclient: {auth: {method: bearer, token: {file: %s}}}":                                                      "client.auth.token",
	"issuers: [{url: 'https://id.example.com', audience: [x]}]\nserve: {proxy: nginx, from: [127.0.0.1/32], identity: {jwt: {keyFile: %s}}, routes: {/: {public: true}}}": "serve.identity.jwt.keyFile",
	"issuers: [{url: 'https://id.example.com', audience: [x]}]\nserve: {proxy: nginx, from: [127.0.0.1/32], openAPI: %s}":                                                 "serve.openAPI",
}

// TestMisplaced: no fault quotes a secret or a key that stands where the name of its file
// belongs.
func TestMisplaced(t *testing.T) {
	text := "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----\n"
	block, _ := pem.Decode(testKey(t))
	standard, urls := base64.StdEncoding.EncodeToString(block.Bytes), base64.RawURLEncoding.EncodeToString(block.Bytes)
	forms := map[string]string{
		"PEM": strconv.Quote(text), "PEM in a line": strings.ReplaceAll(strings.TrimSpace(text), "\n", " "), "JSON": strconv.Quote(`{"kty":"EC","d":"` + secret + `"}`),
		"a list in JSON": strconv.Quote(`[{"kty":"EC","d":"` + secret + `"}]`), "JSON behind a mark": `"\uFEFF{\"d\":\"` + secret + `\"}"`, "JSON in JSON": strconv.Quote(strconv.Quote(`{"d":"` + secret + `"}`)),
		"base64": standard, "base64url": urls, "hexadecimal": strconv.Quote(hex.EncodeToString(block.Bytes)), "lines of Macs": strconv.Quote(standard[:64] + "\r" + standard[64:]),
	}
	quoted := func(err error) bool {
		return strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), standard[:20]) || strings.Contains(err.Error(), hex.EncodeToString(block.Bytes[:10]))
	}
	for text, at := range places {
		for form, value := range forms {
			_, err := read(t, fmt.Sprintf(text, value))
			if err == nil || !strings.Contains(err.Error(), at) || !strings.Contains(err.Error(), "is what a file holds") {
				t.Errorf("%s, %s: %v", at, form, err)
			}
			if err != nil && quoted(err) {
				t.Errorf("%s, %s is quoted: %v", at, form, err)
			}
		}
		// What may be a name is looked for, now or when it is used.
		if _, err := read(t, fmt.Sprintf(text, secret)); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s, a word, is quoted: %v", at, err)
		}
	}
}

// TestPlacesAreAll: a key of another name for a file has a row above, too.
func TestPlacesAreAll(t *testing.T) {
	var schema any
	text, err := json.Marshal(config.Schema())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				if key == "file" || strings.HasSuffix(key, "File") {
					names[key] = true
				}
				walk(value)
			}
		case []any:
			for _, value := range v {
				walk(value)
			}
		}
	}
	walk(schema)
	for name := range maps.Keys(names) {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(places)), func(text string) bool { return strings.Contains(text, name+": %s") }) {
			t.Errorf("%s has no row", name)
		}
	}
	if len(names) != 5 {
		t.Errorf("names of files: %v", names)
	}
}

// TestSecretForAKey: no fault shows a secret in braces, which YAML takes for a key, also
// where it is a word.
func TestSecretForAKey(t *testing.T) {
	const good = "issuers: [{url: 'https://id.example.com', audience: [x]%s}]\n"
	of := func(member string) string { return fmt.Sprintf(good, ", "+member) }
	with := func(section string) string { return fmt.Sprintf(good, "") + section }
	for at, text := range map[string]string{
		"issuers[0].introspection.auth.secret": of("introspection: {auth: {clientID: x, secret: %s}}"),
		"issuers[0].introspection.auth":        of("introspection: {auth: %s}"),
		"issuers[0].introspection":             of("introspection: %s"),
		"issuers[0].keys":                      of("keys: %s"),
		"issuers[0].keys.httpClient":           of("keys: {httpClient: %s}"),
		"fleet":                                with("fleet: %s"),
		"fleet.password":                       with("fleet: {url: 'redis://127.0.0.1:1', name: x, user: x, password: %s}"),
		"fleet.secrets[0]":                     with("fleet: {url: 'redis://127.0.0.1:1', name: x, secrets: [%s]}"),
		"dpop.nonces":                          with("dpop: {nonces: %s}"),
		"dpop.nonces.secrets[0]":               with("dpop: {nonces: {secrets: [%s]}}"),
		"client.auth.token":                    with("client: {auth: {method: bearer, token: %s}}"),
		"serve.identity.jwt":                   with("serve: {proxy: nginx, from: [127.0.0.1/32], identity: {jwt: %s}, routes: {/: {public: true}}}"),
		"revocations":                          with("revocations: %s"),
	} {
		for _, word := range []string{"hunter2", "correcthorse", secret} {
			for _, value := range []string{"{%s}", "{%s: x}", "{%[1]s: x, %[1]s: x}"} {
				_, err := read(t, fmt.Sprintf(text, fmt.Sprintf(value, word)))
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s.[another key, of %d bytes] is no key here: wanted some of ", at, len(word))) {
					t.Errorf("%s, %s: %v", at, value, err)
				}
				if err != nil && strings.Contains(err.Error(), word) {
					t.Errorf("%s, %s is shown: %v", at, value, err)
				}
			}
		}
	}
	// What was made at random is shown nowhere.
	for _, at := range []string{"%s: x", "api: {%s: x}", "serve: {%s: x}"} {
		if _, err := read(t, with(fmt.Sprintf(at, secret))); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", at, err)
		}
	}
}
