package doctor_test

import (
	"context"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/doctor"
	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/redistest"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// rows are the mistakes that no library can see by itself, each with the line that names
// it, and what to change.
var rows = map[string]struct {
	lines func(*testing.T) []doctor.Line
	what  string
	do    string
}{
	"Ready with a wrong introspection secret": {func(t *testing.T) []doctor.Line {
		return doctor.Examine(t.Context(), named(asked(issuertest.New(t), "wrong-wrong")), doctor.Options{})
	}, "introspection", "introspection.auth"},
	"Close forgotten": {silent, "instances", "call Close of the fleet and of the validator"},
}

// TestRowsOfMistakes: each mistake that is left for doctor is named by one line.
func TestRowsOfMistakes(t *testing.T) {
	list, err := os.ReadFile("../../../../internal/trials/mistakes/rows_test.go")
	if err != nil {
		t.Fatal(err)
	}
	left := regexp.MustCompile(`\{"([^"]+)", byDoctor,`).FindAllStringSubmatch(string(list), -1)
	if len(left) != len(rows) {
		t.Errorf("%d mistakes are left for doctor, and %d are here", len(left), len(rows))
	}
	for _, name := range left {
		t.Run(name[1], func(t *testing.T) {
			row, there := rows[name[1]]
			if !there {
				t.Fatal("it is not here")
			}
			lines := row.lines(t)
			for _, l := range lines {
				if l.Verdict != doctor.Good && l.What == row.what && strings.Contains(l.Do, row.do) && !strings.Contains(l.Found+l.Do, "\n") {
					return
				}
			}
			t.Errorf("no line says %q and %q:\n%+v", row.what, row.do, lines)
		})
	}
}

// silent is what is said while one of two instances has ended without Close.
func silent(t *testing.T) []doctor.Line {
	address := redistest.Start(t)
	way, cut := link(t, address)
	ended := withFleet(t, fleet.Config{URL: "redis://" + way}).Fleet
	waitFor(t, ended.Revocations())
	if _, err := ended.Listen(t.Context()); err != nil { // until its heartbeat is in the log
		t.Fatal(err)
	}
	cut()
	f := fromFile(t, "url: 'redis://"+address+"'")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		heard, err := f.Fleet.Listen(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(heard.Silent) == 1 {
			return doctor.Examine(ctx, f, doctor.Options{})
		}
	}
}

// link is a way to a server that can be cut, as when whoever is at its end is killed.
func link(t *testing.T, to string) (address string, cut func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	all := []io.Closer{l}
	cut = func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range all {
			_ = c.Close()
		}
	}
	t.Cleanup(cut)
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			mu.Lock()
			all = append(all, near, far)
			mu.Unlock()
			go func() { _, _ = io.Copy(far, near) }()
			go func() { _, _ = io.Copy(near, far) }()
		}
	}()
	return l.Addr().String(), cut
}
