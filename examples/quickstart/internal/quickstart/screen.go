package quickstart

import (
	"fmt"
	"io"
	"os"
	"strings"
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

// screen is where a run is shown.
type screen struct {
	io.Writer
	colour bool
}

// colourful reports whether what is written there is looked at on a terminal that
// shows colours, by somebody who wants them (no-color.org).
func colourful(w io.Writer, getenv func(string) string) bool {
	file, ok := w.(*os.File)
	if !ok || getenv("NO_COLOR") != "" || getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (s screen) printf(format string, args ...any) { fmt.Fprintf(s.Writer, format, args...) }

// paint puts a colour around a text, where there are colours.
func (s screen) paint(c colour, text string) string {
	if !s.colour {
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
		case len(line)+1+len(word) <= width:
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
