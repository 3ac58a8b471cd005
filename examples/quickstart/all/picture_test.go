package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// Measures of the picture, in its own units.
const (
	columns    = 80
	fontSize   = 14
	advance    = 8.43 // of one character; monospaced fonts have 0.60 of their size
	lineHeight = 19
	margin     = 18
)

// shades are the colours that a run asks for, on the picture's own dark ground, so
// that a page's ground does not matter.
var shades = map[string]string{"1": "#ffffff", "31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "36": "#79c0ff"}

// picture draws a terminal that shows this text, with its escapes. Text stays text.
func picture(coloured string) string {
	lines := strings.Split(strings.TrimRight(coloured, "\n"), "\n")
	var b strings.Builder
	width, height := columns*advance+2*margin, len(lines)*lineHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" height="%d" role="img" aria-labelledby="title desc">
<title id="title">What the quickstart prints</title>
<desc id="desc">A terminal after %s: a table of what APIs on net/http, Echo and Gin answer to good and bad tokens, seven drills with what was done and seen, and the six lines of code that did it. The same as text: quickstart.txt.</desc>
<style>text { font: %dpx ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d1d7e0; white-space: pre }</style>
<rect x=".5" y=".5" width="%.0f" height="%d" rx="8" fill="#151b23" stroke="#656c76"/>
`, width, height, width, height, command, fontSize, width-1, height-1)
	for i, line := range lines {
		if line == "" {
			continue
		}
		fmt.Fprintf(&b, `<text y="%d">`, margin+i*lineHeight+fontSize)
		column, code := 0, ""
		for line != "" {
			run, rest := line, ""
			at := escape.FindStringSubmatchIndex(line)
			next := code
			if at != nil {
				run, rest, next = line[:at[0]], line[at[1]:], line[at[2]:at[3]]
			}
			for run != "" { // gaps are left by position: some viewers draw one blank for many
				part := run
				if gap := strings.Index(strings.TrimLeft(run, " "), "  "); gap >= 0 {
					part = run[:len(run)-len(strings.TrimLeft(run, " "))+gap]
				}
				b.WriteString(span(part, column, code))
				column += utf8.RuneCountInString(part)
				run = run[len(part):]
			}
			line, code = rest, next
		}
		b.WriteString("</text>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// span is a run of one colour from a column on; what is blank at its beginning is left
// out.
func span(run string, column int, code string) string {
	trimmed := strings.TrimLeft(run, " ")
	column += len(run) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, " ")
	if trimmed == "" {
		return ""
	}
	var text strings.Builder
	_ = xml.EscapeText(&text, []byte(trimmed)) // a strings.Builder takes all
	style := ""
	if shade := shades[code]; shade != "" {
		style = fmt.Sprintf(` fill="%s"`, shade)
	}
	if code == "1" {
		style += ` font-weight="bold"`
	}
	return fmt.Sprintf(`<tspan x="%.1f"%s>%s</tspan>`, margin+float64(column)*advance, style, &text)
}

func TestPicture(t *testing.T) {
	got := picture("plain \x1b[32m200\x1b[0m a<b   c\n")
	for _, want := range []string{`<tspan x="18.0">plain</tspan>`, `<tspan x="68.6" fill="#7ee787">200</tspan>`, `<tspan x="102.3">a&lt;b</tspan><tspan x="152.9">c</tspan>`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	for decoder := xml.NewDecoder(strings.NewReader(got)); ; {
		if _, err := decoder.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
