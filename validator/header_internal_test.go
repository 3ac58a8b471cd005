package validator

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/internal/jws"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// newOf is a validator of iss's JWTs, without a cache.
func newOf(t *testing.T, iss *issuertest.Issuer) *Validator {
	t.Helper()
	v, err := New(Config{
		CacheEntries: -1,
		Observer:     observe.Observer{Event: func(context.Context, *observe.Event) {}},
		Issuers:      []Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}, Keys: &jwks.Config{HTTPClient: iss.Client()}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// headerOf is a token's header segment.
func headerOf(token string) string {
	header, _, _ := strings.Cut(token, ".")
	return header
}

// Nobody fills the memo but by good signatures, and then what it holds is what
// the header says.
func TestHeaderMemoHoldsProvenHeadersAlone(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newOf(t, iss)
	try := func(token string, good bool) {
		t.Helper()
		for range 3 {
			if _, err := v.Verify(t.Context(), token); (err == nil) != good {
				t.Fatalf("%v, wanted a good token: %v", err, good)
			}
		}
	}
	good := iss.Token(issuertest.Claims{Algorithm: "EdDSA"})
	try(good[:len(good)-8]+"AAAAAAAA", false)
	try(iss.Bad(issuertest.OtherKey, issuertest.Claims{}), false)
	try(iss.Bad(issuertest.Expired, issuertest.Claims{}), false)
	for i := range v.headers.places {
		if v.headers.places[i].Load() != nil || v.headers.once[i].Load() != 0 {
			t.Fatal("a bad token's header is in the memo")
		}
	}
	try(good, true)
	h, known := v.headers.get(headerOf(good))
	if !known || h.Algorithm != "EdDSA" || h.canonical != "EdDSA" || h.KeyID != iss.CurrentKeyID("EdDSA") || !h.HasKeyID || !h.HasType {
		t.Errorf("known: %v, %+v", known, h)
	}
	if _, known := v.headers.get(headerOf(good)[1:]); known {
		t.Error("another header is known")
	}
}

// TestHeaderMemoBounds: what is new in every token costs nothing and pushes out
// nothing, and long headers are not kept.
func TestHeaderMemoBounds(t *testing.T) {
	m := newHeaderMemo(1)
	if len(m.places) != minHeaders || len(newHeaderMemo(1000).places) != 8192 || len(newHeaderMemo(1<<17).places) != maxHeaders {
		t.Errorf("%d places for one issuer, %d for 1,000", len(m.places), len(newHeaderMemo(1000).places))
	}
	h := header{Header: jws.Header{Algorithm: "RS256", KeyID: "k", HasKeyID: true}, canonical: "RS256"}
	lasting := strings.Repeat("h", maxHeaderChars)
	m.put(lasting, h)
	segments := make([]string, 40*minHeaders)
	for i := range segments {
		segments[i] = fmt.Sprintf("header-with-nonce-%d", i)
	}
	for _, segment := range segments[:20*minHeaders] {
		m.put(segment, h)
	}
	segments = segments[20*minHeaders:]
	n := 0
	if allocs := testing.AllocsPerRun(len(segments)-1, func() { m.put(segments[n], h); n++ }); allocs != 0 {
		t.Errorf("a header that is seen once costs %v allocations", allocs)
	}
	later := "a header in use"
	m.put(later, h)
	m.put(later, h)
	if _, known := m.get(later); !known {
		t.Error("a full memo takes nothing new that is seen again")
	}
	if _, known := m.get(lasting); !known {
		t.Error("headers that are seen once push out one that is in use")
	}
	long := lasting + "h"
	for range 3 {
		m.put(long, h)
	}
	for i := range m.places {
		if r := m.places[i].Load(); r != nil && r.segment == long {
			t.Error("a header above the bound is kept")
		}
	}
	for range 2 {
		for _, segment := range segments {
			m.put(segment, h)
			m.put(segment, h)
		}
	}
	held := 0
	for i := range m.places {
		if m.places[i].Load() != nil {
			held++
		}
	}
	if held > minHeaders {
		t.Errorf("holds %d headers", held)
	}
}

// TestHeaderMemoHoldsLiveHeaders of a thousand issuers that rotate their keys,
// whose tokens come in any order.
func TestHeaderMemoHoldsLiveHeaders(t *testing.T) {
	m := newHeaderMemo(1000)
	h := header{Header: jws.Header{Algorithm: "RS256"}, canonical: "RS256"}
	for range 4 {
		for i := range 2000 {
			m.put(fmt.Sprintf("header-%d", i), h)
		}
	}
	missed := 0
	for i := range 2000 {
		if _, known := m.get(fmt.Sprintf("header-%d", i)); !known {
			missed++
		}
	}
	if missed > 200 {
		t.Errorf("%d of 2,000 live headers are unknown", missed)
	}
}

// A pool keeps buffers for longer than requests last: header and payload may be
// in a cache, so a signature must not stay in them.
func TestSignaturesLeaveNothingInTheirBuffers(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newOf(t, iss)
	buffer := new([jws.MaxRSABits / 8]byte)
	used := false
	before := signatures.New
	defer func() { signatures.New = before }()
	for signatures.New = nil; signatures.Get() != nil; { // what others left
	}
	signatures.New = func() any { used = true; return buffer }
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		good := iss.Token(issuertest.Claims{Algorithm: alg})
		for _, token := range []string{good, good[:len(good)-8] + "AAAAAAAA", good + "="} {
			_, _ = v.Verify(t.Context(), token)
			if *buffer != [jws.MaxRSABits / 8]byte{} {
				t.Fatalf("%s: a signature is still there", alg)
			}
		}
	}
	if !used {
		t.Error("the buffer was not used")
	}
}
