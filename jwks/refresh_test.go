package jwks_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/observe"
)

// keepUsing calls Usable each step for d, as a cache of verified tokens does.
func keepUsing(s *jwks.KeySet, k *jwks.Key, d, step time.Duration) (usable, not int) {
	for end := time.Now().Add(d); time.Now().Before(end); elapse(step) {
		if s.Usable(k) {
			usable++
		} else {
			not++
		}
	}
	return usable, not
}

func TestRefreshInBackground(t *testing.T) {
	cases := map[string]struct {
		config       jwks.Config
		cacheControl string
		age          string
		interval     time.Duration
	}{
		"default":                     {interval: 15 * time.Minute},
		"Cache-Control":               {cacheControl: "public, max-age=600", interval: 10 * time.Minute},
		"Cache-Control, upper case":   {cacheControl: "Max-Age=600", interval: 10 * time.Minute},
		"Cache-Control, quoted":       {cacheControl: `max-age="600"`, interval: 10 * time.Minute},
		"Cache-Control, already aged": {cacheControl: "max-age=600", age: "240", interval: 6 * time.Minute},
		"no less than 1 min":          {cacheControl: "max-age=1", interval: time.Minute},
		"max-age=0":                   {cacheControl: "max-age=0", interval: time.Minute},
		"no more than 1 h":            {cacheControl: "max-age=86400", interval: time.Hour},
		"beyond 64 bits":              {cacheControl: "max-age=99999999999999999999", interval: time.Hour},
		"no more than MaxStale / 2":   {config: jwks.Config{MaxStale: 40 * time.Minute}, cacheControl: "max-age=86400", interval: 20 * time.Minute},
		"no-store":                    {cacheControl: "no-store, max-age=600", interval: 15 * time.Minute},
		"no-cache":                    {cacheControl: "max-age=600, no-cache", interval: 15 * time.Minute},
		"nonsense":                    {cacheControl: "max-age=-1, ,=,x", interval: 15 * time.Minute},
		"configured":                  {config: jwks.Config{RefreshInterval: 3 * time.Hour}, cacheControl: "max-age=600", interval: 3 * time.Hour},
		"configured in milliseconds":  {config: jwks.Config{RefreshInterval: 20 * time.Millisecond}, interval: 20 * time.Millisecond},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := ed("a")
				var headers []string
				if c.cacheControl != "" {
					headers = append(headers, "Cache-Control", c.cacheControl)
				}
				if c.age != "" {
					headers = append(headers, "Age", c.age)
				}
				iss := &issuer{}
				iss.serve(answer(set(k), headers...))
				s := open(t, iss, c.config)
				got := wantKey(t, s, k)
				wantCount(t, iss, 1)

				const rounds = 20
				_, not := keepUsing(s, got, rounds*c.interval, c.interval/50)
				if not != 0 {
					t.Errorf("the key was not usable %d times, though the issuer was up", not)
				}
				times := iss.requests()
				for n := 1; n < len(times); n++ {
					part := float64(times[n].at.Sub(times[n-1].at)) / float64(c.interval)
					if part < 0.85 || part > 0.95 {
						t.Errorf("refresh %d came at %.3f of %v, wanted 0.85 to 0.95", n, part, c.interval)
					}
				}
				if n := len(times) - 1; n < rounds {
					t.Errorf("%d refreshes in %d intervals", n, rounds)
				}
				if first, second := times[1].at.Sub(times[0].at), times[2].at.Sub(times[1].at); first == second {
					t.Errorf("two refreshes came at the same part of the interval (%v): no jitter", first)
				}
				if got != wantKey(t, s, k) {
					t.Error("an unchanged key got another pointer")
				}
			})
		})
	}
}

// An issuer that is down is asked less and less, at most once per back-off, and
// no more at all when nobody uses its keys.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, seen := ed("a"), &events{}
		iss := &issuer{}
		iss.keys(k)
		s := open(t, iss, jwks.Config{RefreshInterval: 10 * time.Minute, Observer: observe.Observer{Event: seen.add}})
		got := wantKey(t, s, k)
		iss.down()
		if _, not := keepUsing(s, got, time.Hour, time.Second); not != 0 {
			t.Errorf("the last good key was not usable %d times within MaxStale", not)
		}
		times := iss.requests()
		want := time.Second // MinFetchInterval / 5
		for n := 2; n < len(times); n++ {
			gap := times[n].at.Sub(times[n-1].at)
			if gap < want*3/4 || gap > want {
				t.Errorf("try %d came %v after the one before, wanted %v to %v", n, gap, want*3/4, want)
			}
			want = min(2*want, 150*time.Second) // a quarter of the refresh interval
		}
		if len(times) < 20 {
			t.Errorf("only %d requests in an hour", len(times))
		}
		if got, want := len(seen.of(observe.RefreshFailed)), len(times)-1; got != want {
			t.Errorf("%d RefreshFailed, wanted %d", got, want)
		}

		elapse(12 * time.Minute) // nobody asks any more
		before := iss.count()
		elapse(time.Hour)
		wantCount(t, iss, before)
		if s.Usable(got) {
			t.Error("a key that nobody asked for is usable without asking")
		}
		iss.keys(k)
		wantKey(t, s, k)

		// The next outage begins with the shortest wait again.
		iss.down()
		keepUsing(s, got, 10*time.Minute, time.Second)
		times = iss.requests()[before+1:]
		if gap := times[1].at.Sub(times[0].at); gap > time.Second {
			t.Errorf("the first wait of the second outage was %v, wanted at most 1s", gap)
		}
	})
}

// Past MaxStale there is no timer any more: requests alone make us ask.
func TestExpiredSetIsNotRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ed("a")
		iss := &issuer{}
		iss.keys(k)
		s := open(t, iss, jwks.Config{RefreshInterval: time.Hour, MaxStale: 2 * time.Hour})
		got := wantKey(t, s, k)
		iss.down()
		keepUsing(s, got, 2*time.Hour, time.Second)
		before := iss.count()
		elapse(time.Hour)
		wantCount(t, iss, before)
	})
}

func TestMaxStale(t *testing.T) {
	for name, c := range map[string]struct {
		config jwks.Config
		want   time.Duration
	}{
		"default":    {jwks.Config{}, 24 * time.Hour},
		"configured": {jwks.Config{MaxStale: 2 * time.Hour}, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, seen := ed("a"), &events{}
				iss := &issuer{}
				iss.keys(k)
				c.config.Observer = observe.Observer{Event: seen.add}
				s := open(t, iss, c.config)
				got := wantKey(t, s, k)
				iss.down()
				if _, not := keepUsing(s, got, c.want, time.Second); not != 0 {
					t.Errorf("not usable %d times within MaxStale", not)
				}
				elapse(time.Second)
				if s.Usable(got) {
					t.Error("usable past MaxStale")
				}
				unavailable := wantUnavailable(t, s, k)
				if unavailable.RetryAfter > 5*time.Second || !errors.Is(unavailable, errNoConnection) {
					t.Errorf("got %v, retry after %v", unavailable, unavailable.RetryAfter)
				}
				if err := s.Ready(t.Context()); !errors.Is(err, jwks.ErrUnavailable) {
					t.Errorf("Ready: %v", err)
				}
				elapse(time.Hour)
				if n := len(seen.of(observe.KeysExpired)); n != 1 {
					t.Errorf("%d KeysExpired, wanted 1", n)
				}
				before := iss.count()
				elapse(time.Hour)
				wantCount(t, iss, before) // nobody asks, so nobody is asked

				iss.keys(k)
				if again := wantKey(t, s, k); again != got {
					t.Error("the issuer's unchanged key is another one after the outage")
				}
				if _, not := keepUsing(s, got, 2*time.Hour, time.Second); not != 0 {
					t.Errorf("not usable %d times after recovery", not)
				}
			})
		})
	}
}

func TestExpiryOfAnIdleSetIsNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, seen := ed("a"), &events{}
		iss := &issuer{}
		iss.keys(k)
		s := open(t, iss, jwks.Config{Observer: observe.Observer{Event: seen.add}})
		wantKey(t, s, k)
		elapse(48 * time.Hour)
		if got := seen.of(observe.KeysExpired); len(got) != 0 {
			t.Errorf("got %v for a set that nobody used", got)
		}
		iss.down()
		wantUnavailable(t, s, k)
	})
}

func TestRemovedAndChangedKeysRetire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stays, leaves, changes, rebinds, nameless := ed("stays"), ed("leaves"), ed("changes"), rsaKey("rebinds"), ed("").with("kid", nil)
		seen := &events{}
		iss := &issuer{}
		iss.keys(stays, leaves, changes, rebinds, nameless)
		s := open(t, iss, jwks.Config{Observer: observe.Observer{Event: seen.add}})
		var before []*jwks.Key
		for _, k := range []key{stays, leaves, changes, rebinds} {
			before = append(before, wantKey(t, s, k))
		}
		iss.keys(ed("changes"), rebinds.with("alg", "PS256"), stays, ed("comes"))
		keepUsing(s, before[0], 16*time.Minute, time.Second)

		var usable []bool
		for _, k := range before {
			usable = append(usable, s.Usable(k))
		}
		if diff := cmp.Diff([]bool{true, false, false, false}, usable); diff != "" {
			t.Errorf("usable after the refresh (-want +got):\n%s", diff)
		}
		changed := seen.of(observe.KeySetChanged)
		if len(changed) != 2 {
			t.Fatalf("%d KeySetChanged, wanted 2", len(changed))
		}
		if diff := cmp.Diff([]string{"changes", "rebinds", "comes"}, changed[1].Added); diff != "" {
			t.Errorf("added (-want +got):\n%s", diff)
		}
		removed := changed[1].Removed
		if len(removed) != 4 || len(removed[3]) != 43 {
			t.Fatalf("removed %q, wanted three kids and a thumbprint", removed)
		}
		if diff := cmp.Diff([]string{"leaves", "changes", "rebinds"}, removed[:3]); diff != "" {
			t.Errorf("removed (-want +got):\n%s", diff)
		}
	})
}

// Whatever the order and the repetitions, an unchanged set is unchanged.
func TestUnchangedSetIsNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, nameless, rs := ed("a"), ed("").with("kid", nil), rsaKey("rsa").with("alg", "RS256")
		ps := rs.with("alg", "PS256")
		seen := &events{}
		iss := &issuer{}
		iss.keys(a, nameless, nameless, rs, ps)
		s := open(t, iss, jwks.Config{Observer: observe.Observer{Event: seen.add}})
		got := wantKey(t, s, a)
		keepUsing(s, got, time.Hour, time.Second)
		iss.keys(ps, rs, nameless, a, a)
		keepUsing(s, got, time.Hour, time.Second)
		if changed := seen.of(observe.KeySetChanged); len(changed) != 1 || len(changed[0].Added) != 3 {
			t.Errorf("got %v, wanted one KeySetChanged with three keys", changed)
		}
		if !s.Usable(got) {
			t.Error("an unchanged key is not usable")
		}
	})
}

func TestETag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := ed("a")
		iss := &issuer{}
		iss.serve(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `W/"1"`)
			if r.Header.Get("If-None-Match") == `W/"1"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Header().Set("Cache-Control", "max-age=1200")
			_, _ = w.Write(set(k))
		})
		s := open(t, iss, jwks.Config{MaxStale: time.Hour})
		got := wantKey(t, s, k)
		// 304 renews the set's age: it serves beyond MaxStale, at its first interval.
		if _, not := keepUsing(s, got, 3*time.Hour, time.Second); not != 0 {
			t.Errorf("not usable %d times", not)
		}
		all := iss.requests()
		for n, r := range all {
			if want := map[bool]string{true: "", false: `W/"1"`}[n == 0]; r.tag != want {
				t.Errorf("request %d had If-None-Match %q, wanted %q", n, r.tag, want)
			}
			if n > 0 && r.at.Sub(all[n-1].at) < 17*time.Minute {
				t.Errorf("request %d came %v after the one before, though max-age was 20 min", n, r.at.Sub(all[n-1].at))
			}
		}

		// 304 to whom has nothing is no answer, and a set without ETag ends it.
		iss.keys(k)
		keepUsing(s, got, time.Hour, time.Second)
		iss.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
		keepUsing(s, got, 20*time.Minute, time.Second)
		if last := iss.requests()[iss.count()-1]; last.tag != "" {
			t.Errorf("the ETag of an older answer was sent: %q", last.tag)
		}
		keepUsing(s, got, 2*time.Hour, time.Second)
		wantUnavailable(t, s, k)
	})
}
