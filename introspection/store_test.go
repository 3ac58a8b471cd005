package introspection_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
)

// TestTokensInUseAreRemembered: what the store promises, as a Client keeps it. One that
// has many good tokens comes twelve times for each of the others' requests.
func TestTokensInUseAreRemembered(t *testing.T) {
	const entries, others, rounds, between = 500, 50, 30, 12
	for name, greedy := range map[string]func(i int) int{
		"once each":                       func(i int) int { return i },
		"twice in a row, over and over":   func(i int) int { return i / 2 % 600 },
		"again after a while":             func(i int) int { return i/200*100 + i%100 },
		"more than there are, and larger": func(i int) int { return i % 600 },
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(func(token string) answer {
				client, pad := token, ""
				if strings.HasPrefix(token, "greedy") {
					client = "greedy"
					if strings.HasSuffix(name, "larger") {
						pad = strings.Repeat("x", 20<<10)
					}
				}
				return answer{body: `{"active":true,"client_id":"` + client + `","pad":"` + pad + `"}`}
			})
			c := newClient(t, u, func(cfg *introspection.Config) {
				cfg.CacheEntries, cfg.PositiveLifetime = entries, time.Hour
			})
			asked := 0
			for i := range rounds * others {
				for n := range between {
					expect(t, c, "greedy-"+tokenNumber(greedy(i*between+n)), "active")
				}
				expect(t, c, "other-"+tokenNumber(i%others), "active")
			}
			for i := range others {
				asked += u.callsFor("other-" + tokenNumber(i))
			}
			t.Logf("of %d requests of the others %d asked", rounds*others, asked)
			if asked > 2*others {
				t.Errorf("of %d requests of the others %d asked, wanted two for each of them at most", rounds*others, asked)
			}
		})
	}
}

// TestCacheKeepsItsBoundInBytes fills a cache with many more answers of both kinds than it
// keeps, each active one of a client of its own, and measures the heap: the bound is that
// of Config.CacheEntries.
func TestCacheKeepsItsBoundInBytes(t *testing.T) {
	const entries, bookkeeping = 3000, 350
	for size, takes := range map[int]int{64: 64, 500: 512, 4096: 4096, 33_000: 4096} { // a large one counts for several
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			u := newUpstream(func(token string) answer {
				if strings.HasPrefix(token, "good") {
					body := `{"active":true,"sub":"` + token + `","pad":"`
					return answer{body: body + strings.Repeat("x", size-len(body)-2) + `"}`}
				}
				return answer{body: `{"active":false}`}
			})
			c := newClient(t, u, func(cfg *introspection.Config) {
				cfg.CacheEntries, cfg.MaxPerSecond, cfg.PositiveLifetime, cfg.NegativeLifetime = entries, -1, time.Hour, time.Hour
			})
			fill := func(n int) {
				for i := range n {
					expect(t, c, "good-"+tokenNumber(i), "active")
					expect(t, c, "bad-"+tokenNumber(i), "inactive")
				}
				u.mu.Lock()
				defer u.mu.Unlock()
				u.asked = make(map[string]int)
			}
			fill(1) // buffers, connections
			before := heapInUse()
			fill(5 * entries)
			after := heapInUse()
			runtime.KeepAlive(c)
			held := int(after) - int(before)
			bound := entries * (takes + 2*bookkeeping)
			t.Logf("%d bytes, at most %d: for each entry %d", held, bound, held/entries)
			if held > bound {
				t.Errorf("the cache holds %d bytes, wanted at most %d", held, bound)
			}
		})
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
