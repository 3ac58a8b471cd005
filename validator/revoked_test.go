package validator_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// killSwitch is a list of revocations with its feed.
type killSwitch struct {
	*revocation.List
	t        testing.TB
	mu       sync.Mutex
	sequence uint64
}

// newKillSwitch is a list that is up to date, unless it is to be filled later.
func newKillSwitch(t testing.TB, c revocation.Config) *killSwitch {
	t.Helper()
	l, err := revocation.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return &killSwitch{List: l, t: t}
}

// now says that the list is up to date.
func (k *killSwitch) now() *killSwitch {
	k.Current(time.Now())
	return k
}

func (k *killSwitch) tell(entries ...revocation.Entry) {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range entries {
		k.sequence++
		record, err := k.Record(e, k.sequence)
		if err == nil {
			err = k.Merge(record)
		}
		if err != nil {
			k.t.Error(err)
		}
	}
}

// fill hands over an entry as all that stands.
func (k *killSwitch) fill(entry revocation.Entry) {
	k.t.Helper()
	record, err := k.Record(entry, 1)
	if err == nil {
		err = k.Fill(record)
	}
	if err != nil {
		k.t.Error(err)
	}
}

func revoking(k *killSwitch) func(*validator.Config) {
	return func(c *validator.Config) { c.Revocations = k.List }
}

var revocationSecret = []byte("0123456789abcdef0123456789abcdef")

// TestRevoked goes through all that an entry can go by, for each kind of token: one that
// is remembered, one that is seen for the first time, and one that its issuer is asked
// about.
func TestRevoked(t *testing.T) {
	const client, jti = "orders-batch", "own-id"
	claims := issuertest.Claims{ClientID: client, Subject: "subject", Extra: map[string]any{"jti": jti}}
	asJWT := func(iss *issuertest.Issuer) string { return iss.Token(claims) }
	asOpaque := func(iss *issuertest.Issuer) string { return iss.Opaque(claims) }
	for _, kind := range []struct {
		name    string
		issuer  func(*issuertest.Issuer) validator.Issuer
		token   func(*issuertest.Issuer) string
		matches []string // beside those that go for all
	}{
		{"JWT by signature", keysOf, asJWT, []string{"id", "key"}},
		{"JWT by signature, or asked", bothOf, asJWT, []string{"id", "key"}},
		{"JWT by asking", answersOf, asJWT, []string{"id"}},
		{"opaque", answersOf, asOpaque, []string{"opaque", "id"}},
		{"opaque, of an issuer with keys", bothOf, asOpaque, []string{"opaque", "id"}},
	} {
		for name, entry := range map[string]func(url, raw, kid string) revocation.Entry{
			"client": func(url, _, _ string) revocation.Entry { return revocation.Block(revocation.Client(url, client)) },
			"issued before": func(url, _, _ string) revocation.Entry {
				return revocation.IssuedBefore(revocation.Client(url, client), time.Time{})
			},
			"subject": func(url, _, _ string) revocation.Entry {
				return revocation.Block(revocation.Subject(url, "subject"))
			},
			"issuer": func(url, _, _ string) revocation.Entry { return revocation.Block(revocation.Issuer(url)) },
			"id":     func(url, _, _ string) revocation.Entry { return revocation.Block(revocation.TokenID(url, jti)) },
			"key":    func(url, _, kid string) revocation.Entry { return revocation.Block(revocation.KeyID(url, kid)) },
			"opaque": func(url, raw, _ string) revocation.Entry {
				return revocation.Block(revocation.OpaqueToken(url, revocation.HashOpaque(revocationSecret, url, raw)))
			},
			"another client": func(url, _, _ string) revocation.Entry {
				return revocation.Block(revocation.Client(url, client+"-2"))
			},
			"a client of another issuer": func(url, _, _ string) revocation.Entry {
				return revocation.Block(revocation.Client(url+"/", client))
			},
			"issued long before": func(url, _, _ string) revocation.Entry {
				return revocation.IssuedBefore(revocation.Issuer(url), time.Now().Add(-time.Hour))
			},
		} {
			t.Run(kind.name+"/"+name, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				list := newKillSwitch(t, revocation.Config{Secrets: func() [][]byte { return [][]byte{revocationSecret} }}).now()
				v, later := newValidator(t, kind.issuer(iss), revoking(list)), newValidator(t, kind.issuer(iss), revoking(list))
				raw := kind.token(iss)
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
				e := entry(iss.URL(), raw, iss.CurrentKeyID("RS256"))
				list.tell(e)
				want := "ok"
				switch name {
				case "client", "issued before", "subject", "issuer":
					want = "revoked"
				default:
					for _, m := range kind.matches {
						if m == name {
							want = "revoked"
						}
					}
				}
				_, err := v.Verify(t.Context(), raw)
				wantOutcome(t, want)(nil, err)
				if want == "revoked" {
					checkError(t, err.(*validator.Error))
					if !errors.Is(err, validator.ErrInvalidToken) {
						t.Errorf("%v is no ErrInvalidToken", err)
					}
				}
				wantOutcome(t, want)(v.Verify(t.Context(), raw))
				wantOutcome(t, want)(later.Verify(t.Context(), raw))
				if kind.issuer(iss).Introspection != nil {
					before := iss.Requests(issuertest.Introspection)
					wantOutcome(t, want)(v.VerifyFresh(t.Context(), raw, 0))
					if asked := iss.Requests(issuertest.Introspection) > before; asked != (want == "ok") {
						t.Errorf("the issuer was asked: %v", asked)
					}
				}
				list.tell(revocation.Lift(e.Target()))
				wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
				wantOutcome(t, "ok")(later.Verify(t.Context(), raw))
			})
		}
	}
}

// TestWhoseIDCounts: nobody but a JWT itself says what its jti is; of an opaque token,
// its answer does.
func TestWhoseIDCounts(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	list := newKillSwitch(t, revocation.Config{}).now()
	v := newOpaque(t, iss, revoking(list))
	answer := fmt.Sprintf(`{"active":true,"aud":%q,"client_id":"c","sub":"s","jti":"of-the-answer"}`, issuertest.Audience)
	iss.SetFault(issuertest.Introspection, issuertest.Respond(200, http.Header{"Content-Type": {"application/json"}}, answer))
	list.tell(revocation.Block(revocation.TokenID(iss.URL(), "of-the-answer")))
	wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{Extra: map[string]any{"jti": "own"}})))
	wantOutcome(t, "revoked")(v.Verify(t.Context(), "opaque"))
	list.tell(revocation.Block(revocation.TokenID(iss.URL(), "own")))
	wantOutcome(t, "revoked")(v.Verify(t.Context(), iss.Token(issuertest.Claims{Extra: map[string]any{"jti": "own"}})))
}

// TestUnnamedTokens says what such a token lacks.
func TestUnnamedTokens(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	list := newKillSwitch(t, revocation.Config{}).now()
	v := newJWT(t, iss, revoking(list))
	nameless := iss.Token(issuertest.Claims{Extra: map[string]any{"client_id": nil}})
	wantOutcome(t, "ok")(v.Verify(t.Context(), nameless))
	list.tell(revocation.Block(revocation.Client(iss.URL(), "somebody")))
	_, err := v.Verify(t.Context(), nameless)
	wantOutcome(t, "revoked")(nil, err)
	if e := err.(*validator.Error); !strings.Contains(e.Description(), "may be a revoked one") || !strings.Contains(e.Error(), "DangerouslyPassUnnamed") {
		t.Errorf("%q, %v", e.Description(), e)
	}
}

// TestStaleList: what happens while the list is not up to date is the route's choice and
// then the list's, and the issuer's word does in its place if it is no older.
func TestStaleList(t *testing.T) {
	const good, refused = "ok", "unavailable"
	for name, tc := range map[string]struct {
		config    revocation.Config
		route     revocation.WhenStale
		loaded    bool // and then nothing was heard of
		keys, any string
		asks      int // of a request each 20 s, five times, of an issuer that can be asked
	}{
		"not filled yet":                {revocation.Config{}, 0, false, refused, refused, 0},
		"not filled yet, route goes on": {revocation.Config{}, revocation.StaleGoOn, false, refused, refused, 0},
		"not filled yet, ask":           {revocation.Config{AskIssuerAtStart: true}, 0, false, refused, good, 3},
		"not filled yet, serve":         {revocation.Config{DangerouslyServeAtStart: true}, 0, false, good, good, 0},
		"stale":                         {revocation.Config{}, 0, true, good, good, 0},
		"stale, unready":                {revocation.Config{WhenStale: revocation.StaleUnready}, 0, true, good, good, 0},
		"stale, refuse":                 {revocation.Config{WhenStale: revocation.StaleRefuse}, 0, true, refused, refused, 0},
		"stale, ask":                    {revocation.Config{WhenStale: revocation.StaleAskIssuer}, 0, true, refused, good, 3},
		"stale, route refuses":          {revocation.Config{}, revocation.StaleRefuse, true, refused, refused, 0},
		"stale, route goes on":          {revocation.Config{WhenStale: revocation.StaleRefuse}, revocation.StaleGoOn, true, good, good, 0},
		"stale, route asks":             {revocation.Config{}, revocation.StaleAskIssuer, true, refused, good, 3},
		"stale, no policy":              {revocation.Config{}, 99, true, refused, refused, 0},
	} {
		for _, kind := range []struct {
			name   string
			issuer func(*issuertest.Issuer) validator.Issuer
			token  func(*issuertest.Issuer) string
			want   string
		}{
			{"by signature alone", keysOf, jwtToken, tc.keys},
			{"JWT", bothOf, jwtToken, tc.any},
			{"opaque", answersOf, opaqueToken, tc.any},
		} {
			t.Run(name+"/"+kind.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					iss := issuertest.NewInMemory(t)
					list := newKillSwitch(t, tc.config)
					issuer := kind.issuer(iss)
					if issuer.Introspection != nil {
						issuer.Introspection.PositiveLifetime = time.Hour
					}
					able := answersOf(issuertest.NewInMemory(t)) // or nobody could be asked, which New refuses
					v := newValidator(t, issuer, revoking(list), func(c *validator.Config) {
						if issuer.Introspection == nil {
							c.Issuers = append(c.Issuers, able)
						}
					})
					raw, another := kind.token(iss), kind.token(iss)
					demand := validator.Demand{Stale: tc.route}
					verify := func() error {
						_, err := v.VerifyRequest(t.Context(), &validator.Request{Token: raw}, &demand)
						return err
					}
					if tc.loaded {
						list.now()
						wantOutcome(t, good)(nil, verify())
						elapse(revocation.DefaultStaleAfter + time.Second)
					}
					before := iss.Requests(issuertest.Introspection)
					for range 5 {
						wantOutcome(t, kind.want)(nil, verify())
						elapse(20 * time.Second)
					}
					asks := tc.asks
					if kind.name == "opaque" && !tc.loaded && tc.asks == 0 {
						asks = 1 // when it was first seen
					}
					if kind.name == "by signature alone" {
						asks = 0
					}
					if n := iss.Requests(issuertest.Introspection) - before; n != asks {
						t.Errorf("the issuer was asked %d times, wanted %d", n, asks)
					}
					if ready := v.Ready(t.Context()); (ready == nil) == (name == "not filled yet" || name == "not filled yet, route goes on" || name == "stale, unready") {
						t.Errorf("Ready: %v", ready)
					} else if ready != nil && !errors.Is(ready, validator.ErrUnavailable) {
						t.Errorf("%v is no ErrUnavailable", ready)
					}
					iss.Revoke(raw)
					elapse(revocation.DefaultStaleAfter)
					if tc.asks > 0 && kind.want == good {
						wantOutcome(t, "active")(nil, verify())
						iss.SetFault(issuertest.Introspection, issuertest.Down())
						raw = another
						wantOutcome(t, refused)(nil, verify())
					}
					list.tell(revocation.Block(revocation.Issuer(iss.URL())))
					if kind.want == good && tc.asks == 0 { // what is held counts whatever its age
						wantOutcome(t, "revoked")(nil, verify())
					}
				})
			})
		}
	}
}

// TestFreshEnough: a route that asks the issuer anyway is asked once, and by the
// narrower of two bounds.
func TestFreshEnough(t *testing.T) {
	for _, tc := range []struct {
		age  time.Duration
		asks int // of a request each 20 s, five times
	}{{0, 5}, {10 * time.Second, 5}, {30 * time.Second, 3}, {time.Hour, 3}} {
		for name, kind := range map[string]func(*issuertest.Issuer) string{"JWT": jwtToken, "opaque": opaqueToken} {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				issuer := bothOf(iss)
				issuer.Introspection.PositiveLifetime = time.Hour
				v := newValidator(t, issuer, revoking(newKillSwitch(t, revocation.Config{AskIssuerAtStart: true})))
				raw := kind(iss)
				for range 5 {
					wantOutcome(t, "ok")(v.VerifyFresh(t.Context(), raw, tc.age))
					elapse(20 * time.Second)
				}
				if n := iss.Requests(issuertest.Introspection); n != tc.asks {
					t.Errorf("%s, %v: asked %d times, wanted %d", name, tc.age, n, tc.asks)
				}
			})
		}
	}
}

// TestRevokedWhileItIsProven: a request under way when an entry comes is judged by it,
// whether it waits for keys or for an answer that says that the token is active.
func TestRevokedWhileItIsProven(t *testing.T) {
	for name, tc := range map[string]struct {
		issuer   func(*issuertest.Issuer) validator.Issuer
		token    func(*issuertest.Issuer) string
		endpoint issuertest.Endpoint
		fresh    bool
	}{
		"JWT":                     {keysOf, jwtToken, issuertest.JWKS, false},
		"opaque":                  {answersOf, opaqueToken, issuertest.Introspection, false},
		"JWT, asked":              {bothOf, jwtToken, issuertest.Introspection, true},
		"opaque, asked":           {bothOf, opaqueToken, issuertest.Introspection, true},
		"JWT, proven by its word": {answersOf, jwtToken, issuertest.Introspection, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				list := newKillSwitch(t, revocation.Config{}).now()
				v := newValidator(t, tc.issuer(iss), revoking(list))
				fault, release := held()
				iss.SetFault(tc.endpoint, fault)
				raw := tc.token(iss)
				var requests sync.WaitGroup
				for range 5 {
					requests.Go(func() {
						if tc.fresh {
							wantOutcome(t, "revoked")(v.VerifyFresh(t.Context(), raw, 0))
						} else {
							wantOutcome(t, "revoked")(v.Verify(t.Context(), raw))
						}
					})
				}
				synctest.Wait()
				list.tell(revocation.Block(revocation.Client(iss.URL(), issuertest.ClientID)))
				release()
				requests.Wait()
				wantOutcome(t, "revoked")(v.Verify(t.Context(), raw)) // what came of it revives nothing
			})
		})
	}
}

// TestRevokedWhileAsked: the issuer's word, in the place of a list that is stale, stands
// below what came for the list meanwhile.
func TestRevokedWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		list := newKillSwitch(t, revocation.Config{AskIssuerAtStart: true})
		v := newValidator(t, bothOf(iss), revoking(list))
		fault, release := held()
		iss.SetFault(issuertest.Introspection, fault)
		var request sync.WaitGroup
		request.Go(func() { wantOutcome(t, "revoked")(v.Verify(t.Context(), jwtToken(iss))) })
		synctest.Wait()
		list.tell(revocation.Block(revocation.Client(iss.URL(), issuertest.ClientID)))
		release()
		request.Wait()
	})
}

// TestRevocationRace revokes and lifts while many ask: whoever asks after a revocation
// stood is refused.
func TestRevocationRace(t *testing.T) {
	iss := issuertest.New(t)
	list := newKillSwitch(t, revocation.Config{}).now()
	v := newJWT(t, iss, revoking(list))
	raw, other := jwtToken(iss), iss.Token(issuertest.Claims{ClientID: "other", Subject: "other"})
	var turn sync.RWMutex
	revoked := false
	stop := make(chan struct{})
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				turn.RLock()
				want := map[bool]string{true: "revoked", false: "ok"}[revoked]
				wantOutcome(t, want)(v.Verify(t.Context(), raw))
				turn.RUnlock()
				wantOutcome(t, "ok")(v.Verify(t.Context(), other))
			}
		})
	}
	client := revocation.Client(iss.URL(), issuertest.ClientID)
	for n := range 50 {
		turn.Lock()
		if revoked = n%2 == 0; revoked {
			list.tell(revocation.Block(client))
		} else {
			list.tell(revocation.Lift(client))
		}
		turn.Unlock()
	}
	close(stop)
	asking.Wait()
}

// TestResolvedIssuersServe: how long tokens live is told of each issuer, so that what
// can match expired ones alone is dropped.
func TestResolvedIssuersServe(t *testing.T) {
	iss, resolved := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	list := newKillSwitch(t, revocation.Config{}).now()
	bounded := keysOf(resolved)
	bounded.MaxTokenLifetime = time.Hour
	v := newJWT(t, iss, revoking(list), func(c *validator.Config) {
		c.Resolver = resolverFunc(func(context.Context, string) (validator.Issuer, error) { return bounded, nil })
	})
	list.tell(revocation.Block(revocation.Client(iss.URL(), "c")), revocation.Block(revocation.Client(resolved.URL(), "c")))
	if n := list.Stats().Foreign; n != 1 {
		t.Errorf("%d entries are foreign, wanted that of the resolved issuer", n)
	}
	raw := resolved.Token(issuertest.Claims{})
	wantOutcome(t, "ok")(v.Verify(t.Context(), raw))
	if n := list.Stats().Foreign; n != 0 {
		t.Errorf("%d entries are foreign, wanted none", n)
	}
	list.tell(revocation.Block(revocation.Client(resolved.URL(), issuertest.ClientID)))
	wantOutcome(t, "revoked")(v.Verify(t.Context(), raw))
}

// TestMaxTokenLifetimeServes: an entry stands for as long as what it matches passes, the
// clock skew included.
func TestMaxTokenLifetimeServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		list := newKillSwitch(t, revocation.Config{}).now()
		issuer := keysOf(iss)
		issuer.MaxTokenLifetime = time.Hour
		v := newValidator(t, issuer, revoking(list), func(c *validator.Config) { c.ClockSkew = time.Minute })
		raw := iss.Token(issuertest.Claims{ExpiresIn: time.Hour})
		list.tell(revocation.IssuedBefore(revocation.Client(iss.URL(), issuertest.ClientID), time.Now()))
		elapse(time.Hour + 58*time.Second)
		list.now() // which drops what is over
		wantOutcome(t, "revoked")(v.Verify(t.Context(), raw))
		elapse(2 * time.Minute)
		list.now()
		if n := list.Stats().Entries; n != 0 {
			t.Errorf("%d entries are left", n)
		}
		wantOutcome(t, "exp")(v.Verify(t.Context(), raw))
	})
}

// TestZeroList is refused, since it would let nobody in.
func TestZeroList(t *testing.T) {
	_, err := validator.New(validator.Config{
		Issuers:     []validator.Issuer{{URL: "https://id.example.com", Audience: []string{"x"}, Introspection: &introspection.Config{}}},
		Revocations: new(revocation.List),
	})
	if err == nil || !strings.Contains(err.Error(), "Config.Revocations is a zero List") {
		t.Errorf("got %v", err)
	}
}

// TestNobodyToAsk: a list that has issuers asked needs one that can be.
func TestNobodyToAsk(t *testing.T) {
	iss, other := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
	for name, tc := range map[string]struct {
		list     revocation.Config
		issuers  []validator.Issuer
		resolver validator.Resolver
		fault    bool
	}{
		"stale":           {revocation.Config{WhenStale: revocation.StaleAskIssuer}, []validator.Issuer{keysOf(iss)}, nil, true},
		"at the start":    {revocation.Config{AskIssuerAtStart: true}, []validator.Issuer{keysOf(iss)}, nil, true},
		"nobody is asked": {revocation.Config{WhenStale: revocation.StaleRefuse}, []validator.Issuer{keysOf(iss)}, nil, false},
		"one can be":      {revocation.Config{WhenStale: revocation.StaleAskIssuer}, []validator.Issuer{keysOf(iss), bothOf(other)}, nil, false},
		"one may be found": {revocation.Config{WhenStale: revocation.StaleAskIssuer}, []validator.Issuer{keysOf(iss)},
			new(directory), false},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := validator.New(validator.Config{Issuers: tc.issuers, Resolver: tc.resolver, Revocations: newKillSwitch(t, tc.list).List})
			if (err != nil) != tc.fault || tc.fault && !strings.Contains(err.Error(), "no issuer has Introspection") {
				t.Errorf("New: %v", err)
			}
			if err == nil {
				v.Close()
			}
		})
	}
}

// TestLogOfRevocations: what a list tells of is written as what it is.
func TestLogOfRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(page)
		p.byDefault(t)
		iss := issuertest.NewInMemory(t)
		list := newKillSwitch(t, revocation.Config{Observer: validator.LogEvents(nil)}).now()
		v := newJWT(t, iss, revoking(list))
		list.tell(revocation.Block(revocation.TokenID(iss.URL(), "x")))
		wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{Extra: map[string]any{"jti": nil}})))
		if lines := p.take("level=WARN", string(observe.Unrevocable), iss.URL()); len(lines) != 1 {
			t.Errorf("%q", lines)
		}
		elapse(time.Minute)
		if lines := p.take("level=WARN", string(observe.FeedStale), "Config.StaleAfter"); len(lines) != 1 || strings.Contains(lines[0], "issuer=") {
			t.Errorf("%q", lines)
		}
		list.now()
		synctest.Wait()
		if lines := p.take("level=INFO", string(observe.FeedRecovered)); len(lines) != 1 {
			t.Errorf("%q", lines)
		}
	})
}

// TestSecondValidatorRaises: of two validators that share a list one lets tokens live
// for longer, and comes when what matches them was dropped. None passes there that may
// be revoked, and what is younger does.
func TestSecondValidatorRaises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		list := newKillSwitch(t, revocation.Config{}).now()
		short := keysOf(iss)
		short.MaxTokenLifetime = time.Hour
		newValidator(t, short, revoking(list))
		raw := iss.Token(issuertest.Claims{ExpiresIn: 24 * time.Hour})
		entry := revocation.IssuedBefore(revocation.Client(iss.URL(), issuertest.ClientID), time.Now())
		list.tell(entry)
		elapse(2 * time.Hour)
		list.now()
		v := newValidator(t, keysOf(iss), revoking(list))
		wantOutcome(t, "unavailable")(v.Verify(t.Context(), raw))
		young := iss.Token(issuertest.Claims{ExpiresIn: 24 * time.Hour})
		wantOutcome(t, "ok")(v.Verify(t.Context(), young))
		list.fill(entry)
		wantOutcome(t, "revoked")(v.Verify(t.Context(), raw))
		wantOutcome(t, "ok")(v.Verify(t.Context(), young))
	})
}

// TestResolverRaises: the same for an issuer of which a Resolver says so later.
func TestResolverRaises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss, resolved := issuertest.NewInMemory(t), issuertest.NewInMemory(t)
		list := newKillSwitch(t, revocation.Config{}).now()
		said := keysOf(resolved)
		said.MaxTokenLifetime = time.Hour
		v := newJWT(t, iss, revoking(list), func(c *validator.Config) {
			c.Resolver = resolverFunc(func(context.Context, string) (validator.Issuer, error) { return said, nil })
		})
		raw := resolved.Token(issuertest.Claims{ExpiresIn: 24 * time.Hour})
		wantOutcome(t, "exp")(v.Verify(t.Context(), raw))
		entry := revocation.IssuedBefore(revocation.Client(resolved.URL(), issuertest.ClientID), time.Now())
		list.tell(entry)
		elapse(2 * time.Hour)
		list.now()
		said.MaxTokenLifetime = 24 * time.Hour
		v.ForgetIssuer(resolved.URL())
		wantOutcome(t, "unavailable")(v.Verify(t.Context(), raw))
		list.fill(entry)
		wantOutcome(t, "revoked")(v.Verify(t.Context(), raw))
	})
}
