package main

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/examples/quickstart/internal/quickstart"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write what a run prints to docs/quickstart.txt and docs/quickstart.svg")

const (
	command     = "go run ./examples/quickstart/all"
	textFile    = "../../../docs/quickstart.txt"
	pictureFile = "../../../docs/quickstart.svg"
)

var (
	escape = regexp.MustCompile("\x1b\\[([0-9]+)m")
	// cells is what a row of the table says of three frameworks.
	cells = regexp.MustCompile(`(?m)^ [a-zAPI' ]{12}  (\d{3})      (\d{3})  (\d{3})  \S`)
	// varying is what differs from run to run beside ports: times, and how many of a
	// crowd had to come again.
	varying = regexp.MustCompile(`\d+\.\d+ s|, by one fetch(?: of the key set|; \d+ after a 503)\.`)
	server  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// The docs show what is printed, in text and as a picture.
func TestDocs(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := quickstart.Run(t.Context(), nil, quickstart.Screen{Writer: &stdout, Colour: true}, &stderr, frameworks...); code != 0 || stderr.Len() > 0 {
		t.Errorf("exit code %d: %s%s", code, &stderr, &stdout)
	}
	coloured := "$ " + command + "\n" + servePorts(stdout.String())
	text := escape.ReplaceAllString(coloured, "")
	if rows := cells.FindAllStringSubmatch(text, -1); len(rows) != 14 {
		t.Errorf("%d rows with three statuses, wanted 2 kinds × 7 cases: %s", len(rows), text)
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for name, shown := range map[string]string{textFile: text, pictureFile: picture(coloured)} {
		if *update {
			if err := os.WriteFile(name, []byte(shown), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		held, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(varying.ReplaceAllString(string(held), "#"), varying.ReplaceAllString(shown, "#")); diff != "" {
			t.Errorf("%s is not what a run shows (-update writes it anew): %s", name, diff)
		}
	}
}

// servePorts gives the servers, in the order in which they are named, the ports that
// they have with -serve.
func servePorts(text string) string {
	port := map[string]string{}
	return server.ReplaceAllStringFunc(text, func(found string) string {
		if port[found] == "" {
			port[found] = "127.0.0.1:" + strconv.Itoa(8400+len(port))
		}
		return port[found]
	})
}

func TestServePorts(t *testing.T) {
	got := servePorts("http://127.0.0.1:40001 http://127.0.0.1:39999/x http://127.0.0.1:40001/y")
	if want := "http://127.0.0.1:8400 http://127.0.0.1:8401/x http://127.0.0.1:8400/y"; got != want {
		t.Errorf("got %s, wanted %s", got, want)
	}
}
