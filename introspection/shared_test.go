package introspection_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

// shelf is a store in memory, as fleet's is.
type shelf struct {
	mu      sync.Mutex
	kept    map[introspection.SharedKey]shelved
	leases  map[introspection.SharedKey]time.Time
	before  func(ctx context.Context) error // each call; nil: nothing
	leasing func() bool                     // nil: as it should
	calls   int
	saves   []introspection.SharedAnswer
}

type shelved struct {
	data  []byte
	until time.Time
}

func newShelf() *shelf {
	return &shelf{kept: make(map[introspection.SharedKey]shelved), leases: make(map[introspection.SharedKey]time.Time)}
}

func (s *shelf) enter(ctx context.Context) error {
	s.mu.Lock()
	s.calls++
	before := s.before
	s.mu.Unlock()
	if before != nil {
		return before(ctx)
	}
	return nil
}

func (s *shelf) become(before func(ctx context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

func (s *shelf) Load(ctx context.Context, q introspection.SharedKey) ([]byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.kept[q]; ok && time.Now().Before(e.until) {
		return bytes.Clone(e.data), nil
	}
	return nil, nil
}

func (s *shelf) Save(ctx context.Context, q introspection.SharedKey, a introspection.SharedAnswer) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[q] = shelved{bytes.Clone(a.Data), time.Now().Add(a.Keep)}
	s.saves = append(s.saves, a)
	delete(s.leases, q)
	return nil
}

func (s *shelf) Lease(ctx context.Context, q introspection.SharedKey, keep time.Duration) (bool, error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.leasing != nil:
		return s.leasing(), nil
	case keep == 0:
		delete(s.leases, q)
		return false, nil
	case time.Now().Before(s.leases[q]):
		return false, nil
	}
	s.leases[q] = time.Now().Add(keep)
	return true, nil
}

// called is how often the store was called.
func (s *shelf) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// change alters all that is kept.
func (s *shelf) change(how func([]byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for q, e := range s.kept {
		s.kept[q] = shelved{how(bytes.Clone(e.data)), time.Now().Add(time.Hour)}
	}
}

// instance is a Client with a store.
func instance(t *testing.T, u *upstream, s introspection.Shared, change func(*introspection.Config)) *introspection.Client {
	t.Helper()
	return newClient(t, u, func(cfg *introspection.Config) {
		cfg.Shared = s
		if change != nil {
			change(cfg)
		}
	})
}

// TestSharedColdStart: one instance asks, and all are served; without leases each
// asks once at most.
func TestSharedColdStart(t *testing.T) {
	const instances, tokens = 20, 50
	for name, tc := range map[string]struct {
		leasing func() bool
		most    int
	}{
		"with leases":    {nil, 1},
		"without leases": {func() bool { return true }, instances},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(func(string) answer { return answer{body: activeBody, after: 40 * time.Millisecond} })
				s := newShelf()
				s.leasing = tc.leasing
				var asking sync.WaitGroup
				for range instances {
					c := instance(t, u, s, nil)
					for i := range tokens {
						asking.Go(func() { expect(t, c, tokenNumber(i), "active") })
					}
				}
				asking.Wait()
				for i := range tokens {
					if n := u.callsFor(tokenNumber(i)); n < 1 || n > tc.most {
						t.Fatalf("the endpoint was asked %d times about one token, wanted 1 to %d", n, tc.most)
					}
				}
				t.Logf("%d calls for %d tokens on %d instances", u.calls(), tokens, instances)
			})
		})
	}
}

// TestSharedLifetime: an answer counts from when it was asked for, wherever it is.
func TestSharedLifetime(t *testing.T) {
	for name, tc := range map[string]struct {
		body    func() string
		shorten func(*introspection.Config)
		good    time.Duration
		want    string
	}{
		"active":                     {func() string { return activeBody }, nil, 30 * time.Second, "active"},
		"until its exp":              {func() string { return activeUntil(time.Now().Add(12 * time.Second)) }, nil, 12 * time.Second, "active"},
		"inactive":                   {func() string { return `{"active":false}` }, nil, 10 * time.Second, "inactive"},
		"by the shorter one, ours":   {func() string { return activeBody }, func(c *introspection.Config) { c.PositiveLifetime = 8 * time.Second }, 8 * time.Second, "active"},
		"by the shorter one, theirs": {func() string { return activeBody }, func(c *introspection.Config) { c.PositiveLifetime = time.Hour }, 30 * time.Second, "active"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(always(tc.body()))
				s := newShelf()
				expect(t, instance(t, u, s, nil), "token", tc.want)
				synctest.Wait()
				elapse(5 * time.Second)
				r := expect(t, instance(t, u, s, tc.shorten), "token", tc.want)
				if left := time.Until(r.ValidUntil()); left != tc.good-5*time.Second {
					t.Errorf("it is good for another %v, wanted %v", left, tc.good-5*time.Second)
				}
				if n := u.calls(); n != 1 {
					t.Errorf("the endpoint was asked %d times, wanted 1", n)
				}
				elapse(tc.good - 5*time.Second)
				s.change(func(data []byte) []byte { return data }) // the store keeps it too long
				u.become(always(`{"active":false}`))
				expect(t, instance(t, u, s, tc.shorten), "token", "inactive")
				if n := u.calls(); n != 2 {
					t.Errorf("the endpoint was asked %d times when the time was over, wanted 2", n)
				}
			})
		})
	}
}

// TestSharedEntriesAreJudged: what a store has is held against all that an answer is.
func TestSharedEntriesAreJudged(t *testing.T) {
	body := func(text string) func([]byte) []byte {
		return func(data []byte) []byte { return append(data[:14], text...) }
	}
	asked := func(ahead time.Duration) func([]byte) []byte {
		return func(data []byte) []byte {
			binary.BigEndian.PutUint64(data[2:], uint64(time.Now().Add(ahead).UnixMilli()))
			return data
		}
	}
	for name, tc := range map[string]struct {
		change func([]byte) []byte
		serves bool
		silent bool
	}{
		"as it was":                {change: func(data []byte) []byte { return data }, serves: true},
		"empty":                    {change: func([]byte) []byte { return []byte{} }},
		"cut off in its head":      {change: func(data []byte) []byte { return data[:13] }},
		"cut off":                  {change: func(data []byte) []byte { return data[:len(data)-1] }},
		"another version":          {change: func(data []byte) []byte { data[0]++; return data }},
		"another kind":             {change: func(data []byte) []byte { data[1] = 2; return data }},
		"inactive, and says more":  {change: func(data []byte) []byte { data[1] = 0; return data }},
		"active, and says not":     {change: body(`{"active":false}`)},
		"a name twice":             {change: body(`{"active":true,"sub":"a","sub":"b"}`)},
		"no object":                {change: body(`[true]`)},
		"an exp that is no time":   {change: body(`{"active":true,"exp":"tomorrow"}`)},
		"too large":                {change: body(`{"active":true,"a":"` + strings.Repeat("a", 64<<10) + `"}`)},
		"past its exp":             {change: body(`{"active":true,"exp":1}`), silent: true},
		"asked for long ago":       {change: asked(-time.Minute), silent: true},
		"asked for a little ahead": {change: asked(10 * time.Second), serves: true},
		"asked for too far ahead":  {change: asked(11 * time.Second)},
		"asked for in another age": {change: func(data []byte) []byte { copy(data[2:], "\xff\xff\xff\xff\xff\xff\xff\xff"); return data }, silent: true},
		"good for no time":         {change: func(data []byte) []byte { copy(data[10:14], "\x00\x00\x00\x00"); return data }, silent: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(always(activeBody))
				s := newShelf()
				expect(t, instance(t, u, s, nil), "token", "active")
				synctest.Wait()
				s.change(tc.change)
				var told events
				c := instance(t, u, s, func(cfg *introspection.Config) { cfg.Observer.Event = told.add })
				r := expect(t, c, "token", "active")
				if got := u.calls() == 1; got != tc.serves {
					t.Errorf("it serves: %v, wanted %v", got, tc.serves)
				}
				if left := time.Until(r.ValidUntil()); left > 30*time.Second {
					t.Errorf("it is good for another %v", left)
				}
				var kinds []observe.Kind
				for _, e := range told.all() {
					kinds = append(kinds, e.Kind)
				}
				var want []observe.Kind
				if !tc.serves && !tc.silent {
					want = []observe.Kind{observe.SharedRejected}
				}
				if !slices.Equal(kinds, want) {
					t.Errorf("told %q, wanted %q", kinds, want)
				}
			})
		})
	}
}

// TestSharedTrouble: it costs the time-out once a second, and nobody is refused for it.
func TestSharedTrouble(t *testing.T) {
	failed := errors.New("connection refused")
	for name, tc := range map[string]struct {
		trouble func(context.Context) error
		costs   time.Duration
	}{
		"an error":                {func(context.Context) error { return failed }, 0},
		"it waits until its time": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 50 * time.Millisecond},
		"it does not end":         {func(context.Context) error { elapse(10 * time.Second); return nil }, 50 * time.Millisecond},
		"a panic":                 {func(context.Context) error { panic("token") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, s := newUpstream(always(activeBody)), newShelf()
				s.become(tc.trouble)
				var told events
				c := instance(t, u, s, func(cfg *introspection.Config) {
					cfg.Observer.Event = told.add
					cfg.Observer.Start = func(ctx context.Context, op observe.Operation) (context.Context, func(error)) {
						return ctx, func(err error) {
							if late := errors.Is(err, context.DeadlineExceeded); err != nil && op.Kind == observe.ShareAnswers && late != (tc.costs > 0) {
								t.Errorf("a call ended with %v, which is a time-out: %v", err, late)
							}
						}
					}
				})
				asks := func(token string, wanted time.Duration) {
					t.Helper()
					began := time.Now()
					expect(t, c, token, "active")
					if took := time.Since(began); took != wanted {
						t.Errorf("%s took %v, wanted %v", token, took, wanted)
					}
				}
				asks("first", tc.costs)
				for i := range 100 {
					asks(tokenNumber(i), 0)
				}
				if n := s.called(); n != 1 {
					t.Errorf("a store in trouble was called %d times, wanted 1", n)
				}
				elapse(time.Second)
				asks("second", tc.costs)
				s.become(nil)
				elapse(time.Second)
				asks("third", 0)
				synctest.Wait()
				var kinds []observe.Kind
				for _, e := range told.all() {
					if kinds = append(kinds, e.Kind); e.Err != nil && strings.Contains(e.Err.Error(), `"token"`) {
						t.Errorf("told %v", e.Err)
					}
				}
				if want := []observe.Kind{observe.SharedFailed, observe.SharedRecovered}; !slices.Equal(kinds, want) {
					t.Errorf("told %q, wanted %q", kinds, want)
				}
				elapse(10 * time.Second) // what hangs ends
			})
		})
	}
}

// TestSharedCallsLeftBehindAreBounded, and an honest crowd is not taken for such.
func TestSharedCallsLeftBehindAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, s := newUpstream(always(activeBody)), newShelf()
		var under, most int
		s.become(func(context.Context) error {
			s.mu.Lock()
			under++
			most = max(most, under)
			s.mu.Unlock()
			elapse(time.Hour)
			s.mu.Lock()
			under--
			s.mu.Unlock()
			return nil
		})
		c := instance(t, u, s, nil)
		for n := range 400 {
			expect(t, c, tokenNumber(n), "active")
			elapse(1100 * time.Millisecond)
		}
		if most != 256 {
			t.Errorf("%d calls were left behind, wanted 256", most)
		}
		elapse(2 * time.Hour)
		s.become(func(context.Context) error { elapse(20 * time.Millisecond); return nil })
		expect(t, c, "first", "active") // it is back
		synctest.Wait()
		elapse(time.Second)
		u.become(always(`{"active":false}`))
		other := instance(t, u, s, nil)
		var asking sync.WaitGroup
		for n := range 1000 {
			asking.Go(func() { expect(t, other, tokenNumber(1000+n), "inactive") })
		}
		before := s.called()
		asking.Wait()
		elapse(time.Second)
		if n := s.called() - before; n < 3*1000 { // two looks, a lease and what is saved
			t.Errorf("a crowd of 1000 called the store %d times", n)
		}
	})
}

// TestSharedIsNotAskedOnAHit, nor by who wants a fresh answer, who writes it through.
func TestSharedIsNotAskedOnAHit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, s := newUpstream(always(activeBody)), newShelf()
		c, other := instance(t, u, s, nil), instance(t, u, s, nil)
		expect(t, c, "token", "active")
		synctest.Wait()
		before := s.called()
		for range 100 {
			expect(t, c, "token", "active")
		}
		if n := s.called() - before; n != 0 {
			t.Errorf("hits called the store %d times", n)
		}
		u.become(always(`{"active":false}`))
		r, err := other.IntrospectFresh(t.Context(), "token", 0)
		if verdict(r, err) != "inactive" {
			t.Errorf("a fresh answer is %v, %v", r, err)
		}
		synctest.Wait()
		if n := s.called() - before; n != 1 {
			t.Errorf("a fresh answer called the store %d times, wanted once, to save it", n)
		}
		expect(t, instance(t, u, s, nil), "token", "inactive")
		if n := u.calls(); n != 2 {
			t.Errorf("the endpoint was asked %d times, wanted 2", n)
		}
		if last := s.saves[len(s.saves)-1]; last.Active || last.Bars != 30*time.Second || last.Keep != 10*time.Second {
			t.Errorf("an inactive answer was saved as active %v for %v, barring for %v", last.Active, last.Keep, last.Bars)
		}
	})
}

// TestSharedFreshJoinsNoLook: an answer that another instance may have asked for long
// ago is none for who wants it from now on.
func TestSharedFreshJoinsNoLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, s := newUpstream(always(activeBody)), newShelf()
		expect(t, instance(t, u, s, nil), "token", "active")
		synctest.Wait()
		u.become(always(`{"active":false}`))
		s.become(func(context.Context) error { elapse(20 * time.Millisecond); return nil })
		c := instance(t, u, s, nil)
		go func() { _, _ = c.Introspect(context.Background(), "token") }()
		synctest.Wait()
		r, err := c.IntrospectFresh(t.Context(), "token", 0)
		if verdict(r, err) != "inactive" {
			t.Errorf("a fresh answer is %s", verdict(r, err))
		}
		elapse(time.Second)
		expect(t, c, "token", "inactive") // also when what was looked for came afterwards
	})
}

// TestSharedIsNoYounger: whoever gives an age is not served with what may be older.
func TestSharedIsNoYounger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, s := newUpstream(always(activeBody)), newShelf()
		expect(t, instance(t, u, s, nil), "token", "active")
		synctest.Wait()
		elapse(5 * time.Second)
		c := instance(t, u, s, nil)
		expect(t, c, "token", "active")
		for _, step := range []struct {
			age   time.Duration
			calls int
		}{{15 * time.Second, 1}, {15*time.Second - 1, 2}} {
			if _, err := c.IntrospectFresh(t.Context(), "token", step.age); err != nil {
				t.Fatal(err)
			}
			if n := u.calls(); n != step.calls {
				t.Errorf("of at most %v: the endpoint was asked %d times, wanted %d", step.age, n, step.calls)
			}
		}
	})
}

// TestSharedRevivesNothing: what was seen inactive here is not active by an answer from
// before, which another instance saved late.
func TestSharedRevivesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, s := newUpstream(always(activeBody)), newShelf()
		expect(t, instance(t, u, s, nil), "token", "active")
		synctest.Wait()
		before := s.kept
		s.kept = make(map[introspection.SharedKey]shelved)
		elapse(time.Second)
		u.become(always(`{"active":false}`))
		c := instance(t, u, s, nil)
		expect(t, c, "token", "inactive")
		synctest.Wait()
		s.kept = before
		elapse(11 * time.Second)
		expect(t, c, "token", "inactive")
		if n := u.calls(); n != 3 {
			t.Errorf("the endpoint was asked %d times, wanted 3", n)
		}
	})
}

// TestSharedLeaseEnds: who has it may fail or die, and others wait no longer than that.
func TestSharedLeaseEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		upstream answer // of who has the lease
		within   time.Duration
	}{
		"it fails":      {answer{err: errDown, after: 100 * time.Millisecond}, 500 * time.Millisecond},
		"it takes long": {answer{body: activeBody, after: 4 * time.Second}, 2200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShelf()
				first := instance(t, newUpstream(func(string) answer { return tc.upstream }), s, nil)
				go func() { _, _ = first.Introspect(context.Background(), "token") }()
				synctest.Wait()
				began := time.Now()
				expect(t, instance(t, newUpstream(always(activeBody)), s, nil), "token", "active")
				if took := time.Since(began); took > tc.within {
					t.Errorf("the other one waited %v, wanted at most %v", took, tc.within)
				}
				elapse(10 * time.Second)
			})
		})
	}
}

// TestSharedLeaseIsLookedAfter: who gets the lease because the one before has just saved
// the answer asks nobody.
func TestSharedLeaseIsLookedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, s := newUpstream(always(activeBody)), newShelf()
		expect(t, instance(t, u, s, nil), "token", "active")
		synctest.Wait()
		kept := s.kept
		s.kept = nil
		s.leasing = func() bool { s.kept = kept; return true } // between the look and the lease
		expect(t, instance(t, u, s, nil), "token", "active")
		if n := u.calls(); n != 1 {
			t.Errorf("the endpoint was asked %d times, wanted 1", n)
		}
	})
}

// TestSharedRefreshAhead: one instance renews for all.
func TestSharedRefreshAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, s := newUpstream(func(string) answer { return answer{body: activeBody, after: 20 * time.Millisecond} }), newShelf()
		var all []*introspection.Client
		for range 5 {
			c := instance(t, u, s, func(cfg *introspection.Config) { cfg.RefreshAhead = 10 * time.Second })
			expect(t, c, "token", "active")
			synctest.Wait()
			all = append(all, c)
		}
		elapse(21 * time.Second)
		for _, c := range all {
			expect(t, c, "token", "active")
		}
		elapse(15 * time.Second)
		for _, c := range all {
			expect(t, c, "token", "active")
		}
		if n := u.calls(); n != 2 {
			t.Errorf("the endpoint was asked %d times, wanted 2", n)
		}
	})
}

// proven is an AnswerVerifier whose signature is a prefix.
type proven struct{}

func (proven) VerifyAnswer(_ context.Context, answer string) ([]byte, error) {
	claims, ok := strings.CutPrefix(answer, "signed:")
	if !ok {
		return nil, errors.New("is not signed")
	}
	return []byte(claims), nil
}

// TestSharedAnswersAreProvenAgain: where answers must be signed, what is kept is the
// signed one.
func TestSharedAnswersAreProvenAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		change func([]byte) []byte
		calls  int
	}{
		"as it was":           {func(data []byte) []byte { return data }, 1},
		"without a signature": {func(data []byte) []byte { return append(data[:14], activeBody...) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpstream(func(string) answer {
					return answer{body: "signed:" + activeBody, header: map[string]string{"Content-Type": "application/token-introspection+jwt"}}
				})
				s := newShelf()
				verified := func(cfg *introspection.Config) { cfg.Answers = proven{} }
				expect(t, instance(t, u, s, verified), "token", "active")
				synctest.Wait()
				s.change(tc.change)
				expect(t, instance(t, u, s, verified), "token", "active")
				if n := u.calls(); n != tc.calls {
					t.Errorf("the endpoint was asked %d times, wanted %d", n, tc.calls)
				}
			})
		})
	}
}

// TestSharedIsApart: an answer given to one client is never served to another.
func TestSharedIsApart(t *testing.T) {
	type change = func(*introspection.Config)
	basic := func(id string) introspection.ClientAuth {
		return introspection.ClientSecretBasic(id, introspection.Secret(secretText))
	}
	for name, tc := range map[string]struct {
		change change
		token  string
		same   bool
	}{
		"the same": {func(*introspection.Config) {}, "token", true},
		"by another method": {func(c *introspection.Config) {
			c.Auth = introspection.ClientSecretPost("api", introspection.Secret(secretText))
		}, "token", true},
		"with another secret": {func(c *introspection.Config) {
			c.Auth = introspection.ClientSecretBasic("api", introspection.Secret("new"))
		}, "token", true},
		"another client":              {func(c *introspection.Config) { c.Auth = basic("reports") }, "token", false},
		"another endpoint":            {func(c *introspection.Config) { c.Endpoint = "https://id.example.com/introspec" }, "ttoken", false},
		"an endpoint of another host": {func(c *introspection.Config) { c.Endpoint = "https://id.example.net/introspect" }, "token", false},
		"another issuer":              {func(c *introspection.Config) { c.Issuer = "https://id.example.com" }, "token", false},
		"another name":                {func(c *introspection.Config) { c.SharedAs = "reports" }, "token", false},
		"another token":               {func(*introspection.Config) {}, "token2", false},
		"answers that are proven":     {func(c *introspection.Config) { c.Answers = proven{} }, "token", false},
		"a name in place of an id": {func(c *introspection.Config) {
			c.Auth, c.SharedAs = introspection.BearerToken(nobody{}), "api"
		}, "token", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShelf()
				expect(t, instance(t, newUpstream(always(activeBody)), s, nil), "token", "active")
				synctest.Wait()
				u := newUpstream(always(`{"active":false}`))
				r, _ := instance(t, u, s, tc.change).Introspect(t.Context(), tc.token)
				if same := r != nil && r.Active(); same != tc.same {
					t.Errorf("it is served with the answer: %v, wanted %v", same, tc.same)
				}
			})
		})
	}
}

// nobody is a TokenSource.
type nobody struct{}

func (nobody) AccessToken(context.Context) (string, error) { return "token-of-the-api", nil }

func TestSharedFaults(t *testing.T) {
	var none *shelf
	_, err := introspection.New(introspection.Config{
		Introspector: &own{}, Shared: none, SharedTimeout: 6 * time.Second, CacheEntries: -1,
	})
	for _, want := range []string{"Config.Shared is a nil *introspection_test.shelf", "SharedTimeout is 6s", "no active answer is kept", "Config.Issuer is missing", "Config.SharedAs is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New says %v, wanted %q in it", err, want)
		}
	}
	_, err = introspection.New(introspection.Config{Endpoint: endpointURL, Auth: introspection.BearerToken(nobody{}), SharedAs: "api"})
	if err == nil || !strings.Contains(err.Error(), "SharedAs is set without Config.Shared") {
		t.Errorf("New says %v", err)
	}
}

// TestSharedWaitersGiveUp: nobody goes on looking for whom nobody waits.
func TestSharedWaitersGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, s := newUpstream(always(activeBody)), newShelf()
		s.leasing = func() bool { return false }
		ctx, cancel := context.WithCancel(t.Context())
		c := instance(t, u, s, nil)
		done := make(chan error)
		go func() {
			_, err := c.Introspect(ctx, "token")
			done <- err
		}()
		elapse(15 * time.Millisecond)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
		elapse(time.Second)
		calls := s.called()
		elapse(time.Second)
		if s.called() != calls || u.calls() != 0 {
			t.Errorf("the store was called %d times more, and the endpoint %d times", s.called()-calls, u.calls())
		}
		expect(t, c, "token", "active") // who waits for a lease that never comes asks
		c.Close()
	})
}

// FuzzShared: whatever a store has, an answer that is active is one that the endpoint
// could have given, and is good for as long as one, at most.
func FuzzShared(f *testing.F) {
	for _, body := range []string{activeBody, `{"active":true,"exp":99999999999}`, `{"active":false}`, ""} {
		for kind := range byte(3) {
			data := []byte{1, kind}
			data = binary.BigEndian.AppendUint64(data, uint64(time.Now().UnixMilli()))
			f.Add(append(binary.BigEndian.AppendUint32(data, 30_000), body...), true)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, now bool) {
		if now && len(data) > 10 {
			binary.BigEndian.PutUint64(data[2:], uint64(time.Now().UnixMilli()))
		}
		c, err := introspection.New(introspection.Config{
			Endpoint: endpointURL, Auth: introspection.ClientSecretBasic("api", introspection.Secret(secretText)),
			HTTPClient: &http.Client{Transport: newUpstream(down)}, Shared: oneEntry(data),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		r, err := c.Introspect(t.Context(), "token")
		if err != nil {
			return
		}
		if left := time.Until(r.ValidUntil()); left > 30*time.Second {
			t.Errorf("it is good for %v", left)
		}
		if !r.Active() {
			return
		}
		again := newClient(t, newUpstream(always(string(r.Claims()))), nil)
		if second, err := again.Introspect(t.Context(), "token"); err != nil || !second.Active() || !bytes.Equal(second.Claims(), r.Claims()) {
			t.Errorf("the endpoint could not have said %q: %v", r.Claims(), err)
		}
	})
}

// oneEntry is a store that has one answer to all.
type oneEntry []byte

func (e oneEntry) Load(context.Context, introspection.SharedKey) ([]byte, error) { return e, nil }

func (oneEntry) Save(context.Context, introspection.SharedKey, introspection.SharedAnswer) error {
	return nil
}

func (oneEntry) Lease(context.Context, introspection.SharedKey, time.Duration) (bool, error) {
	return true, nil
}
