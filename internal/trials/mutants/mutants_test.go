package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEditsMatch fails when the code that a mutant changes was changed: mend the
// mutant, and run the command again.
func TestEditsMatch(t *testing.T) {
	for _, m := range mutants() {
		texts := make(map[string]string)
		for _, e := range m.edits {
			if texts[e.file] == "" {
				texts[e.file] = read(t, e.file)
			}
			changed, err := e.in(texts[e.file])
			if err != nil {
				t.Errorf("%s: %v: what this mutant takes away is written in another way now; its row in this folder must follow", m.row(""), err)
				continue
			}
			if changed == texts[e.file] {
				t.Errorf("%s: the edit of %s changes nothing", m.row(""), e.file)
			}
			texts[e.file] = changed
		}
	}
}

// TestOrderedListsAreCovered compares the mutants with the lists in
// validator/checks.go and dpop/checks.go: each of their lines has one at least.
func TestOrderedListsAreCovered(t *testing.T) {
	for file, list := range map[string]struct {
		lines  int
		prefix string
	}{"validator/checks.go": {17, ""}, "dpop/checks.go": {19, "DPoP, "}} {
		lines := regexp.MustCompile(`(?m)^//\t *(\d+)  (\S.*?)  `).FindAllStringSubmatch(read(t, file), -1)
		if len(lines) < list.lines {
			t.Fatalf("%s: %d lines found in the ordered list, wanted %d", file, len(lines), list.lines)
		}
		for i, line := range lines {
			if line[1] != strconv.Itoa(i+1) {
				t.Errorf("%s: line %s of the ordered list, %s, is number %d", file, line[1], line[2], i+1)
			}
			covered := false
			for _, m := range mutants() {
				covered = covered || m.check == list.prefix+line[2]
			}
			if !covered {
				t.Errorf("%s: nobody has seen a test fail without line %s, %s: add a mutant of that name to a list in this folder, and then\n\tgo run ./internal/trials/mutants -only '| %s |' -write", file, line[1], line[2], list.prefix+line[2])
			}
		}
	}
}

// TestTableIsCurrent compares docs/mutants.md with the mutants.
func TestTableIsCurrent(t *testing.T) {
	_, table, _, err := splitTable(read(t, "docs/mutants.md"))
	if err != nil {
		t.Fatal(err)
	}
	noticed := known(table)
	if len(noticed) == 0 {
		t.Fatal("the table is empty: go run ./internal/trials/mutants -write")
	}
	all := mutants()
	want := render(all, fill(all, noticed))
	for _, m := range all {
		if noticed[m.row("")] == "" {
			t.Errorf("docs/mutants.md has no row of %s: go run ./internal/trials/mutants -only '| %s |' -write", m.row("…"), m.disabled)
		}
		delete(noticed, m.row(""))
	}
	for row := range noticed {
		t.Errorf("docs/mutants.md has a row of no mutant, %s, which goes with the next -write", row)
	}
	if !t.Failed() && strings.TrimSpace(table) != strings.TrimSpace(want) {
		t.Error("the rows of docs/mutants.md are in another order than the mutants: go run ./internal/trials/mutants -only WORD -write, with a word of any row, mends that")
	}
}

// TestOneRowIsWritten: of a mutant that is new, without the hour that all of them take.
// The others keep what noticed them, one without a test is asked for, and one that is
// gone goes.
func TestOneRowIsWritten(t *testing.T) {
	one, two := mutant{check: "exp", disabled: "one"}, mutant{check: "exp", disabled: "two"}
	table := render([]mutant{one, {check: "exp", disabled: "gone"}}, []string{"`a.TestOne`", "`a.TestGone`"})
	noticed := known(table)
	if got := missing([]mutant{one, two}, noticed); len(got) != 1 || got[0] != two.row("") {
		t.Errorf("missing: %q", got)
	}
	noticed[two.row("")] = "`b.TestTwo`"
	all := []mutant{two, one}
	if got, want := render(all, fill(all, noticed)), render(all, []string{"`b.TestTwo`", "`a.TestOne`"}); got != want {
		t.Errorf("got\n%s, wanted\n%s", got, want)
	}
}

// testName is how our pages name a test: the folder of its package, and it.
var testName = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)\\w+)`")

// TestNamedTestsExist looks for every test that our pages on security name, and
// wants each row of the table of threats to name one.
func TestNamedTestsExist(t *testing.T) {
	page := read(t, "SECURITY.md")
	names := testName.FindAllStringSubmatch(page+read(t, "docs/mutants.md")+read(t, "docs/fips.md")+read(t, "docs/backing-off.md")+read(t, "docs/threats.md")+read(t, "docs/architecture.md"), -1)
	if len(names) < len(mutants()) {
		t.Errorf("%d tests are named", len(names))
	}
	known := make(map[string]bool)
	for _, name := range names {
		folder, test := name[1], name[2]
		if !known[folder] {
			known[folder] = true
			files, err := filepath.Glob(filepath.Join(root(t), folder, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(string(text), -1) {
					known[folder+"."+f[1]] = true
				}
			}
		}
		if !known[folder+"."+test] {
			t.Errorf("a page names %s.%s, which does not exist", folder, test)
		}
	}
	_, threats, _ := strings.Cut(page, "| threat | defence | proof |\n")
	threats, _, _ = strings.Cut(threats, "\n\n")
	rows := strings.Split(threats, "\n")
	if len(rows) < 20 {
		t.Errorf("%d rows in the table of threats", len(rows))
	}
	group := regexp.MustCompile(`^\| \*\*[^|]+\*\* \| \| \|$`)
	if !group.MatchString(rows[1]) {
		t.Errorf("the table begins without the name of a group: %q", rows[1])
	}
	for i, row := range rows[1:] {
		if group.MatchString(row) {
			if i+2 == len(rows) || group.MatchString(rows[i+2]) {
				t.Errorf("nothing is in the group %q", row)
			}
			continue
		}
		if !testName.MatchString(row) || strings.Count(row, "|") != 4 {
			t.Errorf("no test proves %q", row)
		}
	}
}
