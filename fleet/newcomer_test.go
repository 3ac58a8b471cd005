package fleet_test

import (
	"slices"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/revocation"
)

// TestNewcomerRevokes: an instance that began a moment ago has heard of nobody yet, and
// waits for the others all the same.
func TestNewcomerRevokes(t *testing.T) {
	server := miniredis.RunT(t)
	a := start(t, server.Addr(), nil)
	eventually(t, "a loaded", loaded(a))
	for _, client := range []string{"one", "two", "three", "four", "five"} {
		newcomer := start(t, server.Addr(), nil)
		receipt, err := newcomer.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, client)))
		if err != nil {
			t.Fatal(err)
		}
		if !refuses(a, client) || !slices.Contains(receipt.Acknowledged, a.Instance()) {
			t.Errorf("%s: a refuses it: %v, the receipt has %+v", client, refuses(a, client), receipt)
		}
		if err := receipt.Wait(t.Context()); err != nil || !receipt.All() {
			t.Errorf("%s: not all have it: %+v, %v", client, receipt, err)
		}
		newcomer.Close()
	}
}

// TestOnlyOne: who is alone is told so, and waits for nobody for long.
func TestOnlyOne(t *testing.T) {
	a := start(t, miniredis.RunT(t).Addr(), nil)
	receipt, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "one")))
	if err != nil || !receipt.All() || len(receipt.Acknowledged) != 1 {
		t.Errorf("%+v, %v", receipt, err)
	}
}

// TestReadInTheSet: who reads all that stands acknowledges what was written a moment
// ago, which does not come by its log.
func TestReadInTheSet(t *testing.T) {
	server := miniredis.RunT(t)
	a := start(t, server.Addr(), nil)
	eventually(t, "a loaded", loaded(a))
	receipt, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(issuer, "one")))
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, server.Addr(), nil)
	eventually(t, "b acknowledged", func() bool {
		_ = receipt.Wait(t.Context())
		return slices.Contains(receipt.Acknowledged, b.Instance())
	})
}
