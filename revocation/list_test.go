package revocation_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
)

// events keeps what an observer is told.
type events struct {
	mu  sync.Mutex
	all []observe.Event
}

func (e *events) observer() observe.Observer {
	return observe.Observer{Event: func(_ context.Context, event *observe.Event) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.all = append(e.all, *event)
	}}
}

func (e *events) of(kind observe.Kind) (found []observe.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.Kind == kind {
			found = append(found, event)
		}
	}
	return found
}

// TestStale goes through the ages of a feed: before its first word, up to date, silent,
// and back, with each policy.
func TestStale(t *testing.T) {
	type outcomes struct{ start, fresh, stale revocation.Outcome }
	for name, c := range map[string]struct {
		config revocation.Config
		route  revocation.WhenStale
		want   outcomes
		ready  [3]bool
	}{
		"default":                   {revocation.Config{}, 0, outcomes{revocation.Unavailable, revocation.Passes, revocation.Passes}, [3]bool{false, true, true}},
		"go on":                     {revocation.Config{WhenStale: revocation.StaleGoOn}, 0, outcomes{revocation.Unavailable, revocation.Passes, revocation.Passes}, [3]bool{false, true, true}},
		"unready":                   {revocation.Config{WhenStale: revocation.StaleUnready}, 0, outcomes{revocation.Unavailable, revocation.Passes, revocation.Passes}, [3]bool{false, true, false}},
		"refuse":                    {revocation.Config{WhenStale: revocation.StaleRefuse}, 0, outcomes{revocation.Unavailable, revocation.Passes, revocation.Unavailable}, [3]bool{false, true, true}},
		"ask":                       {revocation.Config{WhenStale: revocation.StaleAskIssuer}, 0, outcomes{revocation.Unavailable, revocation.Passes, revocation.AskIssuer}, [3]bool{false, true, true}},
		"a route that refuses":      {revocation.Config{}, revocation.StaleRefuse, outcomes{revocation.Unavailable, revocation.Passes, revocation.Unavailable}, [3]bool{false, true, true}},
		"a route that asks":         {revocation.Config{WhenStale: revocation.StaleRefuse}, revocation.StaleAskIssuer, outcomes{revocation.Unavailable, revocation.Passes, revocation.AskIssuer}, [3]bool{false, true, true}},
		"a route that goes on":      {revocation.Config{WhenStale: revocation.StaleRefuse}, revocation.StaleGoOn, outcomes{revocation.Unavailable, revocation.Passes, revocation.Passes}, [3]bool{false, true, true}},
		"a policy that is none":     {revocation.Config{}, 77, outcomes{revocation.Unavailable, revocation.Passes, revocation.Unavailable}, [3]bool{false, true, true}},
		"asks at the start":         {revocation.Config{AskIssuerAtStart: true}, 0, outcomes{revocation.AskIssuer, revocation.Passes, revocation.Passes}, [3]bool{true, true, true}},
		"serves at the start":       {revocation.Config{DangerouslyServeAtStart: true}, 0, outcomes{revocation.Passes, revocation.Passes, revocation.Passes}, [3]bool{true, true, true}},
		"refuses all but the start": {revocation.Config{DangerouslyServeAtStart: true, WhenStale: revocation.StaleRefuse}, 0, outcomes{revocation.Passes, revocation.Passes, revocation.Unavailable}, [3]bool{true, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen events
				c.config.Observer = seen.observer()
				l, err := revocation.New(c.config)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				tell(t, l, 1, revocation.Block(revocation.Client(example, "bad")))
				var good, bad revocation.Marks
				l.Mark(&good, &revocation.Token{Issuer: example, Client: "good", Subject: "good"})
				l.Mark(&bad, &revocation.Token{Issuer: example, Client: "bad", Subject: "bad"})
				want := func(when string, n int, want revocation.Outcome) {
					t.Helper()
					for range 3 {
						if v := l.Check(&good, c.route); v.Outcome() != want {
							t.Errorf("%s: %v, wanted %v", when, v, want)
						}
						if v := l.Check(&bad, c.route); v.Outcome() != revocation.Revoked {
							t.Errorf("%s: what is held does not count: %v", when, v)
						}
					}
					if ready := l.Ready(); (ready == nil) != c.ready[n] {
						t.Errorf("%s: Ready says %v", when, ready)
					}
				}
				time.Sleep(time.Hour)
				want("before the first word", 0, c.want.start)
				for range 20 {
					l.Current(time.Now())
					want("with a heartbeat", 1, c.want.fresh)
					time.Sleep(10 * time.Second)
				}
				time.Sleep(20*time.Second - time.Nanosecond)
				want("just before the bound", 1, c.want.fresh)
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				want("at the bound", 2, c.want.stale)
				if s := l.Stats(); !s.Stale || !s.Loaded || s.Age != revocation.DefaultStaleAfter {
					t.Errorf("%+v", s)
				}
				if told := seen.of(observe.FeedStale); len(told) != 1 || !strings.Contains(told[0].Err.Error(), "StaleAfter") {
					t.Errorf("told %v", told)
				}
				l.Current(time.Now().Add(-time.Minute)) // was on its way for long
				want("after an old heartbeat", 2, c.want.stale)
				l.Current(time.Now().Add(time.Hour)) // of a clock that is none of ours
				want("after a heartbeat", 1, c.want.fresh)
				if n := len(seen.of(observe.FeedRecovered)); n != 1 {
					t.Errorf("told %d times that it recovered", n)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := len(seen.of(observe.FeedStale)); n != 2 {
					t.Errorf("told %d times that it is stale", n)
				}
				l.Close()
				l.Current(time.Now())
				if v := l.Check(&good, c.route); v.Outcome() != revocation.Unavailable || l.Ready() == nil {
					t.Errorf("after Close: %v", v)
				}
			})
		})
	}
}

// TestLateWord: what was long on its way says how old it is, also the first time.
func TestLateWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := revocation.New(revocation.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for _, age := range []time.Duration{time.Hour, 30 * time.Second, 29 * time.Second} {
			l.Current(time.Now().Add(-age))
			if s := l.Stats(); !s.Loaded || s.Age != age || s.Stale != (age >= 30*time.Second) {
				t.Errorf("%v old: %+v", age, s)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s := l.Stats(); !s.Stale {
			t.Errorf("a second later: %+v", s)
		}
	})
}

// TestUnnamed: whose token it is cannot be told, and one of them is revoked.
func TestUnnamed(t *testing.T) {
	c, s, id := revocation.Client(example, "c"), revocation.Subject(example, "s"), revocation.TokenID(example, "1")
	at := time.Unix(begin, 0)
	full := revocation.Token{Issuer: example, ID: "2", Client: "d", Subject: "t", IssuedAt: at}
	without := func(change func(*revocation.Token)) *revocation.Token { t := full; change(&t); return &t }
	noClient, noSubject := without(func(t *revocation.Token) { t.Client = "" }), without(func(t *revocation.Token) { t.Subject = "" })
	for name, tc := range map[string]struct {
		entries []revocation.Entry
		token   *revocation.Token
		want    revocation.Kind // 0: it passes
		pass    bool            // by DangerouslyPassUnnamed
	}{
		"all named":                 {[]revocation.Entry{revocation.Block(c), revocation.Block(s), revocation.Block(id)}, &full, 0, true},
		"no client":                 {[]revocation.Entry{revocation.Block(c)}, noClient, revocation.ByClient, true},
		"no subject":                {[]revocation.Entry{revocation.Block(s)}, noSubject, revocation.BySubject, true},
		"no client, by subject":     {[]revocation.Entry{revocation.Block(s)}, noClient, 0, true},
		"no subject, by client":     {[]revocation.Entry{revocation.Block(c)}, noSubject, 0, true},
		"another issuer's":          {[]revocation.Entry{revocation.Block(revocation.Client(example+"/", "c"))}, noClient, 0, true},
		"too young for it":          {[]revocation.Entry{revocation.IssuedBefore(c, at.Add(-time.Second))}, noClient, 0, true},
		"old enough for it":         {[]revocation.Entry{revocation.IssuedBefore(c, at)}, noClient, revocation.ByClient, true},
		"lifted":                    {[]revocation.Entry{revocation.Block(c), revocation.Lift(c)}, noClient, 0, true},
		"one of two lifted":         {[]revocation.Entry{revocation.Block(c), revocation.Block(revocation.Client(example, "e")), revocation.Lift(c)}, noClient, revocation.ByClient, true},
		"the later of two lifted":   {[]revocation.Entry{revocation.Block(c), revocation.IssuedBefore(revocation.Client(example, "e"), at.Add(-time.Second)), revocation.Lift(c)}, noClient, 0, true},
		"the earlier of two stands": {[]revocation.Entry{revocation.IssuedBefore(revocation.Client(example, "e"), at), revocation.IssuedBefore(c, at.Add(time.Second)), revocation.Lift(c)}, noClient, revocation.ByClient, true},
		"no jti":                    {[]revocation.Entry{revocation.Block(id)}, without(func(t *revocation.Token) { t.ID = "" }), 0, true},
		"no kid":                    {[]revocation.Entry{revocation.Block(revocation.KeyID(example, "k"))}, &full, 0, true},
		"no iat":                    {[]revocation.Entry{revocation.IssuedBefore(c, time.Unix(0, 0).Add(time.Second))}, without(func(t *revocation.Token) { t.Client, t.IssuedAt = "c", time.Time{} }), revocation.ByClient, false},
		"iat before there was any":  {[]revocation.Entry{revocation.IssuedBefore(c, at)}, without(func(t *revocation.Token) { t.Client, t.IssuedAt = "c", time.Unix(-1e12, 0) }), revocation.ByClient, false},
		"iat after all times":       {[]revocation.Entry{revocation.Block(c)}, without(func(t *revocation.Token) { t.Client, t.IssuedAt = "c", time.Unix(1e12, 0) }), revocation.ByClient, false},
		"iat beyond 32 bits":        {[]revocation.Entry{revocation.IssuedBefore(c, at)}, without(func(t *revocation.Token) { t.Client, t.IssuedAt = "c", time.Unix(1<<32+5, 0) }), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pass := range []bool{false, true} {
				l := newList(t, revocation.Config{DangerouslyPassUnnamed: pass})
				for n, e := range tc.entries {
					tell(t, l, uint64(n+1), e)
				}
				want := tc.want
				if pass && tc.pass {
					want = 0
				}
				v := ask(l, tc.token)
				if v.By() != want || (v.Outcome() == revocation.Revoked) != (want != 0) || v.Unnamed() != (want != 0 && tc.pass) {
					t.Errorf("%v, wanted by %v (DangerouslyPassUnnamed: %v)", v, want, pass)
				}
			}
		})
	}
}

// TestUnrevocable is told once for each issuer, also of tokens that were seen before.
func TestUnrevocable(t *testing.T) {
	var seen events
	l := newList(t, revocation.Config{Observer: seen.observer()})
	var marks [3]revocation.Marks
	for n, issuer := range []string{example, example, "https://other.example"} {
		l.Mark(&marks[n], &revocation.Token{Issuer: issuer, Client: "c", Subject: "c"})
	}
	look := func() {
		for n := range marks {
			if v := l.Check(&marks[n], 0); v.Outcome() != revocation.Passes {
				t.Error(v)
			}
		}
	}
	look()
	tell(t, l, 1, revocation.Block(revocation.TokenID(example, "1")))
	look()
	tell(t, l, 2, revocation.Block(revocation.TokenID(example, "2")))
	look()
	if told := seen.of(observe.Unrevocable); len(told) != 1 || told[0].Issuer.Text != example || told[0].Issuer.Unproven || !strings.Contains(told[0].Err.Error(), "jti") {
		t.Errorf("told %v", told)
	}
}

// TestPeek says what Check says, and tells nobody that it was asked.
func TestPeek(t *testing.T) {
	var seen events
	l := newList(t, revocation.Config{Observer: seen.observer()})
	tell(t, l, 1, revocation.Block(revocation.TokenID(example, "1")), revocation.Block(revocation.Client(example, "bad")))
	for client, want := range map[string]revocation.Outcome{"good": revocation.Passes, "bad": revocation.Revoked} {
		var marks revocation.Marks
		l.Mark(&marks, &revocation.Token{Issuer: example, Client: client, Subject: client})
		for range 2 {
			if v := l.Peek(&marks, 0); v.Outcome() != want {
				t.Errorf("%s: %v, wanted %v", client, v, want)
			}
		}
	}
	if told := seen.of(observe.Unrevocable); len(told) != 0 {
		t.Errorf("told %v", told)
	}
}

// TestNobodyWaits for a merge, whatever is asked about.
func TestNobodyWaits(t *testing.T) {
	l := newList(t, revocation.Config{})
	tell(t, l, 1, revocation.Block(revocation.TokenID(example, "1")), revocation.Block(revocation.Client(example, "c")))
	release := l.Hold()
	defer release()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, token := range tokens() {
			token.Issuer = example
			ask(l, token)
			ask(l, token)
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("a request waits for a merge")
	}
}

// TestGeneration: a token is looked up when something is new, and then not again; what
// is held already is nothing new, and a revoked one is looked up each time.
func TestGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newList(t, revocation.Config{})
		var m revocation.Marks
		l.Mark(&m, &revocation.Token{Issuer: example, Client: "c", Subject: "c"})
		step := func(what string, looksUp bool, want revocation.Outcome) {
			t.Helper()
			if l.LooksUp(&m) != looksUp {
				t.Errorf("%s: looks it up is %v", what, !looksUp)
			}
			if v := l.Check(&m, 0); v.Outcome() != want {
				t.Errorf("%s: %v", what, v)
			}
		}
		other, own := revocation.Block(revocation.Client(example, "d")), revocation.Client(example, "c")
		step("at first", true, revocation.Passes)
		step("again", false, revocation.Passes)
		l.Current(time.Now())
		step("after a heartbeat", false, revocation.Passes)
		tell(t, l, 1, other)
		step("after an entry", true, revocation.Passes)
		tell(t, l, 1, other)
		step("after the same entry", false, revocation.Passes)
		tell(t, l, 1, revocation.IssuedBefore(revocation.Client(example, "d"), time.Now()))
		step("after one that another covers", false, revocation.Passes)
		time.Sleep(time.Minute)
		step("while the feed is stale", false, revocation.Passes)
		l.Current(time.Now())
		step("afterwards", false, revocation.Passes)
		tell(t, l, 2, revocation.Block(own))
		step("after its own entry", true, revocation.Revoked)
		step("still", true, revocation.Revoked)
		tell(t, l, 3, revocation.Lift(own))
		step("after the lift", true, revocation.Passes)
		step("after it", false, revocation.Passes)
	})
}

// TestChanged wakes whoever waits, for entries and for what becomes of the feed, and
// for nothing else.
func TestChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newList(t, revocation.Config{})
		entry := revocation.Block(revocation.Client(example, "c"))
		for n, step := range []struct {
			what  string
			do    func()
			wakes bool
		}{
			{"nothing", func() {}, false},
			{"an entry", func() { tell(t, l, 1, entry) }, true},
			{"the same", func() { tell(t, l, 1, entry) }, false},
			{"a heartbeat", func() { l.Current(time.Now()) }, false},
			{"silence", func() { time.Sleep(time.Minute) }, true},
			{"a heartbeat after it", func() { l.Current(time.Now()) }, true},
			{"the end", l.Close, true},
		} {
			changed := l.Changed()
			if again := l.Changed(); again != changed {
				t.Errorf("%d: two channels wait for the same", n)
			}
			step.do()
			synctest.Wait()
			select {
			case <-changed:
				if !step.wakes {
					t.Errorf("%s wakes", step.what)
				}
			default:
				if step.wakes {
					t.Errorf("%s does not wake", step.what)
				}
			}
		}
	})
}

// TestNotMade: what New or Mark did not make lets nothing pass.
func TestNotMade(t *testing.T) {
	var list revocation.List
	var marks revocation.Marks
	if v := list.Check(&marks, 0); v.Outcome() != revocation.Unavailable {
		t.Errorf("both zero: %v", v)
	}
	good := newList(t, revocation.Config{})
	if v := good.Check(&marks, 0); v.Outcome() != revocation.Unavailable {
		t.Errorf("zero marks: %v", v)
	}
	good.Mark(&marks, &revocation.Token{Issuer: example})
	good.Check(&marks, 0)
	if v := list.Check(&marks, 0); v.Outcome() != revocation.Unavailable {
		t.Errorf("a zero list: %v", v)
	}
	if err := list.Merge(); err == nil {
		t.Error("a zero list merges")
	}
	list.Current(time.Now())
	if v := (revocation.Verdict{}); v.Outcome() != revocation.Unavailable {
		t.Error(v)
	}
	good.Close()
	if err := good.Merge(); err == nil {
		t.Error("a closed list merges")
	}
}

// TestChecksMakeNoGarbage, whatever they find.
func TestChecksMakeNoGarbage(t *testing.T) {
	l := newList(t, revocation.Config{})
	tell(t, l, 1, revocation.Block(revocation.Client(example, "bad")))
	var good, bad revocation.Marks
	l.Mark(&good, &revocation.Token{Issuer: example, ID: "1", Client: "good", Subject: "good", KeyID: "k"})
	l.Mark(&bad, &revocation.Token{Issuer: example, ID: "1", Client: "bad", Subject: "bad", KeyID: "k"})
	fresh := good.Copy()
	if n := testing.AllocsPerRun(100, func() {
		l.Check(&good, 0)
		l.Check(&bad, 0)
		fresh.Forget()
		l.Check(fresh, 0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestNothingIsTold: entries, targets, tokens and configurations print no name, no
// hash, no secret and no token.
func TestNothingIsTold(t *testing.T) {
	const secret = "hush-hush"
	hash := revocation.HashOpaque([]byte(secret), example, secret)
	token := revocation.Token{Issuer: example, ID: secret, Client: secret, Subject: secret, KeyID: secret, Opaque: secret}
	config := revocation.Config{Secrets: func() [][]byte { return [][]byte{slices.Repeat([]byte(secret), 4)} }}
	l := newList(t, config)
	entry := revocation.Block(revocation.Client(example, secret))
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", token, "target", entry.Target(), "entry", entry)
	texts := []string{log.String()}
	for _, v := range []any{token, &token, entry, &entry, entry.Target(), revocation.OpaqueToken(example, hash), revocation.Lift(revocation.OpaqueToken(example, hash)), revocation.IssuedBefore(revocation.Subject(example, secret), time.Now()), revocation.Entry{}, revocation.Target{}, config, l.Stats()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			texts = append(texts, fmt.Sprintf(verb, v))
		}
	}
	for _, e := range []revocation.Entry{
		revocation.Block(revocation.OpaqueToken(example, secret)), revocation.Block(revocation.TokenID(example, "eyJ"+secret+".e30.AA")), revocation.Block(revocation.Client(example, "eyJ.e30."+secret)),
	} {
		if _, err := l.Record(e, 1); err == nil {
			t.Errorf("%v is taken", e)
		} else {
			texts = append(texts, err.Error())
		}
	}
	tell(t, l, 1, entry)
	texts = append(texts, ask(l, &token).String())
	hexSecret := fmt.Sprintf("%x", secret)
	for _, text := range texts {
		if strings.Contains(text, secret) || strings.Contains(text, hash) || strings.Contains(text, hexSecret) {
			t.Errorf("it is told: %s", text)
		}
	}
}

// TestWords of verdicts and names.
func TestWords(t *testing.T) {
	secret := []byte(strings.Repeat("7", 32))
	l := newList(t, revocation.Config{Secrets: func() [][]byte { return [][]byte{secret} }})
	at := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	tell(t, l, 1, revocation.IssuedBefore(revocation.KeyID(example, "k"), at), revocation.Block(revocation.Subject(example, "s")),
		revocation.Block(revocation.OpaqueToken(example, revocation.HashOpaque(secret, example, "o"))))
	for want, token := range map[string]*revocation.Token{
		"an entry for its key id refuses what was issued up to 2026-11-26T09:00:00Z":          {Issuer: example, Client: "c", Subject: "t", KeyID: "k", IssuedAt: at},
		"an entry for its subject stands until it is lifted":                                  {Issuer: example, Client: "c", Subject: "s", KeyID: "k", IssuedAt: at},
		"an entry for this opaque token stands until it is lifted":                            {Issuer: example, Client: "c", Subject: "t", Opaque: "o"},
		"it names no subject, and an entry for one of its issuer's stands until it is lifted": {Issuer: example, Client: "c"},
		"nothing is held against it":                                                          {Issuer: example, Client: "c", Subject: "t", KeyID: "k", IssuedAt: at.Add(time.Second)},
	} {
		if got := ask(l, token).String(); got != want {
			t.Errorf("%q, wanted %q", got, want)
		}
	}
	for want, got := range map[string]fmt.Stringer{
		"token id": revocation.ByTokenID, "opaque token": revocation.ByOpaqueToken, "Kind(0)": revocation.Kind(0), "Kind(7)": revocation.Kind(7),
		"go on": revocation.StaleGoOn, "ask issuer": revocation.StaleAskIssuer, "WhenStale(9)": revocation.WhenStale(9),
	} {
		if got.String() != want {
			t.Errorf("%q, wanted %q", got, want)
		}
	}
}

// TestWatch: an observer can ask a list how it does, until it is closed.
func TestWatch(t *testing.T) {
	var made []*revocation.List
	ended := 0
	l, err := revocation.New(revocation.Config{Observer: observe.Observer{Watch: func(subject any) func() {
		made = append(made, subject.(*revocation.List))
		return func() { ended++ }
	}}})
	if err != nil || len(made) != 1 || made[0] != l || ended != 0 {
		t.Fatalf("error %v, made %v, ended %d times", err, made, ended)
	}
	l.Close()
	l.Close()
	if ended != 1 {
		t.Errorf("ended %d times", ended)
	}
}
