package fleet_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/revocation"
)

// sized is how many of each kind are written: a few more than 2^15, as a table of Redis
// doubles there and is then as empty as it will be.
const sized = 33_000

// TestSizes: Redis holds as much of each kind as the pages say at most, and no less than
// half of that.
func TestSizes(t *testing.T) {
	needsRedis(t)
	t.Run("revocations", func(t *testing.T) {
		server := startRedis(t)
		client := talk(t, server.Address)
		a := startTidy(t, server.Address, 100*time.Millisecond, nil)
		records := make([]revocation.Record, sized)
		for n := range records {
			records[n] = revocation.Record{Kind: revocation.ByTokenID, Home: revocation.Key{1}, Sequence: uint64(n + 1), Cutoff: revocation.Forever}
			binary.BigEndian.PutUint64(records[n].Key[:], uint64(n)*0x9E3779B97F4A7C15)
			records[n].Key[15] = 1
		}
		if err := a.Revocations().Merge(records...); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(time.Minute); number(t, client, "HLEN", setKey) < sized; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("not all entries were written in a minute")
			}
		}
		holds(t, number(t, client, "MEMORY", "USAGE", setKey, "SAMPLES", "0")/sized, "../docs/fleet.md", `at most (\d+) bytes an entry`)
		holds(t, number(t, client, "MEMORY", "USAGE", logKey, "SAMPLES", "0")/1_000_000+1, "../docs/fleet.md", `(\d+) MB for the log`)
	})
	t.Run("proofs", func(t *testing.T) {
		each := grows(t, func(f *fleet.Fleet) func(n int) error {
			replays := f.Replays()
			return func(n int) error {
				id := sha256.Sum256(strconv.AppendInt(nil, int64(n), 10))
				_, err := replays.Remember(context.Background(), dpop.Seen{ID: [16]byte(id[:])}, time.Hour)
				return err
			}
		})
		holds(t, each, "../docs/fleet-answers.md", `a proof takes at most (\d+) bytes`)
		holds(t, each*100*1000/1_000_000, "../docs/fleet-answers.md", `at 1,000 requests with a proof a second over all instances, (\d+) MB`)
		holds(t, each, "../docs/fleet-answers.md", `which are (\d+) MB for each million`)
		holds(t, each, "config.go", `of at most (\d+) bytes each there`)
	})
	t.Run("answers", func(t *testing.T) {
		data := []byte(strings.Repeat("x", 400))
		each := grows(t, func(f *fleet.Fleet) func(n int) error {
			answers := f.Answers()
			return func(n int) error {
				return answers.Save(context.Background(), question(strconv.Itoa(n)), introspection.SharedAnswer{Data: data, Active: true, AskedAt: time.Now(), Keep: time.Hour})
			}
		})
		holds(t, each, "../docs/fleet-answers.md", `An answer of 400 bytes takes at most (\d+)`)
	})
}

// grows is how many bytes more of memory Redis uses for each.
func grows(t *testing.T, by func(*fleet.Fleet) func(n int) error) int {
	t.Helper()
	server := startRedis(t)
	client, f := talk(t, server.Address), member(t, server.Address, patient)
	write := by(f)
	if err := write(sized); err != nil { // which makes connections, and loads scripts
		t.Fatal(err)
	}
	before := used(t, client)
	const side = 20
	var all sync.WaitGroup
	for from := range side {
		all.Go(func() {
			for n := from; n < sized; n += side {
				if err := write(n); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return (used(t, client) - before) / sized
}

// holds fails where a page says a figure that what was measured is above, or so far
// below that it tells nothing.
func holds(t *testing.T, measured int, page, pattern string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	if m := regexp.MustCompile(pattern).FindStringSubmatch(strings.Join(strings.Fields(string(text)), " ")); m != nil {
		said, _ = strconv.Atoi(m[1]) // digits
	}
	t.Logf("%s: %d, where %d was measured", pattern, said, measured)
	if measured > said || measured < said/2 {
		t.Errorf("%s says %d for %q, and %d was measured", page, said, pattern, measured)
	}
}

// used is how many bytes of memory Redis uses.
func used(t *testing.T, client rueidis.Client) int {
	t.Helper()
	info, err := client.Do(t.Context(), client.B().Info().Section("memory").Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^used_memory:(\d+)`).FindStringSubmatch(info)
	if m == nil {
		t.Fatalf("no used_memory in %q", info)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func number(t *testing.T, client rueidis.Client, command ...string) int {
	t.Helper()
	n, err := client.Do(t.Context(), client.B().Arbitrary(command...).Build()).AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func talk(t *testing.T, address string) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}
