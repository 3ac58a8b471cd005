package hostile_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/internal/trials/hostile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCatalogue holds the catalogue to what it promises: enough cases, each
// with a name of its own, a citation, and a token that no other case has.
func TestCatalogue(t *testing.T) {
	c := hostile.New(t)
	type key struct{ config, text string }
	names, tokens := make(map[key]bool), make(map[key]string)
	count := make(map[string]int)
	for _, tc := range c.Cases {
		name, token := key{string(tc.Config), tc.Name}, key{string(tc.Config), tc.Token}
		if tc.Name == "" || tc.Cite == "" || tc.Token == "" {
			t.Errorf("%s, %q: something is missing", tc.Config, tc.Name)
		}
		if names[name] {
			t.Errorf("%s, %q: two cases of that name", tc.Config, tc.Name)
		}
		if other, twice := tokens[token]; twice {
			t.Errorf("%s, %q: the same token as %q", tc.Config, tc.Name, other)
		}
		names[name], tokens[token] = true, tc.Name
		count[kind(tc.Want)]++
	}
	for _, tc := range c.Requests {
		name := key{"request", tc.Name}
		if tc.Name == "" || tc.Cite == "" || names[name] {
			t.Errorf("request %q: something is missing, or two have that name", tc.Name)
		}
		names[name] = true
		count["request, "+kind(tc.Want)]++
	}
	if count["hostile"] < 200 || count["good"] < 40 {
		t.Errorf("wanted 200 hostile tokens and 40 good ones: %v", count)
	}
	t.Logf("%v", count)
}

func kind(want string) string {
	if want == "" {
		return "good"
	}
	return "hostile"
}
