package term_test

import (
	"bytes"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/term"
)

func none(string) string { return "" }

func TestWaiting(t *testing.T) {
	for name, test := range map[string]struct {
		takes time.Duration
		want  string
	}{
		"less than a second": {999 * time.Millisecond, ""},
		"more than a second": {1001 * time.Millisecond, "… asking id.example.com\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				end := term.New(&out, none).Waiting("asking id.example.com")
				time.Sleep(test.takes)
				end()
				end() // again is harmless
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if out.String() != test.want {
					t.Errorf("got %q, wanted %q", out.String(), test.want)
				}
			})
		})
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain":               "plain",
		"two\nlines":          "two lines",
		"\x1b]0;title\x07red": "�]0;title�red",
		"\u202eback\u200b":    "�back�",
	} {
		if got := term.Clean(text); got != want {
			t.Errorf("%q is %q, wanted %q", text, got, want)
		}
	}
}

// TestPaint takes the null device for a terminal: like one, it is a character device.
func TestPaint(t *testing.T) {
	device, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	env := func(name, value string) func(string) string {
		return func(asked string) string {
			if asked == name {
				return value
			}
			return ""
		}
	}
	for name, test := range map[string]struct {
		screen *term.Screen
		want   string
	}{
		"a terminal":       {term.New(device, none), "\x1b[32mgood\x1b[0m"},
		"NO_COLOR":         {term.New(device, env("NO_COLOR", "1")), "good"},
		"NO_COLOR, empty":  {term.New(device, env("NO_COLOR", "")), "\x1b[32mgood\x1b[0m"},
		"a dumb terminal":  {term.New(device, env("TERM", "dumb")), "good"},
		"a pipe or a file": {term.New(new(bytes.Buffer), none), "good"},
	} {
		if got := test.screen.Paint(term.Green, "good"); got != test.want {
			t.Errorf("%s: %q, wanted %q", name, got, test.want)
		}
	}
}

// TestProgress: elsewhere than on a terminal, there is one line for each change.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := term.New(&out, none).Progress()
	for _, text := range []string{"0 of 2", "0 of 2", "1 of 2", "2 of\n2"} {
		p.Show(text)
	}
	p.End()
	if want := "0 of 2\n1 of 2\n2 of 2\n"; out.String() != want {
		t.Errorf("got %q, wanted %q", out.String(), want)
	}
}
