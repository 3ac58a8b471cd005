package memo

import (
	"fmt"
	"strings"
	"testing"
)

func newMemo(places int) *Memo[string] {
	return New(places, func(meaning string) string { return meaning })
}

// TestCopies: what is remembered holds on to nothing of the token.
func TestCopies(t *testing.T) {
	copies := 0
	m := New(1, func(meaning string) string { copies++; return strings.ToUpper(meaning) })
	m.Put("header", "meaning")
	if meaning, known := m.Get("header"); meaning != "MEANING" || !known || copies != 1 {
		t.Errorf("%q, %v, %d copies", meaning, known, copies)
	}
	if meaning, known := m.Get("another"); meaning != "" || known {
		t.Errorf("%q, %v", meaning, known)
	}
}

// TestBounds: what is new in every token costs nothing and pushes out
// nothing, and long headers are not kept.
func TestBounds(t *testing.T) {
	m := newMemo(1)
	if len(m.places) != minPlaces || len(newMemo(8000).places) != 8192 || len(newMemo(1<<20).places) != maxPlaces {
		t.Errorf("%d places for one, %d for 8,000", len(m.places), len(newMemo(8000).places))
	}
	h := "what it means"
	lasting := strings.Repeat("h", maxChars)
	m.Put(lasting, h)
	segments := make([]string, 40*minPlaces)
	for i := range segments {
		segments[i] = fmt.Sprintf("header-with-nonce-%d", i)
	}
	for _, segment := range segments[:20*minPlaces] {
		m.Put(segment, h)
	}
	segments = segments[20*minPlaces:]
	n := 0
	if allocs := testing.AllocsPerRun(len(segments)-1, func() { m.Put(segments[n], h); n++ }); allocs != 0 {
		t.Errorf("a header that is seen once costs %v allocations", allocs)
	}
	later := "a header in use"
	m.Put(later, h)
	m.Put(later, h)
	if _, known := m.Get(later); !known {
		t.Error("a full memo takes nothing new that is seen again")
	}
	if _, known := m.Get(lasting); !known {
		t.Error("headers that are seen once push out one that is in use")
	}
	long := lasting + "h"
	for range 3 {
		m.Put(long, h)
	}
	for i := range m.places {
		if r := m.places[i].Load(); r != nil && r.text == long {
			t.Error("a header above the bound is kept")
		}
	}
	for range 2 {
		for _, segment := range segments {
			m.Put(segment, h)
			m.Put(segment, h)
		}
	}
	held := 0
	for i := range m.places {
		if m.places[i].Load() != nil {
			held++
		}
	}
	if held > minPlaces {
		t.Errorf("holds %d headers", held)
	}
}

// TestHoldsLiveHeaders of a thousand issuers that rotate their keys,
// whose tokens come in any order.
func TestHoldsLiveHeaders(t *testing.T) {
	m := newMemo(8000)
	h := "what it means"
	for range 4 {
		for i := range 2000 {
			m.Put(fmt.Sprintf("header-%d", i), h)
		}
	}
	missed := 0
	for i := range 2000 {
		if _, known := m.Get(fmt.Sprintf("header-%d", i)); !known {
			missed++
		}
	}
	if missed > 200 {
		t.Errorf("%d of 2,000 live headers are unknown", missed)
	}
}
