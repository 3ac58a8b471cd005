package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// tree writes files into a folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestPublish: each file of the tree is in its own module alone.
func TestPublish(t *testing.T) {
	root := tree(t, map[string]string{
		"go.mod": "module example.com/Acme\n", "a/a.go": "package a", "LICENSE": "MIT", ".git/config": "x", "a/node_modules/x.js": "x",
		"cmd/p/go.mod": "module example.com/Acme/cmd/p // a program\n\nrequire example.com/Acme v0.1.0\n", "cmd/p/main.go": "package main", "cmd/p/go.work": "go 1.26.0\n",
		"bench/go.mod": "module example.com/Acme/bench\n\nreplace example.com/Acme => ../\n",
	})
	modules, err := find(root)
	if err != nil {
		t.Fatal(err)
	}
	proxy := t.TempDir()
	got := make(map[string][]string)
	for _, m := range modules {
		if err := m.publish(proxy, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		archive, err := zip.OpenReader(filepath.Join(proxy, filepath.FromSlash(escaped(m.path)), "@v", "v0.1.0.zip"))
		if err != nil {
			t.Fatal(err)
		}
		defer archive.Close()
		for _, file := range archive.File {
			got[m.path] = append(got[m.path], file.Name)
		}
	}
	want := map[string][]string{
		"example.com/Acme":       {"example.com/Acme@v0.1.0/LICENSE", "example.com/Acme@v0.1.0/a/a.go", "example.com/Acme@v0.1.0/go.mod"},
		"example.com/Acme/cmd/p": {"example.com/Acme/cmd/p@v0.1.0/go.mod", "example.com/Acme/cmd/p@v0.1.0/main.go"},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(filepath.Join(proxy, "example.com", "!acme", "@v", "v0.1.0.info")); err != nil {
		t.Error(err)
	}
}

func TestNobodyInstallsByAReplace(t *testing.T) {
	for _, text := range []string{"module a\nreplace b => ../\n", "module a\nreplace (\nb => ../\n)\n", "go 1.26.0\n"} {
		if _, err := find(tree(t, map[string]string{"go.mod": text})); err == nil || !strings.Contains(err.Error(), "go.mod") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
