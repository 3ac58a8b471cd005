package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/fleet/internal/badlink"
	"github.com/m2mguard/m2mguard/revocation"
)

// nowhere is a Conn of which none comes about.
type nowhere struct{}

var errNowhere = errors.New("nowhere")

func (nowhere) Do(context.Context, string, ...string) (any, error) { return nil, errNowhere }

func (nowhere) Session(context.Context, string, func(fleet.Do) error) error { return errNowhere }

// TestRedisAway: what is held goes on counting, readiness and events say so as
// configured, no request waits, and nobody is needed for the recovery.
func TestRedisAway(t *testing.T) {
	for _, how := range []string{"cut", "held"} {
		t.Run(how, func(t *testing.T) {
			server := miniredis.RunT(t)
			link, err := badlink.New(server.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer link.Close()
			var told events
			a := start(t, link.Address, func(c *fleet.Config) {
				c.Observer = told.observer()
				c.Revocations = revocation.Config{StaleAfter: time.Second, WhenStale: revocation.StaleUnready}
			})
			b := start(t, server.Addr(), nil)
			eventually(t, "loaded", func() bool { return loaded(a)() && loaded(b)() })
			if _, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "before"))); err != nil {
				t.Fatal(err)
			}
			if how == "cut" {
				link.Cut()
			} else {
				link.Hold()
			}
			if _, err := b.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "meanwhile"))); err != nil && !errors.Is(err, fleet.ErrUnacknowledged) {
				t.Fatal(err)
			}
			eventually(t, "stale", func() bool { return a.Revocations().Stats().Stale })
			if a.Revocations().Ready() == nil {
				t.Error("it is ready, though StaleUnready is asked for")
			}
			began := time.Now()
			for range 1000 {
				if !refuses(a, "before") || refuses(a, "other") {
					t.Fatal("what is held does not go on counting")
				}
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("1,000 requests took %v: they wait for Redis", took)
			}
			if !told.has("revocation feed stale") || !told.has("revocation feed failed") {
				t.Errorf("nobody was told: %q", told.told)
			}
			link.Heal()
			eventually(t, "recovered", func() bool { return refuses(a, "meanwhile") && a.Revocations().Ready() == nil })
			eventually(t, "told", func() bool { return told.has("revocation feed recovered") })
		})
	}
}

// TestStartsWithoutRedis: New takes no notice, requests are answered 503 by policy, and
// it goes on by itself when Redis is there.
func TestStartsWithoutRedis(t *testing.T) {
	server := miniredis.RunT(t)
	link, err := badlink.New(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	link.Cut()
	a := start(t, link.Address, func(c *fleet.Config) { c.RevokeTimeout = 200 * time.Millisecond })
	var m revocation.Marks
	a.Revocations().Mark(&m, &revocation.Token{Issuer: issuer, Client: "any"})
	if got := a.Revocations().Check(&m, 0).Outcome(); got != revocation.Unavailable {
		t.Errorf("the outcome is %v, wanted Unavailable", got)
	}
	if a.Revocations().Ready() == nil {
		t.Error("it is ready")
	}
	if _, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "any"))); err == nil || !strings.Contains(err.Error(), "nothing was revoked") {
		t.Errorf("Revoke: %v", err)
	}
	link.Heal()
	eventually(t, "loaded", loaded(a))
}

// TestUnknown: who fell silent is named, and All is false; who said good-bye is not.
func TestUnknown(t *testing.T) {
	server := miniredis.RunT(t)
	link, err := badlink.New(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	a := start(t, server.Addr(), func(c *fleet.Config) { c.RevokeTimeout = 200 * time.Millisecond })
	b, c := start(t, link.Address, nil), start(t, server.Addr(), nil)
	eventually(t, "all are heard", func() bool {
		receipt, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "one")))
		if err != nil {
			t.Fatal(err)
		}
		return len(receipt.Acknowledged)+len(receipt.Waiting) == 3 && loaded(b)() && loaded(c)()
	})
	c.Close()
	left := time.Now()
	eventually(t, "a has read its goodbye", func() bool { return a.Revocations().Stats().Age < time.Since(left) })
	link.Cut()
	eventually(t, "b is unknown", func() bool {
		receipt, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "one")))
		if err != nil && !errors.Is(err, fleet.ErrUnacknowledged) {
			t.Fatal(err)
		}
		for _, name := range append(receipt.Waiting, receipt.Unknown...) {
			if name == c.Instance() {
				t.Errorf("who has gone is waited for: %+v", receipt)
			}
		}
		return len(receipt.Unknown) == 1 && receipt.Unknown[0] == b.Instance() && !receipt.All()
	})
	link.Heal()
	eventually(t, "all have it", func() bool {
		receipt, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "one")))
		return err == nil && receipt.Wait(t.Context()) == nil && receipt.All() && len(receipt.Acknowledged) == 2
	})
}

// TestRotation: secrets change under way, and what the old one sealed is written anew.
func TestRotation(t *testing.T) {
	server := miniredis.RunT(t)
	var mu sync.Mutex
	now := [][]byte{secretA}
	rotating := func() [][]byte { mu.Lock(); defer mu.Unlock(); return now }
	rotate := func(to ...[]byte) { mu.Lock(); defer mu.Unlock(); now = to }
	use := func(c *fleet.Config) { c.Secrets = rotating }
	a, b := startTidy(t, server.Addr(), 200*time.Millisecond, use), start(t, server.Addr(), use)
	if _, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "old"))); err != nil {
		t.Fatal(err)
	}
	rotate(secretA, secretB)
	rotate(secretB, secretA)
	if _, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "new"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b has both", func() bool { return refuses(b, "old") && refuses(b, "new") })
	eventually(t, "written anew", func() bool {
		var in events
		c := start(t, server.Addr(), func(c *fleet.Config) { c.Secrets = secrets(secretB); c.Observer = in.observer() })
		defer c.Close()
		eventually(t, "loaded", loaded(c))
		return refuses(c, "old") && refuses(c, "new") && !in.has("count for nothing")
	})
	rotate(secretB)
	if _, err := b.Revoke(t.Context(), revocation.Lift(revocation.Client(issuer, "old"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "lifted", func() bool { return !refuses(a, "old") && !refuses(b, "old") })
	eventually(t, "the entry that was lifted is gone", func() bool { fields, _ := server.HKeys(setKey); return len(fields) == 2 })
}

// TestNothingAtRest: nothing in Redis tells who was revoked, in any of the forms that a
// reader would try.
func TestNothingAtRest(t *testing.T) {
	server := miniredis.RunT(t)
	a := start(t, server.Addr(), nil)
	const text = "opaque-token-of-somebody-0123456789"
	for _, target := range []revocation.Target{
		revocation.Client(issuer, "batch-client"), revocation.Subject(issuer, "batch-subject"), revocation.TokenID(issuer, "batch-jti"),
		revocation.KeyID(issuer, "batch-kid"), revocation.Issuer(issuer), a.OpaqueToken(issuer, text),
	} {
		if _, err := a.Revoke(t.Context(), revocation.Block(target)); err != nil {
			t.Fatal(err)
		}
	}
	if !refusesOpaque(a, text) {
		t.Error("an opaque token is not known by OpaqueToken")
	}
	dump := server.Dump()
	for r := range a.Revocations().Records() {
		for _, form := range []string{string(r.Key[:]), fmt.Sprintf("%x", r.Key), string(r.Home[:])} {
			if strings.Contains(dump, form) {
				t.Errorf("a record's key stands in Redis, which can be guessed from a client id")
			}
		}
	}
	for _, name := range []string{"batch", "id.example.com", text} {
		if strings.Contains(dump, name) {
			t.Errorf("%q stands in Redis", name)
		}
	}
}

func refusesOpaque(f *fleet.Fleet, token string) bool {
	var m revocation.Marks
	f.Revocations().Mark(&m, &revocation.Token{Issuer: "https://other.example.com", Client: "c", Subject: "s", ID: "1", Opaque: token})
	var ours revocation.Marks
	f.Revocations().Mark(&ours, &revocation.Token{Issuer: issuer, Client: "c", Subject: "s", ID: "1", Opaque: token})
	return f.Revocations().Check(&m, 0).Outcome() == revocation.Passes && f.Revocations().Check(&ours, 0).Outcome() == revocation.Revoked
}

// TestCloseEnds also where something takes connections and says nothing.
func TestCloseEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := fleet.New(fleet.Config{URL: "redis://" + l.Addr().String(), Name: "orders", Secrets: secrets(secretA)})
	if err != nil {
		t.Fatal(err)
	}
	f.Revocations()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ended := make(chan struct{})
	go func() { f.Close(); close(ended) }()
	eventually(t, "Close ends", func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
}
