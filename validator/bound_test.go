package validator_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestCacheKeepsItsBoundInBytes fills the cache with tokens that say as much as
// they can in as few bytes as they can, and measures the heap: the bound is that
// of Config.CacheEntries. The last of them is kept nevertheless.
func TestCacheKeepsItsBoundInBytes(t *testing.T) {
	const entries, maxToken = 128, 4 << 10
	const bound = entries * (maxToken + 700)
	for name, tc := range map[string]extra{
		"usual":            {},
		"spaces for scope": {"scope": "a" + strings.Repeat(" ", 2400)},
		"one scope often":  {"scope": strings.Repeat("a ", 1200)},
		"many scopes":      {"scope": distinctScopes(600)},
		"many audiences":   {"aud": append(make([]string, 800), issuertest.Audience)},
		"many roles":       {"roles": make([]string, 800)},
		"escapes":          {"sub": strings.Repeat("\n", 1100)},
		"many details":     {"authorization_details": json.RawMessage(manyDetails(128))},
		"details of many":  {"authorization_details": []any{map[string]any{"type": "x", "actions": make([]string, 700)}}},
	} {
		t.Run(name, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			v := newJWT(t, iss, func(c *validator.Config) { c.CacheEntries, c.MaxTokenBytes = entries, maxToken })
			tokens := make([]string, 2*entries)
			for i := range tokens {
				claims := extra{"n": i}
				for name, value := range tc {
					claims[name] = value
				}
				tokens[i] = iss.Token(issuertest.Claims{Algorithm: "EdDSA", Extra: claims})
			}
			measureCache(t, v, tokens, bound)
			again, err := v.Verify(t.Context(), tokens[0])
			if err != nil {
				t.Fatal(err)
			}
			if seen, err := v.Verify(t.Context(), tokens[0]); err != nil || seen != again {
				t.Errorf("%v; in the cache: %v", err, seen == again)
			}
		})
	}
}

// TestCacheKeepsItsBoundWithLongHeaders: what a header takes, of a certificate chain
// say, is not kept with the claims.
func TestCacheKeepsItsBoundWithLongHeaders(t *testing.T) {
	const entries, maxToken = 128, 16 << 10
	for _, header := range []int{0, 100, 150, 200, 1000, 4000, 8000, 11_000} {
		t.Run(fmt.Sprint(header), func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			v := newJWT(t, iss, func(c *validator.Config) { c.CacheEntries, c.MaxTokenBytes = entries, maxToken })
			tokens := make([]string, 2*entries)
			left := (maxToken-400)*3/4 - header - 600 // of the payload
			names := min(left/3, 780)
			for i := range tokens {
				claims := goodClaims(iss, time.Now())
				claims["n"], claims["aud"] = i, append(make([]string, names), issuertest.Audience)
				claims["x"] = strings.Repeat("x", max(0, min(left-3*names, maxToken-16*(names+1)-left)))
				members := map[string]any{"alg": "EdDSA", "kid": iss.CurrentKeyID("EdDSA"), "typ": "at+jwt", "x5c": []string{strings.Repeat("A", header)}}
				tokens[i] = iss.Sign(object(members), object(claims), "EdDSA")
			}
			measureCache(t, v, tokens, entries*(maxToken+700))
		})
	}
}

// TestCacheKeepsItsBoundWithLargeAnswers does the same with introspection, whose
// answers have a bound of their own.
func TestCacheKeepsItsBoundWithLargeAnswers(t *testing.T) {
	const entries, maxToken = 128, 1 << 10
	iss := issuertest.NewInMemory(t)
	v := newOpaque(t, iss, func(c *validator.Config) {
		c.CacheEntries, c.MaxTokenBytes = entries, maxToken
		c.Issuers[0].Introspection.CacheEntries = 1
	})
	tokens := make([]string, 2*entries)
	for i := range tokens {
		tokens[i] = iss.Opaque(issuertest.Claims{Extra: extra{"note": strings.Repeat("x", 50<<10)}})
	}
	measureCache(t, v, tokens, entries*(maxToken+700))
}

// TestCacheKeepsItsBoundWithAList: what a token can be revoked by takes its 150 bytes.
func TestCacheKeepsItsBoundWithAList(t *testing.T) {
	const entries, maxToken = 128, 4 << 10
	iss := issuertest.NewInMemory(t)
	v := newJWT(t, iss, revoking(newKillSwitch(t, revocation.Config{}).now()), func(c *validator.Config) { c.CacheEntries, c.MaxTokenBytes = entries, maxToken })
	tokens := make([]string, 2*entries)
	for i := range tokens {
		tokens[i] = iss.Token(issuertest.Claims{Algorithm: "EdDSA", Extra: extra{"n": i, "x": strings.Repeat("x", 2600)}})
	}
	measureCache(t, v, tokens, entries*(maxToken+700+150))
}

// measureCache takes tokens to v and fails if it holds more than bound after it.
func measureCache(t *testing.T, v *validator.Validator, tokens []string, bound uint64) {
	t.Helper()
	wantOutcome(t, "ok")(v.Verify(t.Context(), tokens[0])) // keys, buffers, connections
	before := heapInUse()
	for _, raw := range tokens {
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	after := heapInUse()
	runtime.KeepAlive(v)
	runtime.KeepAlive(tokens)
	if after > before+bound {
		t.Errorf("the cache holds %d bytes, wanted at most %d", after-before, bound)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // what a pool held at the first one
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func distinctScopes(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%x", i)
	}
	return strings.Join(names, " ")
}
