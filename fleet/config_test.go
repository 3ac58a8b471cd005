package fleet_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
)

// TestFaultsOfConfig: New reports all at once, and no password or secret with them.
func TestFaultsOfConfig(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    fleet.Config
		wanted []string
	}{
		"nothing": {fleet.Config{}, []string{"URL and Conn are empty", "Name has 0 characters", "Secrets is nil"}},
		"all of it": {fleet.Config{
			URL: "http://user:hunter2@host", TLS: &tls.Config{}, Name: "a b", Secrets: secrets([]byte("hunter2")),
			Revocations: revocation.Config{File: "x", Secrets: secrets(secretA), StaleAfter: time.Millisecond}, Replicas: -1, RevokeTimeout: time.Hour,
			MaxClockSpread: time.Hour, ReplayTimeout: time.Minute, MaxProofs: -1,
		}, []string{
			"URL cannot be read", "TLS is set, and URL is no rediss://", `Name is "a b"`, "one of 7 bytes", "Revocations.File is set", "Revocations.Secrets is set",
			"StaleAfter is 1ms", "Replicas is -1", "RevokeTimeout is 1h0m0s", "MaxClockSpread is 1h0m0s", "ReplayTimeout is 1m0s", "MaxProofs is -1",
		}},
		"URL beside Conn":     {fleet.Config{URL: "redis://h", Conn: nowhere{}, Name: "a", Secrets: secrets(secretA)}, []string{"URL is set beside Conn"}},
		"a port that is none": {fleet.Config{URL: "redis://:hunter2@h:6379x/0", Name: "a", Secrets: secrets(secretA)}, []string{"URL cannot be read"}},
		"three secrets":       {fleet.Config{URL: "redis://h", Name: "a", Secrets: secrets(secretA, secretB, bytes.Repeat([]byte("C"), 32))}, []string{"returns 3"}},
		"one secret twice":    {fleet.Config{URL: "redis://h", Name: "a", Secrets: secrets(secretA, secretA)}, []string{"the same twice"}},
		"a name too long":     {fleet.Config{URL: "redis://h", Name: strings.Repeat("a", 65), Secrets: secrets(secretA)}, []string{"Name has 65 characters"}},
		"braces in a name":    {fleet.Config{URL: "redis://h", Name: "a}b", Secrets: secrets(secretA)}, []string{`Name is "a}b"`}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := fleet.New(c.cfg)
			if err == nil {
				f.Close()
				t.Fatal("New took it")
			}
			for _, part := range c.wanted {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in\n%v", part, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret in %v", err)
			}
		})
	}
}

// TestPrintsNoSecret, whatever is printed.
func TestPrintsNoSecret(t *testing.T) {
	cfg := fleet.Config{URL: "redis://user:hunter2@127.0.0.1:1", Name: "orders", Secrets: secrets(secretA)}
	f, err := fleet.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, f) + fmt.Sprintf(verb, cfg) + fmt.Sprintf(verb, &cfg); strings.Contains(text, "hunter2") || strings.Contains(text, "AAAA") || strings.Contains(text, "65, 65") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}

// TestWatched: an observer is given one list, whose end it is told, and none where New
// failed. That of Revocations goes before the other, also if it only watches.
func TestWatched(t *testing.T) {
	watching := func(offered, open *atomic.Int64) observe.Observer {
		return observe.Observer{Watch: func(any) func() { offered.Add(1); open.Add(1); return func() { open.Add(-1) } }}
	}
	for name, c := range map[string]struct {
		cfg         fleet.Config
		inner       bool
		outer, ours int64
	}{
		"all is well":             {fleet.Config{Name: "orders", Secrets: secrets(secretA)}, false, 1, 0},
		"one of Revocations":      {fleet.Config{Name: "orders", Secrets: secrets(secretA)}, true, 0, 1},
		"a wrong name":            {fleet.Config{Name: "a b", Secrets: secrets(secretA)}, false, 0, 0},
		"a wrong StaleAfter, too": {fleet.Config{Name: "a b", Secrets: secrets(secretA), Revocations: revocation.Config{StaleAfter: 1}}, true, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var outer, outerOpen, ours, oursOpen atomic.Int64
			c.cfg.Conn, c.cfg.Observer = nowhere{}, watching(&outer, &outerOpen)
			if c.inner {
				c.cfg.Revocations.Observer = watching(&ours, &oursOpen)
			}
			f, err := fleet.New(c.cfg)
			if (err == nil) != (c.outer+c.ours > 0) {
				t.Fatal(err)
			}
			if outer.Load() != c.outer || ours.Load() != c.ours {
				t.Errorf("Config.Observer was offered %d lists and Revocations.Observer %d, wanted %d and %d", outer.Load(), ours.Load(), c.outer, c.ours)
			}
			if f != nil {
				f.Close()
			}
			if outerOpen.Load() != 0 || oursOpen.Load() != 0 {
				t.Errorf("%d and %d lists are watched after the end", outerOpen.Load(), oursOpen.Load())
			}
		})
	}
}
