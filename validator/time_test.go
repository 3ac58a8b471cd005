package validator_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// noon is some whole second: NumericDates of these tests are exact.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestTokenTimes judges tokens at the very edges, by a clock that is set
// forwards and backwards, seen first and from the cache.
func TestTokenTimes(t *testing.T) {
	const tick = time.Nanosecond
	type instant struct {
		at   time.Time
		want string
	}
	for _, tc := range []struct {
		name   string
		skew   time.Duration
		claims map[string]any
		steps  []instant
	}{
		{"exp, default skew", 0, map[string]any{"exp": noon.Unix()}, []instant{
			{noon, "ok"}, {noon.Add(30*time.Second - tick), "ok"}, {noon.Add(30 * time.Second), "exp"}, {noon.Add(time.Hour), "exp"},
		}},
		{"exp, no skew", -1, map[string]any{"exp": noon.Unix()}, []instant{
			{noon.Add(-tick), "ok"}, {noon, "exp"}, {noon.Add(time.Second), "exp"},
		}},
		{"exp, longest skew", 5 * time.Minute, map[string]any{"exp": noon.Unix()}, []instant{
			{noon.Add(5*time.Minute - tick), "ok"}, {noon.Add(5 * time.Minute), "exp"},
		}},
		{"exp, a fraction", -1, map[string]any{"exp": float64(noon.Unix()) + 0.5}, []instant{
			{noon.Add(500*time.Millisecond - tick), "ok"}, {noon.Add(500 * time.Millisecond), "exp"},
		}},
		{"exp, steps back", 0, map[string]any{"exp": noon.Unix()}, []instant{
			{noon, "ok"}, {noon.Add(time.Hour), "exp"}, {noon, "ok"}, {noon.Add(time.Hour), "exp"}, {noon.Add(-24 * time.Hour), "ok"},
		}},
		{"nbf, default skew", 0, map[string]any{"nbf": noon.Unix()}, []instant{
			{noon.Add(-30*time.Second - tick), "nbf"}, {noon.Add(-30 * time.Second), "ok"}, {noon, "ok"},
		}},
		{"nbf, no skew", -1, map[string]any{"nbf": noon.Unix()}, []instant{
			{noon.Add(-tick), "nbf"}, {noon, "ok"},
		}},
		{"nbf, longest skew", 5 * time.Minute, map[string]any{"nbf": noon.Unix()}, []instant{
			{noon.Add(-5*time.Minute - tick), "nbf"}, {noon.Add(-5 * time.Minute), "ok"},
		}},
		{"nbf, steps back", 0, map[string]any{"nbf": noon.Unix()}, []instant{
			{noon, "ok"}, {noon.Add(-time.Hour), "nbf"}, {noon, "ok"}, {noon.Add(-31 * time.Second), "nbf"}, {noon.Add(-30 * time.Second), "ok"},
		}},
		{"iat decides nothing", 0, map[string]any{"iat": noon.Add(48 * time.Hour).Unix()}, []instant{
			{noon, "ok"}, {noon.Add(-365 * 24 * time.Hour), "ok"},
		}},
		{"exp before nbf", -1, map[string]any{"exp": noon.Unix(), "nbf": noon.Add(time.Minute).Unix()}, []instant{
			{noon, "exp"}, {noon.Add(-tick), "nbf"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			iss := issuertest.New(t)
			now := newClock(noon)
			iss.SetClock(func() time.Time { return noon.Add(-time.Hour) }) // as far as the issuer is concerned, all are active
			claims := goodClaims(iss, noon)
			claims["exp"] = noon.Add(1000 * time.Hour).Unix()
			for name, value := range tc.claims {
				claims[name] = value
			}
			settings := func(c *validator.Config) { c.ClockSkew, c.Now = tc.skew, now.Now }
			byKeys := newJWT(t, iss, settings)
			raw := signed(iss, claims)
			for _, step := range tc.steps {
				now.set(step.at)
				fresh := newJWT(t, iss, settings)
				for when, v := range map[string]*validator.Validator{"first": fresh, "again": byKeys} {
					if got := outcome(v.Verify(t.Context(), raw)); got != step.want {
						t.Errorf("at noon%+v, %s: %s, wanted %s", step.at.Sub(noon), when, got, step.want)
					}
				}
			}
		})
	}
}

// TestIntrospectedTimes holds exp and nbf of an answer against the clock,
// whatever active says.
func TestIntrospectedTimes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		claims issuertest.Claims
		at     time.Time
		want   string
	}{
		{"good", issuertest.Claims{Expiry: noon.Add(time.Hour)}, noon, "ok"},
		{"within the skew", issuertest.Claims{Expiry: noon}, noon.Add(29 * time.Second), "ok"},
		{"expired, though active", issuertest.Claims{Expiry: noon}, noon.Add(30 * time.Second), "exp"},
		{"not yet valid, though active", issuertest.Claims{NotBefore: noon.Add(-time.Hour), Expiry: noon.Add(time.Hour)}, noon.Add(-time.Hour - 31*time.Second), "nbf"},
		{"without exp", issuertest.Claims{Extra: map[string]any{"exp": nil}}, noon, "ok"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			iss := issuertest.New(t)
			iss.SetClock(func() time.Time { return noon.Add(-time.Second) })
			v := newOpaque(t, iss, func(c *validator.Config) { c.Now = func() time.Time { return tc.at } })
			raw := iss.Opaque(tc.claims)
			for range 2 {
				wantOutcome(t, tc.want)(v.Verify(t.Context(), raw))
			}
		})
	}
}

// TestIntrospectedExpiryFromTheCache lets a cached answer reach its exp, well
// within its lifetime.
func TestIntrospectedExpiryFromTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		v := newOpaque(t, iss, func(c *validator.Config) {
			c.ClockSkew = -1
			c.Issuers[0].Introspection.PositiveLifetime = time.Hour
		})
		raw := iss.Opaque(issuertest.Claims{ExpiresIn: 10 * time.Second})
		wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
		elapse(10*time.Second - time.Nanosecond)
		wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
		wantRequests(t, iss, issuertest.Introspection, 1)
		elapse(time.Nanosecond)
		if got := outcome(v.Verify(t.Context(), raw)); got == "ok" {
			t.Error("passed at its exp")
		}
	})
}

func TestRetiredKeyOverSockets(t *testing.T) {
	iss := issuertest.New(t)
	v := newJWT(t, iss, func(c *validator.Config) {
		c.Issuers[0].Keys.RefreshInterval = 2 * time.Millisecond
		c.Issuers[0].Keys.MinFetchInterval = time.Millisecond
	})
	old := iss.Token(issuertest.Claims{})
	wantOutcome(t, "ok")(v.Verify(t.Context(), old))
	iss.Rotate()
	next := iss.Token(issuertest.Claims{})
	eventually(t, "the new key's token passes", func() bool { return outcome(v.Verify(t.Context(), next)) == "ok" })
	wantOutcome(t, "ok")(v.Verify(t.Context(), old)) // still published
	iss.Retire()
	eventually(t, "the retired key's token is refused", func() bool {
		got := outcome(v.Verify(t.Context(), old))
		if got != "ok" && got != "key" {
			t.Fatalf("got %s", got)
		}
		return got == "key"
	})
	wantOutcome(t, "ok")(v.Verify(t.Context(), next))
	wantOutcome(t, "key")(v.Verify(t.Context(), old)) // and stays so
}

// TestKeyChanges watches cached tokens, asked about each second, while the
// issuer changes its keys: what the last fetch took away ends at the next
// request, at the latest when the set reaches its age of five minutes.
func TestKeyChanges(t *testing.T) {
	const age = 5 * time.Minute // by the fake issuer's Cache-Control
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, iss *issuertest.Issuer)
		want   string
	}{
		{"retired", func(t *testing.T, iss *issuertest.Issuer) {
			iss.SetJWKS(published(t, map[string]string{"other": "ed25519-b"}), nil)
		}, "key"},
		{"changed under its kid", func(t *testing.T, iss *issuertest.Issuer) {
			iss.SetJWKS(published(t, map[string]string{"k": "ed25519-b"}), nil)
		}, "signature"},
		{"renamed", func(t *testing.T, iss *issuertest.Issuer) {
			iss.SetJWKS(published(t, map[string]string{"l": "ed25519-a"}), nil)
		}, "key"},
		{"joined by another", func(t *testing.T, iss *issuertest.Issuer) {
			iss.SetJWKS(published(t, map[string]string{"k": "ed25519-a", "other": "ed25519-b"}), nil)
		}, "ok"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				iss.SetJWKS(published(t, map[string]string{"k": "ed25519-a"}), nil)
				v := newJWT(t, iss)
				raw := byKey(iss, "ed25519-a", "k", goodClaims(iss, time.Now()))
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw)) // cached

				tc.change(t, iss)
				changed := time.Now()
				fetched := iss.Requests(issuertest.JWKS)
				for time.Since(changed) < age {
					elapse(time.Second)
					synctest.Wait() // a fetch that was due has ended
					want := "ok"
					if iss.Requests(issuertest.JWKS) > fetched {
						want = tc.want
					}
					if got := outcome(v.Verify(t.Context(), raw)); got != want {
						t.Fatalf("%v after the change, %d fetches later: %s, wanted %s",
							time.Since(changed), iss.Requests(issuertest.JWKS)-fetched, got, want)
					}
				}
				wantOutcome(t, tc.want)(v.Verify(t.Context(), raw))
			})
		})
	}
}

// TestRevokedOpaqueToken passes for as long as an answer is served again, and
// not a nanosecond longer.
func TestRevokedOpaqueToken(t *testing.T) {
	for name, tc := range map[string]struct{ configured, lifetime time.Duration }{
		"default":    {0, 30 * time.Second},
		"configured": {3 * time.Minute, 3 * time.Minute},
		"none":       {-1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				v := newOpaque(t, iss, func(c *validator.Config) { c.Issuers[0].Introspection.PositiveLifetime = tc.configured })
				raw := iss.Opaque(issuertest.Claims{})
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
				iss.Revoke(raw)
				if tc.lifetime > 0 {
					elapse(tc.lifetime - time.Nanosecond)
					wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
					elapse(time.Nanosecond)
				}
				wantOutcome(t, "active")(v.Verify(t.Context(), raw))
			})
		})
	}
}

// TestIssuerDown shows that known keys go on, for cached tokens and for new
// ones, until MaxStale, and that the issuer's return ends the outage.
func TestIssuerDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		const maxStale = 24 * time.Hour // the default
		v := newJWT(t, iss)
		cached := iss.Token(issuertest.Claims{ExpiresIn: 72 * time.Hour})
		wantOutcome(t, "ok")(v.Verify(t.Context(), cached))
		fetched := time.Now()
		for _, e := range []issuertest.Endpoint{issuertest.Discovery, issuertest.JWKS} {
			iss.SetFault(e, issuertest.Down())
		}
		unknown := iss.Bad(issuertest.UnknownKey, issuertest.Claims{ExpiresIn: 72 * time.Hour})
		for time.Since(fetched) < maxStale-30*time.Minute {
			elapse(30 * time.Minute)
			wantOutcome(t, "ok")(v.Verify(t.Context(), cached))
			wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{Algorithm: "EdDSA"})))
			// Of a key that is not known nobody can tell.
			wantOutcome(t, "unavailable")(v.Verify(t.Context(), unknown))
		}
		elapse(maxStale - time.Since(fetched) - time.Nanosecond)
		wantOutcome(t, "ok")(v.Verify(t.Context(), cached))
		elapse(time.Nanosecond)
		synctest.Wait()
		for range 3 {
			wantOutcome(t, "unavailable")(v.Verify(t.Context(), cached))
			wantOutcome(t, "unavailable")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
			elapse(time.Hour)
		}
		iss.ClearFaults()
		_, err := v.Verify(t.Context(), cached)
		if err != nil {
			wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
			elapse(err.(*validator.Error).RetryAfter())
		}
		wantOutcome(t, "ok")(v.Verify(t.Context(), cached))
		wantOutcome(t, "key")(v.Verify(t.Context(), unknown))
	})
}

// TestMaxStaleIsPassedOn does the same with a bound of its own.
func TestMaxStaleIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		v := newJWT(t, iss, func(c *validator.Config) {
			c.Issuers[0].Keys = &jwks.Config{HTTPClient: iss.Client(), RefreshInterval: time.Minute, MaxStale: 5 * time.Minute}
		})
		raw := iss.Token(issuertest.Claims{})
		wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
		iss.SetFault(issuertest.JWKS, issuertest.Garbage())
		for range 9 {
			elapse(30 * time.Second)
			wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
		}
		elapse(30 * time.Second)
		synctest.Wait()
		wantOutcome(t, "unavailable")(v.Verify(t.Context(), raw))
	})
}

// TestOpaqueTokenWhileTheIssuerIsDown lets answers serve for their lifetime and
// no longer: whether the token still is active nobody knows.
func TestOpaqueTokenWhileTheIssuerIsDown(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*introspection.Config)
		last   time.Duration
	}{
		"default":        {func(*introspection.Config) {}, 30 * time.Second},
		"stale if error": {func(c *introspection.Config) { c.StaleIfError = time.Minute }, 90 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				v := newOpaque(t, iss, func(c *validator.Config) { tc.change(c.Issuers[0].Introspection) })
				raw := iss.Opaque(issuertest.Claims{})
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
				iss.SetFault(issuertest.Introspection, issuertest.Respond(http.StatusBadGateway, nil, ""))
				elapse(tc.last - time.Nanosecond)
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
				wantOutcome(t, "unavailable")(v.Verify(t.Context(), iss.Opaque(issuertest.Claims{})))
				elapse(time.Nanosecond)
				wantOutcome(t, "unavailable")(v.Verify(t.Context(), raw))
			})
		})
	}
}

// TestBusyOpaqueTokensNeverWait: with RefreshAhead, a token that is used all the
// time is asked about in good time, though the endpoint takes a second.
func TestBusyOpaqueTokensNeverWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		iss.SetFault(issuertest.Introspection, issuertest.Slow(time.Second))
		v := newOpaque(t, iss, func(c *validator.Config) { c.Issuers[0].Introspection.RefreshAhead = 10 * time.Second })
		raw := iss.Opaque(issuertest.Claims{})
		wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
		for range 120 {
			elapse(time.Second)
			before := time.Now()
			wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
			if waited := time.Since(before); waited > 0 {
				t.Fatalf("waited %v for a renewal", waited)
			}
		}
		if n := iss.Requests(issuertest.Introspection); n < 5 || n > 8 {
			t.Errorf("asked %d times in two minutes, wanted once in every 20 s", n)
		}
	})
}
