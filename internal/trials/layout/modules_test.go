package layout_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// folders are those of the modules in the tree, from the root: "." is the root's.
func folders(t *testing.T) (found []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "go.mod" {
			if err == nil && entry.IsDir() && name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules") {
				err = filepath.SkipDir
			}
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(name))
		found = append(found, filepath.ToSlash(dir))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestModulesAreKnown: each module in the tree has a row in nested, so that what it
// imports is looked at, and is of one release of Go.
func TestModulesAreKnown(t *testing.T) {
	for _, dir := range folders(t) {
		if _, has := nested[dir]; !has && dir != "." && dir != "bench" {
			t.Errorf("%s is a module, and has no row in nested, in nested_test.go", dir)
		}
		if _, err := os.Stat(filepath.Join(root, dir, "go.sum")); err != nil {
			t.Errorf("%s has no go.sum, which go.work hides in the tree: .ci/tidy %s", dir, dir)
		}
		if mod := readMod(t, dir); !strings.Contains(mod, "\n\ngo 1.26.0\n") {
			t.Errorf("%s/go.mod is not of go 1.26.0", dir)
		}
	}
}

// TestChangelogIsTrue: what CHANGELOG.md says that each module runs with is in its
// go.mod, of the frameworks that its users choose all are there, and each module for
// users has its tag.
func TestChangelogIsTrue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\n## Versions\n")
	versions, after, _ := strings.Cut(after, "\n## What it runs with\n")
	table, _, _ := strings.Cut(after, "\n## ")
	if !strings.Contains(table, "Go 1.26 is the floor.") {
		t.Error("CHANGELOG.md, What it runs with: it does not say which release of Go is the floor")
	}
	named := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| (root|`[^`]+`)[^|]* \\| `([^`]+)` \\| (v[0-9.]+) \\|$").FindAllStringSubmatch(table, -1) {
		dir := strings.Trim(row[1], "`")
		if dir == "root" {
			dir = "."
		}
		named[dir+" "+row[2]] = true
		if !strings.Contains(readMod(t, dir), "\t"+row[2]+" "+row[3]+"\n") {
			t.Errorf("CHANGELOG.md, What it runs with: %s/go.mod does not require %s %s", dir, row[2], row[3])
		}
	}
	for _, chosen := range []string{
		". " + echo, ". " + gin, ". " + chi, ". " + golang, "adapters/echov5auth " + echov5, "adapters/grpcauth " + grpc, "adapters/connectauth " + connect,
		"adapters/connectauth " + connect + "/v2", "adapters/mcpauth " + mcpsdk, "fleet " + rueidis, "telemetry " + otel,
	} {
		if !named[chosen] {
			t.Errorf("CHANGELOG.md, What it runs with: no row says with which version of what: %s", chosen)
		}
	}
	for _, dir := range folders(t) {
		if dir == "." || dir == "bench" || strings.Contains(dir, "example") {
			continue
		}
		if !strings.Contains(versions, "`"+dir+"/v0.1.0`") {
			t.Errorf("CHANGELOG.md, Versions: it does not name the tag %s/v0.1.0", dir)
		}
		if path.Dir(dir) == "adapters" && !strings.Contains(table, "| `"+dir+"` |") {
			t.Errorf("CHANGELOG.md, What it runs with: no row says which version of its framework %s wants", dir)
		}
	}
}

// TestAdaptersConform: each adapter is asked the one list of requests, by a test of its own
// or, in the root, by that of internal/trials/adaptertest.
func TestAdaptersConform(t *testing.T) {
	const together = trials + "/adaptertest/*_test.go"
	for _, dir := range adapters(t) {
		own := anyHolds(t, filepath.Join(dir, "*_test.go"), "conformance.Run(")
		if !own && !anyHolds(t, filepath.Join(root, together), `"`+module+"/adapters/"+filepath.Base(dir)+`"`) {
			t.Errorf("no test asks adapters/%s what all adapters are asked: it wants a TestConformance, see %s/conformance/doc.go, or a place in %s", filepath.Base(dir), trials, together)
		}
	}
}

// adapters are the folders of those that guard an API.
func adapters(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(root, "adapters/*auth"))
	if err != nil || len(dirs) < 7 {
		t.Fatalf("%q, %v", dirs, err)
	}
	return dirs
}

// anyHolds reports whether a file that the pattern matches holds this.
func anyHolds(t *testing.T, pattern, what string) bool {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), what) {
			return true
		}
	}
	return false
}

// TestAdaptersAreShown: some page says how to get each adapter, and README of examples
// names a program with it.
func TestAdaptersAreShown(t *testing.T) {
	all := pages(t)
	for _, dir := range adapters(t) {
		name := filepath.Base(dir)
		got, shown := regexp.MustCompile("go get "+module+"/adapters/"+name+`\b`), false
		for page, text := range all {
			shown = shown || strings.HasPrefix(page, "docs/") && got.MatchString(text)
		}
		if !shown {
			t.Errorf("no page of docs says: go get %s/adapters/%s; docs/routes.md, if it is of net/http's kind, or a page of its own", module, name)
		}
		if example := "adapters/" + name + "/example"; isModule(dir) && !strings.Contains(all["examples/README.md"], example+"/main.go") {
			t.Errorf("examples/README.md does not name a program of %s", example)
		}
	}
}

func readMod(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
