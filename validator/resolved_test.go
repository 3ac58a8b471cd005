package validator_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestMaxResolved lets a third issuer in where there is room for two: the one
// whose tokens were accepted least recently goes. Garbage in its name does not
// keep it, and hits in the cache count as use.
func TestMaxResolved(t *testing.T) {
	busy, idle, next := issuertest.NewInMemory(t), issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	d := newDirectory(keysOf(busy), answersOf(idle), keysOf(next))
	v := newResolving(t, d, func(c *validator.Config) { c.MaxResolved = 2 })
	seen, asleep := busy.Token(issuertest.Claims{}), idle.Token(issuertest.Claims{})
	wantOutcome(t, "ok")(v.Verify(t.Context(), seen))
	wantOutcome(t, "ok")(v.Verify(t.Context(), asleep))
	wantOutcome(t, "ok")(v.Verify(t.Context(), seen)) // from the cache
	wantOutcome(t, "active")(v.Verify(t.Context(), idle.Bad(issuertest.Tampered, issuertest.Claims{})))
	wantOutcome(t, "ok")(v.Verify(t.Context(), next.Token(issuertest.Claims{})))
	d.wantAsked(t, "", 3)

	wantOutcome(t, "ok")(v.Verify(t.Context(), seen))
	wantOutcome(t, "ok")(v.Verify(t.Context(), busy.Token(issuertest.Claims{})))
	d.wantAsked(t, busy.URL(), 1)
	wantRequests(t, busy, issuertest.JWKS, 1)

	// It comes back like a new one, and its proof was not kept.
	wantOutcome(t, "ok")(v.Verify(t.Context(), asleep))
	wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), asleep, 0))
	d.wantAsked(t, idle.URL(), 2)
}

// TestRefusedIssuersAreRememberedInLittleRoom: a thousand refusals spare the
// Resolver as many questions, and a flood of others takes no more memory than
// they do.
func TestRefusedIssuersAreRememberedInLittleRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const room, flood = 1000, 5000
		iss := issuertest.NewInMemory(t)
		d := newDirectory()
		v := newResolving(t, d, func(c *validator.Config) { c.ResolvesPerSecond = 1_000_000 })
		unknown := func(which string, n int) {
			for i := range n {
				wantOutcome(t, "iss")(v.Verify(t.Context(), claiming(iss, fmt.Sprintf("https://%s-%d.example.com", which, i))))
			}
		}
		unknown("a", room)
		unknown("a", room)
		d.wantAsked(t, "", room)
		unknown("b", flood)
		d.set(func(d *directory) { clear(d.asked) })
		unknown("b", flood)
		if known := flood - len(d.asked); known > room {
			t.Errorf("%d refusals were remembered, wanted at most %d", known, room)
		}
	})
}

// TestManyIssuersInLittleRoom keeps the bound under concurrent use.
func TestManyIssuersInLittleRoom(t *testing.T) {
	var issuers []*issuertest.Issuer
	d := newDirectory()
	for range 12 {
		iss := issuertest.NewInMemory(t)
		issuers = append(issuers, iss)
		d.issuers[iss.URL()] = keysOf(iss)
	}
	v := newResolving(t, d, func(c *validator.Config) { c.MaxResolved, c.ResolvesPerSecond = 3, 1_000_000 })
	var requests sync.WaitGroup
	for n := range 8 {
		requests.Go(func() {
			for round := range 50 {
				iss := issuers[(n*5+round)%len(issuers)]
				token, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{Algorithm: "EdDSA"}))
				switch {
				case err == nil && token.Issuer() != iss.URL():
					t.Errorf("%v, wanted a token of %s", token, iss.URL())
				case err != nil && !errors.Is(err, validator.ErrUnavailable): // its issuer was pushed out meanwhile
					t.Error(err)
				}
			}
		})
	}
	requests.Wait()
	for _, iss := range issuers {
		wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
	}
}

// TestForgetIssuer takes the trust in a customer back: its tokens are refused,
// those in the cache as well.
func TestForgetIssuer(t *testing.T) {
	for name, reach := range map[string]func(*issuertest.Issuer) validator.Issuer{"keys": keysOf, "introspection": answersOf} {
		t.Run(name, func(t *testing.T) {
			iss, stays := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
			d := newDirectory(reach(iss), keysOf(stays))
			v := newResolving(t, d, func(c *validator.Config) { c.MaxResolved = 2 })
			raw, other := iss.Token(issuertest.Claims{}), stays.Token(issuertest.Claims{})
			wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
			wantOutcome(t, "ok")(v.Verify(t.Context(), other))
			d.set(func(d *directory) { delete(d.issuers, iss.URL()) })
			wantOutcome(t, "ok")(v.Verify(t.Context(), raw)) // nobody said so
			v.ForgetIssuer(iss.URL())
			wantOutcome(t, "iss")(v.Verify(t.Context(), raw))
			wantOutcome(t, "iss")(v.Verify(t.Context(), raw))
			d.wantAsked(t, iss.URL(), 2)

			// It comes back, with other rules, and is known at once.
			changed := reach(iss)
			changed.Audience = []string{"https://other.example.test"}
			d.set(func(d *directory) { d.issuers[iss.URL()] = changed })
			v.ForgetIssuer(iss.URL())
			wantOutcome(t, "aud")(v.Verify(t.Context(), raw))

			v.ForgetIssuer("https://nobody.example")
			wantOutcome(t, "ok")(v.Verify(t.Context(), other))
			d.wantAsked(t, stays.URL(), 1)
		})
	}
	configured := issuertest.NewInMemory(t)
	v := newMany(t, keysOf(configured))
	v.ForgetIssuer(configured.URL())
	wantOutcome(t, "ok")(v.Verify(t.Context(), configured.Token(issuertest.Claims{})))
}

// TestForgetIssuerWhileItIsLookedUp: what the Resolver said before is not kept.
func TestForgetIssuerWhileItIsLookedUp(t *testing.T) {
	for _, before := range []bool{true, false} { // whether it was a customer then
		synctest.Test(t, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			d := newDirectory()
			now := "ok"
			if before {
				d.issuers[iss.URL()], now = keysOf(iss), "iss"
			}
			d.hold = make(chan struct{})
			v := newResolving(t, d)
			raw := iss.Token(issuertest.Claims{})
			var request sync.WaitGroup
			request.Go(func() {
				if _, err := v.Verify(t.Context(), raw); err == nil {
					t.Error("a look-up from before was believed")
				}
			})
			synctest.Wait()
			d.set(func(d *directory) {
				if before {
					delete(d.issuers, iss.URL())
				} else {
					d.issuers[iss.URL()] = keysOf(iss)
				}
			})
			v.ForgetIssuer(iss.URL())
			close(d.hold)
			request.Wait()
			wantOutcome(t, now)(v.Verify(t.Context(), raw))
			d.wantAsked(t, iss.URL(), 2)
		})
	}
}

// TestCloseWhileAnIssuerIsLookedUp ends the look-up at once.
func TestCloseWhileAnIssuerIsLookedUp(t *testing.T) {
	before := goleak.IgnoreCurrent()
	iss := issuertest.NewInMemory(t)
	d := newDirectory(keysOf(iss))
	d.hold = make(chan struct{}) // never closed
	v := newResolving(t, d)
	var requests sync.WaitGroup
	for range 3 {
		requests.Go(func() {
			_, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{}))
			wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
		})
	}
	eventually(t, "the Resolver is asked", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.asked[iss.URL()] > 0
	})
	start := time.Now()
	v.Close()
	requests.Wait()
	if waited := time.Since(start); waited > 3*time.Second {
		t.Errorf("Close took %v", waited)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	_, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{}))
	wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
	v.Close()
}

// TestResolvedIssuersEndWithTheValidator, those that were pushed out before it
// included.
func TestResolvedIssuersEndWithTheValidator(t *testing.T) {
	var issuers []*issuertest.Issuer
	d := newDirectory()
	for range 4 {
		iss := issuertest.New(t) // with sockets, idle connections, and refresh timers
		issuers = append(issuers, iss)
		d.issuers[iss.URL()] = validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}}
	}
	before := goleak.IgnoreCurrent()
	v := newResolving(t, d, func(c *validator.Config) { c.MaxResolved = 2 })
	for _, iss := range issuers {
		wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
	}
	v.Close()
	for _, iss := range issuers {
		iss.Close()
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}
