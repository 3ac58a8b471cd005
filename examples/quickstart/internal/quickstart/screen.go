package quickstart

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// width is how many columns a line of output may have.
const width = 80

// colour is how a terminal is asked for one (ECMA-48 §8.3.117).
type colour string

const (
	bold   colour = "1"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	cyan   colour = "36"
)

// Screen is where a run is shown, in colours or without.
type Screen struct {
	io.Writer
	Colour bool
}

// screenOn is a screen with colours if what is written there is looked at on a terminal
// that shows them, by somebody who wants them (no-color.org).
func screenOn(w io.Writer, getenv func(string) string) Screen {
	if s, ok := w.(Screen); ok {
		return s
	}
	return Screen{Writer: w, Colour: colourful(w, getenv)}
}

func colourful(w io.Writer, getenv func(string) string) bool {
	file, ok := w.(*os.File)
	if !ok || getenv("NO_COLOR") != "" || getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (s Screen) printf(format string, args ...any) { fmt.Fprintf(s.Writer, format, args...) }

// paint puts a colour around a text, where there are colours.
func (s Screen) paint(c colour, text string) string {
	if !s.Colour {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// wrap breaks a text between words into lines that begin with an indent and have at
// most width columns; a word that is longer stands alone.
func wrap(indent, text string) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = indent + word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), indent+word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
