package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// thing is what the registry of these tests holds.
type thing struct {
	name   string
	closed atomic.Bool
	use    Use
}

var errNobody = errors.New("nobody by that name")

type asking func(ctx context.Context, name string) (string, error)

func registryOf(t *testing.T, limit int, ask asking) *Registry[string, *thing] {
	t.Helper()
	r := New(Config[string, *thing]{
		Limit: limit, PerSecond: 20, Ask: ask,
		Unknown: func(err error) bool { return errors.Is(err, errNobody) },
		Make: func(name, answer string) (*thing, error) {
			if answer != name {
				return nil, errors.New("another one")
			}
			return &thing{name: name}, nil
		},
		Close: func(th *thing) {
			if th.closed.Swap(true) {
				t.Error("closed twice")
			}
		},
		Use: func(th *thing) *Use { return &th.use },
	})
	t.Cleanup(r.Close)
	return r
}

// counting echoes names, and counts how often it is asked.
func counting() (ask asking, asked func(name string) int) {
	var mu sync.Mutex
	calls := make(map[string]int)
	return func(_ context.Context, name string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			calls[name]++
			return name, nil
		}, func(name string) int {
			mu.Lock()
			defer mu.Unlock()
			return calls[name]
		}
}

func find(t *testing.T, r *Registry[string, *thing], name string) *thing {
	t.Helper()
	found, err := r.Find(t.Context(), name, "")
	if err != nil || found.name != name || found.closed.Load() {
		t.Fatalf("%s: %+v, %v", name, found, err)
	}
	found.use.Mark()
	return found
}

func TestHoldsWhatIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ask, asked := counting()
		r := registryOf(t, 2, ask)
		a := find(t, r, "a")
		b := find(t, r, "b")
		if find(t, r, "a") != a || asked("a") != 1 {
			t.Error("what is held is asked for again")
		}
		find(t, r, "c")
		if !b.closed.Load() || a.closed.Load() {
			t.Error("not the one unused for longest went")
		}
		var names []string
		for th := range r.All {
			names = append(names, th.name)
		}
		slices.Sort(names)
		if !slices.Equal(names, []string{"a", "c"}) {
			t.Errorf("holds %q", names)
		}
		r.Forget("a")
		if !a.closed.Load() || find(t, r, "a") == a {
			t.Error("what was forgotten is still there")
		}
	})
}

func TestAnswersThatAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		down := errors.New("down")
		r := registryOf(t, 2, func(_ context.Context, name string) (string, error) {
			calls++
			switch name {
			case "nobody":
				return "", fmt.Errorf("looked up: %w", errNobody)
			case "down":
				return "", down
			case "another":
				return "somebody", nil
			}
			panic(name)
		})
		for range 3 {
			if _, err := r.Find(t.Context(), "nobody", ""); err != ErrUnknown || calls != 1 {
				t.Errorf("%v after %d calls", err, calls)
			}
		}
		time.Sleep(unknownFor)
		if _, err := r.Find(t.Context(), "nobody", ""); err != ErrUnknown || calls != 2 {
			t.Errorf("%v after %d calls, later", err, calls)
		}
		_, err := r.Find(t.Context(), "down", "")
		if failed, ok := err.(*AskError); !ok || failed.Err != down || !errors.Is(err, down) {
			t.Errorf("an error of Ask: %v", err)
		}
		if _, err = r.Find(t.Context(), "another", ""); err == nil || errors.As(err, new(*AskError)) {
			t.Errorf("an error of Make: %v", err)
		}
		defer func() {
			if recover() != "loud" {
				t.Error("a panic of Ask does not reach who waits")
			}
		}()
		_, _ = r.Find(t.Context(), "loud", "")
	})
}

func TestOneCallForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		ask, asked := counting()
		r := registryOf(t, 10, func(ctx context.Context, name string) (string, error) {
			<-hold
			return ask(ctx, name)
		})
		impatient, giveUp := context.WithCancel(t.Context())
		var crowd sync.WaitGroup
		for i := range 10 {
			crowd.Go(func() {
				if found, err := r.Find(t.Context(), "a", fmt.Sprint(i%3)); err != nil || found.name != "a" {
					t.Errorf("%v, %v", found, err)
				}
			})
		}
		crowd.Go(func() {
			if _, err := r.Find(impatient, "a", "hasty"); !errors.Is(err, context.Canceled) {
				t.Errorf("who gave up got %v", err)
			}
		})
		synctest.Wait()
		giveUp()
		synctest.Wait()
		if r.Working() != 1 || r.Waiting() != 0 {
			t.Errorf("%d under way, %d wait", r.Working(), r.Waiting())
		}
		close(hold)
		crowd.Wait()
		if asked("a") != 1 {
			t.Errorf("asked %d times", asked("a"))
		}
	})
}

func TestForgottenMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		r := registryOf(t, 10, func(_ context.Context, name string) (string, error) {
			<-hold
			return name, nil
		})
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := r.Find(t.Context(), "a", ""); err != ErrForgotten {
				t.Errorf("an answer from before: %v", err)
			}
		})
		synctest.Wait()
		r.Forget("a")
		close(hold)
		waiting.Wait()
		find(t, r, "a")
	})
}

// TestHangingCallsAreLeftBehind: they end for who waits, a bounded number of them
// is made, and Close does not wait for them.
func TestHangingCallsAreLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		defer close(hold)
		var calls atomic.Int64
		r := registryOf(t, 10, func(context.Context, string) (string, error) {
			calls.Add(1)
			<-hold
			return "", nil
		})
		var crowd sync.WaitGroup
		for i := range 2 * maxStuck {
			crowd.Go(func() {
				if _, err := r.Find(t.Context(), fmt.Sprint(i), fmt.Sprint(i)); err == nil {
					t.Error("found something")
				}
			})
			time.Sleep(time.Second)
		}
		crowd.Wait()
		if n := calls.Load(); n != maxStuck {
			t.Errorf("%d calls hang, wanted %d at most", n, maxStuck)
		}
		r.Close()
		if _, err := r.Find(t.Context(), "late", ""); err != ErrClosed {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestUnknownNamesTakeABoundedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := registryOf(t, 10, func(context.Context, string) (string, error) { return "", errNobody })
		for i := range 3 * maxUnknown {
			if _, err := r.Find(t.Context(), fmt.Sprint(i), ""); err != ErrUnknown {
				t.Fatal(err)
			}
			if len(r.unknown) > maxUnknown {
				t.Fatalf("%d are remembered", len(r.unknown))
			}
		}
	})
}
