package layout_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestInstantiatedOnce: the generic types of others, and the large one of ours, are compiled
// where they are instantiated, and nowhere else. A field of such a type, in a struct that
// importers see, would have each of them compile all of its methods again. This looks at
// what the compiler made of the packages that a net/http service imports, and of one.
func TestInstantiatedOnce(t *testing.T) {
	const registry = module + "/validator/internal/registry"
	if ours, _ := instantiated(t, "validator"); !slices.Contains(ours, registry) {
		t.Errorf("validator has instantiated types of %q, wanted %s among them: does this test find any?", ours, registry)
	}
	if !ofMap.Match(symbols(t, "validator/internal/registry")) && !ofMap.Match(symbols(t, "validator")) {
		t.Error("nobody compiles the map of sync.Map: does this test find any?")
	}
	for _, importer := range []string{"adapters/httpauth", "examples/nethttp"} {
		if ofMap.Match(symbols(t, importer)) {
			t.Errorf("%s compiles the map of sync.Map: what struct leads there?", importer)
		}
		ours, others := instantiated(t, importer)
		if slices.Contains(ours, registry) {
			others = append(others, registry)
		}
		if len(others) > 0 {
			t.Errorf("%s compiles generic types of %q: what type of a struct leads there?", importer, others)
		}
	}
}

// ofGeneric matches the code of a generic function or method in the compiler's table of
// symbols, and its package. Of one in the standard library there is no host.
var ofGeneric = regexp.MustCompile(`(?m)^ *[0-9a-f]+ T ([\w-]+(?:\.[\w-]+)+/[\w./%-]*?)\.(?:\(\*?)?\w+\[`)

// ofMap matches what is compiled of the generic map behind sync.Map, which is large.
var ofMap = regexp.MustCompile(`(?m)^ *[0-9a-f]+ T internal/sync\.\(\*HashTrieMap\[`)

// instantiated are the packages of which a package compiles generic types or functions,
// those of this module and those of other ones.
func instantiated(t *testing.T, of string) (ours, others []string) {
	t.Helper()
	for _, m := range ofGeneric.FindAllStringSubmatch(string(symbols(t, of)), -1) {
		if within(m[1], module) {
			ours = append(ours, m[1])
		} else {
			others = append(others, m[1])
		}
	}
	slices.Sort(ours)
	slices.Sort(others)
	return slices.Compact(ours), slices.Compact(others)
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
