package validator_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// hanging is a Resolver that hangs, until its context ends, at what no directory
// holds, and as often as told at what is there.
type hanging struct {
	*directory
	mu    sync.Mutex
	times map[string]int
	calls map[string]int
}

func (h *hanging) ResolveIssuer(ctx context.Context, url string) (validator.Issuer, error) {
	h.mu.Lock()
	h.calls[url]++
	hangs := h.times[url] >= h.calls[url]
	h.mu.Unlock()
	if i, err := h.directory.ResolveIssuer(ctx, url); err == nil && !hangs {
		return i, nil
	}
	<-ctx.Done()
	return validator.Issuer{}, ctx.Err()
}

// asked is how often it was asked about an issuer.
func (h *hanging) asked(url string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls[url]
}

func newHanging(issuers ...validator.Issuer) *hanging {
	return &hanging{directory: newDirectory(issuers...), times: make(map[string]int), calls: make(map[string]int)}
}

// TestLookUpsThatHangAreTaken: a stranger's look-ups that hang hold up no client's,
// and are refused as his own share. A client who waits for one that the stranger
// began, of an issuer that there is, has it begun anew.
func TestLookUpsThatHangAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real, other, stranger := issuertest.NewInMemory(t), issuertest.NewInMemory(t), issuertest.NewInMemory(t)
		directory := newHanging(keysOf(real), keysOf(other))
		directory.times[real.URL()] = 1
		v := newResolving(t, directory)
		verify := func(token, source string) error {
			_, err := v.VerifyRequest(t.Context(), &validator.Request{Token: token, Source: source}, nil)
			return err
		}
		var requests sync.WaitGroup
		for n := range 16 {
			url := fmt.Sprintf("https://%d.example.com", n)
			if n == 0 {
				url = real.URL()
			}
			bad := claiming(stranger, url)
			requests.Go(func() {
				if err := verify(bad, "stranger"); n == 0 && !errors.Is(err, validator.ErrThrottled) {
					t.Errorf("the look-up that was taken: %v, want throttled", err)
				}
			})
			synctest.Wait()
		}
		for i := range 3 { // wait for what hangs
			token := real.Token(issuertest.Claims{})
			requests.Go(func() {
				if err := verify(token, fmt.Sprint("client ", i)); err != nil {
					t.Errorf("a client who joined the stranger: %v", err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		if err := verify(other.Token(issuertest.Claims{}), "another"); err != nil {
			t.Errorf("a client beside them: %v", err)
		}
		if waited := time.Since(start); waited > 500*time.Millisecond {
			t.Errorf("waited %v, want a turn that was taken after half a second", waited)
		}
		requests.Wait()
		if n := directory.asked(real.URL()); n != 2 {
			t.Errorf("asked %d times for the issuer of all, want one call that hung and one that all shared", n)
		}
	})
}

// TestLookUpsOfSeveralSources share one call, whoever's turn comes first, and one
// who gives up takes nobody's place along.
func TestLookUpsOfSeveralSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real, stranger := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
		directory := newHanging(keysOf(real))
		v := newResolving(t, directory)
		var requests sync.WaitGroup
		for n := range 40 { // 16 have turns
			bad := claiming(stranger, fmt.Sprintf("https://%d.example.com", n))
			requests.Go(func() {
				v.VerifyRequest(t.Context(), &validator.Request{Token: bad, Source: "stranger"}, nil)
			})
		}
		synctest.Wait()
		token := real.Token(issuertest.Claims{})
		gone, giveUp := context.WithCancel(t.Context())
		for i := range 30 {
			ctx, source := t.Context(), fmt.Sprint("client ", i%10)
			if i%10 == 0 {
				ctx = gone
			}
			if i == 29 {
				source = "stranger"
			}
			requests.Go(func() {
				_, err := v.VerifyRequest(ctx, &validator.Request{Token: token, Source: source}, nil)
				if (err == nil) != (ctx != gone) {
					t.Errorf("%s: %v", source, err)
				}
			})
		}
		synctest.Wait()
		giveUp()
		requests.Wait()
		if n := directory.asked(real.URL()); n != 1 {
			t.Errorf("asked %d times, want once for all", n)
		}
		v.Close()
	})
}
