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

// splitTable cuts a page into what is before the table, the table, and the rest.
func splitTable(page string) (before, table, after string, err error) {
	before, rest, begins := strings.Cut(page, tableBegins)
	table, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return "", "", "", fmt.Errorf("the page lacks %q or %q", tableBegins, tableEnds)
	}
	return before + tableBegins, table, tableEnds + after, nil
}

func replaceTable(file, table string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, _, after, err := splitTable(string(page))
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(before+"\n"+table+"\n"+after), 0o644)
}
