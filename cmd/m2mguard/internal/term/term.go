// Package term writes what people read: verdicts in colour where there is a terminal,
// and a line that says what takes so long.
package term

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
)

// patience is how long something may take before a line says what it is.
const patience = time.Second

// Screen is where output goes, and what is known of it.
type Screen struct {
	w        io.Writer
	terminal bool
	colour   bool
}

// New looks at w. Colours are for terminals, unless NO_COLOR is set and not empty
// (no-color.org) or TERM says that there are none.
func New(w io.Writer, getenv func(string) string) *Screen {
	s := &Screen{w: w}
	if file, ok := w.(*os.File); ok {
		s.terminal = isTerminal(file)
	}
	s.colour = s.terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	return s
}

// Colour is what a word is written in.
type Colour int

// The colours, by their numbers in ECMA-48.
const (
	Red    Colour = 31
	Green  Colour = 32
	Yellow Colour = 33
)

// Paint returns text in a colour, or as it is.
func (s *Screen) Paint(c Colour, text string) string {
	if !s.colour {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text)
}

// Printf writes to the screen. Who looks may have gone; there is nobody to tell.
func (s *Screen) Printf(format string, args ...any) { _, _ = fmt.Fprintf(s.w, format, args...) }

// Clean is text of somebody else's as a terminal may be shown it: on one line, without
// anything that a terminal obeys.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// Prompt asks for input where somebody sits before it, and reports whether that is so.
func (s *Screen) Prompt(in io.Reader, text string) bool {
	file, ok := in.(*os.File)
	asked := ok && isTerminal(file)
	if asked {
		s.Printf("%s", text)
	}
	return asked
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Waiting has the screen say what is done once it took a second. end takes the line
// away again, where that can be.
func (s *Screen) Waiting(what string) (end func()) {
	var mu sync.Mutex
	var shown, ended bool
	timer := time.AfterFunc(patience, func() {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case ended:
		case s.terminal:
			shown = true
			s.Printf("… %s", Clean(what))
		default:
			s.Printf("… %s\n", Clean(what))
		}
	})
	return func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		if shown && !ended {
			s.Printf("\r\x1b[K")
		}
		ended = true
	}
}

// Progress is how something goes on: one line that changes on a terminal, and elsewhere a
// line for each change.
type Progress struct {
	s    *Screen
	last string
}

// Progress begins one.
func (s *Screen) Progress() *Progress { return &Progress{s: s} }

// Show says how far it is.
func (p *Progress) Show(text string) {
	switch {
	case text == p.last:
		return
	case p.s.terminal:
		p.s.Printf("\r\x1b[K%s", Clean(text))
	default:
		p.s.Printf("%s\n", Clean(text))
	}
	p.last = text
}

// End takes the line away again, where that can be.
func (p *Progress) End() {
	if p.s.terminal && p.last != "" {
		p.s.Printf("\r\x1b[K")
	}
}
