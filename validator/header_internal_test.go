package validator

import (
	"context"
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
	for _, bad := range []string{
		good[:len(good)-8] + "AAAAAAAA",
		iss.Bad(issuertest.OtherKey, issuertest.Claims{}),
		iss.Bad(issuertest.Expired, issuertest.Claims{}),
	} {
		try(bad, false)
		if _, known := v.headers.Get(headerOf(bad)); known {
			t.Fatal("a bad token's header is in the memo")
		}
	}
	try(good, true)
	h, known := v.headers.Get(headerOf(good))
	if !known || h.Algorithm != "EdDSA" || h.canonical != "EdDSA" || h.KeyID != iss.CurrentKeyID("EdDSA") || !h.HasKeyID || !h.HasType {
		t.Errorf("known: %v, %+v", known, h)
	}
	if _, known := v.headers.Get(headerOf(good)[1:]); known {
		t.Error("another header is known")
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
