package jwks_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

// fetcher is a function that fetches, and counts.
type fetcher struct {
	calls atomic.Int32
	now   atomic.Pointer[func(ctx context.Context) ([]byte, error)]
}

func (f *fetcher) fetch(ctx context.Context) ([]byte, error) {
	f.calls.Add(1)
	return (*f.now.Load())(ctx)
}

func (f *fetcher) serves(text []byte) {
	f.does(func(context.Context) ([]byte, error) { return text, nil })
}

func (f *fetcher) does(get func(ctx context.Context) ([]byte, error)) { f.now.Store(&get) }

func called(t *testing.T, f *fetcher, c jwks.Config) *jwks.KeySet {
	t.Helper()
	c.Fetch = f.fetch
	s, err := jwks.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh, f, started := ed("old"), ed("fresh"), &fetcher{}, &atomic.Int32{}
		f.serves(set(old))
		s := called(t, f, jwks.Config{Observer: observe.Observer{Start: func(ctx context.Context, op observe.Operation) (context.Context, func(error)) {
			if op.Kind == observe.FetchKeys {
				started.Add(1)
			}
			return ctx, func(error) {}
		}}})
		wantCalls := func(want int32) {
			t.Helper()
			synctest.Wait()
			if got := f.calls.Load(); got != want || started.Load() != want {
				t.Fatalf("called %d times, %d of them observed, wanted %d", got, started.Load(), want)
			}
		}
		wantCalls(0) // New asks nobody
		got := wantKey(t, s, old)
		wantCalls(1)
		keepUsing(s, got, 15*time.Minute, time.Second)
		wantCalls(2)
		f.serves(set(fresh))
		wantKey(t, s, fresh) // an unknown kid
		wantCalls(3)
		for range 10 {
			wantNotFound(t, s, old)
		}
		wantCalls(4) // the burst of two is spent
		elapse(10 * time.Hour)
		wantCalls(5) // in use since the last one: once more, and then no more
		f.serves([]byte(publicPEM(must(ed25519Public()))))
		if keys, err := ask(s, jwks.Hint{}); err != nil || keys[0].ID() != "" {
			t.Errorf("PEM: %v, %v", keys, err)
		}
	})
}

func TestFetchThatFails(t *testing.T) {
	own := errors.New("the vault is sealed")
	for name, c := range map[string]struct {
		get  func(ctx context.Context) ([]byte, error)
		want string
		is   error
	}{
		"an error":        {func(context.Context) ([]byte, error) { return nil, own }, "key set of Config.Fetch: the vault is sealed", own},
		"a set beside it": {func(context.Context) ([]byte, error) { return set(ed("k")), own }, "the vault is sealed", own},
		"nothing":         {func(context.Context) ([]byte, error) { return nil, nil }, "not a strict JSON object", nil},
		"too much":        {func(context.Context) ([]byte, error) { return make([]byte, 1<<20+1), nil }, "over the limit of 1048576 bytes", nil},
		"HTML":            {func(context.Context) ([]byte, error) { return []byte("<html>"), nil }, "at offset 0", nil},
		"a panic":         {func(context.Context) ([]byte, error) { panic("secret") }, "it panicked with a string", nil},
		"its time":        {func(ctx context.Context) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }, "context deadline exceeded", context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, f, seen := ed("k"), &fetcher{}, &events{}
				f.serves(set(k))
				s := called(t, f, jwks.Config{Observer: observe.Observer{Event: seen.add}})
				got := wantKey(t, s, k)
				f.does(c.get)
				if _, not := keepUsing(s, got, time.Hour, time.Second); not != 0 {
					t.Errorf("not usable %d times", not)
				}
				failed := seen.of(observe.RefreshFailed)
				if len(failed) == 0 || !strings.Contains(failed[0].Err.Error(), c.want) || strings.Contains(failed[0].Err.Error(), "secret") || c.is != nil && !errors.Is(failed[0].Err, c.is) {
					t.Fatalf("told %v, wanted %q", failed, c.want)
				}
				fresh := ed("fresh")
				f.serves(set(fresh))
				keepUsing(s, got, 4*time.Minute, time.Second)
				wantKey(t, s, fresh)
			})
		})
	}
}

// TestFetchThatHangs, whatever its context says, holds up nobody for longer than
// RequestTimeout, nor Close, and is not called again and again.
func TestFetchThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, f, release := ed("k"), &fetcher{}, make(chan struct{})
		f.does(func(context.Context) ([]byte, error) { <-release; return set(k), nil })
		s := called(t, f, jwks.Config{RequestTimeout: time.Second})
		for range 20 {
			start := time.Now()
			if u := wantUnavailable(t, s, k); time.Since(start) > time.Second {
				t.Errorf("waited %v: %v", time.Since(start), u)
			}
			elapse(10 * time.Second)
		}
		if n := f.calls.Load(); n != 4 {
			t.Errorf("called %d times while it hangs, wanted 4", n)
		}
		if u := wantUnavailable(t, s, k); !strings.Contains(u.Error(), "4 calls go on beyond their time") {
			t.Error(u)
		}
		close(release)
		elapse(10 * time.Second)
		wantKey(t, s, k)

		hang := make(chan struct{})
		f.does(func(context.Context) ([]byte, error) { <-hang; return nil, nil })
		go func() { _, _ = find(s, key{"kid": "made up", "crv": "Ed25519"}) }()
		synctest.Wait()
		start := time.Now()
		s.Close()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Close waited %v", waited)
		}
		close(hang)
	})
}

// TestFetchEndsWithClose: its context does.
func TestFetchEndsWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ended := &fetcher{}, make(chan error, 1)
		f.does(func(ctx context.Context) ([]byte, error) { <-ctx.Done(); ended <- ctx.Err(); return nil, ctx.Err() })
		s := called(t, f, jwks.Config{})
		go func() { _ = s.Ready(t.Context()) }()
		synctest.Wait()
		s.Close()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
