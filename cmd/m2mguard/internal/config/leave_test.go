package config_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
)

// absent is a file of whose secrets none is there, with a line for each section.
const absent = `issuers: [{url: 'https://id.example.com', audience: [x], keys: {httpClient: {caFile: /nowhere}}, introspection: {auth: {clientID: x, secret: {env: NOBODY_SET_THIS}}}}, {opaquePrefix: [h_], provider: {hydraOpaque: {issuerURL: 'https://h.example.com', audience: x, adminURL: 'https://h.example.com', auth: {method: private_key_jwt, clientID: x, keyFile: /nowhere, algorithm: RS256}}}}, {opaquePrefix: [o_], provider: {oktaOrg: {orgURL: 'https://x.okta.com', clients: [x], auth: {method: bearer, token: {file: /nowhere}}}}}]
client: {auth: {method: client_secret_post, clientID: x, secret: {file: /nowhere}}, httpClient: {certificateFile: /nowhere, keyFile: /nowhere}}
fleet: {url: 'rediss://cache.invalid', user: x, password: {env: NOBODY_SET_THIS}, name: orders, secrets: [{env: NOBODY_SET_THIS, encoding: hex}, {file: /nowhere, encoding: raw}], tls: {caFile: /nowhere}}
dpop: {nonces: {secrets: [{env: NOBODY_SET_THIS}, {file: /nowhere}]}}
revocations: {secrets: [{env: NOBODY_SET_THIS}, {file: /nowhere}]}
serve: {secrets: [{env: NOBODY_SET_THIS}]}
api: {httpClient: {certificateFile: /nowhere, keyFile: /nowhere}}
`

// TestLeave: secrets of a section that is left are not looked for, and those of all
// others are.
func TestLeave(t *testing.T) {
	sections := []string{"issuers", "client", "fleet", "dpop", "revocations", "serve", "api"}
	for n, alone := range sections {
		leave := slices.Delete(slices.Clone(sections), n, n+1)
		_, err := config.Read(strings.NewReader(absent), leave...)
		if err == nil {
			t.Errorf("%s: its secrets are not missed", alone)
			continue
		}
		for line := range strings.Lines(err.Error()) {
			if !strings.HasPrefix(line, "line "+string(rune('1'+n))+": "+alone) {
				t.Errorf("%s: told is %s", alone, line)
			}
		}
	}
	f, err := config.Read(strings.NewReader(absent), sections...)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	// What is no secret is judged, and so is how one is named.
	for right, wrong := range map[string]string{"method: client_secret_post": "method: none", "clientID: x, secret: {file: /nowhere}": "clientID: x, secret: {}"} {
		if _, err := config.Read(strings.NewReader(strings.Replace(absent, right, wrong, 1)), sections...); err == nil {
			t.Errorf("%q is not missed", wrong)
		}
	}
}

// TestFaultsBesideASecret: a secret that cannot be read hides nothing that is wrong
// beside it.
func TestFaultsBesideASecret(t *testing.T) {
	const good = "issuers: [{url: 'https://id.example.com', audience: [orders]}]\n"
	const unset = "names an environment variable that is not set"
	for text, want := range map[string][]string{
		"dpop: {nonces: {lifetime: 1s, secrets: [{env: NOBODY_SET_THIS}]}}":           {"secrets[0] " + unset, "Lifetime is 1s"},
		"revocations: {staleAfter: 1ms, secrets: [{env: NOBODY_SET_THIS}]}":           {"secrets[0] " + unset, "StaleAfter is 1ms"},
		"client: {auth: {method: none, clientID: x, secret: {env: NOBODY_SET_THIS}}}": {"secret " + unset, "has another method than"},
		"fleet: {url: 'http://x', name: '', user: x, replicas: 99, secrets: [{env: NOBODY_SET_THIS}], password: {env: NOBODY_SET_THIS}}": {
			"fleet.secrets[0] " + unset, "fleet.password " + unset, "Config.Name", "Config.Replicas", "Config.URL cannot be read",
		},
		"fleet: {url: '%', name: ''}": {"fleet.url cannot be read", "fleet secrets is missing", "Config.Name"},
	} {
		_, err := read(t, good+text)
		if err == nil {
			t.Errorf("%s: was taken", text)
			continue
		}
		for _, want := range want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no line with %q:\n%v", text, want, err)
			}
		}
		if got := len(strings.Split(err.Error(), "\n")); got != len(want) {
			t.Errorf("%s: %d faults, wanted %d:\n%v", text, got, len(want), err)
		}
	}
}
