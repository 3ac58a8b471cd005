package validator_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
		v := newJWT(t, iss, func(c *validator.Config) {
			c.Issuers[0].Algorithms = []string{"RS256"}
			c.CacheEntries = 100
			c.Issuers = append(c.Issuers, validator.Issuer{URL: other.URL(), Audience: []string{issuertest.Audience}, Introspection: introspectionAt(other)})
		})
		check := func(want validator.Stats) {
			t.Helper()
			synctest.Wait()
			want.CacheSize = 96 // eight ways
			if want.Issuers == nil {
				asked := int(want.CacheEntries) - 1 // the token that is proven by asking
				want.Issuers = []validator.IssuerStats{
					{URL: iss.URL(), Keys: jwks.Stats{Keys: 1}},
					{URL: other.URL(), Introspection: introspection.Stats{Misses: uint64(asked), Answers: asked}},
				}
			}
			if want.Issuers[0].URL > want.Issuers[1].URL {
				want.Issuers[0], want.Issuers[1] = want.Issuers[1], want.Issuers[0]
			}
			if diff := cmp.Diff(want, v.Stats()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		idle := []validator.IssuerStats{{URL: iss.URL()}, {URL: other.URL()}}
		check(validator.Stats{Issuers: idle})

		raw := iss.Token(issuertest.Claims{})
		wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
		check(validator.Stats{Misses: 1, CacheEntries: 1})
		for range 5 {
			wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
		}
		check(validator.Stats{Hits: 5, Misses: 1, CacheEntries: 1})
		wantOutcome(t, "exp")(v.Verify(t.Context(), iss.Bad(issuertest.Expired, issuertest.Claims{})))
		wantOutcome(t, "missing")(v.Verify(t.Context(), ""))
		check(validator.Stats{Hits: 5, Misses: 2, CacheEntries: 1})
		opaque := other.Opaque(issuertest.Claims{})
		wantOutcome(t, "ok")(v.Verify(t.Context(), opaque))
		wantOutcome(t, "ok")(v.Verify(t.Context(), opaque))
		check(validator.Stats{Hits: 6, Misses: 3, CacheEntries: 2})

		// A proof that has ended leaves when it is asked for.
		elapse(2 * time.Hour)
		wantOutcome(t, "exp")(v.Verify(t.Context(), raw))
		synctest.Wait()
		if s := v.Stats(); s.CacheEntries != 1 || s.Hits != 6 || s.Misses != 4 {
			t.Errorf("after the token's end: %+v", s)
		}
		for _, i := range v.Stats().Issuers {
			if i.URL == iss.URL() && (i.Keys.Age <= 0 || i.Keys.Age > 2*time.Hour) {
				t.Errorf("the key set is %v old, wanted 2h at most", i.Keys.Age)
			}
		}
	})
}

// TestStatsOfWaiting: who waits, and for what, is seen while it does.
func TestStatsOfWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		iss.SetFault(issuertest.Introspection, issuertest.Slow(time.Second))
		ask := introspectionAt(iss)
		ask.MaxConcurrent = 4
		v := newOpaque(t, iss, func(c *validator.Config) {
			c.Issuers[0].Introspection = ask
			c.Resolver = resolverFunc(func(ctx context.Context, url string) (validator.Issuer, error) {
				<-time.After(time.Second)
				return validator.Issuer{URL: url, Audience: []string{issuertest.Audience}, Keys: &jwks.Config{Set: published(t, map[string]string{"k": "ed25519-a"})}}, nil
			})
		})
		var calls sync.WaitGroup
		for n := range 6 {
			calls.Go(func() { _, _ = v.Verify(t.Context(), iss.Opaque(issuertest.Claims{})) })
			calls.Go(func() {
				_, _ = v.Verify(t.Context(), iss.Token(issuertest.Claims{Issuer: fmt.Sprintf("https://customer%d.example.com", n%2)}))
			})
		}
		synctest.Wait()
		s := v.Stats()
		if diff := cmp.Diff([]validator.IssuerStats{{URL: iss.URL(), Introspection: introspection.Stats{UnderWay: 4, Waiting: 2, Misses: 6}}}, s.Issuers); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if s.LookupsUnderWay != 2 || s.LookupsWaiting != 0 || s.Resolved != 0 {
			t.Errorf("look-ups: %+v", s)
		}
		calls.Wait()
		if s = v.Stats(); s.Resolved != 2 || s.LookupsUnderWay != 0 || len(s.Issuers) != 3 || !s.Issuers[1].Resolved || s.Issuers[1].URL != "https://customer0.example.com" || s.Issuers[2].Keys.Keys != 1 {
			t.Errorf("afterwards: %+v", s)
		}
	})
	var none *validator.Validator
	if diff := cmp.Diff(validator.Stats{}, none.Stats()); diff != "" {
		t.Error(diff)
	}
}

// TestStatsCountEachRequest, from many goroutines at once.
func TestStatsCountEachRequest(t *testing.T) {
	iss := issuertest.New(t)
	v := newJWT(t, iss)
	raw := iss.Token(issuertest.Claims{})
	wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
	var calls sync.WaitGroup
	for range 16 {
		calls.Go(func() {
			for range 1000 {
				_, _ = v.Verify(t.Context(), raw)
				_ = v.Stats()
			}
		})
	}
	calls.Wait()
	if s := v.Stats(); s.Hits != 16_000 || s.Misses != 1 {
		t.Errorf("%d hits, %d misses, wanted 16,000 and 1", s.Hits, s.Misses)
	}
}

type resolverFunc func(context.Context, string) (validator.Issuer, error)

func (f resolverFunc) ResolveIssuer(ctx context.Context, url string) (validator.Issuer, error) {
	return f(ctx, url)
}
