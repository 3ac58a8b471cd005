package providers_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/testdata"
)

// functions lists what the package exports, from its source.
func functions(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Name.IsExported() && f.Recv == nil {
				names = append(names, f.Name.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

const guide = "../../docs/issuers/"

// read is a file of the guide.
func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(guide + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The guide has a row in its table and a page for each function. The page shows
// its line, fits on a screen, and names what it goes by.
func TestGuideHasEveryFunction(t *testing.T) {
	const screen = 40 // lines
	documents := make(map[string][]string)
	for _, p := range testdata.Providers() {
		documents[p.Name] = p.Documents
	}
	pages := make(map[string]bool)
	for _, name := range functions(t) {
		_, row, ok := strings.Cut(read(t, "README.md"), "\n| [`"+name+"`](")
		if !ok {
			t.Errorf("%s has no row in the table", name)
			continue
		}
		file, _, _ := strings.Cut(row, ")")
		pages[file] = true
		page := read(t, file)
		if !strings.Contains(page, "\nproviders."+name+"(") {
			t.Errorf("%s does not show the line of %s", file, name)
		}
		if lines := strings.Count(page, "\n"); lines > screen {
			t.Errorf("%s has %d lines, wanted at most %d", file, lines, screen)
		}
		for _, document := range documents[name] {
			if !strings.Contains(page, "\n- <"+document+">\n") {
				t.Errorf("%s does not name %s, which the fixtures of %s go by", file, document, name)
			}
		}
	}
	files, err := filepath.Glob(guide + "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := filepath.Base(file); name != "README.md" && !pages[name] {
			t.Errorf("%s is nobody's page", name)
		}
	}
}

// What the guide shows in Go is Go.
func TestGuideShowsGo(t *testing.T) {
	files, err := filepath.Glob(guide + "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for i, block := range strings.Split(read(t, filepath.Base(file)), "\n```go\n")[1:] {
			code, _, _ := strings.Cut(block, "\n```")
			if _, err := parser.ParseFile(token.NewFileSet(), "", "package p; func f() {\n"+code+"\n}", parser.SkipObjectResolution); err != nil {
				t.Errorf("%s, block %d: %v", filepath.Base(file), i+1, err)
			}
		}
	}
}
