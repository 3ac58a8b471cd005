package revocation_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
)

// TestLifetimeRises: what was dropped because all tokens that it matched had expired may
// match again, when tokens live for longer than was known. Nobody passes who may fall
// under it, until the feed has handed over all that stands.
func TestLifetimeRises(t *testing.T) {
	const lives, cut = 3600, begin - 7200
	revoked := revocation.IssuedBefore(revocation.Client(example, "c"), time.Unix(cut, 0))
	at := func(issued int64) time.Time { return time.Unix(issued, 0) }
	for name, c := range map[string]struct {
		config revocation.Config
		late   bool // dropped by a sweep, and not when it came
		rises  func(*revocation.List)
	}{
		"to any length":                {rises: func(l *revocation.List) { l.Serves(example, 0) }},
		"to a longer one":              {rises: func(l *revocation.List) { l.Serves(example, 24*time.Hour) }},
		"twice":                        {rises: func(l *revocation.List) { l.Serves(example, 24*time.Hour); l.Serves(example, 0) }},
		"a shorter one follows":        {rises: func(l *revocation.List) { l.Serves(example, 0); l.Serves(example, time.Hour) }},
		"after a sweep":                {late: true, rises: func(l *revocation.List) { l.Serves(example, 0) }},
		"where all may pass at start":  {config: revocation.Config{DangerouslyServeAtStart: true}, rises: func(l *revocation.List) { l.Serves(example, 0) }},
		"where issuers may be asked":   {config: revocation.Config{AskIssuerAtStart: true}, rises: func(l *revocation.List) { l.Serves(example, 0) }},
		"where another has risen, too": {rises: func(l *revocation.List) { l.Serves(example, 0); l.Serves(example+"/", 0) }},
	} {
		t.Run(name, func(t *testing.T) {
			now, told := &clock{begin}, 0
			c.config.Now = now.Now
			c.config.Observer.Event = func(_ context.Context, e *observe.Event) {
				if told++; e.Kind != observe.FeedFailed || e.Issuer.Text != example || !strings.Contains(e.Err.Error(), "List.Fill") {
					t.Errorf("told %v of %q: %v", e.Kind, e.Issuer.Text, e.Err)
				}
			}
			l := newList(t, c.config)
			l.Serves(example, lives*time.Second)
			l.Serves(example+"/", lives*time.Second)
			if c.late {
				now.now = cut
			}
			tell(t, l, 1, revoked)
			now.now = begin
			if l.Sweep(); l.Stats().Entries != 0 {
				t.Fatalf("%+v, wanted what is over to be dropped", l.Stats())
			}
			var remembered, younger, other revocation.Marks
			l.Mark(&remembered, &revocation.Token{Issuer: example, Client: "c", Subject: "c", IssuedAt: at(cut)})
			l.Mark(&younger, &revocation.Token{Issuer: example, Client: "c", Subject: "c", IssuedAt: at(cut + 1)})
			l.Mark(&other, &revocation.Token{Issuer: example + "/", Client: "c", Subject: "c", IssuedAt: at(cut)})
			l.Check(&remembered, 0)
			if l.LooksUp(&remembered) {
				t.Fatal("it was not looked up")
			}
			changed := l.Changed()
			c.rises(l)
			select {
			case <-changed:
			default:
				t.Error("nobody who waits for a change is told")
			}
			if told != 1 {
				t.Errorf("it was told %d times, wanted once", told)
			}
			want := func(when string, m *revocation.Marks, want revocation.Outcome) {
				t.Helper()
				for range 2 {
					for route := revocation.StaleByConfig; route.Valid(); route++ {
						if got := l.Check(m, route).Outcome(); got != want {
							t.Errorf("%s, on a route where %v: outcome %d, wanted %d", when, route, got, want)
						}
					}
				}
			}
			incomplete := func(when string, of int) {
				t.Helper()
				if n := l.Stats().Incomplete; n != of {
					t.Errorf("%s it is incomplete for %d issuers, wanted %d", when, n, of)
				}
				if of > 0 {
					want(when, &remembered, revocation.Unavailable)
				}
				want(when+", a younger one", &younger, revocation.Passes)
				want(when+", another issuer's", &other, revocation.Passes)
			}
			incomplete("risen", 1)
			l.Current(time.Now().Add(time.Millisecond))
			incomplete("after a heartbeat", 1)
			tell(t, l, 2, revocation.Block(revocation.Client(example, "d")))
			incomplete("after another entry", 1)
			record, err := l.Record(revoked, 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Fill(record, revocation.Record{}); err == nil {
				t.Error("a record that is none was taken in")
			}
			if v := l.Check(&remembered, 0); v.Outcome() != revocation.Revoked {
				t.Errorf("what is held does not count: %v", v)
			}
			if n := l.Stats().Incomplete; n != 1 {
				t.Errorf("after a fault it is incomplete for %d issuers, wanted 1", n)
			}
			if err := l.Fill(record); err != nil {
				t.Error(err)
			}
			incomplete("filled", 0)
			want("filled", &remembered, revocation.Revoked)
			if v := ask(l, &revocation.Token{Issuer: example, Client: "honest", Subject: "honest", IssuedAt: at(cut)}); v.Outcome() != revocation.Passes {
				t.Errorf("filled, a token that is as old: %v", v)
			}
		})
	}
}

// TestLifetimeRisesWithoutLoss: where nothing was dropped because of a lifetime, nobody
// waits for the feed.
func TestLifetimeRisesWithoutLoss(t *testing.T) {
	client := revocation.Client(example, "c")
	for name, c := range map[string]struct {
		entry revocation.Entry
		first time.Duration // what is known when it comes
	}{
		"a block":                    {revocation.Block(client), time.Hour},
		"an entry that still counts": {revocation.IssuedBefore(client, time.Unix(begin, 0)), time.Hour},
		"one with an end of its own": {revocation.IssuedBefore(client, time.Unix(begin-7200, 0)).DangerouslyExpire(time.Unix(begin, 0)), time.Hour},
		"a lift":                     {revocation.Lift(client), time.Hour},
		"any length before":          {revocation.IssuedBefore(client, time.Unix(begin-7200, 0)), 0},
		"another issuer's":           {revocation.IssuedBefore(revocation.Client(example+"/", "c"), time.Unix(begin-7200, 0)), time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			now := &clock{begin}
			l := newList(t, revocation.Config{Now: now.Now})
			l.Serves(example, c.first)
			tell(t, l, 1, c.entry)
			l.Sweep()
			l.Serves(example, 0)
			if n := l.Stats().Incomplete; n != 0 {
				t.Errorf("it is incomplete for %d issuers, wanted none", n)
			}
			if v := ask(l, &revocation.Token{Issuer: example, Client: "honest", Subject: "honest"}); v.Outcome() != revocation.Passes {
				t.Error(v)
			}
		})
	}
}

// TestLifetimeRisesStepByStep: what is dropped when all is handed over is missed, too,
// when the lifetime rises once more, and so is what matches tokens without iat alone.
func TestLifetimeRisesStepByStep(t *testing.T) {
	now := &clock{begin}
	l := newList(t, revocation.Config{Now: now.Now})
	var all []revocation.Record
	for n, client := range []string{"ancient", "c"} {
		at := int64(n) * (begin - 3*3600)
		r, err := l.Record(revocation.IssuedBefore(revocation.Client(example, client), time.Unix(at, 0)), uint64(n+1))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	old := &revocation.Token{Issuer: example, Client: "c", Subject: "c", IssuedAt: time.Unix(begin-3*3600, 0)}
	none := &revocation.Token{Issuer: example, Client: "ancient", Subject: "c"}
	l.Serves(example, time.Hour)
	if err := l.Fill(all[0]); err != nil {
		t.Fatal(err)
	}
	for _, lifetime := range []time.Duration{2 * time.Hour, 4 * time.Hour, 0} {
		l.Serves(example, lifetime)
		if v := ask(l, none); v.Outcome() != revocation.Unavailable {
			t.Errorf("raised to %v, without iat: %v", lifetime, v)
		}
		if lifetime == 4*time.Hour {
			if v := ask(l, old); v.Outcome() != revocation.Unavailable {
				t.Errorf("raised to %v: %v", lifetime, v)
			}
		}
		if err := l.Fill(all...); err != nil {
			t.Fatal(err)
		}
	}
	for _, token := range []*revocation.Token{old, none} {
		if v := ask(l, token); v.Outcome() != revocation.Revoked {
			t.Errorf("at last, issued at %v: %v", token.IssuedAt, v)
		}
	}
}

// TestFileIsNeverDropped: what a file has counts whoever shares the list, in whichever
// order they say for how long tokens live.
func TestFileIsNeverDropped(t *testing.T) {
	serves := map[string][]time.Duration{
		"bounded":                    {time.Hour},
		"unbounded, bounded":         {0, time.Hour},
		"bounded, unbounded":         {time.Hour, 0},
		"bounded, loaded, unbounded": {time.Hour, -1, 0},
	}
	for name, order := range serves {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "revoked.json")
			synctest.Test(t, func(t *testing.T) {
				cut := time.Now().Add(-2 * time.Hour)
				write(t, file, fmt.Sprintf(`{"m2mguard_revocations": 1, "sequence": 1, "entries": [{"issuer": %q, "client": "c", "issued_before": %q}]}`, example, cut.UTC().Format(time.RFC3339)))
				l, err := revocation.New(revocation.Config{File: file})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				for _, most := range order {
					if most < 0 {
						elapse(2 * time.Minute)
						continue
					}
					l.Serves(example, most)
				}
				elapse(2 * time.Minute) // time for a sweep
				if v := ask(l, &revocation.Token{Issuer: example, Client: "c", Subject: "c", IssuedAt: cut}); v.Outcome() != revocation.Revoked {
					t.Errorf("%v, %+v", v, l.Stats())
				}
				if s := l.Stats(); s.Foreign != 0 || s.Incomplete != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}
