package serve_test

import (
	"bytes"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/serve"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestOwnKeyStays: where the file names no key, a reload makes no new one, and so no
// identity is handed out that the API's copy of the keys does not verify.
func TestOwnKeyStays(t *testing.T) {
	iss := issuertest.New(t)
	b := &serve.Builder{Log: slog.New(slog.DiscardHandler)}
	var keys [][]byte
	for range 2 {
		set, err := build(t, b, file(iss, ""))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, set.Gateway.KeySet())
		set.Close()
	}
	if len(keys[0]) == 0 || !bytes.Equal(keys[0], keys[1]) {
		t.Errorf("%s, then %s", keys[0], keys[1])
	}
}

// TestSetsAreClosed, each once, when the next one serves or the program ends.
func TestSetsAreClosed(t *testing.T) {
	iss := issuertest.New(t)
	var g *gate
	loaded := make(chan struct{})
	g = run(t, file(iss, ""), "127.0.0.1:0", func(b *serve.Builder) (*serve.Set, error) {
		defer close(loaded)
		set, err := build(t, b, file(iss, ""))
		if err == nil {
			closing(set, &g.closed)
		}
		return set, err
	})
	if n := g.closed.Load(); n != 0 {
		t.Errorf("%d closed while the first one serves", n)
	}
	g.reload <- syscall.SIGHUP
	<-loaded
	for !strings.Contains(g.log.String(), "the new configuration serves") {
		time.Sleep(time.Millisecond)
	}
	if n := g.closed.Load(); n != 1 {
		t.Errorf("%d closed once the second one serves, wanted 1", n)
	}
	if err := g.stop(); err != nil {
		t.Error(err)
	}
	if n := g.closed.Load(); n != 2 {
		t.Errorf("%d closed at the end, wanted 2", n)
	}
}

// TestNotice: whoever asks whether the program is ready is told no before it ends, while
// it still answers.
func TestNotice(t *testing.T) {
	asked, looked := make(chan time.Duration, 1), make(chan struct{})
	t.Cleanup(serve.Sleep(func(d time.Duration) {
		asked <- d
		<-looked
	}))
	iss := issuertest.New(t)
	g := run(t, file(iss, ""), "127.0.0.1:0", nil)
	stopped := make(chan error, 1)
	go func() { stopped <- g.stop() }()
	if d := <-asked; d != notice {
		t.Errorf("waits %v, wanted %v", d, notice)
	}
	if status, text := look(t, g.admin+"/ready"); status != 503 || !strings.Contains(text, "draining") {
		t.Errorf("ready: %d %s", status, text)
	}
	if status, err := g.ask("/health", ""); status != 200 || err != nil {
		t.Errorf("meanwhile: %d, %v", status, err)
	}
	close(looked)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestAccessLogs: which decisions are logged.
func TestAccessLogs(t *testing.T) {
	iss := issuertest.New(t)
	for which, want := range map[string]struct{ passed, refused int }{"": {0, 1}, "refused": {0, 1}, "all": {1, 1}, "off": {0, 0}} {
		more := ""
		if which != "" {
			more = "  accessLog: " + which + "\n"
		}
		g := run(t, file(iss, more), "127.0.0.1:0", nil)
		for target, status := range map[string]int{"/health": 200, "/orders": 401} {
			if got, err := g.ask(target, ""); got != status || err != nil {
				t.Errorf("%s: %d, %v", target, got, err)
			}
		}
		log := g.log.String()
		if passed, refused := strings.Count(log, `"let through"`), strings.Count(log, `"refused"`); passed != want.passed || refused != want.refused {
			t.Errorf("%q: %d let through and %d refused, wanted %+v:\n%s", which, passed, refused, want, log)
		}
		if err := g.stop(); err != nil {
			t.Error(err)
		}
	}
}
