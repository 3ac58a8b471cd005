package validator_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// directory is a Resolver over issuers that are registered at run time.
type directory struct {
	mu      sync.Mutex
	issuers map[string]validator.Issuer
	asked   map[string]int
	fault   error         // of every answer
	hold    chan struct{} // if not nil, answers wait for it, or for the end of ctx
}

var _ validator.Resolver = (*directory)(nil)

func newDirectory(issuers ...validator.Issuer) *directory {
	d := &directory{issuers: make(map[string]validator.Issuer), asked: make(map[string]int)}
	for _, i := range issuers {
		d.issuers[i.URL] = i
	}
	return d
}

func (d *directory) ResolveIssuer(ctx context.Context, url string) (validator.Issuer, error) {
	d.mu.Lock()
	d.asked[strings.Clone(url)]++
	found, ok := d.issuers[url]
	fault, hold := d.fault, d.hold
	d.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return validator.Issuer{}, ctx.Err()
		}
	}
	switch {
	case fault != nil:
		return validator.Issuer{}, fault
	case !ok:
		return validator.Issuer{}, fmt.Errorf("no row for %q: %w", url, validator.ErrUnknownIssuer)
	}
	return found, nil
}

func (d *directory) total() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, asked := range d.asked {
		n += asked
	}
	return n
}

func (d *directory) set(change func(*directory)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

// wantAsked fails unless the directory was asked that often, about one issuer or,
// for an empty URL, in all.
func (d *directory) wantAsked(t *testing.T, url string, want int) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	got := d.asked[url]
	if url == "" {
		got = 0
		for _, n := range d.asked {
			got += n
		}
	}
	if got != want {
		t.Errorf("the Resolver was asked %d times about %q, wanted %d", got, url, want)
	}
}

func newResolving(t *testing.T, d validator.Resolver, change ...func(*validator.Config)) *validator.Validator {
	t.Helper()
	cfg := validator.Config{Resolver: d}
	for _, c := range change {
		c(&cfg)
	}
	v, err := validator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// claiming is a token that names an issuer which did not sign it: nobody did.
func claiming(iss *issuertest.Issuer, url any) string {
	claims := goodClaims(iss, time.Now())
	claims["iss"] = url
	segment := base64.RawURLEncoding.EncodeToString
	return segment([]byte(`{"alg":"EdDSA","typ":"at+jwt"}`)) + "." + segment(object(claims)) + "." + segment(make([]byte, 64))
}

func TestResolver(t *testing.T) {
	configured, jwts, answers, stranger := issuertest.NewInMemory(t), issuertest.NewInMemory(t), issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	d := newDirectory(keysOf(jwts), answersOf(answers))
	v := newResolving(t, d, func(c *validator.Config) { c.Issuers = []validator.Issuer{keysOf(configured)} })
	for range 3 {
		for _, iss := range []*issuertest.Issuer{configured, jwts, answers} {
			token, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{Scope: "a"}))
			if err != nil || token.Issuer() != iss.URL() || token.Scopes().String() != "a" {
				t.Errorf("%v, %v", token, err)
			}
		}
	}
	wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), answers.Token(issuertest.Claims{}), 0))
	wantOutcome(t, "unavailable")(v.VerifyFresh(t.Context(), jwts.Token(issuertest.Claims{}), 0))
	d.wantAsked(t, configured.URL(), 0)
	d.wantAsked(t, jwts.URL(), 1)
	d.wantAsked(t, answers.URL(), 1)

	// What is resolved is held to the same rules.
	for _, bad := range issuertest.Bads() {
		if _, err := v.Verify(t.Context(), jwts.Bad(bad, issuertest.Claims{})); !errors.Is(err, validator.ErrInvalidToken) {
			t.Errorf("%v: %v, wanted ErrInvalidToken", bad, err)
		}
	}
	// An opaque token names no issuer, so it is shown to none that was resolved.
	wantOutcome(t, "shape")(v.Verify(t.Context(), answers.Opaque(issuertest.Claims{})))

	// A stranger is never asked anything, and what can be no issuer is not looked up.
	wantOutcome(t, "iss")(v.Verify(t.Context(), stranger.Token(issuertest.Claims{})))
	d.wantAsked(t, stranger.URL(), 1)
	before := len(d.asked)
	for _, url := range []any{nil, "", "https://" + strings.Repeat("x", 2041)} {
		wantOutcome(t, "iss")(v.Verify(t.Context(), claiming(stranger, url)))
	}
	if len(d.asked) != before {
		t.Errorf("the Resolver was asked about what can be no issuer")
	}
	if n := asked(stranger); n != 0 {
		t.Errorf("%d requests to a stranger, wanted none", n)
	}
}

func TestUnknownIssuersAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		d := newDirectory()
		v := newResolving(t, d)
		verify := func(want string, asked int) {
			t.Helper()
			wantOutcome(t, want)(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
			d.wantAsked(t, iss.URL(), asked)
		}
		verify("iss", 1)
		elapse(10*time.Second - 1)
		verify("iss", 1)
		elapse(1)
		verify("iss", 2)
		d.set(func(d *directory) { d.issuers[iss.URL()] = keysOf(iss) })
		verify("iss", 2)
		elapse(10 * time.Second)
		verify("ok", 3)
		elapse(time.Hour)
		verify("ok", 3)
	})
}

func TestResolverFaults(t *testing.T) {
	errDown := errors.New("the database is down")
	iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	wrong := keysOf(iss)
	wrong.Audience = nil
	for name, tc := range map[string]struct {
		spoil func(*directory)
		says  string
	}{
		"an error":              {func(d *directory) { d.fault = errDown }, errDown.Error()},
		"another issuer":        {func(d *directory) { d.issuers[iss.URL()] = keysOf(other) }, other.URL()},
		"no issuer":             {func(d *directory) { d.issuers[iss.URL()] = validator.Issuer{} }, `""`},
		"a wrong configuration": {func(d *directory) { d.issuers[iss.URL()] = wrong }, "Audience is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirectory(keysOf(iss))
			d.set(tc.spoil)
			v := newResolving(t, d)
			for n := range 3 {
				_, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{}))
				wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
				if errors.Is(err, validator.ErrInvalidToken) || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("%v does not say %q, or says too much", err, tc.says)
				}
				d.wantAsked(t, iss.URL(), n+1) // not remembered
			}
			d.set(func(d *directory) { d.fault, d.issuers[iss.URL()] = nil, keysOf(iss) })
			wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
			if n := asked(other); n != 0 {
				t.Errorf("%d requests to another issuer, wanted none", n)
			}
		})
	}
}

// TestManyFirstTokensOfOneIssuer share one look-up, which no caller's end ends.
func TestManyFirstTokensOfOneIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		d := newDirectory(keysOf(iss))
		d.hold = make(chan struct{})
		v := newResolving(t, d)
		impatient, giveUp := context.WithCancel(t.Context())
		var patient, gone sync.WaitGroup
		for n := range 100 {
			raw := iss.Token(issuertest.Claims{Algorithm: "EdDSA"})
			if n%2 == 0 { // the first one, too
				gone.Go(func() {
					_, err := v.Verify(impatient, raw)
					wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
					if !errors.Is(err, context.Canceled) {
						t.Errorf("%v, wanted context.Canceled in it", err)
					}
				})
				synctest.Wait()
			} else {
				patient.Go(func() { wantOutcome(t, "ok")(v.Verify(t.Context(), raw)) })
			}
		}
		synctest.Wait()
		giveUp()
		gone.Wait()
		close(d.hold)
		patient.Wait()
		d.wantAsked(t, iss.URL(), 1)
		wantRequests(t, iss, issuertest.JWKS, 1)
	})
}

func TestResolverThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		d := newDirectory(keysOf(iss))
		d.hold = make(chan struct{})
		v := newResolving(t, d)
		start := time.Now()
		_, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{}))
		wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
		if waited := time.Since(start); waited != 5*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v, wanted a DeadlineExceeded after 5s", waited, err)
		}
	})
}

// TestResolverThatIgnoresItsContext does not hold its callers beyond the 5 s, nor
// Close, nor other issuers' look-ups.
func TestResolverThatIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
		r := &deaf{Resolver: newDirectory(keysOf(iss), keysOf(other)), url: iss.URL(), block: make(chan struct{})}
		v, err := validator.New(validator.Config{Resolver: r})
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			start := time.Now()
			_, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{}))
			wantCheck(t, err, validator.ErrUnavailable, validator.CheckUnavailable)
			if waited := time.Since(start); waited > 5*time.Second {
				t.Errorf("waited %v, wanted 5s at most", waited)
			}
		}
		wantOutcome(t, "ok")(v.Verify(t.Context(), other.Token(issuertest.Claims{})))
		start := time.Now()
		v.Close()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Close waited %v", waited)
		}
		close(r.block)
	})
}

// deaf hangs at one issuer.
type deaf struct {
	validator.Resolver
	url   string
	block chan struct{}
}

func (d *deaf) ResolveIssuer(ctx context.Context, url string) (validator.Issuer, error) {
	if url == d.url {
		<-d.block
	}
	return d.Resolver.ResolveIssuer(ctx, url)
}

// TestFloodOfMadeUpIssuers names thousands of them, all at once and again and
// again: after a thousand that are nobody's, the Resolver is asked no more often
// than configured, and what is known goes on as before.
func TestFloodOfMadeUpIssuers(t *testing.T) {
	for _, tc := range []struct{ configured, perSecond int }{{0, 10}, {3, 3}} {
		t.Run(fmt.Sprint(tc.perSecond, " per second"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				real, stranger := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
				d := newDirectory(keysOf(real))
				v := newResolving(t, d, func(c *validator.Config) { c.MaxResolved, c.ResolvesPerSecond = 1, tc.configured })
				raw := real.Token(issuertest.Claims{})
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
				elapse(time.Minute)
				const rounds, each, patience = 5, 1000, 1000
				start := time.Now()
				for round := range rounds {
					var flood sync.WaitGroup
					for n := range each {
						bad := claiming(stranger, fmt.Sprintf("https://%d.example.com/%d", n, round))
						flood.Go(func() {
							_, err := v.Verify(t.Context(), bad)
							if !errors.Is(err, validator.ErrInvalidToken) && !errors.Is(err, validator.ErrThrottled) {
								t.Errorf("a made-up issuer: %v", err)
							}
						})
					}
					wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
					wantOutcome(t, "ok")(v.Verify(t.Context(), real.Token(issuertest.Claims{})))
					flood.Wait()
				}
				seconds := int(time.Since(start)/time.Second) + 1
				if n, most := d.total(), 1+patience+seconds*tc.perSecond; n > most {
					t.Errorf("the Resolver was asked %d times in %d s, wanted %d at most", n, seconds, most)
				}
				d.wantAsked(t, real.URL(), 1)
				wantRequests(t, real, issuertest.JWKS, 1)
				if n := asked(stranger); n != 0 {
					t.Errorf("%d requests to a stranger, wanted none", n)
				}
			})
		})
	}
}

// TestLookUpsAreFair: while one source's made-up issuers wait for their turn, one
// that exists is looked up within two turns for another source.
func TestLookUpsAreFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real, stranger := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
		v := newResolving(t, newDirectory(keysOf(real)), func(c *validator.Config) { c.ResolvesPerSecond = 2 })
		var flood sync.WaitGroup
		for n := range 5000 {
			bad := claiming(stranger, fmt.Sprintf("https://%d.example.com", n))
			flood.Go(func() { v.VerifyRequest(t.Context(), &validator.Request{Token: bad, Source: "stranger"}, nil) })
		}
		synctest.Wait()
		start := time.Now()
		a, err := v.VerifyRequest(t.Context(), &validator.Request{Token: real.Token(issuertest.Claims{}), Source: "client"}, nil)
		wantOutcome(t, "ok")(a.Token, err)
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("waited %v at two turns a second", waited)
		}
		flood.Wait()
	})
}

// TestAnothersShareOfLookUps: whoever waits for a look-up that a source with far
// too many began, of an issuer that exists, is not refused together with it.
func TestAnothersShareOfLookUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real, stranger := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
		v := newResolving(t, newDirectory(keysOf(real)), func(c *validator.Config) { c.ResolvesPerSecond = 2 })
		var flood sync.WaitGroup
		for n := range 5001 {
			url := fmt.Sprintf("https://%d.example.com", n)
			if n == 5000 {
				synctest.Wait() // the others wait already
				url = real.URL()
			}
			bad := claiming(stranger, url)
			flood.Go(func() { v.VerifyRequest(t.Context(), &validator.Request{Token: bad, Source: "stranger"}, nil) })
		}
		synctest.Wait()
		start := time.Now()
		a, err := v.VerifyRequest(t.Context(), &validator.Request{Token: real.Token(issuertest.Claims{}), Source: "client"}, nil)
		wantOutcome(t, "ok")(a.Token, err)
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("waited %v at two turns a second, want a turn of its own", waited)
		}
		flood.Wait()
	})
}

// TestLookUpsOfACrowd: a thousand issuers that exist, all at once, with default
// settings.
func TestLookUpsOfACrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		one := keysOf(iss)
		d := everyone{issuer: one}
		v := newResolving(t, d)
		var crowd sync.WaitGroup
		for n := range 1000 {
			claims := goodClaims(iss, time.Now())
			claims["iss"] = fmt.Sprintf("https://%d.example.com", n)
			header := map[string]any{"alg": "EdDSA", "typ": "at+jwt", "kid": iss.CurrentKeyID("EdDSA")}
			raw := iss.Sign(object(header), object(claims), "EdDSA")
			crowd.Go(func() { wantOutcome(t, "ok")(v.Verify(t.Context(), raw)) })
		}
		crowd.Wait()
	})
}

// everyone is a Resolver to which every issuer exists, with the same keys, and
// that takes 5 ms for each.
type everyone struct{ issuer validator.Issuer }

func (e everyone) ResolveIssuer(_ context.Context, url string) (validator.Issuer, error) {
	elapse(5 * time.Millisecond)
	i := e.issuer
	keys := *i.Keys
	keys.Issuer, keys.URL = "", e.issuer.URL+"/jwks"
	i.URL, i.Keys = url, &keys
	return i, nil
}

func TestResolvedIssuersWithTheSameKeyID(t *testing.T) {
	a, b := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	a.SetJWKS(published(t, map[string]string{"shared": "ed25519-a"}), nil)
	b.SetJWKS(published(t, map[string]string{"shared": "ed25519-b"}), nil)
	v := newResolving(t, newDirectory(keysOf(b)), func(c *validator.Config) { c.Issuers = []validator.Issuer{keysOf(a)} })
	forA, forB := goodClaims(a, time.Now()), goodClaims(b, time.Now())
	for range 2 {
		wantOutcome(t, "ok")(v.Verify(t.Context(), byKey(a, "ed25519-a", "shared", forA)))
		wantOutcome(t, "ok")(v.Verify(t.Context(), byKey(b, "ed25519-b", "shared", forB)))
		wantOutcome(t, "signature")(v.Verify(t.Context(), byKey(a, "ed25519-b", "shared", forA)))
		wantOutcome(t, "signature")(v.Verify(t.Context(), byKey(b, "ed25519-a", "shared", forB)))
	}
}

// TestOpaqueIssuerOfAResolver: the application may choose one that is resolved.
func TestOpaqueIssuerOfAResolver(t *testing.T) {
	a, b := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	d := newDirectory(answersOf(a), answersOf(b))
	v := newResolving(t, d, func(c *validator.Config) {
		c.OpaqueIssuer = byPrefix(map[string]string{"a-": a.URL(), "b-": b.URL(), "c-": "https://nobody.example"})
	})
	says(a, map[string]any{"client_id": "of-a"})
	says(b, map[string]any{"client_id": "of-b"})
	wantOutcome(t, "ok")(v.Verify(t.Context(), "a-1"))
	wantOutcome(t, "ok")(v.Verify(t.Context(), "b-1"))
	wantOutcome(t, "iss")(v.Verify(t.Context(), "c-1"))
	wantRequests(t, a, issuertest.Introspection, 1)
	wantRequests(t, b, issuertest.Introspection, 1)
}

func TestNewReportsResolverFaults(t *testing.T) {
	_, err := validator.New(validator.Config{Resolver: newDirectory(), MaxResolved: -1, ResolvesPerSecond: -1})
	for _, says := range []string{"Config.MaxResolved is -1, wanted at least 1", "Config.ResolvesPerSecond is -1, wanted at least 1"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}

// A Resolver that panics, perhaps at an issuer that an enemy made up, harms the
// requests that wait for it, and not the process.
func TestResolverPanic(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	d := newDirectory(keysOf(iss))
	r := &panicking{Resolver: d}
	v, err := validator.New(validator.Config{Resolver: r})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	raw := iss.Token(issuertest.Claims{})
	for range 2 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic in the caller")
				}
			}()
			token, err := v.Verify(t.Context(), raw)
			t.Errorf("returned %v, %v", token, err)
		}()
	}
	r.calm = true
	wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
}

type panicking struct {
	validator.Resolver
	calm bool
}

func (p *panicking) ResolveIssuer(ctx context.Context, url string) (validator.Issuer, error) {
	if !p.calm {
		panic("a bug")
	}
	return p.Resolver.ResolveIssuer(ctx, url)
}
