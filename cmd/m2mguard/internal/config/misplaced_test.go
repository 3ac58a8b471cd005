package config_test

import (
	"encoding/json"
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
}

// TestMisplaced: no fault quotes a secret or a key that stands where the name of its file
// belongs.
func TestMisplaced(t *testing.T) {
	pem := "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----\n"
	for text, at := range places {
		for form, value := range map[string]string{
			"PEM": strconv.Quote(pem), "PEM in a line": strings.ReplaceAll(strings.TrimSpace(pem), "\n", " "), "JSON": strconv.Quote(`{"kty":"EC","d":"` + secret + `"}`),
		} {
			_, err := read(t, fmt.Sprintf(text, value))
			if err == nil || !strings.Contains(err.Error(), at) || !strings.Contains(err.Error(), "is what a file holds") {
				t.Errorf("%s, %s: %v", at, form, err)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
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
