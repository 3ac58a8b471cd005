package quickstart

import (
	"fmt"
	"strconv"
	"strings"
)

// nameWidth is the columns of the longest name of a check or a drill.
const nameWidth = 12

// printTable prints a line for each row, under its kind of token, and returns how
// many surprises are among them.
func printTable(s Screen, rows []row) (surprises int) {
	header := strings.Repeat(" ", 1+nameWidth+2)
	for _, c := range rows[0].cells {
		header += fmt.Sprintf("%-*s ", columnWidth(c), c.api)
	}
	header += " what the client is told about its token"
	s.printf("\n%s\n", s.paint(bold, header))

	kind, challenge := "", ""
	for _, r := range rows {
		if r.kind != kind {
			kind = r.kind
			s.printf("%s\n", s.paint(bold, kind))
		}
		surprises += printRow(s, r)
		if challenge == "" && r.status == 403 {
			challenge = r.cells[0].got.challenge
		}
	}
	if challenge != "" {
		s.printf("\nA challenge (RFC 6750), to a token that lacks a scope:\n")
		for _, line := range wrap(" ", challenge) {
			s.printf("%s\n", line)
		}
	}
	return surprises
}

// printRow prints what every API answered, and below it what was not expected.
func printRow(s Screen, r row) (surprises int) {
	line, told := fmt.Sprintf(" %-*s  ", nameWidth, r.name), ""
	var wrong []string
	for _, c := range r.cells {
		status, shade := strconv.Itoa(c.got.status), yellow
		switch {
		case r.surprise(c):
			shade = red
			wrong = append(wrong, r.complaint(c))
			if c.err != nil {
				status = "-"
			}
		case c.got.status < 300:
			shade = green
		}
		line += s.paint(shade, status) + strings.Repeat(" ", columnWidth(c)-len(status)+1)
		if told == "" {
			told = tell(c.got.reason)
		}
	}
	s.printf("%s\n", strings.TrimRight(line+" "+told, " "))
	for _, complaint := range wrong {
		for _, part := range wrap("   ", complaint) {
			s.printf("%s\n", s.paint(red, part))
		}
	}
	return len(wrong)
}

// complaint says what was expected in place of a surprise.
func (r row) complaint(c cell) string {
	if c.err != nil {
		return fmt.Sprintf("SURPRISE on %s, expected %d: %v", c.api, r.status, c.err)
	}
	return fmt.Sprintf("SURPRISE on %s, expected %d %s, got %d %s: %s",
		c.api, r.status, r.challenge, c.got.status, shorten(c.got.challenge), c.got.reason)
}

// columnWidth has room for a framework's name and a status.
func columnWidth(c cell) int { return max(len(c.api), 3) }

// tell leaves out of a sentence what is the same in nearly each.
func tell(reason string) string {
	return strings.TrimPrefix(strings.TrimSuffix(reason, "."), "The access token ")
}

// printSixLines prints the code that did it.
func printSixLines(s Screen) {
	s.printf("\nThe code that did it, in examples/quickstart/internal/quickstart/api.go:\n\n")
	for line := range strings.Lines(sixLines) {
		s.printf("  %s\n", s.paint(cyan, strings.TrimRight(line, "\n")))
	}
	s.printf("\n%s\n", besides)
}
