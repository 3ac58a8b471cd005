package validator_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// page is a log with the settings of slog.Default.
type page struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *page) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(line)
}

// take returns the lines that hold all parts, and forgets all.
func (p *page) take(parts ...string) (lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
next:
	for line := range strings.Lines(p.text.String()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue next
			}
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	p.text.Reset()
	return lines
}

// byDefault makes p what slog.Default writes to, at Info as it comes.
func (p *page) byDefault(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(p, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
}

// TestDefaultObserver logs with slog's default logger: the first refusal of its
// kind and what concerns the issuer at Warn, the others at Debug.
func TestDefaultObserver(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	for level, want := range map[slog.Level]int{slog.LevelDebug: 3, slog.LevelInfo: 1} {
		t.Run(level.String(), func(t *testing.T) {
			var log page
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level})))
			iss := issuertest.New(t)
			v := newJWT(t, iss, func(c *validator.Config) { c.Issuers[0].Keys.MinFetchInterval = time.Millisecond })
			for range 3 {
				wantOutcome(t, "shape")(v.Verify(t.Context(), "opaque"))
			}
			if lines := log.take("token refused", "check=shape"); len(lines) != want || !strings.HasPrefix(lines[0][strings.Index(lines[0], "level="):], "level=WARN") {
				t.Errorf("logged %q, wanted %d lines, the first at Warn", lines, want)
			}
			iss.SetFault(issuertest.JWKS, issuertest.ServerError())
			wantOutcome(t, "unavailable")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
			iss.ClearFaults()
			eventually(t, "the keys are there", func() bool { return v.Ready(t.Context()) == nil })
			v.Close()
			all := strings.Join(log.take(), "\n")
			for _, line := range []string{"level=WARN msg=\"m2mguard: refresh failed\"", "level=INFO msg=\"m2mguard: key set changed\""} {
				if !strings.Contains(all, line) {
					t.Errorf("no %s in\n%s", line, all)
				}
			}
		})
	}
}

// TestDefaultObserverEnds with its Validator: Close tells what was not told yet, and
// no timer writes to whatever is slog's default logger by then.
func TestDefaultObserverEnds(t *testing.T) {
	var log page
	log.byDefault(t)
	synctest.Test(t, func(t *testing.T) {
		v := newJWT(t, issuertest.NewInMemory(t))
		for range 3 {
			wantOutcome(t, "shape")(v.Verify(t.Context(), "opaque"))
		}
		v.Close()
		v.Close()
		if lines := log.take("in the last minute", "count=2 checks.shape=2"); len(lines) != 1 {
			t.Errorf("Close wrote %q", lines)
		}
		for range 100 {
			wantOutcome(t, "unavailable")(v.Verify(t.Context(), "opaque"))
		}
		elapse(time.Hour)
		if lines := log.take(); len(lines) > 1 {
			t.Errorf("after Close: %q", lines)
		}
	})
}

// TestEverythingIsRefused: whatever one mistake makes every token refused, default
// settings show it within the first ten requests, once, with where to mend it.
func TestEverythingIsRefused(t *testing.T) {
	var log page
	log.byDefault(t)
	iss := issuertest.New(t)
	rule := scopes.All("orders:read")
	for name, tc := range map[string]struct {
		change func(*validator.Config)
		check  string
		says   []string
	}{
		"a wrong audience":    {func(c *validator.Config) { c.Issuers[0].Audience = []string{"https://wrong.example.com"} }, "aud", []string{"https://wrong.example.com", "Issuer.Audience"}},
		"a wrong scope claim": {func(c *validator.Config) { c.Issuers[0].Profile.ScopeClaims = []string{"permissions"} }, "scope", []string{"permissions", "ScopeClaims"}},
		"a clock that is slow": {func(c *validator.Config) {
			c.Now = func() time.Time { return time.Now().Add(-time.Hour) }
		}, "nbf", []string{"not before", "Config.Now"}},
		"a clock that is fast": {func(c *validator.Config) {
			c.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
		}, "exp", []string{"expired", "Config.Now"}},
		"a wrong issuer": {func(c *validator.Config) {
			c.Issuers[0].Keys.URL, c.Issuers[0].URL = iss.JWKSURL(), iss.URL()+"/"
		}, "iss", []string{"slash at the end"}},
		"a wrong profile": {func(c *validator.Config) { c.Issuers[0].Profile.Require = []string{"acme"} }, "claims", []string{"acme", "Issuer.Profile"}},
	} {
		t.Run(name, func(t *testing.T) {
			log.take() // the counts that the last one's Close wrote
			v := newJWT(t, iss, tc.change)
			for range 10 {
				token, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{Scope: "orders:read", NotBefore: time.Now()}))
				if err == nil {
					err = token.Check(rule)
					refused, ok := errors.AsType[*validator.Error](err)
					if !ok {
						t.Fatal("nothing was refused")
					}
					v.ReportRefusal(t.Context(), nil, nil, refused)
				}
			}
			lines := log.take("level=WARN")
			if len(lines) != 1 {
				t.Fatalf("logged %q, wanted one line", lines)
			}
			for _, part := range append(tc.says, "token refused", "check="+tc.check+" ", "client="+issuertest.ClientID) {
				if !strings.Contains(lines[0], part) {
					t.Errorf("%s\ndoes not say %s", lines[0], part)
				}
			}
		})
	}
}

// TestFloodOfRefusals: nobody fills the log, and what was not written is counted.
func TestFloodOfRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log page
		observer := validator.LogEvents(slog.New(slog.NewTextHandler(&log, nil)))
		checks := []string{"aud", "exp", "iss", "key", "scope"}
		refuse := func(n int) {
			for i := range n {
				// 100 issuers, most of them made up: those have no name that is known here.
				e := &observe.Event{Kind: observe.Refused, Check: checks[i/100%len(checks)], Err: errors.New("refused")}
				if iss := i % 100; iss < 10 {
					e.Issuer = observe.Fact{Text: fmt.Sprintf("https://id%d.example.com", iss), Unproven: true}
				} else {
					e.ForeignIssuer = fmt.Sprintf("https://made-up%d.example.com", i)
				}
				observer.Event(t.Context(), e)
			}
		}
		refuse(100_000)
		lines := log.take()
		if len(lines) < len(checks) || len(lines) > 20 {
			t.Errorf("%d lines at once, wanted 20 at most", len(lines))
		}
		written := len(lines)
		elapse(time.Minute + time.Second)
		want := []string{fmt.Sprintf("count=%d", 100_000-written)}
		lines = log.take()
		if len(lines) != 1 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], want[0]) || written+len(lines) > 25 {
			t.Errorf("when the minute has passed, %q is written beside %d lines, wanted one that holds %s", lines, written, want[0])
		}
		for _, check := range checks {
			if len(lines) == 1 && !strings.Contains(lines[0], "checks."+check+"=") {
				t.Errorf("%s does not count %s", lines[0], check)
			}
		}

		// The next minute begins with the next refusal, and a quiet one is silent.
		elapse(time.Hour)
		if lines = log.take(); len(lines) > 0 {
			t.Errorf("nobody was refused, and logged is %q", lines)
		}
		refuse(1)
		if lines = log.take("level=WARN"); len(lines) != 1 {
			t.Errorf("logged %q, wanted the first refusal", lines)
		}
		elapse(time.Hour)
		if lines = log.take(); len(lines) > 0 {
			t.Errorf("there was nothing to count, and logged is %q", lines)
		}
	})
}

// TestRefusalsOfEachKind: made-up names are one kind, so that however many there are
// take one line.
func TestRefusalsOfEachKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		var log page
		v := newJWT(t, iss, func(c *validator.Config) {
			c.Observer = validator.LogEvents(slog.New(slog.NewTextHandler(&log, nil)))
		})
		for n := range 1000 {
			wantOutcome(t, "iss")(v.Verify(t.Context(), iss.Token(issuertest.Claims{Issuer: fmt.Sprintf("https://made-up%d.example.com", n)})))
			wantOutcome(t, "missing")(v.Verify(t.Context(), ""))
			wantOutcome(t, "shape")(v.Verify(t.Context(), fmt.Sprint("opaque", n)))
		}
		wantOutcome(t, "aud")(v.Verify(t.Context(), iss.Token(issuertest.Claims{Audience: []string{"https://other.example.com"}})))
		var got []string
		for _, line := range log.take("level=WARN") {
			_, line, _ = strings.Cut(line, "check=")
			got = append(got, line[:strings.IndexByte(line, ' ')])
		}
		if diff := cmp.Diff([]string{"iss", "missing", "shape", "aud"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		elapse(2 * time.Minute)
		if lines := log.take("count=2997"); len(lines) != 1 {
			t.Errorf("%d lines count the others, wanted one", len(lines))
		}
	})
}
