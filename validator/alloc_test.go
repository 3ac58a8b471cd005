//go:build !race

// Under the race detector sync.Pool drops what it holds at random, so there
// are no allocations to count.

package validator_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestHitAllocatesNothing(t *testing.T) {
	iss := issuertest.New(t)
	jwt, opaque := newJWT(t, iss), newOpaque(t, iss)
	widened := func(c *validator.Config) {
		c.Issuers[0].Profile = validator.Profile{
			Grants: returning([]string{"orders:*"}, "r"), Accept: func(*validator.Token) error { return nil },
			Implies: map[string][]string{"orders:*": {"stock:*"}}, WildcardSuffix: ":*",
		}
	}
	widenedJWT, widenedOpaque := newJWT(t, iss, widened), newOpaque(t, iss, widened)
	rule := scopes.AnyOf(scopes.All("a", "b", "orders:read", "stock:read"), scopes.All("a", "b"))
	var told int
	asks := func(c *validator.Config) {
		c.Observer = observe.Observer{Accepted: true, Event: func(_ context.Context, e *observe.Event) {
			if e.Kind == observe.Accepted && e.Client.Text == issuertest.ClientID {
				told++
			}
		}}
	}
	list := newKillSwitch(t, revocation.Config{}).now()
	list.tell(revocation.Block(revocation.Client(iss.URL(), "another")))
	revocableJWT, revocableOpaque := newJWT(t, iss, revoking(list)), newOpaque(t, iss, revoking(list))
	watchedJWT, watchedOpaque := newJWT(t, iss, asks), newOpaque(t, iss, asks)
	timed := newJWT(t, iss, asks, func(c *validator.Config) { c.Observer.Accepted, c.Observer.SampleHits = false, 1 })
	for name, tc := range map[string]struct {
		v   *validator.Validator
		raw string
	}{
		"JWT":    {jwt, iss.Token(issuertest.Claims{Scope: "a b"})},
		"opaque": {opaque, iss.Opaque(issuertest.Claims{Scope: "a b"})},

		"JWT, with a list":    {revocableJWT, iss.Token(issuertest.Claims{Scope: "a b"})},
		"opaque, with a list": {revocableOpaque, iss.Opaque(issuertest.Claims{Scope: "a b"})},

		"JWT, with wildcards":    {widenedJWT, iss.Token(issuertest.Claims{Scope: "a b"})},
		"opaque, with wildcards": {widenedOpaque, iss.Opaque(issuertest.Claims{Scope: "a b"})},

		"JWT, with an observer that asks":                     {watchedJWT, iss.Token(issuertest.Claims{Scope: "a b"})},
		"opaque, with an observer that asks":                  {watchedOpaque, iss.Opaque(issuertest.Claims{Scope: "a b"})},
		"JWT, with an observer that asks how long each takes": {timed, iss.Token(issuertest.Claims{Scope: "a b"})},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			request := validator.Request{Scheme: "Bearer", Token: tc.raw, Method: "GET", URL: "https://api.example.com/orders", Route: "GET /orders", Source: "192.0.2.1", Scopes: []string{"a", "b"}}
			demand := validator.Demand{Audience: []string{issuertest.Audience}}
			told = 0
			verify := func() {
				token, err := tc.v.Verify(ctx, tc.raw)
				if err != nil {
					t.Fatal(err)
				}
				if err := token.Check(rule); err != nil {
					t.Fatal(err)
				}
				if _, err := tc.v.VerifyRequest(ctx, &request, &demand); err != nil {
					t.Fatal(err)
				}
			}
			verify()
			if n := testing.AllocsPerRun(1000, verify); n != 0 {
				t.Errorf("a hit allocates %v times", n)
			}
			if wanted := strings.Contains(name, "asks"); (told == 2004) != wanted || (told > 0) != wanted {
				t.Errorf("told of %d accepted requests", told)
			}
		})
	}
}

// TestForgedTokensAllocateLittle: nothing for each member, element or audience.
func TestForgedTokensAllocateLittle(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newValidator(t, keysOf(iss), func(c *validator.Config) {
		c.Observer = observe.Observer{Event: func(context.Context, *observe.Event) {}}
	})
	wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
	for name, tc := range hostilePayloads(iss) {
		raw, ctx := forged(iss, tc.payload), t.Context()
		n := testing.AllocsPerRun(10, func() {
			if _, err := v.Verify(ctx, raw); err == nil {
				t.Fatal("let in")
			}
		})
		if n > 30 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestNewHeadersAllocateNoMore: where every token has a header of its own, a first
// sight costs what it costs elsewhere.
func TestNewHeadersAllocateNoMore(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newValidator(t, keysOf(iss), func(c *validator.Config) { c.CacheEntries = -1 })
	ctx, claims := t.Context(), object(goodClaims(iss, time.Now()))
	tokens := make([]string, 5300)
	for i := range tokens {
		header := object(map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA"), "nonce": fmt.Sprintf("%08d", i)})
		tokens[i] = iss.Sign(header, claims, "EdDSA")
	}
	n := 0
	verify := func(i int) {
		if _, err := v.Verify(ctx, tokens[i]); err != nil {
			t.Fatal(err)
		}
	}
	next := func() { verify(n); n++ }
	for range 5000 { // a memo that holds some is full now
		next()
	}
	same := testing.AllocsPerRun(100, func() { verify(len(tokens) - 1) })
	if other := testing.AllocsPerRun(100, next); other > same+1 { // to decode it
		t.Errorf("%v allocations with a header that is new, %v with one that is not", other, same)
	}
}

// TestReadingAnAnswerAgainTakesNoMemory, however large it is.
func TestReadingAnAnswerAgainTakesNoMemory(t *testing.T) {
	for _, tc := range fresh {
		iss := issuertest.NewInMemory(t)
		v := newValidator(t, tc.issuer(iss))
		raw := tc.token(iss)
		body := object(map[string]any{"active": true, "aud": issuertest.Audience, "scope": distinctScopes(5000)})
		iss.SetFault(issuertest.Introspection, issuertest.Respond(200, nil, string(body)))
		var before, after runtime.MemStats
		for n := range 51 {
			if n == 1 {
				runtime.ReadMemStats(&before)
			}
			if _, err := v.VerifyFresh(t.Context(), raw, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / 50; each > uint64(len(body)/4) {
			t.Errorf("%s: %d bytes for each request, and the answer has %d", tc.name, each, len(body))
		}
	}
}
