package validator_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestCacheKeepsItsBoundInBytes fills the cache with tokens that say as much as
// they can in as few bytes as they can, and measures the heap: the bound is that
// of Config.CacheEntries.
func TestCacheKeepsItsBoundInBytes(t *testing.T) {
	const entries, maxToken = 128, 4 << 10
	const bound = entries * (maxToken + 700)
	for name, tc := range map[string]struct {
		extra extra
		kept  bool
	}{
		"usual":            {extra{}, true},
		"spaces for scope": {extra{"scope": "a" + strings.Repeat(" ", 2400)}, true},
		"one scope often":  {extra{"scope": strings.Repeat("a ", 1200)}, true},
		"many scopes":      {extra{"scope": distinctScopes(600)}, false},
		"many audiences":   {extra{"aud": append(make([]string, 800), issuertest.Audience)}, false},
		"many roles":       {extra{"roles": make([]string, 800)}, false},
		"escapes":          {extra{"sub": strings.Repeat("\n", 1100)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			v := newJWT(t, iss, func(c *validator.Config) { c.CacheEntries, c.MaxTokenBytes = entries, maxToken })
			tokens := make([]string, 2*entries)
			for i := range tokens {
				claims := extra{"n": i}
				for name, value := range tc.extra {
					claims[name] = value
				}
				tokens[i] = iss.Token(issuertest.Claims{Algorithm: "EdDSA", Extra: claims})
			}
			measureCache(t, v, tokens, bound)
			again, err := v.Verify(t.Context(), tokens[0])
			if err != nil {
				t.Fatal(err)
			}
			if seen, err := v.Verify(t.Context(), tokens[0]); err != nil || (seen == again) != tc.kept {
				t.Errorf("%v; in the cache: %v, wanted %v", err, seen == again, tc.kept)
			}
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
