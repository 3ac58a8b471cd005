package mistakes_test

import (
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator"
)

// by is who names a mistake: each in one line that says which field to change.
type by string

const (
	byNew     by = "New"     // needs the configuration alone
	byReady   by = "Ready"   // asks for keys and metadata
	byExplain by = "Explain" // needs a request
	byProgram by = "program" // panics where the program is wrong
	byDoctor  by = "doctor"  // no library can see it by itself
)

// row is one mistake that users were seen to make, and the mistakes here that are it.
type row struct {
	what string
	by   by
	// here are mistakes of the tables, separated by "; ".
	here string
	// why no library sees it, for doctor's.
	why string
}

// rows are the mistakes that were tried one by one, each with who names it now.
var rows = []row{
	{"empty Config", byNew, "empty Config", ""},
	{"ISSUER/AUDIENCE unset", byNew, "ISSUER and AUDIENCE unset", ""},
	{"http, not loopback (http://keycloak:8080, docker compose)", byNew, "http, not loopback (docker compose); http, not loopback, for introspection; http, not loopback, for keys", ""},
	{"no scheme", byNew, "no scheme", ""},
	{"trailing slash too many", byReady, "trailing slash too many", ""},
	{"trailing slash too many, at a request", byExplain, "trailing slash too many, at a request", ""},
	{"discovery URL, JWKS URL as issuer", byNew, "discovery URL as issuer; JWKS URL as issuer; Keycloak's JWKS URL as issuer", ""},
	{"discovery URL, JWKS URL as issuer, in another form", byReady, "the address of keys as issuer, which does not look like one", ""},
	{"localhost / 127.0.0.1", byExplain, "localhost for 127.0.0.1", ""},
	{"no audience", byNew, "no audience", ""},
	{"audience with blanks or a newline (secret file)", byNew, "audience with a newline (secret file); audience with blanks", ""},
	{"wrong audience", byExplain, "wrong audience; wrong audience, longer than 64 bytes; wrong audience, among many; wrong audience, by a slash", ""},
	{"wrong scope", byExplain, "wrong scope; no scope", ""},
	{"scopes arrive as roles; ScopeClaims \"realm_access.roles\" (dot, not pointer)", byExplain, "scopes arrive as roles; ScopeClaims \"realm_access.roles\" (dot, not pointer)", ""},
	{"comma-separated scope", byExplain, "comma-separated scope", ""},
	{"clock off", byExplain, "clock off: expired; clock off by five minutes: not valid yet", ""},
	{"missing exp", byExplain, "missing exp", ""},
	{"issuer refused / 404 / html / DNS / bad certificate", byReady, "issuer refuses connections; issuer answers 404; issuer answers a web page; an issuer whose host nobody knows; TLS inspection with an unknown root", ""},
	{"issuer hangs, shipped example", byReady, "an issuer that hangs, at Ready", ""},
	{"introspection: wrong secret", byExplain, "introspection: wrong secret", ""},
	{"introspection: wrong endpoint", byExplain, "introspection: wrong endpoint", ""},
	{"introspection: no Auth", byNew, "introspection without Auth", ""},
	{"introspection: Secret(\"\")", byNew, "introspection with Secret of nothing", ""},
	{"Ready with a wrong introspection secret", byDoctor, "Ready with a wrong introspection secret", "there is no harmless question, so Ready asks none; Explain with Network names it once there is a token"},
	{"nil validator, realm with quote, RequireFresh without introspection", byProgram, "nil validator; realm with quote; RequireFresh without introspection", ""},
	{"&validator.Validator{}", byProgram, "&validator.Validator{}", ""},
	{"scopes.All(\"a b\"), All(\"\")", byProgram, "scopes.All(\"a b\"); scopes.All(\"\")", ""},
	{"scopes.All()", byExplain, "scopes.All() of nothing", ""},
	{"FromContext behind no Require", byProgram, "FromContext behind no Require", ""},
	{"Entra v1 token, v2 preset", byExplain, "Entra v1 token, v2 preset", ""},
	{"EntraID with audience api://…", byNew, "EntraID with audience api://…", ""},
	{"preset arguments wrong (common, https:// in domain, swapped)", byNew, "Entra common as tenant; Auth0 domain with https://; Cognito with its arguments swapped", ""},
	{"preset arguments wrong AND Keys or URL changed as the docs say", byNew, "Entra tenant wrong, and Keys.URL and URL changed as the docs say; Auth0 domain wrong, and Keys changed", ""},
	{"Issuer.URL \"https//id…\" or \"garbage with spaces\" with Keys.URL set", byNew, "Issuer.URL \"https//id…\" with Keys.URL set; Issuer.URL \"garbage with spaces\" with Keys.URL set", ""},
	{"Keycloak(realm URL, realm)", byNew, "Keycloak(realm URL, realm)", ""},
	{"opaque without introspection", byExplain, "opaque without introspection", ""},
	{"alg not listed", byExplain, "alg not listed", ""},
	{"HS256", byExplain, "HS256", ""},
	{"typ", byExplain, "typ", ""},
	{"AppOnly", byExplain, "AppOnly and a user's token", ""},
	{"Algorithms typo, HS256, none", byNew, "Algorithms with a typo; Algorithms with HS256; Algorithms with none", ""},
	{"duplicate issuer; two introspecting issuers", byNew, "duplicate issuer; two introspecting issuers", ""},
	{"skew, sizes; Clients empty; Types with application/", byNew, "skew; sizes; Clients empty; Types with application/", ""},
	{"\"Bearer Bearer x\", quotes, cut token", byExplain, "Bearer Bearer x; a token in quotes; a cut token", ""},
	{"use after Close", byExplain, "use after Close", ""},
	{"Close forgotten", byDoctor, "Close forgotten", "nothing runs that could tell; a test with goleak does, and doctor where instances share a fleet: one that ended without Close fell silent"},

	// The eleven below the table.
	{"Entra organizations/common as tenant", byNew, "Entra common as tenant; Entra organizations as tenant", ""},
	{"a Cognito app client id that is not the token's", byExplain, "a Cognito app client id that is not the token's", ""},
	{"Auth0 domain with https://", byNew, "Auth0 domain with https://", ""},
	{"an Okta org URL where a custom server is meant", byNew, "an Okta org URL where a custom server is meant", ""},
	{"an Okta org URL where a custom server is meant, at a request", byExplain, "an Okta org URL where a custom server is meant, without a preset", ""},
	{"a Google service account without e-mail list", byNew, "a Google service account without e-mail list", ""},
	{"Hydra's public port for introspection", byExplain, "Hydra's public port for introspection", ""},
	{"Keycloak without the audience mapper", byExplain, "Keycloak without the audience mapper; Keycloak without the audience mapper, but with account", ""},
	{"a proxy that strips Authorization", byExplain, "a proxy that strips Authorization", ""}, // doctor can tell a proxy from a client
	{"a clock five minutes off", byExplain, "a clock five minutes off", ""},                   // doctor can tell whose
	{"TLS inspection with an unknown root", byReady, "TLS inspection with an unknown root", ""},
	{"an issuer that publishes only ES256K", byReady, "an issuer that publishes only ES256K", ""},
}

// TestEachMistakeIsNamed: who is to name a mistake does, in one line, with all that the
// table asks for; and an explanation's line is the one of the step that failed.
func TestEachMistakeIsNamed(t *testing.T) {
	tables := map[by][]mistake{byNew: append(append([]mistake{}, configurations...), presets...), byReady: issuers, byProgram: programs}
	all := make(map[string]mistake)
	for _, table := range [][]mistake{configurations, presets, issuers, tokens, programs} {
		for _, m := range table {
			all[m.name] = m
		}
	}
	seen := make(map[string]bool)
	for _, r := range rows {
		t.Run(strings.ReplaceAll(r.what, "/", "_"), func(t *testing.T) {
			if seen[r.what] || r.here == "" || (r.by == byDoctor) != (r.why != "") {
				t.Fatal("it is there twice, by no mistake here, or doctor's without a reason")
			}
			seen[r.what] = true
			for _, name := range strings.Split(r.here, "; ") {
				m, there := all[name]
				if !there {
					t.Fatalf("there is no mistake %q", name)
				}
				if r.by == byDoctor {
					continue
				}
				if table := tables[r.by]; table != nil && !holds(table, name) {
					t.Errorf("%s is not in a table of %s's", name, r.by)
				}
				text := m.make(t)
				step, asked := explained.LoadAndDelete(t.Name())
				if asked != (r.by == byExplain) {
					t.Errorf("%s: explained %v, and %s names it", name, asked, r.by)
				}
				if r.by != byExplain {
					continue
				}
				s := step.(validator.Step)
				if strings.Contains(s.String(), "\n") || s.Fix == "" {
					t.Errorf("%s: not one line that says what to change: %s", name, s)
				}
				for _, part := range m.says {
					if strings.HasPrefix(part, "level=") || part == s.Err.Code() || strings.Contains(s.String(), strings.TrimPrefix(part, "got")) {
						continue
					}
					t.Errorf("%s: the explanation does not say %s\n%s\nthe log\n%s", name, part, s, text)
				}
			}
		})
	}
}

func holds(table []mistake, name string) bool {
	for _, m := range table {
		if m.name == name {
			return true
		}
	}
	return false
}
