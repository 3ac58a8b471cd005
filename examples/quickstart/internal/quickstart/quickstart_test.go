package quickstart

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestMain is also the curl that TestPastes has a shell find, and the program that
// TestSignals ends.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "curl":
		os.Exit(curl(os.Args[1:], os.Stdout, os.Stderr))
	case "quickstart":
		os.Exit(untilSignalled(func(ctx context.Context) int {
			code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, false, []Framework{NetHTTP})
			fmt.Println("ending")
			_, _ = io.Copy(io.Discard, os.Stdin) // until TestSignals closes it
			return code
		}))
	}
	goleak.VerifyTestMain(m)
}

var (
	// tableRow finds a line of the table: case, status, what the client is told.
	tableRow = regexp.MustCompile(`(?m)^ [a-zAPI' ]{12}  (\d{3}|-) +\S`)
	escape   = regexp.MustCompile("\x1b\\[[0-9]+m")
	// varying is what differs from run to run: ports, times, who had to come again.
	varying = regexp.MustCompile(`:\d{4,5}\b|\d+\.\d+ s|, \d+ by a second request; one fetch\.|, by one fetch of the key set\.`)
)

func TestQuickstart(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := Run(t.Context(), nil, &stdout, &stderr, NetHTTP); code != 0 {
		t.Errorf("exit code %d", code)
	}
	plain := stdout.String()
	if n := len(tableRow.FindAllString(plain, -1)); n != 14 {
		t.Errorf("%d rows, wanted 2 kinds × 7 cases", n)
	}
	for _, d := range drills {
		did := regexp.QuoteMeta(d.done)
		if n := len(regexp.MustCompile(`(?m)^`+d.name+` +`+did+`\n {14}\S.*\n(\S|$)`).FindAllString(plain, -1)); n != 1 {
			t.Errorf("%q is %d times there with one line of what was done and one of what was seen", d.name, n)
		}
	}
	if strings.Contains(plain, "eyJ") {
		t.Error("a token was printed")
	}
	if strings.Contains(plain, "\x1b") {
		t.Error("colours, although this is no terminal")
	}
	if stderr.Len() > 0 {
		t.Errorf("standard error: %s", &stderr)
	}
	fits(t, plain)
	last := plain[strings.LastIndex(plain, "Next: ")+len("Next: "):]
	for page := range strings.SplitSeq(strings.TrimSpace(last), ", ") {
		if _, err := os.Stat(filepath.Join("../../../..", page)); err != nil {
			t.Errorf("it points at a page that is not there: %v", err)
		}
	}

	stdout.Reset()
	if code := Run(t.Context(), nil, Screen{&stdout, true}, &stderr, NetHTTP); code != 0 {
		t.Errorf("in colours: exit code %d", code)
	}
	if n := len(escape.FindAllString(stdout.String(), -1)); n < 50 {
		t.Errorf("%d escapes in colours", n)
	}
	bare := escape.ReplaceAllString(stdout.String(), "")
	fits(t, bare)
	if varying.ReplaceAllString(bare, "#") != varying.ReplaceAllString(plain, "#") {
		t.Errorf("in colours it says something else: %s", bare)
	}
	if t.Failed() {
		t.Log(plain)
	}
}

// fits checks that a text is legible at 80 columns.
func fits(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// The lines that are shown are those that ran.
func TestSixLines(t *testing.T) {
	source, err := os.ReadFile("api.go")
	if err != nil {
		t.Fatal(err)
	}
	rest, n := string(source), 0
	for line := range strings.Lines(sixLines) {
		_, after, found := strings.Cut(rest, "\n\t"+line)
		if !found {
			t.Errorf("api.go does not have, below the line before: %s", line)
		}
		rest = "\n" + after
		n++
	}
	if n != 6 {
		t.Errorf("%d lines", n)
	}
}

// Whatever goes wrong is marked where it happened and makes the exit code 1.
func TestSurprises(t *testing.T) {
	t.Run("no answers", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var stdout, stderr bytes.Buffer
		if code := Run(ctx, nil, &stdout, &stderr, NetHTTP); code != 1 {
			t.Errorf("exit code %d, wanted 1", code)
		}
		if n := strings.Count(stdout.String(), "SURPRISE"); n != 14+len(drills) {
			t.Errorf("%d surprises are marked, wanted one for each row and drill: %s", n, &stdout)
		}
	})
	t.Run("a thief who gets in", func(t *testing.T) {
		d := startDemo(t)
		bearer := []step{{"the thief, without a proof", "Bearer", nil, http.StatusUnauthorized}}
		token := d.issuer.Token(issuertest.Claims{Audience: []string{audience}, Scope: "orders:read"}) // bound to nobody
		if err := d.try(t.Context(), d.apis[0], token, bearer); err == nil || !strings.Contains(err.Error(), "answered 200 to the thief") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no keys", func(t *testing.T) {
		d := startDemo(t)
		d.issuer.SetFault(issuertest.JWKS, issuertest.ServerError())
		var out bytes.Buffer
		const want = 3 // valid, lacks scope, tampered
		if n := printTable(Screen{&out, false}, runChecks(t.Context(), d)); n != want {
			t.Errorf("%d surprises, wanted %d", n, want)
		}
		if n := strings.Count(out.String(), "SURPRISE"); n != want {
			t.Errorf("%d surprises are marked, wanted %d: %s", n, want, &out)
		}
	})
	t.Run("an API that tells its clients something else", func(t *testing.T) {
		r := row{check: check{status: 401, challenge: "Bearer orders:read"}}
		for _, reason := range []string{"No.", "No.", "Never."} {
			r.cells = append(r.cells, cell{api: "API", got: answer{401, `Bearer realm="api", scope="orders:read"`, "", reason}})
		}
		var out bytes.Buffer
		if n := printRow(Screen{&out, false}, r); n != 1 || !strings.Contains(out.String(), "Never.") {
			t.Errorf("%d surprises, wanted 1: %s", n, &out)
		}
	})
}

// An instance that starts later hears what was killed before.
func TestLateInstance(t *testing.T) {
	d := startDemo(t)
	token, err := d.token(t.Context(), jwt, d.issuer, audience)
	if err != nil {
		t.Fatal(err)
	}
	if told, err := d.kill.send(revocation.Block(revocation.Client(d.issuer.URL(), jwt.clientID))); told != 1 || err != nil {
		t.Fatalf("%d instances were told: %v", told, err)
	}
	late, err := d.startAPI(NetHTTP, loopback(false, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer late.close()
	if _, err := d.expect(t.Context(), late, http.MethodGet, token, http.StatusUnauthorized); err != nil {
		t.Error(err)
	}
}

// Instances that hear nothing new know that there is nothing new.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKillSwitch()
		defer k.close()
		list, err := k.join()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * revocation.DefaultStaleAfter)
		if s := list.Stats(); s.Stale || s.Age > heartbeat {
			t.Errorf("stale: %v, heard of %v ago", s.Stale, s.Age)
		}
		k.leave(list)
		if told, err := k.send(revocation.Lift(revocation.Client("https://id.example.test", "c"))); told != 0 || err != nil {
			t.Errorf("after it left: %d instances were told, %v", told, err)
		}
	})
}

// A client that is told to come again comes again; another refusal is a surprise.
func TestEnter(t *testing.T) {
	for name, test := range map[string]struct {
		refusals []int
		again    int64
		ok       bool
	}{
		"let in":    {nil, 0, true},
		"busy":      {[]int{503, 503}, 2, true},
		"throttled": {[]int{429}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refusals := test.refusals
				a := &api{server: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if len(refusals) > 0 {
						w.Header().Set("Retry-After", "1")
						w.WriteHeader(refusals[0])
						refusals = refusals[1:]
					}
				})}}
				var again atomic.Int64
				if err := enter(t.Context(), a, "10.0.0.1:50000", "token", &again); (err == nil) != test.ok || again.Load() != test.again {
					t.Errorf("got %v after coming again %d times", err, again.Load())
				}
			})
		})
	}
}

func TestColourful(t *testing.T) {
	device, err := os.Open(os.DevNull) // a character device, as terminals are
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, test := range map[string]struct {
		w    *os.File
		env  map[string]string
		want bool
	}{
		"terminal":       {device, map[string]string{"TERM": "xterm-256color"}, true},
		"file":           {file, map[string]string{"TERM": "xterm-256color"}, false},
		"NO_COLOR":       {device, map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false},
		"NO_COLOR empty": {device, map[string]string{"TERM": "xterm", "NO_COLOR": ""}, true},
		"dumb":           {device, map[string]string{"TERM": "dumb"}, false},
	} {
		if got := screenOn(test.w, func(name string) string { return test.env[name] }).Colour; got != test.want {
			t.Errorf("%s: colours %v", name, got)
		}
	}
	if screenOn(&bytes.Buffer{}, os.Getenv).Colour {
		t.Error("colours in a buffer")
	}
}

// Whoever forgets a hyphen is told so, and does not get a run without it.
func TestWrongUse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // so that what is served or run nevertheless ends
	for _, args := range [][]string{{"-no-such-flag"}, {"serve"}, {"foo", "bar"}, {"-serve", "now"}} {
		var stdout, stderr bytes.Buffer
		if code := Run(ctx, args, &stdout, &stderr, NetHTTP); code != 2 || stdout.Len() > 0 || !strings.Contains(stderr.String(), "-serve") {
			t.Errorf("%q: exit code %d, wanted 2, and printed %s%s", args, code, &stdout, &stderr)
		}
	}
}

// Where a port of -serve is taken, it says what to do.
func TestPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", loopback(true, issuerPort))
	if err == nil { // else another program has it, which is as good
		defer taken.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	code := Run(ctx, []string{"-serve"}, &stdout, &stderr, NetHTTP)
	if code != 1 || stdout.Len() > 0 || !strings.Contains(stderr.String(), "needs the ports 8400 to 8404: end what") {
		t.Errorf("exit code %d, wanted 1, and printed %s%s", code, &stdout, &stderr)
	}
}

// No page in a browser reaches the operator.
func TestOperatorRefuses(t *testing.T) {
	d := startDemo(t)
	operator := d.operator("127.0.0.1:8404")
	for name, test := range map[string]struct {
		method, host, path, form string
		header                   http.Header
		status                   int
	}{
		"a shell":          {"POST", "127.0.0.1:8404", "/rotate", "", nil, 200},
		"a shell's kill":   {"POST", "127.0.0.1:8404", "/kill", "client=jwt-client", nil, 200},
		"GET":              {"GET", "127.0.0.1:8404", "/rotate", "", nil, 405},
		"another site":     {"POST", "127.0.0.1:8404", "/rotate", "", http.Header{"Origin": {"https://evil.example"}}, 403},
		"no site to name":  {"POST", "127.0.0.1:8404", "/rotate", "", http.Header{"Origin": {"null"}}, 403},
		"a page's fetch":   {"POST", "127.0.0.1:8404", "/rotate", "", http.Header{"Sec-Fetch-Site": {"same-site"}}, 403},
		"another name":     {"POST", "evil.example:8404", "/rotate", "", nil, 403},
		"another port":     {"POST", "127.0.0.1:8401", "/rotate", "", nil, 403},
		"unknown client":   {"POST", "127.0.0.1:8404", "/kill", "client=somebody", nil, 400},
		"too long a form":  {"POST", "127.0.0.1:8404", "/kill", "x=" + strings.Repeat("y", maxForm) + "&client=jwt-client", nil, 400},
		"nothing is there": {"POST", "127.0.0.1:8404", "/", "", nil, 404},
	} {
		key := d.issuer.CurrentKeyID("")
		r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.form))
		r.Host = test.host
		r.Header = test.header.Clone()
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		operator.ServeHTTP(w, r)
		if w.Code != test.status {
			t.Errorf("%s: status %d, wanted %d: %s", name, w.Code, test.status, w.Body)
		}
		if rotated := d.issuer.CurrentKeyID("") != key; rotated != (test.status == 200 && test.path == "/rotate") {
			t.Errorf("%s: keys rotated: %v", name, rotated)
		}
	}
}

func startDemo(t *testing.T) *demo {
	t.Helper()
	d, err := start(false, slog.New(slog.DiscardHandler), []Framework{NetHTTP})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}
