package layout_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// The page that says what each dependency is for, and its parts.
const (
	dependencies = "docs/dependencies.md"
	ofNetHTTP    = "What a net/http service gets"
	ofRoot       = "The root module"
	ofRooms      = "Rooms that are modules of their own"
)

// TestLinked: what a service on net/http downloads and links stands on the page, each
// module with its packages and a reason. With -v it prints the list.
func TestLinked(t *testing.T) {
	const each = `{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{$.ImportPath}}{{end}}{{end}}`
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", each, "./validator", "./adapters/httpauth")
	list.Dir, list.Env = root, append(os.Environ(), "GOWORK=off")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string][]string)
	for line := range strings.Lines(string(out)) {
		t.Log(strings.TrimSpace(line))
		of := strings.Fields(line)
		got[of[0]] = append(got[of[0]], strings.TrimPrefix(strings.TrimPrefix(of[2], of[0]), "/"))
	}
	want := make(map[string][]string)
	for _, row := range table(t, ofNetHTTP, 3) {
		for _, name := range code.FindAllString(row[1], -1) {
			name = strings.Trim(name, "`")
			want[strings.Trim(row[0], "`")] = append(want[strings.Trim(row[0], "`")], strings.TrimPrefix(name, "."))
		}
	}
	for _, packages := range []map[string][]string{got, want} {
		for _, names := range packages {
			slices.Sort(names)
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("a net/http service links something else than %s says (-page +linked):\n%s", dependencies, diff)
	}
}

// TestDependencies: each direct requirement has its row, and each row its requirement.
func TestDependencies(t *testing.T) {
	wanted := map[string][]string{}
	for _, row := range table(t, ofRoot, 6) {
		wanted["."] = append(wanted["."], strings.Trim(row[0], "`"))
	}
	apart := make(map[string]bool)
	for _, row := range table(t, ofRooms, 6) {
		apart[strings.Trim(row[0], "`")] = true
	}
	direct := requirements(t, ".")
	slices.Sort(wanted["."])
	if diff := gocmp.Diff(wanted["."], direct); diff != "" {
		t.Errorf("%s, %s, against go.mod (-page +go.mod):\n%s", dependencies, ofRoot, diff)
	}
	needed := make(map[string]bool)
	for room := range nested {
		if !isModule(filepath.Join(root, room)) || room == "examples/migrate" {
			continue // or what it requires is its subject
		}
		for _, name := range requirements(t, room) {
			if !slices.Contains(direct, name) {
				needed[name] = true
			}
		}
	}
	if diff := gocmp.Diff(slices.Sorted(maps.Keys(apart)), slices.Sorted(maps.Keys(needed))); diff != "" {
		t.Errorf("%s, %s, against go.mod of each (-page +go.mod):\n%s", dependencies, ofRooms, diff)
	}
}

// requirements are the modules of others that a module requires for itself, in order.
func requirements(t *testing.T, room string) (names []string) {
	t.Helper()
	edit := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	edit.Dir = filepath.Join(root, room)
	out, err := edit.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if !r.Indirect && !within(r.Path, module) {
			names = append(names, r.Path)
		}
	}
	slices.Sort(names)
	return names
}

var code = regexp.MustCompile("`[^`]*`")

// table returns the cells of each row of the table under a heading of the page, all of
// which must be filled.
func table(t *testing.T, heading string, columns int) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, dependencies))
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "\n## "+heading+"\n")
	part, _, _ = strings.Cut(part, "\n## ")
	for line := range strings.Lines(part) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != columns || slices.Contains(cells, "") {
			t.Errorf("%s: %q does not have %d filled cells", dependencies, line, columns)
			continue
		}
		rows = append(rows, cells)
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table under %q", dependencies, heading)
	}
	return rows
}
