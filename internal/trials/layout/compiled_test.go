package layout_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// onceCompiled are the packages whose generic types are instantiated in one place each:
// who imports that place gets a compiled one. A field of such a type, in a struct that
// importers see, would have each of them compile all of its methods again.
var onceCompiled = map[string]string{
	otter:                                   "introspection",
	module + "/validator/internal/registry": "validator",
}

// TestInstantiatedOnce looks at what the compiler made of the packages that a net/http
// service imports, and of such a service.
func TestInstantiatedOnce(t *testing.T) {
	importers := []string{"validator", "adapters/httpauth", "examples/nethttp"}
	for generic, place := range onceCompiled {
		if n := instantiations(t, place, generic); n == 0 {
			t.Errorf("%s holds nothing of %s, so this test finds nothing", place, generic)
		}
		for _, importer := range importers {
			if n := instantiations(t, importer, generic); importer != place && n > 0 {
				t.Errorf("%s holds %d symbols of %s, which %s has compiled already: what type of its structs leads there?", importer, n, generic, place)
			}
		}
	}
}

// instantiations counts the symbols of a package's instantiated types and functions
// among those that the compiler made for another one.
func instantiations(t *testing.T, compiled, generic string) (n int) {
	t.Helper()
	for line := range strings.Lines(string(symbols(t, compiled))) {
		if fields := strings.Fields(line); fields[0] != "U" && strings.Contains(line, generic+".") && strings.Contains(line, "[") {
			n++
		}
	}
	return n
}

// symbols are those of a package of the root, with an address and a letter for the kind
// before each; U is what it refers to alone.
func symbols(t *testing.T, of string) []byte {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-f", "{{.Export}}", "./"+of)
	list.Dir = root
	file, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "tool", "nm", strings.TrimSpace(string(file))).Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDeadCodeIsLeftOut: the linker leaves out what a service does not use. It keeps
// every method of every type as soon as one is called by a name that is known at run time
// only, as text/template does.
func TestDeadCodeIsLeftOut(t *testing.T) {
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-dumpdep", "-o", filepath.Join(t.TempDir(), "service"), "./examples/nethttp")
	build.Dir = root
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := 0
	for line := range strings.Lines(string(out)) {
		lines++
		if from, _, _ := strings.Cut(line, " -> "); strings.Contains(from, "<ReflectMethod>") {
			t.Fatalf("%s calls methods by name", strings.TrimSpace(from))
		}
		if strings.HasPrefix(line, "regexp.(*Regexp).doExecute -> ") {
			t.Fatal("regexp is linked: only a package of this module can have done that, since no other uses it for a service")
		}
	}
	if lines < 1000 {
		t.Errorf("the linker told %d lines about what needs what", lines)
	}
}
