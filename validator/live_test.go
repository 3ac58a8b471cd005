package validator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// wantLive fails unless ctx has ended so: "" for not at all, "ok" for its own side, or a
// check.
func wantLive(t testing.TB, ctx context.Context, want string) {
	t.Helper()
	got := ""
	if ctx.Err() != nil {
		got = "ok"
		if e, ok := errors.AsType[*validator.Error](context.Cause(ctx)); ok {
			got = string(e.Check())
		}
	}
	if got != want {
		t.Errorf("got %q (%v), wanted %q", got, context.Cause(ctx), want)
	}
}

// TestLive ends what a token let in when a request with that token would be refused, and
// at no other time.
func TestLive(t *testing.T) {
	const within = time.Second // after what ends it
	type scene struct {
		iss    *issuertest.Issuer
		v      *validator.Validator
		list   *killSwitch
		cancel func()
		stop   func()
	}
	for name, tc := range map[string]struct {
		happens func(*scene)
		after   time.Duration
		want    string
		jwtOnly bool
	}{
		"nothing":              {func(*scene) {}, 60*time.Minute + 29*time.Second, "", false},
		"it expires":           {func(*scene) {}, 60*time.Minute + 30*time.Second + within, "exp", false},
		"its client goes":      {func(s *scene) { s.cancel() }, 0, "ok", false},
		"it is stopped":        {func(s *scene) { s.stop(); s.stop() }, 0, "ok", false},
		"the validator closes": {func(s *scene) { s.v.Close() }, 0, "unavailable", false},
		"it is revoked": {func(s *scene) {
			s.list.tell(revocation.Block(revocation.Client(s.iss.URL(), issuertest.ClientID)))
		}, 0, "revoked", false},
		"another is revoked": {func(s *scene) {
			s.list.tell(revocation.Block(revocation.Client(s.iss.URL(), "another")))
		}, 59 * time.Minute, "", false},
		"it is revoked among many changes": {func(s *scene) {
			for n := range 100 {
				s.list.tell(revocation.Block(revocation.Client(s.iss.URL(), fmt.Sprint(n))))
				synctest.Wait()
			}
			s.list.tell(revocation.Block(revocation.Client(s.iss.URL(), issuertest.ClientID)))
		}, within, "revoked", false},
		"the feed falls silent": {func(*scene) {}, 10 * time.Minute, "", false},
		"the list is closed":    {func(s *scene) { s.list.Close() }, 10 * time.Minute, "", false},
		"its key is withdrawn": {func(s *scene) {
			s.iss.Rotate()
			s.iss.Retire()
			_, _ = s.v.Verify(context.Background(), s.iss.Token(issuertest.Claims{})) // which needs the new key
		}, 15*time.Second + within, "key", true},
		"its issuer cannot be reached": {func(s *scene) {
			s.iss.SetFault(issuertest.JWKS, issuertest.Down())
			s.iss.SetFault(issuertest.Introspection, issuertest.Down())
		}, 59 * time.Minute, "", false},
	} {
		for _, kind := range fresh {
			if tc.jwtOnly && kind.later != "ok" {
				continue
			}
			t.Run(name+"/"+kind.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &scene{iss: issuertest.NewInMemory(t), list: newKillSwitch(t, revocation.Config{}).now()}
					s.v = newValidator(t, kind.issuer(s.iss), revoking(s.list))
					token, err := s.v.Verify(t.Context(), kind.token(s.iss))
					if err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithCancel(t.Context())
					s.cancel = cancel
					live, stop := s.v.Live(ctx, token)
					s.stop = stop
					defer cancel()
					elapse(time.Second / 3)
					wantLive(t, live, "")
					if n := s.v.Stats().Streams; n != 1 {
						t.Errorf("%d streams are open", n)
					}
					tc.happens(s)
					elapse(tc.after)
					synctest.Wait()
					wantLive(t, live, tc.want)
					if n := s.v.Stats().Streams; (n == 1) != (tc.want == "") {
						t.Errorf("%d streams are open", n)
					}
					if e, ok := errors.AsType[*validator.Error](context.Cause(live)); ok {
						checkError(t, e)
					}
				})
			})
		}
	}
}

// TestLiveEndsAtOnce for a token that is not good any more, or is none of this
// validator's.
func TestLiveEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		list := newKillSwitch(t, revocation.Config{}).now()
		v, other := newJWT(t, iss, revoking(list)), newJWT(t, iss)
		verified := func(v *validator.Validator, c issuertest.Claims) *validator.Token {
			token, err := v.Verify(t.Context(), iss.Token(c))
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		unproven, err := validator.DangerouslyUnverified([]byte(`{}`), validator.Profile{})
		if err != nil {
			t.Fatal(err)
		}
		closed := newJWT(t, iss)
		ofClosed := verified(closed, issuertest.Claims{})
		closed.Close()
		short := verified(v, issuertest.Claims{ExpiresIn: time.Second})
		revoked := verified(v, issuertest.Claims{ClientID: "revoked", Subject: "revoked"})
		good := verified(v, issuertest.Claims{})
		copied := *good
		list.tell(revocation.Block(revocation.Client(iss.URL(), "revoked")))
		elapse(2 * time.Minute)
		for name, tc := range map[string]struct {
			v     *validator.Validator
			token *validator.Token
			want  string
		}{
			"good":                      {v, good, ""},
			"a copy":                    {v, &copied, ""},
			"expired":                   {v, short, "exp"},
			"revoked":                   {v, revoked, "revoked"},
			"nil":                       {v, nil, "missing"},
			"zero":                      {v, new(validator.Token), "missing"},
			"nobody's":                  {v, unproven, "unavailable"},
			"another validator's":       {v, verified(other, issuertest.Claims{}), "unavailable"},
			"a validator's that closed": {closed, ofClosed, "unavailable"},
			"a validator without New":   {new(validator.Validator), good, "unavailable"},
			"a nil one":                 {nil, good, "unavailable"},
		} {
			live, stop := tc.v.Live(t.Context(), tc.token)
			wantLive(t, live, tc.want)
			stop()
			if live.Err() == nil {
				t.Errorf("%s: stop ended nothing", name)
			}
			if e, ok := errors.AsType[*validator.Error](context.Cause(live)); ok {
				checkError(t, e)
			}
		}
		if n := v.Stats().Streams; n != 0 {
			t.Errorf("%d streams are open", n)
		}
	})
}

// TestLiveOfAForgottenIssuer ends with it.
func TestLiveOfAForgottenIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		v := newJWT(t, issuertest.NewInMemory(t), func(c *validator.Config) {
			c.Resolver = resolverFunc(func(context.Context, string) (validator.Issuer, error) { return keysOf(iss), nil })
		})
		token, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{}))
		if err != nil {
			t.Fatal(err)
		}
		live, stop := v.Live(t.Context(), token)
		defer stop()
		elapse(time.Minute)
		wantLive(t, live, "")
		v.ForgetIssuer(iss.URL())
		elapse(16 * time.Second)
		wantLive(t, live, "unavailable")
	})
}

// TestTenThousandStreams: those of a revoked client end within a second, the others go
// on, and none has a goroutine.
func TestTenThousandStreams(t *testing.T) {
	const streams, clients = 10_000, 100
	synctest.Test(t, func(t *testing.T) {
		iss := issuertest.NewInMemory(t)
		list := newKillSwitch(t, revocation.Config{}).now()
		v := newJWT(t, iss, revoking(list))
		var tokens []*validator.Token
		for n := range clients {
			token, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{Algorithm: "EdDSA", ClientID: fmt.Sprint("client-", n), ExpiresIn: time.Hour}))
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, token)
		}
		synctest.Wait()
		goroutines := func() {
			t.Helper()
			synctest.Wait()
			stacks := make([]byte, 1<<22)
			stacks = stacks[:runtime.Stack(stacks, true)]
			if ours := bytes.Count(stacks, []byte("(*Wheel).run(")) + bytes.Count(stacks, []byte("(*stream).")); ours > 1 {
				t.Errorf("%d goroutines are for streams, wanted one:\n%s", ours, stacks)
			}
		}
		all := make([]context.Context, streams)
		ends := make([]context.CancelFunc, streams)
		for n := range all {
			request, cancel := context.WithCancel(t.Context()) // as net/http makes one for each
			all[n], _ = v.Live(request, tokens[n%clients])
			ends[n] = cancel
		}
		goroutines()
		elapse(20 * time.Minute)
		goroutines()
		list.tell(revocation.Block(revocation.Client(iss.URL(), "client-7")))
		elapse(time.Second)
		for n, ctx := range all {
			wantLive(t, ctx, map[bool]string{true: "revoked"}[n%clients == 7])
		}
		goroutines()
		if n := v.Stats().Streams; n != streams-streams/clients {
			t.Errorf("%d streams are open", n)
		}
		for n := range streams / 2 { // whose clients go
			ends[n]()
		}
		goroutines()
		elapse(40*time.Minute + 31*time.Second)
		for n := streams / 2; n < streams; n++ {
			wantLive(t, all[n], map[bool]string{true: "revoked", false: "exp"}[n%clients == 7])
			ends[n]()
		}
		elapse(2 * time.Second)
		synctest.Wait()
		stacks := make([]byte, 1<<20)
		if stacks = stacks[:runtime.Stack(stacks, true)]; bytes.Contains(stacks, []byte("(*Wheel).run")) || v.Stats().Streams > 0 {
			t.Errorf("%d streams are left, or their goroutine:\n%s", v.Stats().Streams, stacks)
		}
	})
}

// TestLiveRace opens, ends, revokes and closes at once: what is opened after a
// revocation stood ends with it.
func TestLiveRace(t *testing.T) {
	iss := issuertest.New(t)
	list := newKillSwitch(t, revocation.Config{}).now()
	v := newJWT(t, iss, revoking(list))
	good, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{ClientID: "good", Subject: "good"}))
	if err != nil {
		t.Fatal(err)
	}
	bad, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{ClientID: "bad", Subject: "bad"}))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for k := range 200 {
				live, stop := v.Live(t.Context(), good)
				doomed, stopDoomed := v.Live(t.Context(), bad)
				if n == 0 && k == 20 {
					list.tell(revocation.Block(revocation.Client(iss.URL(), "bad")))
				}
				if n == 0 && k >= 20 {
					<-doomed.Done()
				}
				if n > 0 && k == 150 {
					v.Close()
				}
				_ = live.Err()
				stop()
				stopDoomed()
			}
		})
	}
	wg.Wait()
	if n := v.Stats().Streams; n != 0 {
		t.Errorf("%d streams are open", n)
	}
}
