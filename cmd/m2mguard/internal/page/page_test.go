package page_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/page"
	"github.com/m2mguard/m2mguard/validator"
)

// TestServe: the page is on the loopback address, at a path that is another each time,
// and ends with its context.
func TestServe(t *testing.T) {
	seen := make(map[string]bool)
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		address, ended := make(chan string, 1), make(chan error, 1)
		go func() {
			ended <- page.Serve(ctx, page.Config{File: "m2mguard.yaml"}, func(a string) { address <- a })
		}()
		at := <-address
		if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/[A-Z2-7]{26}/$`).MatchString(at) {
			t.Errorf("the address is %s", at)
		}
		secret := at[strings.Index(at[8:], "/")+8:]
		if seen[secret] {
			t.Errorf("the path %s came twice", secret)
		}
		seen[secret] = true
		resp, err := http.Get(at)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || !bytes.Contains(text, []byte("<h1>")) {
			t.Errorf("%s: %.200s", resp.Status, text)
		}
		long, err := http.NewRequestWithContext(t.Context(), "GET", at, nil)
		if err != nil {
			t.Fatal(err)
		}
		long.Header.Set("User-Agent", strings.Repeat("x", 2*page.MaxHeader))
		if resp, err = http.DefaultClient.Do(long); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 431 {
			t.Errorf("%s for a long header", resp.Status)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := http.Get(at); err == nil {
			t.Error("the page is there after its end")
		}
	}
}

// TestShown: what the script gets of an explanation is on one line each, without what
// hides or turns text.
func TestShown(t *testing.T) {
	explain := func(_ context.Context, f page.Form) (validator.Explanation, []page.Fault) {
		if f.Token == "" {
			return validator.Explanation{}, []page.Fault{{Field: "token", Text: "Paste it."}}
		}
		return validator.Explanation{Issuer: "https://id.example.com", Steps: []validator.Step{
			{Name: "size", Found: "9 bytes"},
			{Name: "aud", Err: &validator.Error{}, Found: "\u202e\"x\"\nsecond line", Wanted: "y", Fix: "Issuer.Audience"},
			{Name: "signature", NotReached: "no key", Found: "?"},
			{Name: "sub", Found: "<b>", Unproven: true},
		}}, nil
	}
	h := page.Handler(page.Config{Explain: explain, Timeout: time.Minute}, host, path)
	w := answer(h, ask("POST", path+"explain", `{"token":"x"}`))
	var got any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%v: %d %v", err, w.Code, w.Header())
	}
	want := map[string]any{
		"verdict": "refused at aud", "accepted": false, "proven": false, "issuer": "https://id.example.com",
		"steps": []any{
			map[string]any{"name": "size", "outcome": "passed", "found": "9 bytes"},
			map[string]any{"name": "aud", "outcome": "failed", "found": "\ufffd\"x\" second line", "wanted": "y", "fix": "Issuer.Audience"},
			map[string]any{"name": "signature", "outcome": "not reached", "found": "no key"},
			map[string]any{"name": "sub", "outcome": "passed", "found": "<b>", "unproven": true},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if w := answer(h, ask("POST", path+"explain", `{}`)); w.Code != 422 || !strings.Contains(w.Body.String(), `"faults":[{"field":"token","text":"Paste it."}]`) {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

// TestWhatIsWrittenIntoThePage: names of the file and of issuers are text in it.
func TestWhatIsWrittenIntoThePage(t *testing.T) {
	c := page.Config{File: "<img src=x>.yaml", Issuers: []string{"https://id.example.com/<script>alert(1)</script>\u202e"}}
	text := answer(page.Handler(c, host, path), ask("GET", path, "")).Body.String()
	for _, hostile := range []string{"<img", "<script>alert", "\u202e"} {
		if strings.Contains(text, hostile) {
			t.Errorf("the page holds %q", hostile)
		}
	}
	if !strings.Contains(text, "https://id.example.com/&lt;script&gt;") || !strings.Contains(text, `id="offline"`) {
		t.Errorf("%s", text)
	}
	c.Offline = true
	if text := answer(page.Handler(c, host, path), ask("GET", path, "")).Body.String(); strings.Contains(text, `id="offline"`) || !strings.Contains(text, "Nobody is asked.") {
		t.Errorf("%s", text)
	}
}

// TestOfflineIsTheProgramsWord: no form can have the issuer asked if it was not to be.
func TestOfflineIsTheProgramsWord(t *testing.T) {
	for program, want := range map[bool]bool{true: true, false: false} {
		explain := func(_ context.Context, f page.Form) (validator.Explanation, []page.Fault) {
			if f.Offline != want {
				t.Errorf("offline %v, wanted %v", f.Offline, want)
			}
			return validator.Explanation{}, nil
		}
		h := page.Handler(page.Config{Explain: explain, Timeout: time.Minute, Offline: program}, host, path)
		answer(h, ask("POST", path+"explain", `{"token":"x","offline":false}`))
	}
}

// TestUnderWay: so many requests are under way at a time, each for so long, and one more
// is told to come again.
func TestUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		explain := func(ctx context.Context, _ page.Form) (validator.Explanation, []page.Fault) {
			<-ctx.Done()
			return validator.Explanation{}, nil
		}
		h := page.Handler(page.Config{Explain: explain, Timeout: 30 * time.Second}, host, path)
		began := time.Now()
		var all sync.WaitGroup
		for range page.MaxUnderWay {
			all.Go(func() { answer(h, ask("POST", path+"explain", "{}")) })
		}
		synctest.Wait()
		for _, r := range []*http.Request{ask("POST", path+"explain", "{}"), ask("GET", path, "")} {
			if w := answer(h, r); w.Code != 503 || w.Header().Get("Retry-After") == "" {
				t.Errorf("%s: %d, %v", r.Method, w.Code, w.Header())
			}
		}
		foreign := ask("GET", path, "")
		foreign.Host = "evil.example"
		if w := answer(h, foreign); w.Code != 403 {
			t.Errorf("%d: who is refused learns that the page is busy", w.Code)
		}
		all.Wait()
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("took %v", took)
		}
		if w := answer(h, ask("GET", path, "")); w.Code != 200 {
			t.Errorf("%d, when there is room again", w.Code)
		}
	})
}

// pipe is a listener of one connection, which ends with the bubble's clock.
type pipe struct {
	conns chan net.Conn
}

func (p pipe) Accept() (net.Conn, error) {
	if c, ok := <-p.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipe) Close() error   { return nil }
func (p pipe) Addr() net.Addr { return &net.TCPAddr{} }

// local is a connection from this machine.
type local struct{ net.Conn }

func (local) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000}
}

// TestSlow: who sends a request by drops is waited for so long and no longer.
func TestSlow(t *testing.T) {
	for name, test := range map[string]struct {
		send string
		want time.Duration
	}{
		"half a header": {"GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n", page.HeaderWait},
		"half a body": {fmt.Sprintf("POST %sexplain HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{}", path, host, origin),
			page.BodyWait},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var e explained
				server := page.Server(t.Context(), page.Handler(page.Config{Explain: e.explain, Timeout: time.Minute}, host, path), time.Minute)
				ours, theirs := net.Pipe()
				l := pipe{make(chan net.Conn, 1)}
				l.conns <- local{theirs}
				ended := make(chan error, 1)
				go func() { ended <- server.Serve(l) }()
				began := time.Now()
				if _, err := io.WriteString(ours, test.send); err != nil {
					t.Fatal(err)
				}
				text, _ := io.ReadAll(ours)
				if took := time.Since(began); took < test.want || took > test.want+time.Second {
					t.Errorf("waited %v, wanted %v: %s", took, test.want, text)
				}
				if strings.HasPrefix(string(text), "HTTP/1.1 200") || e.calls != 0 {
					t.Errorf("%s", text)
				}
				close(l.conns)
				<-ended
				_ = server.Close()
			})
		})
	}
}
