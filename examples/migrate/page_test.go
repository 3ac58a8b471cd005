package migrate_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSnippets: each snippet of the page stands, line by line, in one file of this
// module that the tests run, and each such file is shown.
func TestSnippets(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]int)
	for _, name := range append(files, more...) {
		if !strings.HasSuffix(name, "_test.go") && name != "doc.go" {
			shown[name] = 0
		}
	}
	text := read(t, page)
	snippets := regexp.MustCompile("(?ms)^```go\n// (examples/migrate/[^\n]+)\n(.*?)^```$").FindAllStringSubmatch(text, -1)
	if all := strings.Count(text, "```go\n"); all != len(snippets) {
		t.Errorf("%d snippets, %d of which name the file they stand in", all, len(snippets))
	}
	for _, snippet := range snippets {
		name := strings.TrimPrefix(snippet[1], "examples/migrate/")
		if _, is := shown[name]; !is {
			t.Errorf("there is no file %s", snippet[1])
			continue
		}
		shown[name]++
		source, rest := trimmed(read(t, name)), ""
		for piece := range strings.SplitSeq(strings.TrimSpace(trimmed(snippet[2])), "\n…\n") { // what is left out is the handling of errors, or said before
			_, after, found := strings.Cut("\n"+source, "\n"+piece+"\n")
			if !found {
				t.Errorf("this does not stand in %s, or not after what is shown before it:\n%s", snippet[1], piece)
			}
			source, rest = after, piece
		}
		if rest == "" {
			t.Errorf("an empty snippet of %s", snippet[1])
		}
	}
	for name, times := range shown {
		if times == 0 {
			t.Errorf("docs/migrate.md shows nothing of %s", name)
		}
	}
}

// trimmed makes texts equal that differ in how far their lines are indented.
func trimmed(text string) string {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		lines.WriteString(strings.TrimSpace(line) + "\n")
	}
	return lines.String()
}
