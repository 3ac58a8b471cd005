package dpop_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/internal/trials/proofs"
)

func wantCheck(t *testing.T, err error, kind error, check dpop.Check) {
	t.Helper()
	refused, ok := errors.AsType[*dpop.Error](err)
	if !ok || !errors.Is(err, kind) || refused.Check() != check {
		t.Errorf("%v, wanted check %s of %v", err, check, kind)
	}
}

func TestNewReportsAllFaults(t *testing.T) {
	_, err := dpop.New(dpop.Config{
		Algorithms: []string{"ES256", "HS256", "none"}, MaxAge: time.Hour, MaxAhead: 2 * time.Minute, MaxProofBytes: 100,
		Replays: dpop.NewMemory(3), Nonces: new(dpop.Sealed),
	})
	for _, want := range []string{`"HS256"`, `"none"`, "MaxAge is 1h0m0s", "MaxAhead is 2m0s", "MaxProofBytes is 100", "NewMemory(3)", "NewSealed"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New says %v, wanted %q", err, want)
		}
	}
	for want, cfg := range map[string]dpop.Config{"MaxAge is -1": {MaxAge: -1}, "MaxProofBytes is -1": {MaxProofBytes: -1}, "Algorithms is empty": {Algorithms: []string{}}} {
		if _, err := dpop.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New says %v, wanted %q", err, want)
		}
	}
	v := newVerifier(t, func(c *dpop.Config) { c.Algorithms = []string{"Ed25519", "ES256", "EdDSA"} })
	if diff := cmp.Diff([]string{"EdDSA", "Ed25519", "ES256"}, v.Algorithms()); diff != "" {
		t.Error(diff)
	}
	v = newVerifier(t, func(c *dpop.Config) { c.Algorithms = []string{"ES256"} })
	if diff := cmp.Diff([]string{"ES256"}, v.Algorithms()); diff != "" {
		t.Error(diff)
	}
	if n := len(newVerifier(t).Algorithms()); n != 11 {
		t.Errorf("%d algorithms by default", n)
	}
}

func TestVerifierThatNewDidNotMake(t *testing.T) {
	s := newSigner(t)
	for _, v := range []*dpop.Verifier{nil, new(dpop.Verifier)} {
		_, err := v.Verify(t.Context(), s.request(s.sign(s.claims("j"))))
		wantCheck(t, err, dpop.ErrUnavailable, dpop.CheckUnavailable)
	}
}

// TestWindow goes by what is configured, to its very ends.
func TestWindow(t *testing.T) {
	s := newSigner(t)
	for _, tc := range []struct {
		age, ahead, offset time.Duration
		good               bool
	}{
		{0, 0, -60 * time.Second, true}, {0, 0, -61 * time.Second, false}, {0, 0, 10 * time.Second, true}, {0, 0, 11 * time.Second, false},
		{10 * time.Minute, time.Minute, -600 * time.Second, true}, {10 * time.Minute, time.Minute, 60 * time.Second, true}, {10 * time.Minute, time.Minute, 61 * time.Second, false},
		{time.Second, -1, 0, true}, {time.Second, -1, time.Second, false}, {time.Second, -1, -time.Second, true}, {time.Second, -1, -2 * time.Second, false},
	} {
		v := newVerifier(t, func(c *dpop.Config) {
			c.MaxAge, c.MaxAhead = tc.age, tc.ahead
			c.Now = func() time.Time { return benchNow.Add(-tc.offset) }
		})
		_, err := v.Verify(t.Context(), s.request(s.sign(s.claims("j"))))
		if (err == nil) != tc.good {
			t.Errorf("%v, %v, iat %v off: %v", tc.age, tc.ahead, tc.offset, err)
		}
	}
}

// keeping is a store that notes what it is asked.
type keeping struct {
	seen []dpop.Seen
	keep []time.Duration
	err  error
}

func (k *keeping) Remember(_ context.Context, p dpop.Seen, keep time.Duration) (bool, error) {
	k.seen, k.keep = append(k.seen, p), append(k.keep, keep)
	return k.err == nil, k.err
}

// TestProofsAreKept until their iat cannot be accepted any more, and until our clock
// was set back by as much as it may be behind.
func TestProofsAreKept(t *testing.T) {
	s := newSigner(t)
	for _, offset := range []time.Duration{-60 * time.Second, -time.Second, 0, 10 * time.Second} {
		store := &keeping{}
		v := newVerifier(t, func(c *dpop.Config) {
			c.Replays = store
			c.Now = func() time.Time { return benchNow.Add(-offset) }
		})
		if _, err := v.Verify(t.Context(), s.request(s.sign(s.claims("j")))); err != nil {
			t.Fatal(err)
		}
		if least := 60*time.Second + offset + 10*time.Second; store.keep[0] < least || store.keep[0] > least+2*time.Second {
			t.Errorf("iat %v off: kept for %v, wanted %v", offset, store.keep[0], least)
		}
	}
}

// TestSeen: what a store is told is of key and jti, and of the key, the same in each
// process.
func TestSeen(t *testing.T) {
	store := &keeping{}
	one, two := newSigner(t), newSigner(t)
	for _, of := range []struct {
		s   *signer
		jti string
	}{{one, "a"}, {one, "b"}, {two, "a"}, {one, "a"}} {
		v := newVerifier(t, func(c *dpop.Config) { c.Replays = store })
		if _, err := v.Verify(t.Context(), of.s.request(of.s.sign(of.s.claims(of.jti)))); err != nil {
			t.Fatal(err)
		}
	}
	a, b, other, again := store.seen[0], store.seen[1], store.seen[2], store.seen[3]
	if a != again || a.ID == b.ID || a.ID == other.ID || a.Holder != b.Holder || a.Holder == other.Holder || a.ID == a.Holder {
		t.Errorf("%v %v %v %v", a, b, other, again)
	}
}

// TestNothingIsSpentByABadProof: whoever sees a jti cannot burn it, with a proof of his
// own or a bad one.
func TestNothingIsSpentByABadProof(t *testing.T) {
	v := newVerifier(t)
	s, thief := newSigner(t), newSigner(t)
	good := s.sign(s.claims("j"))
	for check, r := range map[dpop.Check]*dpop.Request{
		dpop.CheckSignature:  s.request(good[:len(good)-8] + "AAAAAAAA"),
		dpop.CheckMethod:     {Proofs: []string{good}, Method: "POST", URL: benchURL, TokenHash: benchATH, Thumbprint: s.jkt},
		dpop.CheckURL:        {Proofs: []string{good}, Method: "GET", URL: benchURL + "/1", TokenHash: benchATH, Thumbprint: s.jkt},
		dpop.CheckTokenHash:  {Proofs: []string{good}, Method: "GET", URL: benchURL, TokenHash: b64("x"), Thumbprint: s.jkt},
		dpop.CheckThumbprint: {Proofs: []string{good}, Method: "GET", URL: benchURL, TokenHash: benchATH, Thumbprint: thief.jkt},
	} {
		_, err := v.Verify(t.Context(), r)
		if refused, ok := errors.AsType[*dpop.Error](err); !ok || refused.Check() != check {
			t.Errorf("%v, wanted %s", err, check)
		}
	}
	if _, err := v.Verify(t.Context(), thief.request(thief.sign(thief.claims("j")))); err != nil {
		t.Errorf("the thief's own: %v", err)
	}
	if _, err := v.Verify(t.Context(), s.request(good)); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// TestEmptyIsNobodys: what an adapter forgets to fill in lets nobody in.
func TestEmptyIsNobodys(t *testing.T) {
	s := newSigner(t)
	for _, change := range []func(*dpop.Request){
		func(r *dpop.Request) { r.Method = "" }, func(r *dpop.Request) { r.URL = "" }, func(r *dpop.Request) { r.URL = "/orders" },
		func(r *dpop.Request) { r.TokenHash = "" }, func(r *dpop.Request) { r.Thumbprint = "" },
	} {
		for _, claims := range []string{s.claims("j"), strings.Replace(s.claims("j"), benchATH, "", 1)} {
			r := s.request(s.sign(claims))
			change(r)
			if _, err := newVerifier(t).Verify(t.Context(), r); err == nil {
				t.Errorf("%+v is accepted", *r)
			}
		}
	}
}

// TestStoreDown is no verdict about the proof.
func TestStoreDown(t *testing.T) {
	s := newSigner(t)
	cause := errors.New("connection refused")
	v := newVerifier(t, func(c *dpop.Config) { c.Replays = &keeping{err: cause}; c.Nonces = fixedNonces{} })
	claims := strings.Replace(s.claims("j"), `{`, `{"nonce":"`+proofs.EndingNonce+`",`, 1)
	result, err := v.Verify(t.Context(), s.request(s.sign(claims)))
	wantCheck(t, err, dpop.ErrUnavailable, dpop.CheckUnavailable)
	if !errors.Is(err, cause) || result.Nonce != proofs.NextNonce || err.(*dpop.Error).RetryAfter() < time.Second {
		t.Errorf("%v, %q", err, result.Nonce)
	}
}

// brokenNonces fail.
type brokenNonces struct{ judges bool }

func (brokenNonces) Nonce(context.Context) (string, error) { return "", errors.New("no nonce") }

func (b brokenNonces) Judge(context.Context, string) (dpop.Judgement, error) {
	if b.judges {
		return dpop.NonceEnding, nil
	}
	return dpop.NonceGood, errors.New("no judge")
}

func TestNoncesDown(t *testing.T) {
	s := newSigner(t)
	claims := strings.Replace(s.claims("j"), `{`, `{"nonce":"any",`, 1)
	_, err := newVerifier(t, func(c *dpop.Config) { c.Nonces = brokenNonces{} }).Verify(t.Context(), s.request(s.sign(claims)))
	wantCheck(t, err, dpop.ErrUnavailable, dpop.CheckUnavailable)
	v := newVerifier(t, func(c *dpop.Config) { c.Nonces = brokenNonces{judges: true} })
	_, err = v.Verify(t.Context(), s.request(s.sign(s.claims("j"))))
	wantCheck(t, err, dpop.ErrUnavailable, dpop.CheckUnavailable)
	if _, err := v.Verify(t.Context(), s.request(s.sign(claims))); err != nil {
		t.Errorf("a good nonce, and no next one: %v", err)
	}
}

// TestTenThousandAtOnce with one proof: exactly one passes.
func TestTenThousandAtOnce(t *testing.T) {
	s := newSigner(t)
	v := newVerifier(t)
	proof := s.sign(s.claims("j"))
	var passed, replayed, waited atomic.Int64
	var all sync.WaitGroup
	for n := range 10_000 {
		all.Go(func() {
			r := s.request(proof)
			r.Source = fmt.Sprint(n % 100)
			switch _, err := v.Verify(context.Background(), r); {
			case err == nil:
				passed.Add(1)
			case errors.Is(err, dpop.ErrUnavailable), errors.Is(err, dpop.ErrThrottled):
				waited.Add(1)
			default:
				if refused, ok := errors.AsType[*dpop.Error](err); ok && refused.Check() == dpop.CheckReplay {
					replayed.Add(1)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d passed, %d replayed, %d found no turn", passed.Load(), replayed.Load(), waited.Load())
	if passed.Load() != 1 || passed.Load()+replayed.Load()+waited.Load() != 10_000 {
		t.Errorf("%d passed, %d were refused as replays", passed.Load(), replayed.Load())
	}
}

// TestFloodOfBadSignatures by who stole a bound token and saw a proof: others get their
// turns.
func TestFloodOfBadSignatures(t *testing.T) {
	v := newVerifier(t)
	s, honest := newSigner(t), newSigner(t)
	good := s.sign(s.claims("j"))
	bad := s.request(good[:len(good)-8] + "AAAAAAAA")
	bad.Source = "the thief"
	stop := make(chan struct{})
	var flood sync.WaitGroup
	for range 200 {
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := v.Verify(context.Background(), bad); err == nil {
					t.Error("a bad signature is accepted")
				}
			}
		})
	}
	for n := range 50 {
		r := honest.request(honest.sign(honest.claims(fmt.Sprint(n))))
		r.Source = "somebody else"
		if _, err := v.Verify(t.Context(), r); err != nil {
			t.Errorf("request %d: %v", n, err)
		}
	}
	gone, giveUp := context.WithCancel(t.Context())
	giveUp()
	for range 50 {
		_, err := v.Verify(gone, bad)
		wantCheck(t, err, dpop.ErrUnavailable, dpop.CheckUnavailable)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("whose context ended was told %v", err)
		}
	}
	close(stop)
	flood.Wait()
}

// TestTurnsAreFairBySource: one source asks for more turns than may wait at all, and is
// refused for it; another finds its turn.
func TestTurnsAreFairBySource(t *testing.T) {
	v := newVerifier(t)
	s, honest := newSigner(t), newSigner(t)
	good := s.sign(s.claims("j"))
	var requests []*dpop.Request
	for n := range 20 {
		r := honest.request(honest.sign(honest.claims(fmt.Sprint(n))))
		r.Source = "somebody else"
		requests = append(requests, r)
	}
	stop, full := make(chan struct{}), make(chan struct{})
	var flood sync.WaitGroup
	var once sync.Once
	for range 9_000 { // 8,192 may wait
		flood.Go(func() {
			bad := s.request(good[:len(good)-8] + "AAAAAAAA")
			bad.Source = "the thief"
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := v.Verify(context.Background(), bad); errors.Is(err, dpop.ErrThrottled) {
					once.Do(func() { close(full) })
					return // those who wait are enough
				}
			}
		})
	}
	<-full
	for n, r := range requests {
		if _, err := v.Verify(t.Context(), r); err != nil {
			t.Errorf("request %d: %v", n, err)
		}
	}
	close(stop)
	flood.Wait()
}

// TestNoSecretIsTold by an error, a log line or a dump of a request, whatever a proof
// holds and wherever it fails.
func TestNoSecretIsTold(t *testing.T) {
	for _, tc := range catalogue() {
		r := requestOf(tc, tc.Proofs)
		v := verifierFor(t, tc)
		for _, line := range tc.Prior {
			_, _ = v.Verify(t.Context(), requestOf(tc, []string{line}))
		}
		_, err := v.Verify(t.Context(), r)
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("refused", "err", err, "request", *r)
		told := fmt.Sprintf("%v %+v %#v %v %+v %#v %s", err, err, err, r, *r, *r, log.String())
		for _, line := range tc.Proofs {
			for _, part := range strings.FieldsFunc(line, func(c rune) bool { return c == '.' || c == ',' }) {
				if len(part) > 20 && strings.Contains(told, part) {
					t.Errorf("%s: a part of the proof is told: %s", tc.Name, told)
				}
			}
		}
		for _, secret := range []string{tc.Token, tc.TokenHash(), tc.Thumbprint, "jti-", "user:pass"} {
			if len(secret) > 3 && strings.Contains(told, secret) {
				t.Errorf("%s: %q is told: %s", tc.Name, secret, told)
			}
		}
	}
	s := newSigner(t)
	claims := strings.NewReplacer(`{`, `{"nonce":"secret-nonce","x":"secret-x",`, `orders"`, `orders?secret-query#secret-fragment"`, `"GET"`, `"POST"`).Replace(s.claims("secret-jti"))
	for _, method := range []string{"GET", "POST"} {
		r := s.request(s.sign(claims))
		r.Method, r.URL = method, benchURL+"/1?secret-query"
		_, err := newVerifier(t).Verify(t.Context(), r)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("tells %v", err)
		}
	}
}

// TestRememberedHeaders say what they said, for whatever token they come with.
func TestRememberedHeaders(t *testing.T) {
	v := newVerifier(t)
	s := newSigner(t)
	bad := s.sign(s.claims("0"))
	_, err := v.Verify(t.Context(), s.request(bad[:len(bad)-8]+"AAAAAAAA"))
	wantCheck(t, err, dpop.ErrProof, dpop.CheckSignature)
	if v.Remembers(s.header) {
		t.Error("a header is remembered that nothing has proven: a flood of such would push out others")
	}
	for n := range 3 {
		if _, err := v.Verify(t.Context(), s.request(s.sign(s.claims(fmt.Sprint(n))))); err != nil {
			t.Fatal(err)
		}
	}
	if !v.Remembers(s.header) {
		t.Error("a proven header is not remembered")
	}
	r := s.request(s.sign(s.claims("4")))
	r.Thumbprint = newSigner(t).jkt
	_, err = v.Verify(t.Context(), r)
	wantCheck(t, err, dpop.ErrKey, dpop.CheckThumbprint)
	good := s.sign(s.claims("5"))
	_, err = v.Verify(t.Context(), s.request(good[:len(good)-8]+"AAAAAAAA"))
	wantCheck(t, err, dpop.ErrProof, dpop.CheckSignature)
}
