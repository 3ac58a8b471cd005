package fleet_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/fleet/internal/badlink"
	"github.com/m2mguard/m2mguard/revocation"
)

// TestSilentBefore: an instance that fell silent before another began, such as a program
// that revokes and ends, is unknown to it, also past the stale bound; one that said
// goodbye is not.
func TestSilentBefore(t *testing.T) {
	server := miniredis.RunT(t)
	link, err := badlink.New(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	soon := func(c *fleet.Config) { c.Revocations.StaleAfter = time.Second }
	a, b, gone := start(t, server.Addr(), soon), start(t, link.Address, soon), start(t, server.Addr(), soon)
	eventually(t, "loaded", func() bool { return loaded(a)() && loaded(b)() && loaded(gone)() })
	gone.Close()
	link.Cut()
	eventually(t, "b is stale", func() bool { return b.Revocations().Stats().Stale })
	for name, f := range map[string]*fleet.Fleet{"who was there": a, "who began later": start(t, server.Addr(), soon)} {
		receipt, err := f.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "victim")))
		if err == nil {
			err = receipt.Wait(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		if receipt.All() || !slices.Equal(receipt.Unknown, []string{b.Instance()}) || refuses(b, "victim") {
			t.Errorf("%s says of an instance that passes the client: All is %v, unknown %q, wanted %q", name, receipt.All(), receipt.Unknown, b.Instance())
		}
	}
}

// TestHeartbeatsWrittenAgain: nobody comes back by heartbeats that somebody writes to the
// log once more.
func TestHeartbeatsWrittenAgain(t *testing.T) {
	server := miniredis.RunT(t)
	a, b := start(t, server.Addr(), nil), start(t, server.Addr(), nil)
	eventually(t, "loaded", func() bool { return loaded(a)() && loaded(b)() })
	said, err := server.Stream(logKey)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	began := time.Now()
	eventually(t, "a has read on", func() bool { return a.Revocations().Stats().Age < time.Since(began) })
	for _, e := range said {
		if e.Values[0] == "beat" {
			if _, err := server.XAdd(logKey, "*", e.Values); err != nil {
				t.Fatal(err)
			}
		}
	}
	began = time.Now()
	eventually(t, "a has read on", func() bool { return a.Revocations().Stats().Age < time.Since(began) })
	receipt, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "victim")))
	if err != nil || !receipt.All() || len(receipt.Acknowledged) != 1 {
		t.Errorf("%v, %v: wanted nobody but a", receipt, err)
	}
}

// TestAnotherSecret: instances of one Name that cannot hear each other are told so, by
// their heartbeats alone, each of them.
func TestAnotherSecret(t *testing.T) {
	server := miniredis.RunT(t)
	var toldA, toldB events
	a := start(t, server.Addr(), func(c *fleet.Config) { c.Observer = toldA.observer() })
	b := start(t, server.Addr(), func(c *fleet.Config) { c.Observer, c.Secrets = toldB.observer(), secrets(secretB) })
	eventually(t, "loaded", func() bool { return loaded(a)() && loaded(b)() })
	const words = "another instance of this Name has another secret (Config.Secrets)"
	eventually(t, "both are told", func() bool { return toldA.has(words) && toldB.has(words) })
}

// TestStartsAlone: who begins after a crash of the only other instance, whose last
// heartbeat says something else than what is left, starts all the same.
func TestStartsAlone(t *testing.T) {
	server := miniredis.RunT(t)
	link, err := badlink.New(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	a := start(t, link.Address, nil)
	if _, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "one"))); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually(t, "a's heartbeat has it", func() bool { return a.Revocations().Stats().Age < time.Since(began) })
	link.Cut()
	server.Del(setKey)
	eventually(t, "the other one is loaded", loaded(start(t, server.Addr(), nil)))
}

// parting is a Conn that looks at what an instance does while it says goodbye.
type parting struct {
	fleet.Conn
	look atomic.Pointer[func()]
}

func (p *parting) Do(ctx context.Context, key string, command ...string) (any, error) {
	if look := p.look.Load(); look != nil {
		(*look)()
	}
	return p.Conn.Do(ctx, key, command...)
}

// TestGoodbye: who said it is waited for by nobody, and lets nobody in from then on.
func TestGoodbye(t *testing.T) {
	conn, done := fleet.Dial(t, miniredis.RunT(t).Addr())
	defer done()
	p := &parting{Conn: conn}
	a := start(t, "", func(c *fleet.Config) { c.URL, c.Conn = "", p })
	eventually(t, "loaded", loaded(a))
	var looked, passes atomic.Bool
	look := func() {
		looked.Store(true)
		passes.Store(outcomeOf(a, "client", time.Now()) == revocation.Passes)
	}
	if look(); !passes.Load() {
		t.Fatal("a lets nobody in before")
	}
	looked.Store(false)
	p.look.Store(&look)
	a.Close()
	if !looked.Load() || passes.Load() {
		t.Errorf("a said goodbye: %v, and lets somebody in then: %v", looked.Load(), passes.Load())
	}
}
