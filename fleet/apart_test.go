package fleet

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

// heard is what one instance knows of another's heartbeats, in a bubble.
type heard struct {
	*feed
	t     *testing.T
	count uint64
}

func newHeard(t *testing.T, at, end position) *heard {
	t.Helper()
	f, err := New(Config{URL: "redis://127.0.0.1:1", Name: "orders", Secrets: func() [][]byte { return [][]byte{bytes.Repeat([]byte("s"), 32)} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	f.feed.settle(nil, &earlier{}, 0, at, end, standing{}, true)
	return &heard{feed: f.feed, t: t}
}

// hearOf takes in a heartbeat of another instance, after what somebody put before it.
func (h *heard) hearOf(read position, digest, entries uint64, before ...entry) {
	h.t.Helper()
	h.count++
	b := beat{from: id{1}, count: h.count, sent: uint64(time.Now().UnixMilli()), position: read, digest: digest, entries: entries}
	sealed := string(h.ring().seal(forFeed, placeBeat, b.encode()))
	at := position{read.ms + 5, 0}
	if err := h.take(append(before, entry{at: at, id: at.String(), texts: map[string]string{"beat": sealed}})); err != nil {
		h.t.Fatal(err)
	}
}

// TestForgedChanges: whoever has no secret adds changes to the log, and keeps nobody
// from noticing that another instance holds something else.
func TestForgedChanges(t *testing.T) {
	for name, before := range map[string][]entry{
		"none":   nil,
		"forged": {{at: position{11, 0}, id: "11-0", texts: map[string]string{"change": "1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHeard(t, position{10, 0}, position{10, 0})
			h.hearOf(position{10, 0}, 77, 1, before...)
			if apart, _ := h.apart(); h.wanted == "" || !apart {
				t.Errorf("another digest is not noticed: all is read again: %q, apart: %v", h.wanted, apart)
			}
		})
	}
}

// TestForgedEnd: an end of the log that is never reached, which nobody has sealed, keeps
// heartbeats from being compared, and that is noticed.
func TestForgedEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeard(t, position{10, 0}, position{1 << 50, 0})
		for n := range uint64(2*silentBeats + 2) {
			h.hearOf(position{11 + 10*n, 0}, 77, 1)
			time.Sleep(h.tempo.beat)
		}
		if _, still := h.apart(); h.wanted == "" || !still {
			t.Errorf("after %v of heartbeats that cannot be compared, all is read again: %q, and the other counts as one that differs: %v", 2*silentBeats*h.tempo.beat, h.wanted, still)
		}
	})
}

// TestNobodyIsApart, where nothing is wrong: of who is behind what is known there
// counts, and who reads on no more knows nothing new.
func TestNobodyIsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			every uint64 // how many changes there are between heartbeats
			read  func(now uint64) (position, uint64)
		}{
			"who is always one change behind": {10, func(now uint64) (position, uint64) { return position{1000 + now - 1, 0}, now - 1 }},
			"who is a thousand behind":        {2000, func(now uint64) (position, uint64) { return position{1000 + now - 1000, 0}, now - 1000 }},
			"who reads on no more":            {2000, func(uint64) (position, uint64) { return position{1, 0}, 0 }},
		} {
			h := newHeard(t, position{1000, 0}, position{1000, 0})
			changes := uint64(0)
			for range 4 * silentBeats {
				for range c.every {
					changes++
					h.digest++ // as hold does
					h.known[field{byte(changes >> 16), byte(changes >> 8), byte(changes)}] = held{changes, 1}
					h.note(position{1000 + changes, 0})
				}
				at, known := c.read(changes)
				h.hearOf(at, known, known)
				if apart, still := h.apart(); apart || still || h.wanted != "" {
					t.Fatalf("%s counts as one that differs: now %v, still %v, all is read again: %q", name, apart, still, h.wanted)
				}
				time.Sleep(h.tempo.beat)
			}
		}
	})
}
