package fleet

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// TestWhatIsAcknowledged: an entry that counts here, to a writer that may wait for that.
// One that a lift voids which comes together with it counts for nothing, and what was
// written long ago, and is known, somebody has written once more.
func TestWhatIsAcknowledged(t *testing.T) {
	writer, target := id{9}, revocation.Client(partyIssuer, "batch")
	for name, c := range map[string]struct {
		ago          time.Duration
		known        bool
		lift         time.Duration // after the entry; 0: there is none
		liftedBy     id
		inLog, inSet bool
	}{
		"just written":                  {inLog: true, inSet: true},
		"just written, and known":       {known: true, inLog: true, inSet: true},
		"long ago, and new here":        {ago: 2 * time.Minute, inLog: true},
		"long ago, and known":           {ago: 2 * time.Minute, known: true},
		"with a lift written back":      {lift: 8 * time.Second},
		"with an older one":             {lift: -time.Second, inLog: true, inSet: true},
		"with one of somebody, by then": {lift: time.Second, liftedBy: id{8}, inLog: true, inSet: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHeard(t, position{10, 0}, position{10, 0})
				at := time.Now().Add(-c.ago)
				record := func(e revocation.Entry, at time.Time) revocation.Record {
					r, err := h.f.list.Record(e, uint64(at.UnixMicro()))
					if err != nil {
						t.Fatal(err)
					}
					return r
				}
				messages := []message{{record(revocation.Block(target), at), writer, 1}}
				if c.lift != 0 {
					messages = append(messages, message{record: record(revocation.Lift(target), at.Add(c.lift)), writer: c.liftedBy, own: 1})
				}
				var log []entry
				var set []standingRecord
				for n := range messages {
					m := &messages[n]
					f := h.ring().field(&m.record)
					sealed := string(h.ring().seal(forFeed, f, m.encode()))
					log = append(log, entry{at: position{11, uint64(n)}, texts: map[string]string{"field": f, "sequence": hex16(m.record.Sequence), "record": sealed}})
					set = append(set, standingRecord{name: f, message: *m})
					if at, err := parseField(f); n == 0 && c.known && err == nil {
						h.hold(at, &m.record)
					}
				}
				if _, is := h.recent(set)[writer]; is != c.inSet {
					t.Errorf("of what stands it is acknowledged: %v, wanted %v", is, c.inSet)
				}
				if err := h.take(log); err != nil {
					t.Fatal(err)
				}
				acked := false
				for len(h.acks) > 0 {
					of := <-h.acks
					acked = acked || of.to == writer
				}
				if acked != c.inLog {
					t.Errorf("by the log it is acknowledged: %v, wanted %v", acked, c.inLog)
				}
			})
		})
	}
}
