package layout_test

import (
	"io/fs"
	"os"
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
			t.Errorf("%s is a module and has no row in nested", dir)
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
		t.Error("it does not say which release of Go is the floor")
	}
	named := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| (root|`[^`]+`)[^|]* \\| `([^`]+)` \\| (v[0-9.]+) \\|$").FindAllStringSubmatch(table, -1) {
		dir := strings.Trim(row[1], "`")
		if dir == "root" {
			dir = "."
		}
		named[dir+" "+row[2]] = true
		if !strings.Contains(readMod(t, dir), "\t"+row[2]+" "+row[3]+"\n") {
			t.Errorf("%s/go.mod does not require %s %s", dir, row[2], row[3])
		}
	}
	for _, chosen := range []string{
		". " + echo, ". " + gin, ". " + chi, ". " + golang, "adapters/echov5auth " + echov5, "adapters/grpcauth " + grpc, "adapters/connectauth " + connect,
		"adapters/connectauth " + connect + "/v2", "adapters/mcpauth " + mcpsdk, "fleet " + rueidis, "telemetry " + otel,
	} {
		if !named[chosen] {
			t.Errorf("it does not say with which version of what: %s", chosen)
		}
	}
	for _, dir := range folders(t) {
		if dir == "." || dir == "bench" || strings.Contains(dir, "example") {
			continue
		}
		if !strings.Contains(versions, "`"+dir+"/v0.1.0`") {
			t.Errorf("it does not name the tag of %s", dir)
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
