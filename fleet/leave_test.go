package fleet_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// TestLeavingIsLast: no heartbeat follows the one by which an instance leaves, or it would
// be taken for one that fell silent.
func TestLeavingIsLast(t *testing.T) {
	server := miniredis.RunT(t)
	up := start(t, server.Addr(), nil)
	eventually(t, "loaded", loaded(up))
	for range 40 {
		leaves := start(t, server.Addr(), nil)
		eventually(t, "loaded", loaded(leaves))
		leaves.Close() // while its first heartbeat is on its way
		heard, err := up.Listen(t.Context())
		if err != nil || len(heard.Live)+len(heard.Silent) > 0 {
			t.Fatalf("after Close: %+v, %v", heard, err)
		}
	}
}
