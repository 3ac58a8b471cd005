package examples_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the figures of bench/results/results.md into the pages that quote some, and the heading of one place or row")

// quotes are a comment before a table, which says where the rows of that come from:
//
//	<!-- measured
//	columns = one goroutine; allocations
//	seen before = RS256, 965 bytes / m2mguard, seen before
//	a bad proof = Proofs by ES256 / escapes / one goroutine; -
//	-->
//
// A row is what it is called, and where it stands: section, row and, unless they are
// those of the first line, columns, of which "-" is none; a second one of the same name
// has ", again" behind it.
var quotes = regexp.MustCompile(`(?m)^<!-- measured\ncolumns = (.+)\n((?:[^\n]+ = [^\n]+\n)+)-->\n(\|.*\n\|[-:|]+\n)((?:\|.*\n)*)`)

// figures are what results.md holds, by section, row and column.
type figures map[string]map[string]map[string]string

func readFigures(results string) figures {
	found, section, head := figures{}, "", []string(nil)
	for line := range strings.Lines(results) {
		switch name, isHeading := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); {
		case isHeading && strings.HasPrefix(line, "#"):
			section = strings.TrimSpace(name)
			found[section] = map[string]map[string]string{}
		case !strings.HasPrefix(line, "|"):
			head = nil
		case head == nil:
			head = cells(line)
			for i, column := range head {
				if slices.Contains(head[:i], column) {
					head[i] += ", again"
				}
			}
		case !strings.HasPrefix(line, "|--"):
			row := map[string]string{}
			for i, cell := range cells(line) {
				row[head[min(i, len(head)-1)]] = cell
			}
			found[section][cells(line)[0]] = row
		}
	}
	return found
}

// cells are what stands in a row of a table.
func cells(line string) (all []string) {
	for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
		all = append(all, strings.TrimSpace(cell))
	}
	return all
}

// rows are what a table that quotes should say.
func (f figures) rows(columns, from string) (table string, faults []error) {
	usual := strings.Split(columns, "; ")
	for line := range strings.Lines(from) {
		name, place, _ := strings.Cut(strings.TrimSpace(line), " = ")
		parts := strings.Split(place, " / ")
		wanted := usual
		if len(parts) == 3 {
			wanted = strings.Split(parts[2], "; ")
		}
		if len(parts) < 2 || len(parts) > 3 || len(wanted) != len(usual) {
			faults = append(faults, fmt.Errorf("%q names no section and row, or not %d columns", line, len(usual)))
			continue
		}
		table += "| " + name + " |"
		for _, column := range wanted {
			cell := f[parts[0]][parts[1]][column]
			if column == "-" {
				cell = "–"
			} else if cell == "" {
				faults = append(faults, fmt.Errorf("bench/results/results.md has no %q of %q under %q", column, parts[1], parts[0]))
			}
			table += " " + cell + " |"
		}
		table += "\n"
	}
	return table, faults
}

// quoted is a page with the figures that it should have.
func (f figures) quoted(page string) (text string, tables int, faults []error) {
	text = quotes.ReplaceAllStringFunc(page, func(block string) string {
		tables++
		m := quotes.FindStringSubmatch(block)
		rows, wrong := f.rows(m[1], m[2])
		faults = append(faults, wrong...)
		return strings.TrimSuffix(block, m[4]) + rows
	})
	if begun := strings.Count(page, "<!-- measured"); begun != tables {
		faults = append(faults, fmt.Errorf("%d comments begin as those before quoted tables do, and %d are such", begun, tables))
	}
	return text, tables, faults
}

// TestFiguresOfPages: the tables of the pages that quote figures say what the run in
// bench/results has measured. What stands beside them is TestFiguresInProse's. After
// another run:
//
//	go test ./examples -run TestFiguresOfPages -update
func TestFiguresOfPages(t *testing.T) {
	measured := readFigures(read(t, "../bench/results/results.md"))
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, page := range append(pages, "../README.md", "../SECURITY.md") {
		text := read(t, page)
		want, tables, faults := measured.quoted(text)
		all += tables
		for _, fault := range faults {
			t.Errorf("%s: %v", page, fault)
		}
		switch {
		case want == text:
		case *update && len(faults) == 0:
			if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s is as it was measured", page)
		default:
			t.Errorf("%s does not quote what bench/results/results.md holds; -update writes that:\n%s", page, changed(text, want))
		}
	}
	if all < 5 {
		t.Errorf("%d tables with figures, so this test has found nothing", all)
	}
}

// TestAdmitted: docs/performance.md quotes each bound that the run has missed, and no
// other; and it and README.md say that the binary is the largest as long as it is.
func TestAdmitted(t *testing.T) {
	measured, page := readFigures(read(t, "../bench/results/results.md")), read(t, "../docs/performance.md")
	const promised, size = "What is promised", "The size of a program"
	for name, row := range measured[promised] {
		if missed := strings.Contains(row[""], "missed"); missed != strings.Contains(page, " = "+promised+" / "+name+"\n") {
			t.Errorf("docs/performance.md does not tell of %q, or tells though it was kept: missed %t", name, missed)
		} else if missed && row["holds"] != "this processor" {
			t.Errorf("docs/performance.md says that what was missed is stated for one processor alone: %q holds %s", name, row["holds"])
		}
	}
	ours, largest := 0.0, 0.0
	for name, row := range measured[size] {
		var megabytes float64
		if _, err := fmt.Sscanf(row["-ldflags='-s -w'"], "%f MB", &megabytes); err != nil {
			t.Errorf("%s: %q: %v", name, row, err)
		}
		if largest = max(largest, megabytes); name == "m2mguard" {
			ours = megabytes
		}
	}
	for name, said := range map[string]string{"performance.md": page, "README.md": read(t, "../README.md")} {
		if admitted := strings.Contains(said, "largest of those compared"); len(measured[promised]) < 50 || ours == 0 || admitted != (ours == largest) {
			t.Errorf("%d bounds; the binary has %.1f MB and the largest %.1f, %s admits it: %t", len(measured[promised]), ours, largest, name, admitted)
		}
	}
}

// changed are the lines of the second text that are not in the first.
func changed(was, is string) (lines string) {
	old := strings.SplitAfter(was, "\n")
	for line := range strings.Lines(is) {
		if !slices.Contains(old, line) {
			lines += line
		}
	}
	return lines
}

// TestWrongFigures: what a quoted table can be wrong by is noticed.
func TestWrongFigures(t *testing.T) {
	f := readFigures("## A\n\ntext\n\n|  | time | bytes |\n|---|--:|--:|\n| one | 1 ns | 2 |\n| two | 3 ns | 4 |\n\n|  | time | time |\n|---|--:|--:|\n| three | 5 ns | 6 ns |\n")
	for from, want := range map[string]string{
		"first = A / one": "| first | 1 ns | 2 |", "third = A / three / time; -": "| third | 5 ns | – |", "third = A / three / time; time, again": "| third | 5 ns | 6 ns |", "x = A / two / bytes; time": "| x | 4 | 3 ns |",
		"x = B / one": "no \"time\" of \"one\" under \"B\"", "x = A / three": "no \"bytes\"", "x = A": "names no section", "x = A / one / time": "not 2 columns",
	} {
		page := "text\n<!-- measured\ncolumns = time; bytes\n" + from + "\n-->\n|  | time | bytes |\n|---|--:|--:|\n| old | 9 ns | 9 |\n"
		text, tables, faults := f.quoted(page)
		if said := text + fmt.Sprint(faults); tables != 1 || !strings.Contains(said, want) || (len(faults) == 0) != strings.HasPrefix(want, "|") || strings.Contains(text, "old") {
			t.Errorf("%q: %d tables, %s, wanted %s", from, tables, said, want)
		}
	}
	if _, tables, faults := f.quoted("<!-- measured\nfirst = A / one\n-->\n"); tables != 0 || len(faults) == 0 {
		t.Errorf("%d tables, %v", tables, faults)
	}
}
