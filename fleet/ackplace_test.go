package fleet_test

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/revocation"
)

// TestAcknowledgementsOutOfPlace: a writer goes on hearing who has its entries, wherever
// in its log of acknowledgements somebody without a secret has led it.
func TestAcknowledgementsOutOfPlace(t *testing.T) {
	for name, mislead := range map[string]func(t *testing.T, server *miniredis.Miniredis, a *fleet.Fleet){
		"a forged one far ahead": func(t *testing.T, server *miniredis.Miniredis, a *fleet.Fleet) {
			key := "{m2mguard:orders}:acks:" + a.Instance()
			if _, err := server.XAdd(key, "99999999999999-0", []string{"ack", "x"}); err != nil {
				t.Fatal(err)
			}
			added := time.Now()
			eventually(t, "it is read", func() bool { return a.Revocations().Stats().Age < time.Since(added) })
			server.Del(key)
		},
		"a Redis whose clock is an hour behind, and that lost its data": func(_ *testing.T, server *miniredis.Miniredis, _ *fleet.Fleet) {
			server.SetTime(time.Now().Add(-time.Hour))
			server.FlushAll()
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			a, b := start(t, server.Addr(), nil), start(t, server.Addr(), nil)
			eventually(t, "loaded", func() bool { return loaded(a)() && loaded(b)() })
			if _, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "before"))); err != nil {
				t.Fatal(err)
			}
			mislead(t, server, a)
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			receipt, err := a.Revoke(ctx, revocation.Block(revocation.Client(issuer, "after")))
			if err != nil || len(receipt.Acknowledged) != 2 {
				t.Errorf("%v, %v; b refuses: %v", receipt, err, refuses(b, "after"))
			}
		})
	}
}
