package fleet

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/revocation"
)

// TestReadBack: of what the log says was taken out, that is kept which an instance has
// sealed, once each, and nothing of what somebody else has put there.
func TestReadBack(t *testing.T) {
	h := newHeard(t, position{10, 0}, position{10, 0})
	name := func(n byte) string { return base64.RawURLEncoding.EncodeToString(append(make([]byte, 15), n)) }
	seal := func(drops ...dropped) string { return string(h.ring().seal(forFeed, placeDrop, encodeDrop(drops))) }
	many := func(n int) string { return seal(slices.Repeat([]dropped{{name(1), 5}}, n)...) }
	for what, tc := range map[string]struct {
		drops  []string
		wanted map[field]uint64
	}{
		"nobody's":             {[]string{"x", "", strings.Repeat("x", 1<<20)}, map[field]uint64{}},
		"as it is":             {[]string{seal(dropped{name(1), 5}, dropped{name(2), 6})}, map[field]uint64{{15: 1}: 5, {15: 2}: 6}},
		"written once more":    {[]string{seal(dropped{name(1), 5}), seal(dropped{name(1), 7}), seal(dropped{name(1), 5})}, map[field]uint64{{15: 1}: 7}},
		"no field":             {[]string{seal(dropped{strings.Repeat("!", fieldSize), 5})}, map[field]uint64{}},
		"more than is written": {[]string{many(perWrite + 1)}, map[field]uint64{}},
		"as many as that":      {[]string{many(perWrite)}, map[field]uint64{{15: 1}: 5}},
		"sealed for the beats": {[]string{string(h.ring().seal(forFeed, placeBeat, encodeDrop([]dropped{{name(1), 5}})))}, map[field]uint64{}},
	} {
		t.Run(what, func(t *testing.T) {
			asked := false
			do := func(context.Context, ...string) (any, error) {
				if asked {
					return nil, nil
				}
				asked = true
				var page []any
				for n := len(tc.drops); n > 0; n-- {
					page = append(page, []any{position{10, uint64(n)}.String(), []any{"drop", tc.drops[n-1]}})
				}
				return page, nil
			}
			e, err := h.readBack(do, h.ring(), position{11, 0}, position{9, 0})
			if err != nil || !maps.Equal(e.drops, tc.wanted) {
				t.Errorf("taken out: %v, %v, wanted %v", e.drops, err, tc.wanted)
			}
		})
	}
}

// TestUnreadableOfAnotherLog: up to where the log could not be read says nothing about
// another one, which ends before that.
func TestUnreadableOfAnotherLog(t *testing.T) {
	p := newParty(t)
	b := p.join(nil)
	p.until("a heartbeat is in the log", func() bool {
		log, err := p.server.Stream(b.feed.logKey())
		return err == nil && len(log) > 0 && log[0].Values[0] == "beat"
	})
	b.feed.end() // without a goodbye
	p.before = func(f *Fleet) { f.feed.unreadable = position{99999999999999, 0} }
	a := p.join(nil)
	p.until("loaded", func() bool { return filled(a) })
	receipt, err := a.Revoke(t.Context(), revocation.Block(revocation.Client(partyIssuer, "batch")))
	if err != nil || len(receipt.Waiting)+len(receipt.Unknown) != 1 {
		t.Errorf("%v, %v: wanted one that is waited for, or unknown", receipt, err)
	}
}
