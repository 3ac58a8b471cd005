package fleet

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
)

// party are instances at one Redis, and what they tell.
type party struct {
	t      *testing.T
	server *miniredis.Miniredis
	before func(*Fleet) // nil, or what is done to each before it connects

	mu   sync.Mutex
	told []string
}

func newParty(t *testing.T) *party { return &party{t: t, server: miniredis.RunT(t)} }

// join makes an instance that does all ten times as fast.
func (p *party) join(change func(*Config)) *Fleet {
	p.t.Helper()
	cfg := Config{URL: "redis://" + p.server.Addr(), Name: "orders", Secrets: func() [][]byte { return [][]byte{bytes.Repeat([]byte("s"), 32)} }}
	cfg.Observer.Event = func(_ context.Context, e *observe.Event) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.told = append(p.told, fmt.Sprint(e.Kind, e.Err))
	}
	if change != nil {
		change(&cfg)
	}
	f, err := New(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(f.Close)
	f.Hurry(10)
	f.Single()
	if p.before != nil {
		p.before(f)
	}
	f.Revocations()
	return f
}

func (p *party) heard(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(strings.Join(p.told, "\n"), text)
}

func (p *party) until(what string, is func() bool) {
	p.t.Helper()
	for end := time.Now().Add(5 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s: not within 5 s", what)
		}
	}
}

func filled(f *Fleet) bool { return f.list.Stats().Loaded }

// current says that the list is as of less than three heartbeats ago.
func current(f *Fleet) bool {
	s := f.list.Stats()
	return s.Loaded && s.Age < 300*time.Millisecond
}

const partyIssuer = "https://id.example.com"

func denies(f *Fleet, client string) bool {
	var m revocation.Marks
	f.list.Mark(&m, &revocation.Token{Issuer: partyIssuer, Client: client, Subject: client, ID: "1", IssuedAt: time.Now().Add(-time.Minute)})
	return f.list.Check(&m, revocation.StaleByConfig).Outcome() == revocation.Revoked
}

func (p *party) revoke(f *Fleet, e revocation.Entry) {
	p.t.Helper()
	if _, err := f.Revoke(p.t.Context(), e); err != nil {
		p.t.Fatal(err)
	}
}

// TestForeignRecord: what a newer version has written stops nobody: it is told, stays in
// Redis, and all that this version knows counts.
func TestForeignRecord(t *testing.T) {
	for name, way := range map[string]string{"in the set": "set", "by the log": "log"} {
		t.Run(name, func(t *testing.T) {
			p := newParty(t)
			a, b := p.join(nil), p.join(nil)
			p.until("loaded", func() bool { return filled(a) && filled(b) })
			a.Tidy(300 * time.Millisecond)
			p.revoke(a, revocation.Block(revocation.Client(partyIssuer, "before")))
			r := revocation.Record{Kind: 7, Key: revocation.Key{1}, Home: revocation.Key{2}, Sequence: uint64(time.Now().UnixMicro()), Expires: 1}
			ring := a.ring()
			field := ring.field(&r)
			sealed := string(ring.seal(forFeed, field, (&message{record: r, writer: id{9}, own: 1}).encode()))
			if way == "set" {
				p.server.HSet(a.feed.setKey(), field, hex16(r.Sequence)+sealed)
			} else if _, err := a.feed.command(t.Context(), func(ctx context.Context, command ...string) (any, error) {
				return a.conn.Do(ctx, a.feed.setKey(), command...)
			}, scriptWrite, logLength, a.feed.newEpoch(), "again", field, hex16(r.Sequence), sealed, ""); err != nil {
				t.Fatal(err)
			}
			p.until("told", func() bool { return p.heard(errForeign.Error()) })
			c := p.join(nil)
			p.until("a new one is loaded", func() bool { return filled(c) })
			p.until("all are current", func() bool { return current(a) && current(b) && current(c) })
			p.revoke(c, revocation.Block(revocation.Client(partyIssuer, "after")))
			for n, f := range []*Fleet{a, b, c} {
				p.until("all refuse", func() bool { return denies(f, "before") && denies(f, "after") })
				if n := f.list.Stats().Entries; n != 2 {
					t.Errorf("%d entries are held, wanted 2", n)
				}
				f.feed.mu.Lock()
				if junk, known := f.feed.junk, len(f.feed.known); junk != 0 || known != 3 {
					t.Errorf("instance %d: %d records are broken and %d known, wanted 0 and 3", n, junk, known)
				}
				f.feed.mu.Unlock()
			}
			if p.heard("could not be taken in") {
				t.Error("it was handed to the list")
			}
			time.Sleep(700 * time.Millisecond) // a tidies
			if p.server.HGet(a.feed.setKey(), field) == "" {
				t.Error("it was taken out")
			}
		})
	}
}

// TestCrowdedRedis: what somebody puts into the set is read up to a bound. Who holds
// entries goes on with them, and who starts is not taken for filled.
func TestCrowdedRedis(t *testing.T) {
	p := newParty(t)
	a := p.join(func(c *Config) { c.Revocations.MaxEntries = 1000 })
	p.until("loaded", func() bool { return filled(a) })
	p.revoke(a, revocation.Block(revocation.Client(partyIssuer, "batch")))
	for n := range 3000 {
		p.server.HSet(a.feed.setKey(), fmt.Sprintf("j%021d", n), "x")
	}
	b := p.join(func(c *Config) { c.Revocations.MaxEntries = 1000 })
	p.until("told", func() bool { return p.heard(errCrowded.Error()) })
	time.Sleep(time.Second)
	if filled(b) || current(a) || !denies(a, "batch") {
		t.Errorf("a new one is filled: %v, wanted false; the one that holds entries is current: %v, wanted false, and refuses: %v, wanted true", filled(b), current(a), denies(a, "batch"))
	}
	p.server.Del(a.feed.setKey())
	p.until("recovered", func() bool { return current(a) && denies(b, "batch") && current(b) })
}

// TestBrokenIsWrittenOver: what takes a record's place, and looks newer than all, is
// written over by who holds it.
func TestBrokenIsWrittenOver(t *testing.T) {
	p := newParty(t)
	a := p.join(nil)
	p.until("loaded", func() bool { return filled(a) })
	p.revoke(a, revocation.Block(revocation.Client(partyIssuer, "batch")))
	keys, err := p.server.HKeys(a.feed.setKey())
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d records, %v", len(keys), err)
	}
	p.server.HSet(a.feed.setKey(), keys[0], "ffffffffffffffff"+strings.Repeat("x", messageSize+sealExtra))
	a.feed.mu.Lock()
	a.feed.want("a test has altered Redis")
	a.feed.mu.Unlock()
	p.until("written over", func() bool {
		value := p.server.HGet(a.feed.setKey(), keys[0])
		_, _, err := a.ring().openRecord(keys[0], value[:digits], value[digits:])
		return err == nil
	})
}

// TestFruitlessLooks: whoever has all be read again for nothing has that ever more seldom,
// also where each look finds something else that nobody of us has written.
func TestFruitlessLooks(t *testing.T) {
	for name, put := range map[string]func(s *miniredis.Miniredis, a *Fleet, n int){
		"junk in the log": func(s *miniredis.Miniredis, a *Fleet, _ int) {
			_, _ = s.XAdd(a.feed.logKey(), "*", []string{"field", "x", "sequence", "1", "record", "junk"})
		},
		"another epoch each time": func(s *miniredis.Miniredis, a *Fleet, n int) { s.HSet(a.feed.metaKey(), "epoch", fmt.Sprint(n)) },
		"more junk in the set":    func(s *miniredis.Miniredis, a *Fleet, n int) { s.HSet(a.feed.setKey(), fmt.Sprint("j", n), "x") },
	} {
		t.Run(name, func(t *testing.T) {
			p := newParty(t)
			a := p.join(nil)
			p.until("loaded", func() bool { return filled(a) })
			looks, n := 0, 0
			for end, last := time.Now().Add(3*time.Second), (time.Time{}); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				n++
				put(p.server, a, n)
				a.feed.mu.Lock()
				if a.feed.looked != last {
					last = a.feed.looked
					looks++
				}
				a.feed.mu.Unlock()
			}
			if looks == 0 || looks > 15 {
				t.Errorf("all was read %d times in what is half a minute, wanted about 12", looks)
			}
			p.until("current again", func() bool { return current(a) })
		})
	}
}

// TestFruitfulLook: what a look finds that an instance has sealed, or must write back, is
// news.
func TestFruitfulLook(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(d *feed)
		whole  bool
		wanted int
	}{
		"nothing":              {func(*feed) {}, true, 8},
		"another epoch":        {func(d *feed) { d.epoch = "x" }, true, 8},
		"what does not open":   {func(d *feed) { d.junk = 7 }, true, 8},
		"another record":       {func(d *feed) { d.hold(field{1}, &revocation.Record{Sequence: 5}) }, true, 0},
		"what is written back": {func(*feed) {}, false, 0},
		"another digest":       {func(d *feed) { d.digest = 7 }, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeard(t, position{10, 0}, position{10, 0})
			h.fruitless = 7
			before := h.found()
			tc.change(h.feed)
			if h.weigh(before, tc.whole); h.fruitless != tc.wanted {
				t.Errorf("%d looks in a row found nothing, wanted %d", h.fruitless, tc.wanted)
			}
		})
	}
}

// TestNeedlessRecords: of several entries about the same target, one stands in Redis
// that covers the others, and one that is covered by none stays.
func TestNeedlessRecords(t *testing.T) {
	p := newParty(t)
	a := p.join(nil)
	a.list.Serves(partyIssuer, time.Hour)
	p.until("loaded", func() bool { return filled(a) })
	now := time.Now()
	for n := range 5 {
		p.revoke(a, revocation.IssuedBefore(revocation.Client(partyIssuer, "batch"), now.Add(time.Duration(n)*time.Second)))
	}
	old := now.Add(-48 * time.Hour)
	p.revoke(a, revocation.IssuedBefore(revocation.Client(partyIssuer, "old"), old))
	p.revoke(a, revocation.Block(revocation.Client(partyIssuer, "both")))
	p.revoke(a, revocation.IssuedBefore(revocation.Client(partyIssuer, "both"), now)) // which a lift between the two would not lift
	lent := revocation.Client(partyIssuer, "lent")                                    // a block that ends is covered by no cut-off below it, though that stays
	p.revoke(a, revocation.Block(lent).DangerouslyExpire(now.Add(24*time.Hour)))
	p.revoke(a, revocation.IssuedBefore(lent, now.Add(-48*time.Hour)))
	until := revocation.Client(partyIssuer, "until") // as one is that has an end, too, below a later one
	p.revoke(a, revocation.IssuedBefore(until, now).DangerouslyExpire(now.Add(24*time.Hour)))
	p.revoke(a, revocation.IssuedBefore(until, now.Add(time.Second)))
	b := p.join(nil)
	p.until("loaded", func() bool { return filled(b) })
	b.Tidy(200 * time.Millisecond)
	p.until("tidied", func() bool { keys, _ := p.server.HKeys(a.feed.setKey()); return len(keys) == 7 })
	changes := p.server.HGet(a.feed.metaKey(), "changes")
	time.Sleep(time.Second)
	if keys, _ := p.server.HKeys(a.feed.setKey()); len(keys) != 7 || p.server.HGet(a.feed.metaKey(), "changes") != changes {
		t.Errorf("%d records stand in Redis, wanted 7, and there were %s and then %s changes", len(keys), changes, p.server.HGet(a.feed.metaKey(), "changes"))
	}
	c := p.join(nil) // which knows of no lifetime
	p.until("a new one refuses", func() bool { return denies(c, "batch") && denies(c, "both") && denies(c, "lent") })
	var m revocation.Marks
	c.list.Mark(&m, &revocation.Token{Issuer: partyIssuer, Client: "old", Subject: "x", ID: "1", IssuedAt: old})
	if got := c.list.Check(&m, 0).Outcome(); got != revocation.Revoked {
		t.Errorf("outcome %d of a token that is as old as an entry that stands", got)
	}
}

// TestOpaqueTokenWhileSecretsRotate: an opaque token is hashed by what the lists of all
// that run go by, whatever the secrets are by now.
func TestOpaqueTokenWhileSecretsRotate(t *testing.T) {
	p := newParty(t)
	var mu sync.Mutex
	old, next := bytes.Repeat([]byte("o"), 32), bytes.Repeat([]byte("n"), 32)
	now := [][]byte{old}
	live := func(c *Config) {
		c.Secrets = func() [][]byte {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
	}
	a, b := p.join(live), p.join(live)
	p.until("loaded", func() bool { return filled(a) && filled(b) })
	for n, s := range [][][]byte{{old, next}, {next, old}, {next}} {
		mu.Lock()
		now = s
		mu.Unlock()
		token := fmt.Sprint("opaque-", n)
		p.revoke(a, revocation.Block(a.OpaqueToken(partyIssuer, token)))
		for _, f := range []*Fleet{a, b} {
			p.until("refused", func() bool {
				var m revocation.Marks
				f.list.Mark(&m, &revocation.Token{Issuer: partyIssuer, Opaque: token, Client: "c", Subject: "s", ID: "1", IssuedAt: time.Now()})
				return f.list.Check(&m, 0).Outcome() == revocation.Revoked
			})
		}
	}
}
