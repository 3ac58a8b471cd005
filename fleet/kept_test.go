package fleet

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// FuzzKept: whatever stands in Redis, what is opened was sealed by us for this place, and
// everything else is rejected.
func FuzzKept(f *testing.F) {
	ring, err := newKeys("orders", func() [][]byte { return [][]byte{bytes.Repeat([]byte{1}, minSecret)} })
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1_790_000_000, 0) // the same in each process that fuzzes
	at := place{id: "0123456789abcdefghijkl"}
	good := (&kept{active: true, asked: now, until: now.Add(time.Minute), data: []byte("answer")}).seal(ring.ring.Load(), 0, at)
	f.Add(good, false)
	f.Add(good, true)
	f.Add(good[:answerHead], false)
	f.Add("i"+good[1:], true)
	f.Add("", false)
	f.Fuzz(func(t *testing.T, entry string, shared bool) {
		e, err := openKept(ring.ring.Load(), at, entry, shared, now, 0)
		switch {
		case err != nil && (e != nil || !errors.Is(err, introspection.ErrRejected)):
			t.Errorf("the error is %v", err)
		case e != nil && (!e.active || string(e.data) != "answer" || shared || entry[:answerHead] != good[:answerHead]):
			t.Errorf("it is %+v", e)
		}
	})
}
