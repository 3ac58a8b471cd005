package fleet_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/fleet"
)

// severed is a Conn whose link can be cut: nothing goes through, as when the instance is
// killed.
type severed struct {
	fleet.Conn
	cut atomic.Bool
}

var errCut = errors.New("cut")

func (s *severed) Do(ctx context.Context, key string, command ...string) (any, error) {
	if s.cut.Load() {
		return nil, errCut
	}
	return s.Conn.Do(ctx, key, command...)
}

func (s *severed) Session(ctx context.Context, key string, use func(fleet.Do) error) error {
	return s.Conn.Session(ctx, key, func(do fleet.Do) error {
		return use(func(ctx context.Context, command ...string) (any, error) {
			if s.cut.Load() {
				return nil, errCut
			}
			return do(ctx, command...)
		})
	})
}

func TestListen(t *testing.T) {
	server := miniredis.RunT(t)
	conn, done := fleet.Dial(t, server.Addr())
	t.Cleanup(done)
	link := &severed{Conn: conn}
	killed := start(t, server.Addr(), func(c *fleet.Config) { c.URL, c.Conn = "", link })
	up, leaves := start(t, server.Addr(), nil), start(t, server.Addr(), nil)
	stranger := start(t, server.Addr(), func(c *fleet.Config) { c.Secrets = secrets(secretB) })
	for _, f := range []*fleet.Fleet{killed, up, leaves, stranger} {
		eventually(t, "loaded", loaded(f))
	}
	// One that takes no part, and writes nothing.
	cfg := fleet.Config{URL: "redis://" + server.Addr(), Name: "orders", Secrets: secrets(secretA)}
	watcher, err := fleet.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(watcher.Close)
	watcher.Hurry(5) // listens for twice as long as the others would
	watcher.Single()
	listen := func(f *fleet.Fleet) fleet.Heard {
		t.Helper()
		heard, err := f.Listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return heard
	}
	eventually(t, "all are heard", func() bool { return len(listen(watcher).Live) == 3 })
	link.cut.Store(true)
	leaves.Close()
	want := []string{up.Instance()}
	eventually(t, "one fell silent, and one left", func() bool {
		heard := listen(watcher)
		return slices.Equal(heard.Live, want) && slices.Equal(heard.Silent, []string{killed.Instance()}) && heard.Unread > 0
	})
	if heard := listen(up); len(heard.Live) != 0 {
		t.Errorf("an instance hears itself: %+v", heard)
	}
	stranger.Close()

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := watcher.Listen(ended); err == nil {
		t.Error("whoever did not listen heard nobody")
	}
}

// TestListenReadsOn: instances that fell silent stand behind many messages.
func TestListenReadsOn(t *testing.T) {
	server := miniredis.RunT(t)
	conn, done := fleet.Dial(t, server.Addr())
	t.Cleanup(done)
	link := &severed{Conn: conn}
	killed := start(t, server.Addr(), func(c *fleet.Config) { c.URL, c.Conn = "", link })
	up := start(t, server.Addr(), nil)
	eventually(t, "loaded", func() bool { return loaded(killed)() && loaded(up)() })
	eventually(t, "heard", func() bool { h, err := up.Listen(t.Context()); return err == nil && len(h.Live) == 1 })
	link.cut.Store(true)
	for range 4500 {
		if _, err := server.XAdd("{m2mguard:orders}:log", "*", []string{"x", "y"}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it fell silent", func() bool {
		h, err := up.Listen(t.Context())
		return err == nil && slices.Equal(h.Silent, []string{killed.Instance()})
	})
}

// TestListenPastAPlaceAhead: a message far ahead in the log, behind which all others come,
// hides nobody who fell silent before it.
func TestListenPastAPlaceAhead(t *testing.T) {
	server := miniredis.RunT(t)
	conn, done := fleet.Dial(t, server.Addr())
	t.Cleanup(done)
	link := &severed{Conn: conn}
	killed := start(t, server.Addr(), func(c *fleet.Config) { c.URL, c.Conn = "", link })
	up := start(t, server.Addr(), nil)
	eventually(t, "loaded", func() bool { return loaded(killed)() && loaded(up)() })
	eventually(t, "heard", func() bool { h, err := up.Listen(t.Context()); return err == nil && len(h.Live) == 1 })
	link.cut.Store(true)
	eventually(t, "it fell silent", func() bool { h, err := up.Listen(t.Context()); return err == nil && len(h.Silent) == 1 })
	if _, err := server.XAdd(logKey, "99999999999999-0", []string{"x", "y"}); err != nil {
		t.Fatal(err)
	}
	if h, err := up.Listen(t.Context()); err != nil || !slices.Equal(h.Silent, []string{killed.Instance()}) {
		t.Errorf("%+v, %v: wanted the one that fell silent", h, err)
	}
}
