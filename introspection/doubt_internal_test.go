package introspection

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
)

// TestDoubtsAreBounded: however many tokens are refused, a bounded number of
// refusals is remembered.
func TestDoubtsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d doubts
		refusal := new(RefusedError)
		var key cacheKey
		for i := range 3 * mostDoubts {
			binary.BigEndian.PutUint64(key[:], uint64(i))
			d.put(key, refusal)
		}
		if n := len(d.now) + len(d.older); n != mostDoubts {
			t.Errorf("%d are remembered, want %d", n, mostDoubts)
		}
		if d.get(cacheKey{}) != refusal || d.get(key) != nil {
			t.Error("the first ones are not remembered, or the last one is")
		}
	})
}
