package proofs_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/internal/trials/proofs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCatalogue holds the catalogue to what it promises: enough cases, each with a
// name of its own, a citation, and a request that no other has.
func TestCatalogue(t *testing.T) {
	names := make(map[string]bool)
	count := make(map[bool]int)
	for _, tc := range proofs.All(func(thumbprint string) string { return "token-of-" + thumbprint }) {
		if tc.Name == "" || tc.Cite == "" || tc.Config == "" || tc.Now.IsZero() || tc.Method == "" || tc.URL == "" || tc.Token == "" || tc.Thumbprint == "" {
			t.Errorf("%q: something is missing: %+v", tc.Name, tc)
		}
		if name := string(tc.Config) + tc.Name; names[name] {
			t.Errorf("%q: two cases of that name", tc.Name)
		} else {
			names[name] = true
		}
		count[tc.Hostile()]++
	}
	if count[true] < 180 || count[false] < 30 {
		t.Errorf("wanted 180 hostile proofs and 30 good ones: %v", count)
	}
	t.Logf("%d hostile, %d good", count[true], count[false])
}
