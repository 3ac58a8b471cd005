package config_test

import (
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
)

// TestDangers: each opt-out that a file can set is listed when it is, by its place and
// by the field that "go doc" explains.
func TestDangers(t *testing.T) {
	t.Setenv("FLEET", strings.Repeat("s", 32))
	const issuer = "issuers: [{url: 'https://id.example.com', audience: [orders], "
	const asked = "introspection: {auth: {clientID: orders, secret: {env: FLEET}}"
	const good = "issuers: [{url: 'https://id.example.com', audience: [orders]}]\n"
	const fleet = good + "fleet: {url: 'redis://cache.invalid', name: orders, secrets: [{env: FLEET}], "
	table := map[string]struct{ text, field string }{
		"issuers[].dangerouslyAcceptMissingAudience":       {issuer + "dangerouslyAcceptMissingAudience: true}]", "validator.Issuer.DangerouslyAcceptMissingAudience"},
		"issuers[].dangerouslyAcceptMissingIssuer":         {issuer + "dangerouslyAcceptMissingIssuer: true}]", "validator.Issuer.DangerouslyAcceptMissingIssuer"},
		"issuers[].dangerouslyAcceptAnswerID":              {issuer + "dangerouslyAcceptAnswerID: true, " + asked + "}}]", "validator.Issuer.DangerouslyAcceptAnswerID"},
		"issuers[].dangerouslyAllowHTTP":                   {issuer + "dangerouslyAllowHTTP: true}]", "validator.Issuer.DangerouslyAllowHTTP"},
		"issuers[].keys.dangerouslyAllowHTTP":              {issuer + "keys: {dangerouslyAllowHTTP: true}}]", "jwks.Config.DangerouslyAllowHTTP"},
		"issuers[].introspection.dangerouslyAllowHTTP":     {issuer + asked + ", dangerouslyAllowHTTP: true}}]", "introspection.Config.DangerouslyAllowHTTP"},
		"revocations.dangerouslyServeAtStart":              {good + "revocations: {dangerouslyServeAtStart: true}", "revocation.Config.DangerouslyServeAtStart"},
		"revocations.dangerouslyPassUnnamed":               {good + "revocations: {dangerouslyPassUnnamed: true}", "revocation.Config.DangerouslyPassUnnamed"},
		"fleet.dangerouslyReplaysAlone":                    {fleet + "dangerouslyReplaysAlone: true}", "fleet.Config.DangerouslyReplaysAlone"},
		"fleet.revocations.dangerouslyServeAtStart":        {fleet + "revocations: {dangerouslyServeAtStart: true}}", "revocation.Config.DangerouslyServeAtStart"},
		"fleet.revocations.dangerouslyPassUnnamed":         {fleet + "revocations: {dangerouslyPassUnnamed: true}}", "revocation.Config.DangerouslyPassUnnamed"},
		`serve.routes."GET /orders".dangerouslyReportOnly`: {good + "serve: {routes: {GET /orders: {dangerouslyReportOnly: true}}}", "httpauth.Gate.DangerouslyReportOnly"},
	}
	for path, test := range table {
		t.Run(path, func(t *testing.T) {
			f, err := read(t, test.text)
			if err != nil {
				t.Fatal(err)
			}
			want := []config.Danger{{Path: strings.Replace(path, "[]", "[0]", 1), Field: test.field}}
			if diff := gocmp.Diff(want, f.Dangers()); diff != "" {
				t.Error(diff)
			}
			f, err = read(t, strings.Replace(test.text, ": true", ": false", 1))
			if err != nil || f.Dangers() != nil {
				t.Errorf("where it is false: %v, %v", f, err)
			}
		})
	}
	var known []string
	var walk func(path string, s map[string]any)
	walk = func(path string, s map[string]any) {
		for _, one := range either(s) {
			walk(path, one)
		}
		if items, list := s["items"].(map[string]any); list {
			walk(path+"[]", items)
		}
		if each, mapping := s["additionalProperties"].(map[string]any); mapping {
			walk(path+`."GET /orders"`, each)
		}
		properties, _ := s["properties"].(map[string]any)
		for key, value := range properties {
			at := strings.TrimPrefix(path+"."+key, ".")
			if strings.HasPrefix(key, "dangerously") {
				known = append(known, at)
			}
			walk(at, value.(map[string]any))
		}
	}
	walk("", config.Schema())
	for _, path := range known {
		if _, tested := table[path]; !tested {
			t.Errorf("%s can be set, and is not in the table", path)
		}
	}
	if slices.Sort(known); len(known) != len(table) {
		t.Errorf("the schema has %q, and the table %d", known, len(table))
	}
}

// either lists the forms that a value may have.
func either(s map[string]any) (all []map[string]any) {
	forms, _ := s["anyOf"].([]any)
	for _, form := range forms {
		all = append(all, form.(map[string]any))
	}
	return all
}
