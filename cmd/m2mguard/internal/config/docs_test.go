package config_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/config"
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
	if len(files) != 2 {
		t.Fatalf("the page shows %d files, wanted one to try and one with all there is", len(files))
	}
	tryIt(t, files[0][1])
	for _, file := range files[1:] {
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

// tryIt looks at the file that is for the quickstart: what it names stands there.
func tryIt(t *testing.T, text string) {
	t.Helper()
	t.Setenv("CLIENT_SECRET", "of-the-client")
	f, err := read(t, text)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Config.Issuers) != 1 || f.Client == nil || len(f.API.PublicURL) != 1 {
		t.Fatalf("got %+v", f)
	}
	var code strings.Builder
	err = filepath.WalkDir("../../../../examples/quickstart", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".go" {
			return err
		}
		text, err := os.ReadFile(name)
		code.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, named := range []string{
		f.Config.Issuers[0].Audience[0], `"jwt-client"`, `"` + f.API.Probe + `"`,
		strings.TrimPrefix(f.Config.Issuers[0].URL, "http://127.0.0.1:"), strings.TrimPrefix(f.API.PublicURL[0], "http://127.0.0.1:"),
	} {
		if !strings.Contains(code.String(), named) || !strings.Contains(text, strings.Trim(named, `"`)) {
			t.Errorf("%s is nothing of the quickstart", named)
		}
	}
}

// TestIssuersOfThePages: each page of an issuer says by which key a file names it, and
// each key has a page.
func TestIssuersOfThePages(t *testing.T) {
	keys := make(map[string]bool)
	for _, key := range config.ProviderKeys() {
		keys[key] = false
	}
	pages, err := filepath.Glob("../../../../docs/issuers/*.md")
	if err != nil || len(pages) < len(keys)-1 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		intro, _, _ := strings.Cut(string(text), "\n```")
		all := regexp.MustCompile(`\{(\w+): …\}`).FindAllStringSubmatch(intro, -1)
		if name := filepath.Base(page); len(all) == 0 && name != "README.md" && name != "fapi2.md" { // which is around the others
			t.Errorf("%s does not say by which key a file names its issuer: `provider: {…: …}`", page)
		}
		for _, named := range all {
			if _, known := keys[named[1]]; !known {
				t.Errorf("%s: %s is no key: Provider, in provider.go, wants a field and its arguments", page, named[1])
			}
			keys[named[1]] = true
		}
	}
	for key, shown := range keys {
		if !shown {
			t.Errorf("%s has no page", key)
		}
	}
}
