package fleet_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
)

const issuer = "https://id.example.com"

var (
	secretA = bytes.Repeat([]byte("A"), 32)
	secretB = bytes.Repeat([]byte("B"), 32)
)

func secrets(all ...[]byte) func() [][]byte { return func() [][]byte { return all } }

// events keeps what an observer was told.
type events struct {
	mu   sync.Mutex
	told []string
}

func (e *events) observer() observe.Observer {
	return observe.Observer{Event: func(_ context.Context, event *observe.Event) {
		e.mu.Lock()
		defer e.mu.Unlock()
		text := string(event.Kind)
		if event.Err != nil {
			text += ": " + event.Err.Error()
		}
		e.told = append(e.told, text)
	}}
}

func (e *events) has(part string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, text := range e.told {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// start makes an instance that is ten times as fast as usual.
func start(t *testing.T, address string, change func(*fleet.Config)) *fleet.Fleet {
	t.Helper()
	return startTidy(t, address, 0, change)
}

// startTidy makes one that looks at all that stands in Redis as often as this.
func startTidy(t *testing.T, address string, every time.Duration, change func(*fleet.Config)) *fleet.Fleet {
	t.Helper()
	cfg := fleet.Config{URL: "redis://" + address, Name: "orders", Secrets: secrets(secretA)}
	if change != nil {
		change(&cfg)
	}
	f, err := fleet.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	f.Hurry(10)
	if cfg.Conn == nil {
		f.Single()
	}
	if every > 0 {
		f.Tidy(every)
	}
	f.Revocations()
	return f
}

// eventually waits for what other goroutines bring about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !is(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 5 s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func loaded(f *fleet.Fleet) func() bool {
	return func() bool { return f.Revocations().Stats().Loaded }
}

func refuses(f *fleet.Fleet, client string) bool {
	var m revocation.Marks
	f.Revocations().Mark(&m, &revocation.Token{Issuer: issuer, Client: client, Subject: client, ID: "1", IssuedAt: time.Now().Add(-time.Minute)})
	return f.Revocations().Check(&m, revocation.StaleByConfig).Outcome() == revocation.Revoked
}

func TestRevokedEverywhere(t *testing.T) {
	server := miniredis.RunT(t)
	var calls atomic.Int64
	a, b := start(t, server.Addr(), func(c *fleet.Config) {
		c.Observer.Start = func(ctx context.Context, op observe.Operation) (context.Context, func(error)) {
			return ctx, func(err error) {
				if op.Kind == observe.Revoke && err == nil {
					calls.Add(1)
				}
			}
		}
	}), start(t, server.Addr(), nil)
	eventually(t, "loaded", func() bool { return loaded(a)() && loaded(b)() })
	receipt, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "batch")))
	if err != nil {
		t.Fatal(err)
	}
	if err := receipt.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("the observer saw %d calls of Revoke", n)
	}
	if !refuses(a, "batch") || !refuses(b, "batch") || refuses(b, "reports") {
		t.Errorf("a refuses: %v, b refuses: %v, b refuses another client: %v", refuses(a, "batch"), refuses(b, "batch"), refuses(b, "reports"))
	}
	c := start(t, server.Addr(), nil)
	eventually(t, "c loaded", loaded(c))
	if !refuses(c, "batch") {
		t.Error("who comes later accepts what was revoked")
	}
	if _, err := c.Revoke(t.Context(), revocation.Lift(revocation.Client(issuer, "batch"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "lifted", func() bool { return !refuses(a, "batch") && !refuses(b, "batch") })
}
