package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestPagesGetPackages: what a page says to get is a package. Of a module that holds none
// in its own folder, such as the root, go get writes no sums of what it needs, and the
// reader's build fails.
func TestPagesGetPackages(t *testing.T) {
	const root, module = "../../..", "github.com/m2mguard/m2mguard"
	pages, err := readPages(root)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, p := range pages {
		seen[p.name] = true
		for _, get := range p.gets {
			imported, _, _ := strings.Cut(get, "@")
			dir, ours := strings.CutPrefix(imported+"/", module+"/")
			if !ours {
				continue
			}
			sources, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
			if err != nil {
				t.Fatal(err)
			}
			if len(sources) == 0 {
				t.Errorf("%s: go get %s names no package", p.name, get)
			}
		}
	}
	for _, name := range []string{"README.md", "docs/use.md", "docs/grpc.md", "docs/connect.md", "docs/mcp.md", "docs/fleet.md", "docs/operate.md"} {
		if !seen[name] {
			t.Errorf("%s does not say what to get", name)
		}
	}
}

// TestReadPage: what is got and what is imported, however a sentence goes on.
func TestReadPage(t *testing.T) {
	p := readPage("docs/x.md", "`go get example.com/a/b`, or (`go get example.com/c@v0.1.0`). Then go get example.com/d.\n"+
		"```go\nv := validator.New(http.StatusOK)\n```\n\n```sh\nscopes.All\n```\n")
	if diff := gocmp.Diff([]string{"example.com/a/b", "example.com/c@v0.1.0", "example.com/d"}, p.gets); diff != "" {
		t.Error(diff)
	}
	known := byName([]string{"example.com/m/validator", "example.com/m/scopes", "example.com/m/examples/validator"})
	if diff := gocmp.Diff([]string{"example.com/a/b", "example.com/c", "example.com/d", "example.com/m/validator"}, p.wants(known)); diff != "" {
		t.Error(diff)
	}
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program := readPage("README.md", string(readme)).firstProgram(map[string]string{"validator": "example.com/m/validator"})
	if !strings.Contains(program, "\n\t\"example.com/m/validator\"\n)") || !strings.Contains(program, "\tmux := http.NewServeMux()\nv, err := validator.New(") {
		t.Error(program)
	}
}
