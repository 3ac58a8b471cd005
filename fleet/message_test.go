package fleet

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/m2mguard/m2mguard/revocation"
)

func testRing(t testing.TB, name string) *keyring {
	t.Helper()
	k, err := newKeys(name, func() [][]byte { return [][]byte{bytes.Repeat([]byte("s"), 32), bytes.Repeat([]byte("t"), 32)} })
	if err != nil {
		t.Fatal(err)
	}
	return k.ring.Load()
}

// FuzzMessages: what can be read is read in one way only, and nothing panics.
func FuzzMessages(f *testing.F) {
	f.Add((&message{record: revocation.Record{Kind: revocation.ByClient, Sequence: 7, Cutoff: revocation.Forever}, own: 3}).encode())
	f.Add((&beat{count: 3, sent: 5, leaving: true, digest: 9}).encode())
	f.Add(encodeDrop([]dropped{{"AAAAAAAAAAAAAAAAAAAAAA", 5}}))
	f.Add((&ack{own: []uint64{1, 2}}).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		read := 0
		if m, err := decodeMessage(text); err == nil {
			read++
			if !bytes.Equal(m.encode(), text) {
				t.Errorf("a record of %x is written as %x", text, m.encode())
			}
		}
		if b, err := decodeBeat(text); err == nil {
			read++
			if !bytes.Equal(b.encode(), text) {
				t.Errorf("a heartbeat of %x is written as %x", text, b.encode())
			}
		}
		if d, err := decodeDrop(text); err == nil {
			read++
			if !bytes.Equal(encodeDrop(d), text) {
				t.Errorf("drops of %x are written as %x", text, encodeDrop(d))
			}
		}
		if a, err := decodeAck(text); err == nil {
			read++
			if !bytes.Equal(a.encode(), text) {
				t.Errorf("an acknowledgement of %x is written as %x", text, a.encode())
			}
		}
		if read > 1 {
			t.Errorf("%x is read in %d ways", text, read)
		}
	})
}

// FuzzOpen: nothing opens but what was sealed, in its place.
func FuzzOpen(f *testing.F) {
	ring := testRing(f, "orders")
	record := revocation.Record{Kind: revocation.BySubject, Key: revocation.Key{1}, Home: revocation.Key{2}, Sequence: 7, Cutoff: 100}
	name := ring.field(&record)
	sealed := ring.seal(forFeed, name, (&message{record: record}).encode())
	f.Add(name, hex16(7), sealed)
	f.Add(name, hex16(8), sealed)
	f.Add(name, hex16(7), sealed[:len(sealed)-1])
	f.Fuzz(func(t *testing.T, place, sequence string, text []byte) {
		m, _, err := ring.openRecord(place, sequence, string(text))
		if same := place == name && sequence == hex16(7) && bytes.Equal(text, sealed); same && err != nil {
			t.Errorf("it does not open: %v", err)
		}
		// A worker has sealed it with other random bytes than the one that made the seeds.
		if err == nil && (place != name || sequence != hex16(7) || m.record != record) {
			t.Errorf("%q, %q and %x open as %+v", place, sequence, text, m.record)
		}
	})
}

// TestRecordsComeBack is FuzzMessages the other way round.
func TestRecordsComeBack(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		m := message{own: random.Uint64()}
		m.record = revocation.Record{Kind: revocation.Kind(random.IntN(6) + 1), Sequence: random.Uint64(), Lift: random.IntN(2) == 0, Cutoff: random.Uint32(), Expires: random.Uint32N(revocation.Forever)}
		for n := range m.writer {
			m.writer[n], m.record.Key[n], m.record.Home[n] = byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())
		}
		got, err := decodeMessage(m.encode())
		if err != nil || got != m {
			t.Fatalf("%+v came back as %+v (%v)", m, got, err)
		}
	}
}

// TestKeysOfPurposes: nothing that was sealed or named for one purpose, deployment,
// secret or place is anything for another.
func TestKeysOfPurposes(t *testing.T) {
	ring, other := testRing(t, "orders"), testRing(t, "payments")
	seen := make(map[string]string)
	for _, p := range purposes {
		for name, r := range map[string]*keyring{"orders": ring, "payments": other} {
			for n, d := range r.of[p] {
				where := string(p) + " of " + name
				if before, twice := seen[string(d.key)]; twice {
					t.Errorf("secret %d has one key for %s and %s", n, where, before)
				}
				seen[string(d.key)] = where
			}
		}
		sealed := ring.seal(p, "here", []byte("text"))
		for _, q := range purposes {
			if _, _, err := ring.open(q, "here", sealed); (err == nil) != (p == q) {
				t.Errorf("sealed for %q, opened for %q: %v", p, q, err)
			}
		}
		if _, _, err := ring.open(p, "there", sealed); err == nil {
			t.Errorf("%q: it opens in another place", p)
		}
		if _, _, err := other.open(p, "here", sealed); err == nil {
			t.Errorf("%q: it opens in another deployment", p)
		}
	}
	if ring.mac(forFields, 0, []byte("ab"), []byte("c")) == ring.mac(forFields, 0, []byte("a"), []byte("bc")) {
		t.Error("parts run into each other")
	}
}

// TestKeysInRedis: what one script changes is in one slot of a cluster, and what is
// many is spread.
func TestKeysInRedis(t *testing.T) {
	f := &Fleet{config: Config{Name: "orders"}}
	if got := f.slotKey("log"); got != "{m2mguard:orders}:log" {
		t.Errorf("a key of the slot is %q", got)
	}
	if got := f.spreadKey("replay", "x"); got != "m2mguard:orders:replay:x" {
		t.Errorf("one of many is %q", got)
	}
}
