package validator_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// forgeries are tokens of iss with claims that are good and signatures that are
// not, each of them another one, so that each is verified.
func forgeries(iss *issuertest.Issuer, alg string, n int) []string {
	raw := make([]string, n)
	for i := range raw {
		raw[i] = iss.Bad(issuertest.OtherKey, issuertest.Claims{Algorithm: alg})
	}
	return raw
}

// TestCostlyKeysHaveSlotsOfTheirOwn floods the slots of keys that are dear to
// verify with until some find none: tokens under the usual keys always do.
func TestCostlyKeysHaveSlotsOfTheirOwn(t *testing.T) {
	for _, costly := range []string{"ES384", "ES512"} {
		t.Run(costly, func(t *testing.T) {
			iss := issuertest.NewInMemory(t)
			issuer := keysOf(iss)
			issuer.Algorithms = []string{"RS256", "PS256", "ES256", "EdDSA", costly}
			v := newValidator(t, issuer, func(c *validator.Config) { c.VerifySlots, c.VerifyWait = 1, -1 })
			if err := v.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			flood := forgeries(iss, costly, 64)
			done, stop := make(chan struct{}), make(chan struct{})
			var busy sync.Once
			sawBusy := make(chan struct{})
			go func() {
				defer close(done)
				for {
					var requests sync.WaitGroup
					for _, raw := range flood {
						requests.Go(func() {
							_, err := v.Verify(t.Context(), raw)
							if errors.Is(err, validator.ErrUnavailable) || errors.Is(err, validator.ErrThrottled) {
								busy.Do(func() { close(sawBusy) })
							} else {
								wantCheck(t, err, validator.ErrInvalidToken, validator.CheckSignature)
							}
						})
					}
					requests.Wait()
					select {
					case <-stop:
						return
					default:
					}
				}
			}()
			usual := func() {
				for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
					wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{Algorithm: alg})))
				}
			}
			usual()
			<-sawBusy
			for range 10 {
				usual()
			}
			close(stop)
			<-done
		})
	}
}

// TestWaitingForASlot ends with the request's context, which is nobody else's
// refusal.
func TestWaitingForASlot(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	issuer := keysOf(iss)
	issuer.Algorithms = []string{"ES384"}
	v := newValidator(t, issuer, func(c *validator.Config) { c.VerifySlots, c.VerifyWait = 1, time.Minute })
	if err := v.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	flood := forgeries(iss, "ES384", 16)
	eventually(t, "a request waits for a slot until its context ends", func() bool {
		gone, giveUp := context.WithCancel(t.Context())
		var requests sync.WaitGroup
		for _, raw := range flood[1:] {
			requests.Go(func() {
				_, err := v.Verify(t.Context(), raw)
				wantCheck(t, err, validator.ErrInvalidToken, validator.CheckSignature)
			})
		}
		gaveUp := false
		requests.Go(func() {
			giveUp()
			_, err := v.Verify(gone, flood[0])
			if errors.Is(err, context.Canceled) {
				wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
				gaveUp = true
			}
		})
		requests.Wait()
		return gaveUp
	})
}

// TestSlotsAreEachIssuersOwn: forgeries of one issuer's tokens cost another
// issuer's none of theirs.
func TestSlotsAreEachIssuersOwn(t *testing.T) {
	flooded, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{keysOf(flooded), keysOf(other)}, VerifySlots: 1, VerifyWait: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	if err := v.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	flood := forgeries(flooded, "ES256", 64)
	var once sync.Once
	sawBusy, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for busy := false; !busy; {
			var requests sync.WaitGroup
			for _, raw := range flood {
				requests.Go(func() {
					if _, err := v.Verify(t.Context(), raw); errors.Is(err, validator.ErrUnavailable) || errors.Is(err, validator.ErrThrottled) {
						once.Do(func() { close(sawBusy) })
					}
				})
			}
			requests.Wait()
			select {
			case <-sawBusy:
				busy = true
			default:
			}
		}
	}()
	for range 50 {
		wantOutcome(t, "ok")(v.Verify(t.Context(), other.Token(issuertest.Claims{Algorithm: "ES256"})))
	}
	<-done
}

// TestSlotsOfAllIssuers: forgeries in the names of many issuers cost no more slots
// than twice what one issuer has.
func TestSlotsOfAllIssuers(t *testing.T) {
	var issuers []validator.Issuer
	var flood []string
	for range 30 {
		iss := issuertest.NewInMemory(t)
		issuer := keysOf(iss)
		issuer.Algorithms = []string{"ES384"}
		issuers = append(issuers, issuer)
		flood = append(flood, forgeries(iss, "ES384", 1)...)
	}
	v, err := validator.New(validator.Config{Issuers: issuers, VerifySlots: 1, VerifyWait: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	if err := v.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a request finds no slot, though its issuer has one", func() bool {
		var busy atomic.Bool
		var requests sync.WaitGroup
		for _, raw := range flood {
			requests.Go(func() {
				if _, err := v.Verify(t.Context(), raw); errors.Is(err, validator.ErrUnavailable) || errors.Is(err, validator.ErrThrottled) {
					busy.Store(true)
				}
			})
		}
		requests.Wait()
		return busy.Load()
	})
}
