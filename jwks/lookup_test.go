package jwks_test

import (
	"context"
	"crypto/elliptic"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

func TestLookupChoosesTheKey(t *testing.T) {
	ed1, ec1, rsa1, ps := ed("ed"), ec("ec", elliptic.P256()), rsaKey("rsa"), rsaBits("ps", 3072).with("alg", "PS256")
	vault := "https://example.vault.azure.net/keys/signing/0123456789abcdef0123456789abcdef" // longer than a line of a terminal
	nameless := ec("", elliptic.P384()).with("kid", nil)
	fixed := []key{ed1, ec1, rsa1, ps, nameless, ec("empty", elliptic.P521()).with("kid", "")}
	cases := map[string]struct {
		kid  string
		none bool // the token has no kid
		alg  string
		keys []key
		want string // kid of the key; "!" and part of the error otherwise
	}{
		"by kid":                              {kid: "ed", alg: "EdDSA", want: "ed"},
		"by kid, RFC 9864 name":               {kid: "ed", alg: "Ed25519", want: "ed"},
		"RSA without alg serves RS":           {kid: "rsa", alg: "RS512", want: "rsa"},
		"RSA without alg serves PS":           {kid: "rsa", alg: "PS384", want: "rsa"},
		"RSA with alg serves it":              {kid: "ps", alg: "PS256", want: "ps"},
		"RSA with alg serves no other":        {kid: "ps", alg: "RS256", want: `!kid "ps" does not serve "RS256"`},
		"EC serves its own curve":             {kid: "ec", alg: "ES256", want: "ec"},
		"EC serves no other curve":            {kid: "ec", alg: "ES384", want: `!kid "ec" does not serve "ES384"`},
		"family of another":                   {kid: "ed", alg: "RS256", want: `!kid "ed" does not serve "RS256"`},
		"HMAC":                                {kid: "rsa", alg: "HS256", want: `!kid "rsa" does not serve "HS256"`},
		"none":                                {kid: "rsa", alg: "none", want: `!kid "rsa" does not serve "none"`},
		"empty alg":                           {kid: "rsa", alg: "", want: `!kid "rsa" does not serve ""`},
		"an EC algorithm for an Ed25519 key":  {kid: "ed", alg: "ES256", want: `!kid "ed" does not serve "ES256"`},
		"HMAC, no kid":                        {none: true, alg: "HS256", want: `!no key of the set serves "HS256"`},
		"made-up kid, though one fits":        {kid: "other", alg: "EdDSA", want: `!kid "other" is not in the set`},
		"unknown kid":                         {kid: "other", alg: "RS256", want: `!kid "other" is not in the set`},
		"kid in another case":                 {kid: "ED", alg: "EdDSA", want: `!kid "ED" is not in the set`},
		"empty kid names the key with one":    {kid: "", alg: "ES512", want: ""},
		"empty kid is not no kid":             {kid: "", alg: "ES384", want: `!kid "" does not serve "ES384"`},
		"no kid, one fits":                    {none: true, alg: "EdDSA", want: "ed"},
		"no kid, the one without kid fits":    {none: true, alg: "ES384", want: ""},
		"no kid, several fit":                 {none: true, alg: "PS256", want: `!several keys of the set serve "PS256"`},
		"no kid, one is not bound otherwise":  {none: true, alg: "RS256", want: "rsa"},
		"no kid, none fits":                   {none: true, alg: "ES256", keys: []key{ed1}, want: `!no key of the set serves "ES256"`},
		"no kid, the same key under two kids": {none: true, alg: "EdDSA", keys: []key{ed1, ed1.with("kid", "twin")}, want: "ed"},
		"a kid of a key vault, whole":         {kid: vault, alg: "RS256", want: `!kid "` + vault + `" is not in the set`},
		"a long kid keeps both ends":          {kid: strings.Repeat("k", 10000) + "-2", alg: "RS256", want: `!kkk-2" (10002 bytes) is not in the set`},
		"control characters are quoted":       {kid: "a\nb\x00", alg: "RS256", want: `!kid "a\nb\x00" is not in the set`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.keys == nil {
				c.keys = fixed
			}
			s, err := jwks.New(jwks.Config{Set: set(c.keys...)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			got, err := s.Lookup(t.Context(), c.kid, !c.none, c.alg)
			if text, bad := strings.CutPrefix(c.want, "!"); bad {
				if got != nil || !errors.Is(err, jwks.ErrKeyNotFound) || !strings.Contains(err.Error(), text) {
					t.Errorf("got %v, %v, wanted ErrKeyNotFound with %q", got, err, text)
				}
				return
			}
			if err != nil || got.ID() != c.want || !s.Usable(got) {
				t.Errorf("got %v, %v, wanted key %q", got, err, c.want)
			}
		})
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	k := rsaKey("a")
	iss := &issuer{}
	iss.keys(k, ed("b"))
	s := open(t, iss, jwks.Config{})
	got := wantKey(t, s, k)
	ctx := context.Background()
	for name, f := range map[string]func(){
		"Lookup":             func() { _, _ = s.Lookup(ctx, "a", true, "RS256") },
		"Lookup without kid": func() { _, _ = s.Lookup(ctx, "", false, "RS256") },
		"Usable":             func() { s.Usable(got) },
		"Ready":              func() { _ = s.Ready(ctx) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	wantCount(t, iss, 1)
}

func TestUsableRefusesWhatItDoesNotKnow(t *testing.T) {
	s, err := jwks.New(jwks.Config{URL: "https://id.example.com/keys"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Usable(nil) {
		t.Error("no key is usable")
	}
	if s.Usable(&jwks.Key{}) {
		t.Error("a key is usable before the first fetch")
	}
}

func TestFirstLookupsShareOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ed("a")
		iss := &issuer{}
		iss.serve(slowly(time.Second, answer(set(k))))
		s := open(t, iss, jwks.Config{})
		wantCount(t, iss, 0) // New asks nobody

		// The first to ask gives up: that harms no other.
		hasty, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error)
		go func() {
			_, err := s.Lookup(hasty, "a", true, "EdDSA")
			gaveUp <- err
		}()
		synctest.Wait()
		errs := make(chan error, 500)
		for range cap(errs) {
			go func() {
				_, err := find(s, k)
				errs <- err
			}()
		}
		synctest.Wait()
		cancel()
		if err := <-gaveUp; !errors.Is(err, context.Canceled) || !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("the one who gave up got %v", err)
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		wantCount(t, iss, 1)
	})
}

// A fetch goes on when everybody who waited for it is gone.
func TestFetchOutlivesItsCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ed("a")
		iss := &issuer{}
		iss.serve(slowly(3*time.Second, answer(set(k))))
		s := open(t, iss, jwks.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("Ready: %v", err)
		}
		elapse(3 * time.Second)
		wantKey(t, s, k)
		wantCount(t, iss, 1)
	})
}

func TestStartWhileTheIssuerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, seen := ed("a"), &events{}
		iss := &issuer{}
		s := open(t, iss, jwks.Config{Observer: observe.Observer{Event: seen.add}})
		// Requests come ten times a second; the issuer is asked once per back-off.
		for range 600 {
			u := wantUnavailable(t, s, k)
			if u.RetryAfter > 5*time.Second {
				t.Fatalf("retry after %v, wanted at most MinFetchInterval", u.RetryAfter)
			}
			elapse(100 * time.Millisecond)
		}
		times := iss.requests()
		want := time.Second
		for n := 1; n < len(times); n++ {
			gap := times[n].at.Sub(times[n-1].at)
			if gap < want*3/4 || gap > want+100*time.Millisecond {
				t.Errorf("try %d came %v after the one before, wanted %v to %v", n, gap, want*3/4, want)
			}
			want = min(2*want, 5*time.Second)
		}
		synctest.Wait()
		if got, want := len(seen.of(observe.RefreshFailed)), len(times); got != want {
			t.Errorf("%d RefreshFailed for %d tries", got, want)
		}
		if got := seen.of(observe.StaleKeysInUse); len(got) != 0 {
			t.Errorf("got %v without any keys", got)
		}
		elapse(time.Hour) // nobody asks, so nobody is asked
		wantCount(t, iss, len(times))
		wantUnavailable(t, s, k)

		iss.keys(k)
		elapse(5 * time.Second)
		wantKey(t, s, k)
		if err := s.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestRetryAfterIsWhenTheNextTryIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ed("a")
		iss := &issuer{}
		s := open(t, iss, jwks.Config{MinFetchInterval: time.Minute})
		wantUnavailable(t, s, k)
		wait := wantUnavailable(t, s, k).RetryAfter
		iss.keys(k)
		elapse(wait - time.Nanosecond)
		wantUnavailable(t, s, k)
		wantCount(t, iss, 1)
		elapse(time.Nanosecond)
		wantKey(t, s, k)
	})
}
