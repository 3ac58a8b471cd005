package main

import (
	"fmt"
	"os"
	"strings"
)

// The table stands between these lines of docs/mutants.md.
const (
	tableBegins = "<!-- The table below is the output of: go run ./internal/trials/mutants -write -->\n"
	tableEnds   = "<!-- The table ends here. -->\n"
)

// render writes the table.
func render(all []mutant, noticed []string) string {
	var b strings.Builder
	b.WriteString("| check | what was disabled | a test that failed |\n|---|---|---|\n")
	for i, m := range all {
		b.WriteString(m.row(noticed[i]) + "\n")
	}
	return b.String()
}

// known reads what a table says: by its row without a test, the test that noticed each
// mutant.
func known(table string) map[string]string {
	noticed := make(map[string]string)
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if test := strings.TrimSuffix(cells[len(cells)-1], " |"); len(cells) == 3 && strings.HasPrefix(test, "`") {
			noticed[strings.Join(cells[:2], " | ")+" |  |"] = test
		}
	}
	return noticed
}

// fill puts what is known into the order of the mutants.
func fill(all []mutant, noticed map[string]string) []string {
	tests := make([]string, len(all))
	for i, m := range all {
		tests[i] = noticed[m.row("")]
	}
	return tests
}

// missing are the rows of mutants of which nobody knows which test notices.
func missing(all []mutant, noticed map[string]string) (rows []string) {
	for _, m := range all {
		if noticed[m.row("")] == "" {
			rows = append(rows, m.row(""))
		}
	}
	return rows
}

// splitTable cuts a page into what is before the table, the table, and the rest.
func splitTable(page string) (before, table, after string, err error) {
	before, rest, begins := strings.Cut(page, tableBegins)
	table, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return "", "", "", fmt.Errorf("the page lacks %q or %q", tableBegins, tableEnds)
	}
	return before + tableBegins, table, tableEnds + after, nil
}

// replaceRows puts what was noticed into the table of a file; the other mutants keep
// their rows.
func replaceRows(file string, chosen []mutant, noticed []string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, table, after, err := splitTable(string(page))
	if err != nil {
		return err
	}
	tests := known(table)
	for i, m := range chosen {
		tests[m.row("")] = noticed[i]
	}
	all := mutants()
	if rows := missing(all, tests); rows != nil {
		return fmt.Errorf("nothing is written: choose these with -only, too, which have no row yet:\n%s", strings.Join(rows, "\n"))
	}
	return os.WriteFile(file, []byte(before+"\n"+render(all, fill(all, tests))+"\n"+after), 0o644)
}
