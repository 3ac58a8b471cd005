package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// printTable prints one line for each row and returns how many surprises are
// among them.
func printTable(w io.Writer, rows []row) (surprises int) {
	table := [][]string{{"API", "TOKEN", "CASE", "REQUEST", "STATUS", "CHALLENGE", "REASON"}}
	longest := ""
	for _, r := range rows {
		table = append(table, r.cells())
		if r.surprise() {
			surprises++
		}
		if len(r.got.challenge) > len(longest) {
			longest = r.got.challenge
		}
	}
	printAligned(w, table)
	if longest != "" {
		fmt.Fprintf(w, "\nChallenges are shortened. One in full:\nWWW-Authenticate: %s\n", longest)
	}
	return surprises
}

// printAligned prints lines of cells in columns, with an empty line wherever
// the first two cells change.
func printAligned(w io.Writer, table [][]string) {
	widths := make([]int, len(table[0]))
	for _, cells := range table {
		for i, cell := range cells {
			widths[i] = max(widths[i], len(cell))
		}
	}
	group := ""
	for _, cells := range table {
		var line strings.Builder
		for i, cell := range cells {
			fmt.Fprintf(&line, "%-*s  ", widths[i], cell)
		}
		if g := cells[0] + cells[1]; g != group {
			group = g
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// cells is what a row says in each column.
func (r row) cells() []string {
	status, reason := strconv.Itoa(r.got.status), r.got.reason
	if r.err != nil {
		status, reason = "-", r.err.Error()
	}
	if r.surprise() {
		reason = fmt.Sprintf("SURPRISE, expected %d %s: %s", r.status, r.challenge, reason)
	}
	return []string{r.api, r.kind, r.name, r.method + " /orders", status, cmp.Or(shorten(r.got.challenge), "-"), reason}
}
