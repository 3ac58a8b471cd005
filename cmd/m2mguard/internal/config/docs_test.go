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
	t.Setenv("ORDERS_SECRET", "of-orders")
	files := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(files) == 0 {
		t.Fatal("the page shows no file")
	}
	for _, file := range files {
		f, err := read(t, strings.ReplaceAll(file[1], "/run/secrets/reports", secret))
		if err != nil {
			t.Error(err)
			continue
		}
		if len(f.Config.Issuers) != 2 || f.Client == nil || f.Client.Auth == nil || f.DPoP == nil {
			t.Errorf("got %+v", f)
		}
	}
}
