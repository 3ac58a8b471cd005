package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMigrate: each snippet of docs/migrate.md stands, line by line, in the file of
// migrate/ that it names, whose tests run it, and each such file is shown.
func TestMigrate(t *testing.T) {
	files, err := filepath.Glob("migrate/*.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("migrate/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]int)
	for _, name := range append(files, more...) {
		if !strings.HasSuffix(name, "_test.go") && name != filepath.FromSlash("migrate/doc.go") {
			shown[filepath.ToSlash(name)] = 0
		}
	}
	text := read(t, "../docs/migrate.md")
	for _, block := range regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		_, parts, found := strings.Cut("\n"+block[1], "\n// examples/")
		for part := range strings.SplitSeq(parts, "\n// examples/") {
			name, code, _ := strings.Cut(part, "\n")
			if _, is := shown[name]; !found || !is {
				t.Errorf("this names no file that it stands in:\n%s", block[1])
				break
			}
			shown[name]++
			source := trimmed(read(t, name))
			for piece := range strings.SplitSeq(strings.TrimSpace(trimmed(code)), "\n…\n") { // what is left out is the handling of errors, or said before
				_, after, found := strings.Cut("\n"+source, "\n"+piece+"\n")
				if piece == "" || !found {
					t.Errorf("this does not stand in %s, or not after what is shown before it:\n%s", name, piece)
				}
				source = after
			}
		}
	}
	for name, times := range shown {
		if times == 0 {
			t.Errorf("docs/migrate.md shows nothing of %s", name)
		}
	}
	if len(shown) < 12 {
		t.Errorf("%d files, so this test has found nothing", len(shown))
	}
}

// TestMigrateTables: the page's tables are what migrate/ saw.
func TestMigrateTables(t *testing.T) {
	text := read(t, "../docs/migrate.md")
	files, err := os.ReadDir("migrate/testdata")
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, wanted 3: %v", len(files), err)
	}
	for _, file := range files {
		shown, seen := text, read(t, "migrate/testdata/"+file.Name())
		if filepath.Ext(file.Name()) == ".txt" {
			shown, seen = fields(shown), fields(seen) // a sentence, however its lines are broken
		} else {
			seen = "\n\n" + seen + "\n" // a whole table
		}
		if !strings.Contains(shown, seen) {
			t.Errorf("docs/migrate.md does not show what is in migrate/testdata/%s:\n%s", file.Name(), seen)
		}
	}
}

// TestMigrateNames: what the page's tables name in Go, and the versions, are those that
// migrate/ is compiled and tested with.
func TestMigrateNames(t *testing.T) {
	text, compiled := read(t, "../docs/migrate.md"), read(t, "migrate/names_test.go")
	words := 0
	for _, table := range strings.Split(text, "\n| before | after |\n")[1:] {
		table, _, _ = strings.Cut(table, "\n\n")
		for _, code := range regexp.MustCompile("`[^`]+`").FindAllString(table, -1) {
			for _, word := range regexp.MustCompile(`\b[A-Z][a-zA-Z]*[a-z][a-zA-Z]*\b`).FindAllString(code, -1) {
				words++
				if !regexp.MustCompile(`\b` + word + `\b`).MatchString(compiled) {
					t.Errorf("%s in %s is not in names_test.go", word, code)
				}
			}
		}
	}
	if words < 50 {
		t.Errorf("%d names, so this test has found nothing", words)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(github\.com/\S+) (v[0-9.]+)$`).FindAllStringSubmatch(read(t, "migrate/go.mod"), -1) {
		switch m[1] {
		case "github.com/google/go-cmp", "github.com/labstack/echo/v4", "github.com/gin-gonic/gin", "github.com/m2mguard/m2mguard":
		default:
			if !strings.Contains(text, m[2]) {
				t.Errorf("the tests run with %s %s, and the page names another version", m[1], m[2])
			}
		}
	}
}
