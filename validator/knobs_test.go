package validator_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// ClockSkew and Now have their tests in time_test.go, the Observer in
// observer_test.go, and what an issuer's Keys and Introspection say in
// issuerknobs_test.go.

func TestAlgorithms(t *testing.T) {
	all := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
	for _, tc := range []struct {
		name       string
		configured []string
		accepted   []string
	}{
		{"default", nil, []string{"RS256", "PS256", "ES256", "EdDSA", "Ed25519"}},
		{"one RSA", []string{"PS384"}, []string{"PS384"}},
		{"one EC", []string{"ES512"}, []string{"ES512"}},
		{"EdDSA", []string{"EdDSA"}, []string{"EdDSA", "Ed25519"}},
		{"Ed25519 (RFC 9864)", []string{"Ed25519"}, []string{"EdDSA", "Ed25519"}},
		{"all", all, all},
	} {
		t.Run(tc.name, func(t *testing.T) {
			iss := issuertest.New(t)
			v := newJWT(t, iss, func(c *validator.Config) { c.Issuers[0].Algorithms = tc.configured })
			for _, alg := range all {
				want := "alg"
				if slices.Contains(tc.accepted, alg) {
					want = "ok"
				}
				if got := outcome(v.Verify(t.Context(), iss.Token(issuertest.Claims{Algorithm: alg}))); got != want {
					t.Errorf("%s: %s, wanted %s", alg, got, want)
				}
			}
		})
	}
}

func TestProfile(t *testing.T) {
	iss := issuertest.New(t)
	with := func(typ any, name string, value any) string {
		claims := goodClaims(iss, time.Now())
		claims[name] = value
		header := map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA"), "typ": typ}
		return iss.Sign(object(header), object(claims), "EdDSA")
	}
	okta := validator.Profile{Types: []string{"okta-internal-at+jwt"}, Require: []string{"cid"}}
	for _, tc := range []struct {
		name                string
		raw                 string
		plain, strict, okta string
	}{
		{"at+jwt", with("at+jwt", "x", 1), "ok", "ok", "typ"},
		{"application/at+jwt", with("application/at+jwt", "x", 1), "ok", "ok", "typ"},
		{"upper case", with("APPLICATION/AT+JWT", "x", 1), "ok", "ok", "typ"},
		{"JWT", with("JWT", "x", 1), "ok", "typ", "typ"},
		{"no typ", with(nil, "x", 1), "ok", "typ", "typ"},
		{"empty typ", with("", "x", 1), "typ", "typ", "typ"},
		{"an ID token's relative", with("secevent+jwt", "x", 1), "typ", "typ", "typ"},
		{"its own type", with("okta-internal-at+jwt", "cid", "svc"), "typ", "typ", "ok"},
		{"its own type, without the claim", with("okta-internal-at+jwt", "x", 1), "typ", "typ", "claims"},
		{"its own type, with a null claim", with("okta-internal-at+jwt", "cid", json.RawMessage("null")), "typ", "typ", "claims"},
		{"no sub", with("at+jwt", "sub", nil), "ok", "claims", "typ"},
		{"no client_id", with("at+jwt", "client_id", nil), "ok", "claims", "typ"},
		{"no iat", with("at+jwt", "iat", nil), "ok", "claims", "typ"},
		{"no jti", with("at+jwt", "jti", nil), "ok", "claims", "typ"},
		{"no exp", with("at+jwt", "exp", nil), "exp", "exp", "typ"},
		{"no aud", with("at+jwt", "aud", nil), "aud", "aud", "typ"},
		{"no iss", with("at+jwt", "iss", nil), "iss", "iss", "iss"},
	} {
		for name, want := range map[string]struct {
			profile validator.Profile
			want    string
		}{
			"plain": {validator.Profile{}, tc.plain}, "RFC 9068": {validator.RFC9068(), tc.strict}, "own": {okta, tc.okta},
		} {
			v := newJWT(t, iss, func(c *validator.Config) { c.Issuers[0].Profile = want.profile })
			if got := outcome(v.Verify(t.Context(), tc.raw)); got != want.want {
				t.Errorf("%s, profile %s: %s, wanted %s", tc.name, name, got, want.want)
			}
		}
	}
}

func TestMaxTokenBytes(t *testing.T) {
	for name, tc := range map[string]struct{ configured, limit int }{
		"default": {0, 16 << 10}, "least": {256, 256}, "more": {100_000, 100_000}, "most": {1 << 20, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			iss := issuertest.New(t)
			limit := func(c *validator.Config) { c.MaxTokenBytes = tc.configured }
			byKeys, asked := newJWT(t, iss, limit), newOpaque(t, iss, limit)
			fits, over := strings.Repeat("x", tc.limit), strings.Repeat("x", tc.limit+1)
			wantOutcome(t, "shape")(byKeys.Verify(t.Context(), fits))
			wantOutcome(t, "size")(byKeys.Verify(t.Context(), over))
			wantOutcome(t, "size")(asked.Verify(t.Context(), over))
			wantRequests(t, iss, issuertest.Introspection, 0)
			_, _ = asked.Verify(t.Context(), fits)
			wantRequests(t, iss, issuertest.Introspection, 1)
		})
	}
}

// TestCacheEntries knows a cached token by its Token, which is shared.
func TestCacheEntries(t *testing.T) {
	iss := issuertest.New(t)
	const tokens = 100
	raw := make([]string, tokens)
	for i := range raw {
		raw[i] = iss.Token(issuertest.Claims{Algorithm: "EdDSA"})
	}
	for name, tc := range map[string]struct{ configured, least, most int }{
		"default": {0, tokens, tokens}, "none": {-1, 0, 0}, "one": {1, 1, 1}, "few": {16, 8, 16}, "an odd number": {21, 8, 21},
	} {
		t.Run(name, func(t *testing.T) {
			v := newJWT(t, iss, func(c *validator.Config) { c.CacheEntries = tc.configured })
			first := make([]*validator.Token, tokens)
			for i := range raw {
				var err error
				if first[i], err = v.Verify(t.Context(), raw[i]); err != nil {
					t.Fatal(err)
				}
			}
			hits := 0
			for i := tokens - 1; i >= 0; i-- { // the newest first, before misses push them out
				again, err := v.Verify(t.Context(), raw[i])
				if err != nil {
					t.Fatal(err)
				}
				if again == first[i] {
					hits++
				}
			}
			if hits < tc.least || hits > tc.most {
				t.Errorf("%d tokens were in the cache, wanted %d to %d", hits, tc.least, tc.most)
			}
		})
	}
}

// TestCacheOfIntrospectedTokens: none, for any of the caches and lifetimes, and
// every request is asked about.
func TestCacheOfIntrospectedTokens(t *testing.T) {
	for _, tc := range []struct {
		name               string
		change             func(*validator.Config)
		active, madeUpAsks int // of ten requests each
	}{
		{"default", func(*validator.Config) {}, 1, 1},
		{"no verified-token cache", func(c *validator.Config) { c.CacheEntries = -1 }, 1, 1},
		{"no positive lifetime", func(c *validator.Config) { c.Issuers[0].Introspection.PositiveLifetime = -1 }, 10, 1},
		{"no negative lifetime", func(c *validator.Config) { c.Issuers[0].Introspection.NegativeLifetime = -1 }, 1, 10},
		{"no result cache", func(c *validator.Config) { c.Issuers[0].Introspection.CacheEntries = -1 }, 10, 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			iss := issuertest.New(t)
			v := newOpaque(t, iss, tc.change)
			raw := iss.Opaque(issuertest.Claims{})
			for range 10 {
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
			}
			wantRequests(t, iss, issuertest.Introspection, tc.active)
			for range 10 {
				wantOutcome(t, "active")(v.Verify(t.Context(), "made-up"))
			}
			wantRequests(t, iss, issuertest.Introspection, tc.active+tc.madeUpAsks)
		})
	}
}

// TestVerifySlots floods the slots with forgeries. With one slot and no wait
// some get 503; with a wait, each gets its turn. A token in the cache needs none.
func TestVerifySlots(t *testing.T) {
	iss := issuertest.New(t)
	forged := make(map[string][]string)
	const each = 24
	for range each {
		for _, alg := range []string{"ES256", "ES512"} {
			forged[alg] = append(forged[alg], iss.Bad(issuertest.OtherKey, issuertest.Claims{Algorithm: alg}))
		}
	}
	for _, tc := range []struct {
		name  string
		alg   string
		slots int
		wait  time.Duration
		busy  bool
	}{
		{"one slot, no wait", "ES256", 1, -1, true},
		{"one slot, too short a wait", "ES256", 1, time.Nanosecond, true},
		{"one slot, a long wait", "ES256", 1, time.Minute, false},
		{"a slot for each, no wait", "ES256", each, -1, false},
		{"costly keys, a quarter of eight slots, no wait", "ES512", 8, -1, true},
		{"costly keys, a slot for each, no wait", "ES512", 4 * each, -1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := newJWT(t, iss, func(c *validator.Config) {
				c.VerifySlots, c.VerifyWait = tc.slots, tc.wait
				c.Issuers[0].Algorithms = []string{"ES256", "ES512", "EdDSA"}
			})
			cached := iss.Token(issuertest.Claims{Algorithm: "EdDSA"})
			wantOutcome(t, "ok")(v.Verify(t.Context(), cached))
			flood := func() bool {
				var busy atomic.Bool
				var requests sync.WaitGroup
				for _, raw := range forged[tc.alg] {
					requests.Go(func() {
						_, err := v.Verify(t.Context(), raw)
						if errors.Is(err, validator.ErrUnavailable) || errors.Is(err, validator.ErrThrottled) {
							busy.Store(true)
							if after := err.(*validator.Error).RetryAfter(); after <= 0 {
								t.Errorf("RetryAfter is %v, wanted more than nothing", after)
							}
						} else {
							wantCheck(t, err, validator.ErrInvalidToken, validator.CheckSignature)
						}
						wantOutcome(t, "ok")(v.Verify(t.Context(), cached))
					})
				}
				requests.Wait()
				return busy.Load()
			}
			if tc.busy {
				eventually(t, "a request finds no slot", flood)
			} else if flood() {
				t.Error("a request found no slot")
			}
		})
	}
}
