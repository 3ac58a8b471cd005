package providers_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
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

// The guide has a row in its table and a page for each function, and the page
// shows its line and fits on a screen.
func TestGuideHasEveryFunction(t *testing.T) {
	const screen = 40 // lines
	guide, err := os.ReadFile("../../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	table, pages, ok := strings.Cut(string(guide), "\n## ")
	if !ok {
		t.Fatal("the guide has no pages")
	}
	for _, name := range functions(t) {
		if !strings.Contains(table, "\n| `"+name+"` |") {
			t.Errorf("%s has no row in the table", name)
		}
		found := false
		for page := range strings.SplitSeq(pages, "\n## ") {
			if !strings.Contains(page, "\nproviders."+name+"(") {
				continue
			}
			found = true
			if lines := strings.Count(page, "\n"); lines > screen {
				t.Errorf("the page of %s has %d lines, wanted at most %d", name, lines, screen)
			}
		}
		if !found {
			t.Errorf("%s has no page with its line", name)
		}
	}
}
