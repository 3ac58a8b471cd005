package siege_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// granter lets so many requests a second through, as hosted servers do.
type granter struct {
	mu      sync.Mutex
	n       int // a second
	left    float64
	at      time.Time
	granted int
}

func (g *granter) take() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.at.IsZero() {
		g.left = float64(g.n) / 4
	} else {
		g.left = min(g.left+now.Sub(g.at).Seconds()*float64(g.n), float64(g.n)/4)
	}
	g.at = now
	if g.left < 1 {
		return false
	}
	g.left--
	g.granted++
	return true
}

// TestServerThatWantsFewer: a server that asks to be left alone, about made-up
// tokens alone or about all that it has not seen, slows those that are new and
// nobody else.
func TestServerThatWantsFewer(t *testing.T) {
	for name, status := range map[string]int{"429": 429, "503": 503} {
		for _, after := range []string{"1", "60"} {
			t.Run(name+" about made-up tokens, Retry-After "+after, func(t *testing.T) {
				b := besiege(t, openHouse(t, &desk{latency: 5 * time.Millisecond, others: saysOf(status, "", "", "Retry-After", after)}, scaled(), nil), 0)
				b.check(t)
				b.checkEach(t)
			})
		}
		for _, rate := range []int{60, 300} {
			t.Run(fmt.Sprint(name, " at ", rate, " a second"), func(t *testing.T) {
				g := &granter{n: rate}
				refuse := saysOf(status, "", "", "Retry-After", "1")
				d := &desk{latency: 5 * time.Millisecond, before: func(w http.ResponseWriter, token string) bool {
					if strings.HasPrefix(token, "good-known") || g.take() {
						return false
					}
					refuse(w, nil)
					return true
				}}
				b := besiege(t, openHouse(t, d, scaled(), nil), 0)
				b.check(t)
				b.checkEach(t)
				if most := float64(rate) * b.took.Seconds(); float64(g.granted) < most/3 {
					t.Errorf("%d first sights were granted within %v, wanted a third of %.0f", g.granted, b.took, most)
				} else {
					t.Logf("%d of %.0f were used", g.granted, most)
				}
			})
		}
	}
}

// checkEach makes sure that each honest source got something each second, and
// about as much as others.
func (b *besieged) checkEach(t *testing.T) {
	var in [4]int64
	for i := range b.in {
		in[i] = b.in[i].Load()
	}
	t.Logf("newcomers let in, by source: %v", in)
	least, most := in[0], in[0]
	for _, n := range in {
		least, most = min(least, n), max(most, n)
	}
	if float64(least) < b.took.Seconds() {
		t.Errorf("a source had %d newcomers let in within %v, wanted one a second", least, b.took)
	}
	if most > 2*least+4 {
		t.Errorf("newcomers were let in by source %v, wanted about as many each", in)
	}
}
