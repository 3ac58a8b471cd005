package validator_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// vacant returns a loopback address where nobody listens yet.
func vacant(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// proof is one of the two ways in which an issuer proves tokens, with
// everything discovered.
type proof struct {
	name   string
	issuer func(url string) validator.Issuer
	token  func(*issuertest.Issuer) string
	asked  issuertest.Endpoint
	// early is a token for the time before the issuer is there, and fails what
	// it comes to in the end.
	early func(url string, stranger *issuertest.Issuer) string
	fails validator.Check
}

// reach is the proof by an issuer that is there, with the default intervals.
func (p proof) reach(iss *issuertest.Issuer) validator.Issuer {
	cfg := p.issuer(iss.URL())
	if cfg.Keys != nil {
		cfg.Keys = &jwks.Config{HTTPClient: iss.Client()}
	} else {
		cfg.Introspection.HTTPClient = iss.Client()
	}
	return cfg
}

var proofs = []proof{
	{
		name: "keys",
		issuer: func(url string) validator.Issuer {
			return validator.Issuer{
				URL:      url,
				Audience: []string{issuertest.Audience},
				Keys:     &jwks.Config{MinFetchInterval: time.Millisecond},
			}
		},
		token: func(iss *issuertest.Issuer) string { return iss.Token(issuertest.Claims{}) },
		asked: issuertest.JWKS,
		early: func(url string, stranger *issuertest.Issuer) string {
			return stranger.Token(issuertest.Claims{Issuer: url})
		},
		fails: validator.CheckKey,
	},
	{
		name: "introspection",
		issuer: func(url string) validator.Issuer {
			return validator.Issuer{
				URL:      url,
				Audience: []string{issuertest.Audience},
				Introspection: &introspection.Config{
					Auth: introspection.ClientSecretPost(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret)),
				},
			}
		},
		token: func(iss *issuertest.Issuer) string { return iss.Opaque(issuertest.Claims{}) },
		asked: issuertest.Introspection,
		early: func(_ string, stranger *issuertest.Issuer) string { return stranger.Opaque(issuertest.Claims{}) },
		fails: validator.CheckActive,
	},
}

func TestStartWhileTheIssuerIsDown(t *testing.T) {
	for _, proof := range proofs {
		t.Run(proof.name, func(t *testing.T) {
			addr := vacant(t)
			url := "http://" + addr
			v := newValidator(t, proof.issuer(url))

			early := proof.early(url, issuertest.NewInMemory(t))
			_, err := v.Verify(t.Context(), early)
			wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
			if e, ok := errors.AsType[*validator.Error](err); ok && e.RetryAfter() <= 0 {
				t.Errorf("RetryAfter is %v, wanted more than nothing", e.RetryAfter())
			}

			iss, err := issuertest.StartAt(addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(iss.Close)
			raw := proof.token(iss)
			eventually(t, "a good token passes", func() bool {
				switch got := outcome(v.Verify(t.Context(), raw)); got {
				case "ok":
					return true
				case string(validator.CheckUnavailable):
				default:
					t.Fatalf("a good token got %s", got)
				}
				return false
			})
			wantOutcome(t, string(proof.fails))(v.Verify(t.Context(), early))
		})
	}
}

// TestRetryAfterIsHonest fails if a client that waits as it is told, with the
// default intervals, comes too early.
func TestRetryAfterIsHonest(t *testing.T) {
	for _, proof := range proofs {
		for _, down := range []issuertest.Endpoint{issuertest.Discovery, proof.asked} {
			t.Run(proof.name+", "+down.String()+" down", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss := issuertest.NewInMemory(t)
					for failures := 1; failures <= 8; failures++ {
						v := newValidator(t, proof.reach(iss))
						raw := proof.token(iss)
						iss.SetFault(down, issuertest.Down())
						for range failures {
							_, err := v.Verify(t.Context(), raw)
							wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
							elapse(err.(*validator.Error).RetryAfter())
						}
						iss.ClearFaults()
						if _, err := v.Verify(t.Context(), raw); err != nil {
							t.Errorf("after %d failures and the wait that was asked for: %v", failures, err)
						}
						v.Close()
					}
				})
			})
		}
	}
}

func TestReady(t *testing.T) {
	first, second, asked := issuertest.New(t), issuertest.New(t), issuertest.New(t)
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{
		{URL: first.URL(), Audience: []string{issuertest.Audience}, Keys: &jwks.Config{MinFetchInterval: time.Millisecond, HTTPClient: first.Client()}},
		{URL: second.URL(), Audience: []string{issuertest.Audience}, Keys: &jwks.Config{MinFetchInterval: time.Millisecond, HTTPClient: second.Client()}},
		{URL: asked.URL(), Audience: []string{issuertest.Audience}, Introspection: introspectionAt(asked)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()

	second.SetFault(issuertest.JWKS, issuertest.ServerError())
	err = v.Ready(t.Context())
	if err == nil || !strings.Contains(err.Error(), second.URL()) || strings.Contains(err.Error(), first.URL()) {
		t.Errorf("with the second issuer down: %v, wanted an error that names it alone", err)
	}
	second.ClearFaults()
	eventually(t, "ready", func() bool { return v.Ready(t.Context()) == nil })

	fetches := second.Requests(issuertest.JWKS)
	wantOutcome(t, "ok")(v.Verify(t.Context(), first.Token(issuertest.Claims{})))
	wantOutcome(t, "ok")(v.Verify(t.Context(), second.Token(issuertest.Claims{})))
	wantRequests(t, first, issuertest.JWKS, 1) // Ready has warmed them up
	wantRequests(t, second, issuertest.JWKS, fetches)
	wantRequests(t, asked, issuertest.Discovery, 0)
	wantRequests(t, asked, issuertest.Introspection, 0)

	v.Close()
	if err := v.Ready(t.Context()); !errors.Is(err, validator.ErrUnavailable) {
		t.Errorf("ready after Close: %v", err)
	}
}

func TestReadyWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		iss.SetFault(issuertest.JWKS, issuertest.Slow(4*time.Second))
		v := newJWT(t, iss)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := v.Ready(ctx); err == nil || time.Since(start) != time.Second {
			t.Errorf("after %v: %v, wanted an error after 1s", time.Since(start), err)
		}
	})
}

func TestClose(t *testing.T) {
	iss := issuertest.New(t)
	for name, open := range map[string]struct {
		v   *validator.Validator
		raw string
	}{
		"keys":          {newJWT(t, iss), iss.Token(issuertest.Claims{})},
		"introspection": {newOpaque(t, iss), iss.Opaque(issuertest.Claims{})},
	} {
		t.Run(name, func(t *testing.T) {
			wantOutcome(t, "ok")(open.v.Verify(t.Context(), open.raw))
			var closers sync.WaitGroup
			for range 2 {
				closers.Go(open.v.Close)
			}
			closers.Wait()
			open.v.Close()
			for _, raw := range []string{open.raw, iss.Token(issuertest.Claims{}), iss.Opaque(issuertest.Claims{})} {
				_, err := open.v.Verify(t.Context(), raw) // seen before or not
				wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
				if e, ok := errors.AsType[*validator.Error](err); ok && e.RetryAfter() <= 0 {
					t.Errorf("RetryAfter is %v, wanted more than nothing", e.RetryAfter())
				}
			}
		})
	}
}

func TestCloseDuringRequests(t *testing.T) {
	for _, proof := range proofs {
		for _, slow := range []issuertest.Endpoint{issuertest.Discovery, proof.asked} {
			t.Run(proof.name+", waiting for "+slow.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss := issuertest.NewInMemory(t)
					iss.SetFault(slow, issuertest.Slow(time.Hour))
					v := newValidator(t, proof.reach(iss))
					start := time.Now()
					var requests sync.WaitGroup
					for range 10 {
						raw := proof.token(iss)
						requests.Go(func() {
							_, err := v.Verify(t.Context(), raw)
							wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
						})
					}
					synctest.Wait()
					v.Close()
					requests.Wait()
					if waited := time.Since(start); waited != 0 {
						t.Errorf("Close and the requests took %v, wanted no time", waited)
					}
				})
			})
		}
	}
}
