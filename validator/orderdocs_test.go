package validator_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestOrderIsDocumented: the two lists of docs/architecture.md are in the order that an
// explanation has of a request with everything switched on, which is VerifyRequest's
// (TestExplainSaysWhatVerifyRequestSays). The second one is the list of passes.go, and
// each line of that of checks.go is a step. What makes a check is a function.
func TestOrderIsDocumented(t *testing.T) {
	once := documented(t, "## What proves a token, once")
	each := documented(t, "## What each request must pass, each time")
	first, then := explained(t)
	if diff := cmp.Diff(first, once.checks); diff != "" {
		t.Errorf("docs/architecture.md, what proves a token, where each step of an explanation has its row (-explained +page):\n%s", diff)
	}
	if diff := cmp.Diff(listed(t, "passes.go"), each.checks); diff != "" {
		t.Errorf("docs/architecture.md, what each request must pass (-passes.go +page):\n%s", diff)
	}
	for _, name := range listed(t, "checks.go") {
		switch name {
		case "base64url", "JSON", "crit", "b64": // of header and payload
		default:
			if !slices.Contains(first, name) {
				t.Errorf("checks.go lists %s, and an explanation has no such step: it goes into commonChecks, or into explainwalk.go", name)
			}
		}
	}
	at := 0
	for _, name := range then {
		next := slices.Index(each.checks[at:], name)
		if next < 0 {
			t.Fatalf("%q comes elsewhere in an explanation: %q, and on the page: %q", name, then, each.checks)
		}
		at += next
	}
	if len(then) < 5 {
		t.Errorf("an explanation of everything has the steps %q", then)
	}
	for _, name := range append(once.functions, each.functions...) {
		if !isFunction(t, name) {
			t.Errorf("docs/architecture.md: there is no function %s", name)
		}
	}
}

// explained are the steps for a bound token, with a list of revocations, a route's own
// audience, and a rule: before those of a request, and those, by the names of passes.go.
func explained(t *testing.T) (first, then []string) {
	t.Helper()
	iss := issuertest.New(t)
	v := newValidator(t, keysOf(iss), func(c *validator.Config) {
		c.DPoP, c.Revocations = new(dpop.Config), newKillSwitch(t, revocation.Config{}).now().List
		one := &c.Issuers[0]
		one.AppOnly = true
		one.Profile.App = func(*validator.Token) bool { return true }
		one.Profile.Accept = func(*validator.Token) error { return nil }
	})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := iss.Token(issuertest.Claims{Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(key.Public())})
	const url = "https://api.example.com/orders"
	r := &validator.Request{
		Scheme: "DPoP", Token: token, Method: "GET", URL: url,
		Proofs: []string{issuertest.Proof(key, issuertest.ProofClaims{Method: "GET", URL: url, Token: token})},
	}
	rule := scopes.All("orders:read")
	e := v.Explain(t.Context(), r, validator.ExplainOptions{Network: true, Rule: &rule, Demand: &validator.Demand{Audience: []string{issuertest.Audience}}})
	if !e.Accepted {
		t.Fatalf("%s", e)
	}
	names := map[string]string{"route's audience": "audience", "sender": "binding"}
	for _, s := range e.Steps {
		name, _, _ := strings.Cut(s.Name, ":") // of proof: typ and its like
		if other, ok := names[name]; ok {
			name = other
		}
		switch {
		case name == "revocation" || len(then) > 0:
			then = append(then, name)
		default:
			first = append(first, name)
		}
	}
	return first, slices.Compact(then)
}

// documentedList is a table of docs/architecture.md.
type documentedList struct{ checks, functions []string }

func documented(t *testing.T, heading string) (list documentedList) {
	t.Helper()
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		list.checks, list.functions = append(list.checks, row[1]), append(list.functions, row[2])
	}
	return list
}

// listed are the names of a list that stands at the top of a file.
func listed(t *testing.T, file string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range regexp.MustCompile(`(?m)^//\t[ \d]{2}  (\S.*?)  +\S+ +\S`).FindAllStringSubmatch(string(text), -1) {
		names = append(names, strings.Split(line[1], ", ")...)
	}
	if len(names) < 6 {
		t.Fatalf("%s has a list of %q", file, names)
	}
	return names
}

// isFunction finds one of this package or, with another's name before it, of that; what
// stands there may be a type, too.
func isFunction(t *testing.T, name string) bool {
	t.Helper()
	folder := "."
	if of, _, qualified := strings.Cut(name, "."); qualified {
		folder = map[string]string{"jws": "../internal/jws", "jwks": "../jwks", "httpauth": "../adapters/httpauth"}[of]
		if folder == "" {
			folder = "."
		}
	}
	files, err := filepath.Glob(folder + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func (\(\w+ \*?\w+\) )?` + name[strings.LastIndex(name, ".")+1:] + `\(`)
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return !strings.HasSuffix(file, "_test.go") && declared.Match(text)
	})
}
