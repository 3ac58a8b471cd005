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

// TestDownloaded: the page names what go get and go mod tidy take beside what is linked:
// modules that jwx imports under its tags, and those of the tests of what is linked.
func TestDownloaded(t *testing.T) {
	list := func(args ...string) map[string]bool {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-deps"}, args...)...)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "GOWORK=off")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		found := make(map[string]bool)
		for name := range strings.FieldsSeq(string(out)) {
			found[name] = true
		}
		return found
	}
	const modules = `{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}`
	imported := slices.Collect(maps.Keys(list("-f", `{{with .Module}}{{$.ImportPath}}{{end}}`, "./validator", "./adapters/httpauth")))
	got := list(append([]string{"-e", "-test", "-f", modules}, imported...)...)
	maps.Copy(got, list("-tags", "jwx_goccy,jwx_asmbase64,jwx_es256k", "-f", modules, "./validator", "./adapters/httpauth"))
	for module := range list("-f", modules, "./validator", "./adapters/httpauth") {
		delete(got, module)
	}
	text, err := os.ReadFile(filepath.Join(root, dependencies))
	if err != nil {
		t.Fatal(err)
	}
	_, more, _ := strings.Cut(string(text), "\n`go get` and `go mod tidy` download more")
	more, _, _ = strings.Cut(more, "\n\n")
	var want []string
	for _, name := range code.FindAllString(more, -1) {
		if name = strings.Trim(name, "`"); strings.Contains(name, "/") {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	if diff := gocmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("go get and go mod tidy take something else than %s says (-page +taken):\n%s", dependencies, diff)
	}
}

// TestDependencies: each direct requirement has its row with the version that is
// required, and each row its requirement.
func TestDependencies(t *testing.T) {
	direct := requirements(t, ".")
	if diff := gocmp.Diff(required(t, ofRoot), direct); diff != "" {
		t.Errorf("%s, %s, wants a row for each module that go.mod requires directly, and no other (-page +go.mod):\n%s", dependencies, ofRoot, diff)
	}
	needed := make(map[string]string)
	for room := range nested {
		if !isModule(filepath.Join(root, room)) || room == "examples/migrate" {
			continue // or what it requires is its subject
		}
		for name, version := range requirements(t, room) {
			if direct[name] != "" {
				continue
			}
			if other := needed[name]; other != "" && other != version {
				t.Errorf("%s is required at %s by %s, and at %s by another room", name, version, room, other)
			}
			needed[name] = version
		}
	}
	if diff := gocmp.Diff(required(t, ofRooms), needed); diff != "" {
		t.Errorf("%s, %s, wants a row for each module that one of their go.mod requires directly, and no other (-page +go.mod):\n%s", dependencies, ofRooms, diff)
	}
}

// required are the modules of a table of the page, with their versions.
func required(t *testing.T, heading string) map[string]string {
	t.Helper()
	versions := make(map[string]string)
	for _, row := range table(t, heading, 7) {
		versions[strings.Trim(row[0], "`")] = row[1]
	}
	return versions
}

// requirements are the modules of others that a module requires for itself, with their
// versions.
func requirements(t *testing.T, room string) map[string]string {
	t.Helper()
	edit := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	edit.Dir = filepath.Join(root, room)
	out, err := edit.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path, Version string
			Indirect      bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	versions := make(map[string]string)
	for _, r := range mod.Require {
		if !r.Indirect && !within(r.Path, module) {
			versions[r.Path] = r.Version
		}
	}
	return versions
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
