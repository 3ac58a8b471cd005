package report

import (
	"fmt"
	"strconv"
	"strings"
)

// duration writes nanoseconds with three digits.
func duration(ns float64) string {
	switch {
	case ns < 9.995:
		return fmt.Sprintf("%.2f ns", ns)
	case ns < 99.95:
		return fmt.Sprintf("%.1f ns", ns)
	case ns < 999.5:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 9995:
		return fmt.Sprintf("%.2f µs", ns/1e3)
	case ns < 99_950:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	case ns < 999_500:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	default:
		return fmt.Sprintf("%.2f ms", ns/1e6)
	}
}

// thousands writes a number with commas.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

func megabytes(n uint64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// table writes a Markdown table. The first column is text, the others are
// aligned to the right.
func table(b *strings.Builder, header []string, rows [][]string) {
	b.WriteString("| " + strings.Join(header, " | ") + " |\n|---|")
	b.WriteString(strings.Repeat("--:|", len(header)-1) + "\n")
	for _, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	b.WriteByte('\n')
}
