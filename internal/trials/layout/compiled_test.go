package layout_test

import (
	"os/exec"
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
