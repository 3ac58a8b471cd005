package fleet

import (
	"bytes"
	"testing"
	"time"
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
			p := newPending(d.me)
			p.settle([]id{other}, nil)
			d.pending[7] = p
			d.takeAcks([]entry{{id: "1-0", texts: map[string]string{"ack": string(of.sealed)}}})
			var r Receipt
			if p.tell(&r); (len(r.Waiting) == 0) != of.counts || len(r.Acknowledged)+len(r.Waiting) != 2 {
				t.Errorf("acknowledged by %q, waiting for %q", r.Acknowledged, r.Waiting)
			}
		})
	}
}

// TestHeartbeatsOfOthers: one that has read the same, and knows something else, has all
// be read again; one that was replayed, or comes from elsewhere, is nobody's.
func TestHeartbeatsOfOthers(t *testing.T) {
	f, err := New(Config{URL: "redis://127.0.0.1:1", Name: "orders", Secrets: func() [][]byte { return [][]byte{bytes.Repeat([]byte("s"), 32)} }})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := f.feed
	d.known[field{1}] = held{5, 77}
	d.digest = 77
	d.note(position{100, 0})
	other := id{1}
	same := beat{from: other, count: 9, sent: uint64(time.Now().UnixMilli()), position: position{100, 1}, digest: 77, entries: 1}
	for name, of := range map[string]struct {
		change func(*beat)
		wants  bool
		heard  bool
	}{
		"all is alike":         {func(*beat) {}, false, true},
		"another digest":       {func(b *beat) { b.digest++ }, true, true},
		"another number":       {func(b *beat) { b.entries++ }, true, true},
		"has not read as much": {func(b *beat) { b.digest++; b.position = position{99, 9} }, false, true},
		"was replayed":         {func(b *beat) { b.count = 8 }, false, false},
		"goes":                 {func(b *beat) { b.leaving = true }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			delete(d.departed, other)
			d.wanted, d.peers[other] = "", &peer{count: 8, agreed: time.Now()}
			b := same
			of.change(&b)
			_, fault := d.hear(d.ring(), string(d.ring().seal(forFeed, placeBeat, b.encode())))
			p := d.peers[other]
			if (d.wanted != "") != of.wants || (p != nil && !p.heard.IsZero()) != of.heard {
				t.Errorf("all is read again: %q, the peer is %+v", d.wanted, p)
			}
			if fault != nil {
				t.Errorf("told: %v", fault)
			}
		})
	}
	delete(d.peers, other)
	foreign := testRing(t, "payments")
	for _, sealed := range [][]byte{foreign.seal(forFeed, placeBeat, same.encode()), d.ring().seal(forFeed, placeDrop, same.encode())} {
		if _, fault := d.hear(d.ring(), string(sealed)); fault != errUnopened {
			t.Errorf("told of a heartbeat from elsewhere: %v", fault)
		}
	}
	if len(d.peers) != 0 {
		t.Errorf("a heartbeat from elsewhere counts: %v", d.peers)
	}
}

// TestAllHeard: nobody says that all have an entry before all who may be alive were heard.
func TestAllHeard(t *testing.T) {
	me, other, third, fourth := id{1}, id{2}, id{3}, id{4}
	r := Receipt{of: newPending(me)}
	is := func(when, text string, all bool) {
		t.Helper()
		r.of.tell(&r)
		if r.All() != all || r.String() != text {
			t.Errorf("%s: %q, All is %v; wanted %q, %v", when, r, r.All(), text, all)
		}
	}
	is("nobody was heard", "1 acknowledged, 0 waiting, 0 unknown, others not heard of yet", false)
	r.of.acknowledged(other)
	is("one acknowledged before", "2 acknowledged, 0 waiting, 0 unknown, others not heard of yet", false)
	r.of.settle([]id{other, third}, []id{fourth})
	is("a third one was heard, and a fourth not any more", "2 acknowledged, 1 waiting, 1 unknown", false)
	r.of.acknowledged(third)
	is("who is alive acknowledged", "3 acknowledged, 0 waiting, 1 unknown", false)
	r.of.acknowledged(fourth)
	is("who fell silent was heard anew", "4 acknowledged, 0 waiting, 0 unknown", true)
}
