package fleet

import (
	"bytes"
	"testing"
)

// TestForgedAcknowledgement: only what an instance sealed for this writer counts, and
// only for what this writer wrote.
func TestForgedAcknowledgement(t *testing.T) {
	f, err := New(Config{URL: "redis://127.0.0.1:1", Name: "orders", Secrets: func() [][]byte { return [][]byte{bytes.Repeat([]byte("s"), 32)} }})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := f.feed
	other := id{1}
	says := (&ack{from: other, own: []uint64{7}}).encode()
	foreign := testRing(t, "payments")
	for name, of := range map[string]struct {
		sealed []byte
		counts bool
	}{
		"as it is":                 {d.ring().seal(forAcks, d.me.String(), says), true},
		"for another writer":       {d.ring().seal(forAcks, id{2}.String(), says), false},
		"sealed for the log":       {d.ring().seal(forFeed, d.me.String(), says), false},
		"of another deployment":    {foreign.seal(forAcks, d.me.String(), says), false},
		"not sealed":               {says, false},
		"cut":                      {d.ring().seal(forAcks, d.me.String(), says[:len(says)-1]), false},
		"of something else":        {d.ring().seal(forAcks, d.me.String(), (&ack{from: other, own: []uint64{8}}).encode()), false},
		"a heartbeat in its place": {d.ring().seal(forAcks, d.me.String(), (&beat{from: other}).encode()), false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPending(d.me, []id{other})
			d.pending[7] = p
			d.takeAcks([]entry{{id: "1-0", texts: map[string]string{"ack": string(of.sealed)}}})
			if have, wait := p.lists(); (len(wait) == 0) != of.counts || len(have)+len(wait) != 2 {
				t.Errorf("acknowledged by %q, waiting for %q", have, wait)
			}
		})
	}
}
