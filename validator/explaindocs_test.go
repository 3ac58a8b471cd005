package validator_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestExplanationOnThePage: what docs/troubleshooting.md shows of an explanation is what
// one prints of such a token, but for lengths and times, and for the lines at "…".
func TestExplanationOnThePage(t *testing.T) {
	page, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(page), "\n```\nrefused at exp\n")
	shown, _, closed := strings.Cut(after, "\n```\n")
	if !found || !closed {
		t.Fatal("the page shows no explanation")
	}
	iss := issuertest.New(t)
	v := newValidator(t, keysOf(iss), func(c *validator.Config) { c.Issuers[0].Audience = []string{"https://orders.example.com"} })
	token := iss.Token(issuertest.Claims{Audience: []string{"https://invoices.example.com"}, Scope: "orders:read", Expiry: time.Now().Add(-23 * time.Hour)})
	e := v.Explain(t.Context(), &validator.Request{Scheme: "Bearer", Token: token}, validator.ExplainOptions{Network: true, Rule: new(scopes.All("orders:read"))})
	varies := regexp.MustCompile(`[0-9]+ bytes|20[0-9-]+T[0-9:]+Z`)
	plain := func(line string) string { return strings.TrimSpace(varies.ReplaceAllString(line, "…")) }
	said := strings.Split(strings.ReplaceAll(e.String(), iss.URL(), "https://id.example.com"), "\n")
	if said[0] != "refused at exp" {
		t.Fatalf("%s", e)
	}
	said = said[1:]
	left := false
	for line := range strings.Lines(shown) {
		if line = plain(line); line == "…" {
			left = true
			continue
		}
		for left && len(said) > 0 && plain(said[0]) != line {
			said = said[1:]
		}
		if left = false; len(said) == 0 || plain(said[0]) != line {
			t.Fatalf("%q is not in its place in:\n%s", line, e)
		}
		said = said[1:]
	}
}
