package validator_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

const many = 500

// held is a fault that holds every answer back until release is called.
func held() (fault issuertest.Fault, release func()) {
	open := make(chan struct{})
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-open:
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}, func() { close(open) }
}

func TestConcurrentFirstRequestsFetchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		v := newJWT(t, iss)
		fault, release := held()
		iss.SetFault(issuertest.JWKS, fault)
		var requests sync.WaitGroup
		for range many {
			raw := iss.Token(issuertest.Claims{Algorithm: "EdDSA"})
			requests.Go(func() { wantOutcome(t, "ok")(v.Verify(t.Context(), raw)) })
		}
		synctest.Wait() // every request waits for the keys
		release()
		requests.Wait()
		wantRequests(t, iss, issuertest.JWKS, 1)
		wantRequests(t, iss, issuertest.Discovery, 1)
	})
}

func TestConcurrentFirstSightsOfOneTokenAskOnce(t *testing.T) {
	for _, want := range []string{"ok", "active"} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				v := newOpaque(t, iss)
				fault, release := held()
				iss.SetFault(issuertest.Introspection, fault)
				raw := "made-up"
				if want == "ok" {
					raw = iss.Opaque(issuertest.Claims{})
				}
				var requests sync.WaitGroup
				for range many {
					requests.Go(func() { wantOutcome(t, want)(v.Verify(t.Context(), raw)) })
				}
				synctest.Wait()
				release()
				requests.Wait()
				wantRequests(t, iss, issuertest.Introspection, 1)
			})
		})
	}
}

// TestConcurrentFirstRequestsOverSockets is the same in real time, where the
// requests come in any order.
func TestConcurrentFirstRequestsOverSockets(t *testing.T) {
	iss := issuertest.New(t)
	patient := func(c *validator.Config) { c.VerifyWait = time.Minute } // a busy machine is no fault
	byKeys, asked := newJWT(t, iss, patient), newOpaque(t, iss)
	opaque := iss.Opaque(issuertest.Claims{})
	start := make(chan struct{})
	var requests sync.WaitGroup
	for range many {
		raw := iss.Token(issuertest.Claims{Algorithm: "EdDSA"})
		requests.Go(func() {
			<-start
			wantOutcome(t, "ok")(byKeys.Verify(t.Context(), raw))
			wantOutcome(t, "ok")(asked.Verify(t.Context(), opaque))
		})
	}
	close(start)
	requests.Wait()
	wantRequests(t, iss, issuertest.Discovery, 1)
	wantRequests(t, iss, issuertest.JWKS, 1)
	wantRequests(t, iss, issuertest.Introspection, 1)
}

// TestGivingUpHarmsNobody cancels the request that caused an upstream call and
// half of those that joined it.
func TestGivingUpHarmsNobody(t *testing.T) {
	for _, proof := range proofs {
		for _, slow := range []issuertest.Endpoint{issuertest.Discovery, proof.asked} {
			t.Run(proof.name+", waiting for "+slow.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss := issuertest.NewInMemory(t)
					v := newValidator(t, proof.reach(iss))
					fault, release := held()
					iss.SetFault(slow, fault)
					raw := proof.token(iss)
					impatient, giveUp := context.WithCancel(t.Context())
					var patient, others sync.WaitGroup
					impatiently := func() {
						_, err := v.Verify(impatient, raw)
						wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
						if !errors.Is(err, context.Canceled) {
							t.Errorf("error %v does not wrap context.Canceled", err)
						}
					}
					others.Go(impatiently)
					synctest.Wait() // the first one has caused the call
					for range 20 {
						others.Go(impatiently)
						patient.Go(func() { wantOutcome(t, "ok")(v.Verify(t.Context(), raw)) })
					}
					synctest.Wait()
					giveUp()
					others.Wait() // before the call ends
					release()
					patient.Wait()
					wantRequests(t, iss, slow, 1)
				})
			})
		}
	}
}

// TestDeadline shows that a request waits no longer than its context, and that
// what it waited for still serves the next one.
func TestDeadline(t *testing.T) {
	for _, proof := range proofs {
		t.Run(proof.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				v := newValidator(t, proof.reach(iss))
				iss.SetFault(proof.asked, issuertest.Slow(3*time.Second))
				raw := proof.token(iss)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				_, err := v.Verify(ctx, raw)
				wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
				if waited := time.Since(start); waited != time.Second || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %v: %v, wanted a DeadlineExceeded after 1s", waited, err)
				}
				elapse(2 * time.Second) // the call ends
				synctest.Wait()
				start = time.Now()
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
				if waited := time.Since(start); waited != 0 {
					t.Errorf("the next request waited %v", waited)
				}
				wantRequests(t, iss, proof.asked, 1)
			})
		})
	}
}

// TestConcurrentFirstSightsOfOneTokenVerifyOnce tells one verification from
// several by the Token, which the cache shares.
func TestConcurrentFirstSightsOfOneTokenVerifyOnce(t *testing.T) {
	iss := issuertest.New(t)
	v := newJWT(t, iss)
	raw := iss.Token(issuertest.Claims{})
	seen := make(chan *validator.Token, many)
	start := make(chan struct{})
	var requests sync.WaitGroup
	for range many {
		requests.Go(func() {
			<-start
			token, err := v.Verify(t.Context(), raw)
			if err != nil {
				t.Error(err)
			}
			seen <- token
		})
	}
	close(start)
	requests.Wait()
	close(seen)
	distinct := make(map[*validator.Token]bool)
	for token := range seen {
		distinct[token] = true
	}
	if len(distinct) != 1 {
		t.Errorf("verified %d times, wanted once", len(distinct))
	}
}
