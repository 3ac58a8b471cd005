package mcpauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/mcpauth"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// before is a guard before a handler that answers 204.
func before(t *testing.T, rules mcpauth.Rules) *guarded {
	t.Helper()
	g := &guarded{t: t, iss: issuertest.New(t)}
	v, err := validator.New(validator.Config{
		Issuers:  []validator.Issuer{{URL: g.iss.URL(), Audience: []string{public}}},
		Observer: observe.Observer{Event: g.Event},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	g.auth = mcpauth.New(v, rules, &mcpauth.Config{PublicURL: []string{public}})
	g.api = g.auth.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
	return g
}

// TestSpellings: a stricter rule beside a broader template holds for each spelling that a
// server may read as what the rule is of.
func TestSpellings(t *testing.T) {
	g := before(t, mcpauth.Rules{Resources: map[string]scopes.Rule{
		"file:///{+path}":        scopes.All("read"),
		"file:///secret/{+path}": scopes.All("admin"),
		"file:///secret/key":     scopes.All("admin"),
		"file:///a:b/{+path}":    scopes.All("admin"),
		"file:///gr%C3%B6n/{+p}": scopes.All("admin"),
		"root://{+path}":         scopes.All("read"),
		"root:///secret":         scopes.All("admin"),
		"orders://one/{id}":      scopes.All("read"),
		"orders://one/payroll":   scopes.All("admin"),
		"orders://log/{+id}":     scopes.All("read"),
		"orders://log/payroll":   scopes.All("admin"),
		"orders://log/a?b=c":     scopes.All("admin"),
	}})
	const never = "access_denied" // whatever the scopes
	for uri, want := range map[string]string{
		"file:///public/a":                  "",
		"file:///public/my%20key?x=1#y":     "",
		"file:///public/%C3%A4":             "",
		"file:///public//":                  never,
		"file:///secret/key":                "admin",
		"file:///secret/other":              "admin",
		"file:///%73ecret/key":              never,
		"file:///secret%7Ekey":              never,
		"file:///public/%2d":                never,
		"file:///public/%5F":                never,
		"file:///public/%":                  never,
		"file:///public/%4":                 never,
		"file:///public/%zz":                never,
		"file:///public/%00":                never,
		"file:///public/%7f":                never,
		"file:////secret/key":               never,
		"file:///secret//key":               never,
		"file:///secret/key/":               never,
		"file:///secret/key/?x":             never,
		"file:///public/../secret/key":      never,
		"file:///secret%2Fkey":              never,
		"file:///secret/key?":               "admin",
		"file:///secret/key#x//":            "admin",
		"file:///a%3Ab/my%20key":            "admin",
		"file:///gr%c3%b6n/a":               "admin",
		"file:///grön/a":                    "admin",
		"root:///public/a":                  "",
		"root:///secret?x":                  "admin",
		"root:////secret":                   never,
		"root:///":                          never,
		"orders://one/payroll":              "admin",
		"orders://one/p%61yroll":            never,
		"orders://one/payroll?x":            never,
		"orders://one/other":                "",
		"orders://log/payroll?x":            "admin",
		"orders://log/payroll#x":            "admin",
		"orders://log/payroll?x#y":          "admin",
		"orders://log/a?b%3Dc":              "admin",
		"orders://log/a?c=b":                "",
		"orders://log/payrolls?payroll":     "",
		"file:///public/a?next=//b/":        "",
		"file:///public/a?next=/../secret/": never,
	} {
		h, body := request(older, "resources/read", map[string]any{"uri": uri})
		for scope, passes := range map[string]bool{"read": want == "", "read admin": want != never} {
			res := g.ask("POST", g.token(scope), h, body)
			if (res.StatusCode == 204) != passes || !passes && res.StatusCode != 403 {
				t.Errorf("%s with %s: %d, wanted to pass: %v", uri, scope, res.StatusCode, passes)
			}
			if said := res.Header.Get("WWW-Authenticate"); !passes && (want == "admin") != strings.Contains(said, "admin") {
				t.Errorf("%s with %s: the challenge is %q", uri, scope, said)
			}
		}
	}
}
