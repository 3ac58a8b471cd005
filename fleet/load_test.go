package fleet_test

import (
	"context"
	"encoding/binary"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/fleet/internal/badlink"
	"github.com/m2mguard/m2mguard/revocation"
)

// TestTrimmed: what an instance missed, and the log has no more, it reads from the set.
func TestTrimmed(t *testing.T) {
	server := miniredis.RunT(t)
	link, err := badlink.New(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	a, b := start(t, link.Address, nil), start(t, server.Addr(), func(c *fleet.Config) { c.RevokeTimeout = 200 * time.Millisecond })
	eventually(t, "loaded", func() bool { return loaded(a)() && loaded(b)() })
	link.Cut()
	_, _ = b.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "meanwhile"))) // a does not confirm it
	server.Del(logKey)
	link.Heal()
	eventually(t, "a refuses", func() bool { return refuses(a, "meanwhile") })
}

// TestNumbersRise also where Redis has lost its last ones, and who writes knows none: a
// lift that comes later lifts.
func TestNumbersRise(t *testing.T) {
	server := miniredis.RunT(t)
	link, err := badlink.New(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	a := start(t, link.Address, nil)
	for _, client := range []string{"another", "one"} {
		if _, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, client))); err != nil {
			t.Fatal(err)
		}
	}
	link.Cut()
	server.FlushAll()
	b := start(t, server.Addr(), nil)
	if _, err := b.Revoke(t.Context(), revocation.Lift(revocation.Client(issuer, "one"))); err != nil {
		t.Fatal(err)
	}
	link.Heal()
	eventually(t, "lifted", func() bool { return !refuses(a, "one") })
}

// split is a Conn whose sessions stay where they began, while all else goes elsewhere.
type split struct{ now atomic.Pointer[fleet.Conn] }

func (s *split) Do(ctx context.Context, key string, command ...string) (any, error) {
	return (*s.now.Load()).Do(ctx, key, command...)
}

func (s *split) Session(ctx context.Context, key string, use func(fleet.Do) error) error {
	return (*s.now.Load()).Session(ctx, key, use)
}

// TestLogOfAnotherRedis: an instance that follows the log of a Redis that was left, and
// still answers, notices by its own heartbeats, which do not come back.
func TestLogOfAnotherRedis(t *testing.T) {
	before, after := miniredis.RunT(t), miniredis.RunT(t)
	old, done := fleet.Dial(t, before.Addr())
	defer done()
	other, done := fleet.Dial(t, after.Addr())
	defer done()
	var conn split
	conn.now.Store(&old)
	a, err := fleet.New(fleet.Config{Conn: &conn, Name: "orders", Secrets: secrets(secretA)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.Hurry(10)
	a.Revocations()
	eventually(t, "loaded", loaded(a))
	conn.now.Store(&other)
	b := start(t, after.Addr(), func(c *fleet.Config) { c.RevokeTimeout = 200 * time.Millisecond })
	_, _ = b.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "one"))) // a does not confirm it yet
	eventually(t, "a refuses", func() bool { return refuses(a, "one") })
}

// TestLoad loads 100,000 entries from a real Redis, and holds that against a bare read
// of the same bytes.
func TestLoad(t *testing.T) {
	needsRedis(t)
	const entries = 100_000
	server := startRedis(t)
	a := startTidy(t, server.Address, 100*time.Millisecond, nil)
	records := make([]revocation.Record, entries)
	for n := range records {
		records[n] = revocation.Record{Kind: revocation.ByTokenID, Home: revocation.Key{1}, Sequence: uint64(n + 1), Cutoff: revocation.Forever}
		binary.BigEndian.PutUint64(records[n].Key[:], uint64(n)*0x9E3779B97F4A7C15)
		records[n].Key[15] = 1
	}
	if err := a.Revocations().Merge(records...); err != nil {
		t.Fatal(err)
	}
	count := func() string { line, _ := server.Do("HLEN", setKey); return line }
	for end := time.Now().Add(time.Minute); count() != ":"+strconv.Itoa(entries); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s entries were written back in a minute, wanted %d", count(), entries)
		}
	}
	a.Close()
	bare := bareRead(t, server.Address)
	began := time.Now()
	b := start(t, server.Address, nil)
	for !loaded(b)() {
		time.Sleep(100 * time.Microsecond)
	}
	took := time.Since(began)
	t.Logf("%d entries were loaded in %v, a bare read took %v: %.1f times", entries, took.Round(time.Millisecond), bare.Round(time.Millisecond), float64(took)/float64(bare))
	if got := b.Revocations().Stats().Entries; got != entries {
		t.Errorf("%d entries are held, wanted %d", got, entries)
	}
	if took > max(500*time.Millisecond, 10*bare) {
		t.Errorf("that is too long, wanted 500 ms or 10 times a bare read")
	}
}

// bareRead reads all that stands in the set, and does nothing with it.
func bareRead(t *testing.T, address string) time.Duration {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	began := time.Now()
	for cursor := uint64(0); ; {
		page, err := client.Do(context.Background(), client.B().Hscan().Key(setKey).Cursor(cursor).Count(2000).Build()).AsScanEntry()
		if err != nil {
			t.Fatal(err)
		}
		if cursor = page.Cursor; cursor == 0 {
			return time.Since(began)
		}
	}
}
