package fleet

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"
)

// says has a heartbeat of an instance be heard, which was sent as long ago as this.
func (h *heard) says(who id, count uint64, ago time.Duration, leaving bool) error {
	b := beat{from: who, count: count, sent: uint64(time.Now().Add(-ago).UnixMilli()), leaving: leaving, position: position{10, 0}}
	_, fault := h.hear(h.ring(), string(h.ring().seal(forFeed, placeBeat, b.encode())))
	return fault
}

// is holds what is known of an instance to "live", "silent" or "nobody".
func (h *heard) is(when string, who id, wanted string) {
	h.t.Helper()
	got := "nobody"
	live, silent := h.live()
	for _, other := range live {
		if other == who {
			got = "live"
		}
	}
	for _, other := range silent {
		if other == who {
			got = "silent"
		}
	}
	if got != wanted {
		h.t.Errorf("%s: the other counts as %s, wanted %s", when, got, wanted)
	}
}

// TestForgotten: who fell silent may serve what is revoked for an hour, whatever the
// stale bound is, unless it said goodbye.
func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeard(t, position{10, 0}, position{10, 0})
		who, other := id{1}, id{2}
		_, _ = h.says(who, 1, 0, false), h.says(other, 1, 0, false)
		h.is("heard", who, "live")
		time.Sleep(5 * time.Second)
		h.is("5 s later", who, "silent")
		time.Sleep(59 * time.Minute)
		h.is("59 min later", who, "silent")
		_ = h.says(other, 2, 0, true)
		h.is("after its goodbye", other, "nobody")
		time.Sleep(time.Minute)
		h.is("an hour later", who, "nobody")
		if h.recall(&earlier{}); len(h.peers) != 0 {
			t.Errorf("%d are kept that nobody waits for", len(h.peers))
		}
	})
}

// TestHeartbeatsOffTheClock: one that says nothing about now makes nobody be alive; its
// sender was alive then, and that is told unless it was to be expected.
func TestHeartbeatsOffTheClock(t *testing.T) {
	for name, c := range map[string]struct {
		ago  time.Duration
		is   string
		told error
	}{
		"in time":              {0, "live", nil},
		"late, as clocks are":  {69 * time.Second, "live", nil},
		"ahead, as clocks are": {-69 * time.Second, "live", nil},
		"too late":             {71 * time.Second, "silent", errLate},
		"too far ahead":        {-71 * time.Second, "silent", errLate},
		"from an hour ago":     {61 * time.Minute, "nobody", errLate},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, who := newHeard(t, position{10, 0}, position{10, 0}), id{1}
				h.echoed = time.Now()
				if fault := h.says(who, 7, c.ago, false); fault != c.told {
					t.Errorf("told %v, wanted %v", fault, c.told)
				}
				h.is("by its heartbeat", who, c.is)
				time.Sleep(5 * time.Second) // in which none of ours came back: the log is read from long ago
				if fault := h.says(id{2}, 7, c.ago, false); fault != nil {
					t.Errorf("told of what was to be expected: %v", fault)
				}
			})
		})
	}
}

// TestDeparted: nobody who said goodbye comes back, in whatever order that is read, and
// what is remembered for it is bounded.
func TestDeparted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, who := newHeard(t, position{10, 0}, position{10, 0}), id{1}
		_ = h.says(who, 9, 0, false)
		_ = h.says(who, 8, 0, true) // one that was under way came before it
		h.is("after its goodbye", who, "nobody")
		_ = h.says(who, 10, 0, false)
		h.is("by what came after it", who, "nobody")
		h.recall(&earlier{beats: map[id]beat{who: {from: who, count: 11, sent: uint64(time.Now().UnixMilli())}}})
		h.is("by what the log said before", who, "nobody")
		p := newPending(h.me)
		h.pending[1] = p
		ack := h.ring().seal(forAcks, h.me.String(), (&ack{from: who, own: []uint64{1}}).encode())
		h.takeAcks([]entry{{id: "1-0", texts: map[string]string{"ack": string(ack)}}})
		h.is("by an acknowledgement that was kept back", who, "nobody")
		time.Sleep(time.Second)
		for n := range 2 * mostDeparted {
			other := id{3}
			binary.BigEndian.PutUint32(other[4:], uint32(n))
			_ = h.says(other, 1, 0, true)
		}
		if len(h.departed) != mostDeparted || !h.departed[who].IsZero() {
			t.Errorf("%d are remembered, wanted %d, and the first of all not any more", len(h.departed), mostDeparted)
		}
		time.Sleep(2 * forgotten)
		_ = h.says(id{4}, 1, 0, true)
		if len(h.departed) != 1 {
			t.Errorf("two hours later, %d are remembered", len(h.departed))
		}
	})
}

// TestHeardBefore: who is new has those whose heartbeats the log still has be silent, and
// is not current until who was alive a moment ago is known to hold the same, or to be gone.
func TestHeardBefore(t *testing.T) {
	for name, c := range map[string]struct {
		ago    time.Duration
		digest uint64
		is     string
		waits  bool
	}{
		"a moment ago, with the same":           {time.Second, 0, "silent", false},
		"a moment ago, with something else":     {time.Second, 77, "silent", true},
		"half a minute ago, and something else": {30 * time.Second, 77, "silent", false},
		"two hours ago":                         {2 * time.Hour, 77, "nobody", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, who := newHeard(t, position{10, 0}, position{10, 0}), id{1}
				read := earlier{beats: map[id]beat{who: {from: who, count: 3, sent: uint64(time.Now().Add(-c.ago).UnixMilli()), digest: c.digest}}}
				h.settle(nil, &read, 0, position{10, 0}, position{10, 0}, standing{}, true)
				h.is("by what the log said", who, c.is)
				if apart, _ := h.apart(); apart != c.waits {
					t.Errorf("it is waited for: %v, wanted %v", apart, c.waits)
				}
				if c.waits {
					h.count = 3
					h.hearOf(position{10, 0}, 0, 0)
					if apart, _ := h.apart(); apart {
						t.Error("it is waited for though it holds the same now")
					}
					h.settle(nil, &read, 0, position{10, 0}, position{10, 0}, standing{}, true)
				}
				time.Sleep(h.silence() + 1)
				if apart, _ := h.apart(); apart {
					t.Error("it is waited for though it must be gone")
				}
			})
		})
	}
}

// TestLeftMeanwhile: nobody waits for the acknowledgement of who said goodbye since.
func TestLeftMeanwhile(t *testing.T) {
	h := newHeard(t, position{10, 0}, position{10, 0})
	p := newPending(h.me)
	h.pending[1] = p
	p.settle([]id{{1}, {2}}, []id{{3}})
	for n := range byte(3) {
		select {
		case <-p.all:
			t.Errorf("all acknowledged, and %d said nothing yet", 3-n)
		default:
		}
		_ = h.says(id{3 - n}, 1, 0, true)
	}
	select {
	case <-p.all:
	default:
		t.Error("Wait would go on")
	}
	r := Receipt{of: p}
	if p.tell(&r); !r.All() {
		t.Errorf("not all have it: %v", r)
	}
}
