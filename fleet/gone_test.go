package fleet

import (
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// TestLost: what stood in Redis is lost if nobody took it out, it is not held here, and
// it does not stand there again.
func TestLost(t *testing.T) {
	h := newHeard(t, position{10, 0}, position{10, 0})
	r := revocation.Record{Kind: revocation.ByClient, Key: revocation.Key{1}, Home: revocation.Key{2}, Sequence: 5, Cutoff: 100}
	name := h.ring().field(&r)
	at, err := parseField(name)
	if err != nil {
		t.Fatal(err)
	}
	stands := func(sequence uint64) []standingRecord {
		m := message{record: r}
		m.record.Sequence = sequence
		return []standingRecord{{name: name, message: m}}
	}
	drop := func(sequence uint64) *earlier {
		return &earlier{drops: map[field]uint64{at: sequence}}
	}
	for _, c := range []struct {
		name    string
		records []standingRecord
		before  *earlier
		held    bool
		lost    bool
		after   func()
		later   bool
	}{
		{name: "it stands", records: stands(5), before: &earlier{}},
		{name: "it is gone", before: &earlier{}, lost: true, later: true},
		{name: "an older form stands", records: stands(4), before: &earlier{}, lost: true, later: true},
		{name: "an instance took it out", before: drop(5)},
		{name: "an instance took an older form out", before: drop(4), lost: true, later: true},
		{name: "it comes by the log", before: &earlier{}, lost: true, after: func() { h.hold(at, &r) }},
		{name: "that it was taken out does", before: &earlier{}, lost: true, after: func() { h.dropAll(drop(5).drops) }},
		{name: "it is held here", before: &earlier{}, held: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.known, h.gone = map[field]held{at: {5, sumOf(&r)}}, map[field]uint64{}
			if c.held {
				if err := h.f.list.Merge(r); err != nil {
					t.Fatal(err)
				}
			}
			if got := h.lost(c.records, c.before); got != c.lost {
				t.Errorf("it is lost: %v, wanted %v", got, c.lost)
			}
			h.known = map[field]held{} // as settle leaves it
			if c.after != nil {
				c.after()
				h.known = map[field]held{}
			}
			if got := h.lost(nil, &earlier{}); !c.lost && got || c.lost && got != c.later {
				t.Errorf("it is lost at the next look: %v, wanted %v", got, c.later)
			}
			if h.lost(stands(5), &earlier{}) {
				t.Error("it is lost though it stands there again")
			}
		})
	}
}

// TestFillAgain: all is read again where tokens came to live for longer, but not without
// end where that would bring nothing back.
func TestFillAgain(t *testing.T) {
	h := newHeard(t, position{10, 0}, position{10, 0})
	const issuer = "https://id.example.com"
	list := h.f.list
	list.Serves(issuer, time.Hour)
	r, err := list.Record(revocation.IssuedBefore(revocation.Client(issuer, "batch"), time.Now().Add(-2*time.Hour)), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.Merge(r); err != nil {
		t.Fatal(err)
	}
	if h.fillAgain(); h.wanted != "" {
		t.Errorf("all is read again because %q", h.wanted)
	}
	list.Serves(issuer, 0)
	h.gone[field{1}] = 1
	if h.fillAgain(); h.wanted != "" {
		t.Errorf("all is read again though Redis has lost it: %q", h.wanted)
	}
	delete(h.gone, field{1})
	if h.fillAgain(); h.wanted == "" {
		t.Error("all is not read again")
	}
}
