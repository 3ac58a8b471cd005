package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPage reads what docs/program.md shows.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/program.md")
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "reports")
	if err := os.WriteFile(secret, []byte("of-reports\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "fleet")
	if err := os.WriteFile(key, []byte(strings.Repeat("5f", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ORDERS_SECRET", "of-orders")
	t.Setenv("REDIS_PASSWORD", "of-redis")
	files := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(files) == 0 {
		t.Fatal("the page shows no file")
	}
	for _, file := range files {
		f, err := read(t, strings.NewReplacer("/run/secrets/reports", secret, "/run/secrets/fleet", key).Replace(file[1]))
		if err != nil {
			t.Error(err)
			continue
		}
		if len(f.Config.Issuers) != 2 || f.Client == nil || f.Client.Auth == nil || f.DPoP == nil || !f.FollowsFleet() {
			t.Errorf("got %+v", f)
		}
	}
}
