package fleet_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/revocation"
)

// TestRevokedAboveLostLift: what is revoked after a lift counts, though the lift has a
// higher number and Redis had lost it; an instance that knows better acknowledges no
// entry that counts for nothing there.
func TestRevokedAboveLostLift(t *testing.T) {
	target := revocation.Client(issuer, "victim")
	for name, c := range map[string]struct {
		ahead  time.Duration // of the clock of who lifted it
		number string        // put into Redis before the lift
		hidden bool          // for as long as it is revoked again
	}{
		"a clock ahead, and lost data":       {ahead: 8 * time.Second},
		"a forged number, and a hidden lift": {number: fmt.Sprintf("%016x", time.Now().Add(23*time.Hour).UnixMicro()), hidden: true},
		"a near one, and a hidden lift":      {number: fmt.Sprintf("%016x", time.Now().Add(50*time.Second).UnixMicro()), hidden: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			a := start(t, server.Addr(), func(f *fleet.Config) { f.Now = func() time.Time { return time.Now().Add(c.ahead) } })
			for _, e := range []revocation.Entry{revocation.Block(target), revocation.Lift(target)} {
				if c.number != "" {
					server.HSet(metaKey, "sequence", c.number)
				}
				if _, err := a.Revoke(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			server.FlushAll()
			var stop atomic.Bool
			done := make(chan struct{})
			go func() {
				defer close(done)
				for c.hidden && !stop.Load() {
					server.Del(setKey)
					server.HDel(metaKey, "sequence")
					time.Sleep(time.Millisecond)
				}
			}()
			tool := start(t, server.Addr(), nil)
			receipt, err := tool.Revoke(t.Context(), revocation.Block(target))
			if err == nil && len(receipt.Acknowledged) > 1 && !refuses(a, "victim") {
				t.Errorf("%v have acknowledged it, and one passes the client", receipt.Acknowledged)
			}
			stop.Store(true)
			<-done
			eventually(t, "it counts everywhere", func() bool { return refuses(a, "victim") && refuses(tool, "victim") })
			if err != nil && !(c.hidden && errors.Is(err, fleet.ErrUnacknowledged)) {
				t.Error(err) // whoever hides it may keep it from being confirmed
			}
		})
	}
}
