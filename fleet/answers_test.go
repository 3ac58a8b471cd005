package fleet_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/m2mguard/m2mguard/fleet"
	"github.com/m2mguard/m2mguard/introspection"
)

// unleased lets everybody ask.
type unleased struct{ introspection.Shared }

func (unleased) Lease(context.Context, introspection.SharedKey, time.Duration) (bool, error) {
	return true, nil
}

// TestAnswersColdStart: 20 instances, 1,000 opaque tokens, all at once; a tenth of them
// on miniredis, which takes a thousand times longer for a script.
func TestAnswersColdStart(t *testing.T) {
	const instances = 20
	servers(t, func(t *testing.T, address string) {
		tokens := 1000
		if strings.HasSuffix(t.Name(), "/miniredis") {
			tokens = 100
		}
		for name, tc := range map[string]struct {
			deployment string
			wrap       func(introspection.Shared) introspection.Shared
			perToken   float64
		}{
			"with leases":    {"with", func(s introspection.Shared) introspection.Shared { return s }, 1.2},
			"without leases": {"without", func(s introspection.Shared) introspection.Shared { return unleased{s} }, instances},
		} {
			t.Run(name, func(t *testing.T) {
				s := &endpoint{asked: make(map[string]int), after: 20 * time.Millisecond}
				var asks sync.WaitGroup
				begin := make(chan struct{})
				for range instances {
					f := member(t, address, func(c *fleet.Config) { c.Name = tc.deployment })
					c := asking(t, s, tc.wrap(f.Answers()))
					for n := range tokens {
						asks.Go(func() {
							<-begin
							if r, err := c.Introspect(context.Background(), fmt.Sprintf("token-%d", n)); err != nil || !r.Active() {
								t.Errorf("token %d: %v", n, err)
							}
						})
					}
				}
				close(begin)
				asks.Wait()
				calls, most := 0, 0
				for _, n := range s.asked {
					calls, most = calls+n, max(most, n)
				}
				t.Logf("%.3f calls per token, %d for one at most", float64(calls)/float64(tokens), most)
				if len(s.asked) != tokens || float64(calls) > tc.perToken*float64(tokens) || most > instances {
					t.Errorf("%d calls about %d tokens, %d for one", calls, len(s.asked), most)
				}
			})
		}
	})
}

func question(text string) introspection.SharedKey { return sha256.Sum256([]byte(text)) }

func active(data string, asked time.Time) introspection.SharedAnswer {
	return introspection.SharedAnswer{Data: []byte(data), Active: true, AskedAt: asked, Keep: 30 * time.Second, Bars: 30 * time.Second}
}

func inactive(data string, asked time.Time) introspection.SharedAnswer {
	return introspection.SharedAnswer{Data: []byte(data), AskedAt: asked, Keep: 10 * time.Second, Bars: 30 * time.Second}
}

// TestAnswersOrder: an inactive answer takes the place of an active one, and one that was
// asked for before it does not come back.
func TestAnswersOrder(t *testing.T) {
	now := time.Now()
	type step struct {
		answer introspection.SharedAnswer
		after  time.Duration
	}
	for name, tc := range map[string]struct {
		steps []step
		want  string
	}{
		"nothing":                        {nil, ""},
		"one":                            {[]step{{active("a", now), 0}}, "a"},
		"the later active one":           {[]step{{active("a", now), 0}, {active("b", now.Add(time.Second)), 0}}, "b"},
		"and not the one that is late":   {[]step{{active("b", now.Add(time.Second)), 0}, {active("a", now), 0}}, "b"},
		"inactive":                       {[]step{{inactive("i", now), 0}}, "i"},
		"revoked":                        {[]step{{active("a", now), 0}, {inactive("i", now.Add(time.Second)), 0}}, "i"},
		"revoked, by a clock behind":     {[]step{{active("a", now), 0}, {inactive("i", now.Add(-9*time.Second)), 0}}, "i"},
		"not revived":                    {[]step{{active("a", now), 0}, {inactive("i", now.Add(time.Second)), 0}, {active("a", now), 0}}, "i"},
		"not revived by a clock ahead":   {[]step{{active("a", now), 0}, {inactive("i", now), 0}, {active("a", now.Add(9*time.Second)), 0}}, "i"},
		"not revived when it is not new": {[]step{{active("a", now), 0}, {inactive("i", now), 15 * time.Second}, {active("a", now), 0}}, "i"},
		"not revived where it was new":   {[]step{{inactive("i", now), 0}, {active("a", now), 0}}, "i"},
		"active again":                   {[]step{{active("a", now), 0}, {inactive("i", now), 0}, {active("b", now.Add(11*time.Second)), 0}}, "b"},
		"active after all":               {[]step{{inactive("i", now), 0}, {active("b", now.Add(11*time.Second)), 0}}, "b"},
		"its time is over":               {[]step{{active("a", now), 31 * time.Second}}, ""},
		"its time is over, inactive":     {[]step{{inactive("i", now), 11 * time.Second}}, ""},
		"no time at all":                 {[]step{{introspection.SharedAnswer{Active: true, AskedAt: now, Data: []byte("a")}, 0}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			store := member(t, server.Addr(), nil).Answers()
			for _, s := range tc.steps {
				if err := store.Save(t.Context(), question("q"), s.answer); err != nil {
					t.Fatal(err)
				}
				server.FastForward(s.after)
			}
			got, err := member(t, server.Addr(), nil).Answers().Load(t.Context(), question("q"))
			if err != nil || string(got) != tc.want {
				t.Errorf("it is %q, %v, wanted %q", got, err, tc.want)
			}
		})
	}
}

// TestAnswersTampered: what was altered, cut, moved, put back later, or comes from another
// deployment or a secret that was taken out, counts as none, and the error says so.
func TestAnswersTampered(t *testing.T) {
	later := func(by time.Duration) func(*fleet.Config) {
		return func(c *fleet.Config) { c.Now = func() time.Time { return time.Now().Add(by) } }
	}
	flip := func(at int) func(map[string]string) {
		return func(all map[string]string) {
			for name, entry := range all {
				b := []byte(entry)
				if at < 0 {
					b[len(b)+at] ^= 1
				} else {
					b[at] ^= 1
				}
				all[name] = string(b)
			}
		}
	}
	cut := func(n int) func(map[string]string) {
		return func(all map[string]string) {
			for name, entry := range all {
				all[name] = entry[:n]
			}
		}
	}
	for name, tc := range map[string]struct {
		change  func(all map[string]string)
		member  func(*fleet.Config)
		want    string
		silence bool
	}{
		"as it was": {want: "answer"},
		"its kind":  {change: flip(0)},
		"its kind, to inactive": {change: func(all map[string]string) {
			for n, e := range all {
				all[n] = "i" + e[1:]
			}
		}},
		"its time": {change: flip(15)},
		"its time, no digit": {change: func(all map[string]string) {
			for n, e := range all {
				all[n] = e[:10] + "x" + e[11:]
			}
		}},
		"its id":         {change: flip(20)},
		"its version":    {change: flip(38)},
		"its first byte": {change: flip(39)},
		"its last byte":  {change: flip(-1)},
		"cut":            {change: cut(60)},
		"its head alone": {change: cut(38)},
		"half its head":  {change: cut(12)},
		"empty":          {change: cut(0)},
		"another question's": {change: func(all map[string]string) {
			names := make([]string, 0, 2)
			for n := range all {
				names = append(names, n)
			}
			all[names[0]], all[names[1]] = all[names[1]], all[names[0]]
		}},
		"put back when it was over": {member: later(30*time.Second + 12*time.Second)},
		"by a clock that is ahead":  {member: later(39 * time.Second), want: "answer"},
		"of a secret that rotates":  {member: withSecrets(twoSecret, oneSecret), want: "answer"},
		"of a retired secret":       {member: withSecrets(twoSecret), silence: true}, // its name is another
		"of another deployment":     {member: func(c *fleet.Config) { c.Name = "reports" }, silence: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			store := member(t, server.Addr(), nil).Answers()
			for _, q := range []string{"q", "other"} {
				if err := store.Save(t.Context(), question(q), active("answer", time.Now())); err != nil {
					t.Fatal(err)
				}
			}
			if tc.change != nil {
				all := make(map[string]string)
				for _, n := range server.Keys() {
					all[n], _ = server.Get(n)
				}
				tc.change(all)
				for n, entry := range all {
					if err := server.Set(n, entry); err != nil {
						t.Fatal(err)
					}
				}
			}
			got, err := member(t, server.Addr(), tc.member).Answers().Load(t.Context(), question("q"))
			if string(got) != tc.want || (tc.want == "" && !tc.silence) != errors.Is(err, introspection.ErrRejected) {
				t.Errorf("it is %q, %v, wanted %q", got, err, tc.want)
			}
			if err := store.Save(t.Context(), question("q"), active("new", time.Now())); err != nil {
				t.Errorf("what was altered keeps a new one out: %v", err)
			}
		})
	}
}

// TestAnswersMovedBetweenPlaces: an entry of another deployment, or of a retired secret,
// that is put where ours belongs.
func TestAnswersMovedBetweenPlaces(t *testing.T) {
	for name, foreign := range map[string]func(*fleet.Config){
		"another deployment": func(c *fleet.Config) { c.Name = "reports" },
		"a retired secret":   withSecrets(oldSecret),
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			if err := member(t, server.Addr(), foreign).Answers().Save(t.Context(), question("q"), active("foreign", time.Now())); err != nil {
				t.Fatal(err)
			}
			entry, _ := server.Get(server.Keys()[0])
			server.FlushAll()
			ours := member(t, server.Addr(), nil).Answers()
			if err := ours.Save(t.Context(), question("q"), active("ours", time.Now())); err != nil {
				t.Fatal(err)
			}
			place := server.Keys()[0]
			own, _ := server.Get(place)
			for _, put := range []string{entry, entry[:16] + own[16:38] + entry[38:]} { // with our id, too
				_ = server.Set(place, put)
				if got, err := ours.Load(t.Context(), question("q")); got != nil || !errors.Is(err, introspection.ErrRejected) {
					t.Errorf("it is %q, %v", got, err)
				}
			}
		})
	}
}

// TestInactiveAnswersAreBounded, and push out no active one.
func TestInactiveAnswersAreBounded(t *testing.T) {
	const tokens, bound = 12_000, 8192
	server := miniredis.RunT(t)
	store := member(t, server.Addr(), nil).Answers()
	if err := store.Save(t.Context(), question("good"), active("answer", time.Now())); err != nil {
		t.Fatal(err)
	}
	var saving sync.WaitGroup
	for worker := range 8 {
		saving.Go(func() {
			for n := worker; n < tokens; n += 8 {
				if err := store.Save(context.Background(), question(fmt.Sprint("made-up ", n)), inactive("i", time.Now())); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	saving.Wait()
	if n := len(server.Keys()) - 1; n > bound || n < bound/2 {
		t.Errorf("%d inactive answers are kept, wanted at most %d, and most of these", n, bound)
	}
	if got, err := store.Load(t.Context(), question("good")); err != nil || string(got) != "answer" {
		t.Errorf("the active one is %q, %v", got, err)
	}
}

// TestAnswersWhileSecretsRotate: a revocation counts under either secret.
func TestAnswersWhileSecretsRotate(t *testing.T) {
	server := miniredis.RunT(t)
	before := member(t, server.Addr(), withSecrets(oneSecret, twoSecret)).Answers()
	after := member(t, server.Addr(), withSecrets(twoSecret, oneSecret)).Answers()
	now := time.Now()
	for _, save := range []struct {
		store  introspection.Shared
		answer introspection.SharedAnswer
	}{{before, active("by the first", now)}, {after, active("by the second", now.Add(time.Second))}, {before, inactive("i", now.Add(2*time.Second))}} {
		if err := save.store.Save(t.Context(), question("q"), save.answer); err != nil {
			t.Fatal(err)
		}
		for name, store := range map[string]introspection.Shared{"before": before, "after": after} {
			if got, err := store.Load(t.Context(), question("q")); err != nil || !bytes.Equal(got, save.answer.Data) {
				t.Errorf("%s, it is %q, %v, wanted %q", name, got, err, save.answer.Data)
			}
		}
	}
}

// TestAnswersOfOneSecretAlone: a revocation that was seen where there is one secret counts
// where there are two, and the other way round, for as long as an answer from before.
func TestAnswersOfOneSecretAlone(t *testing.T) {
	now := time.Now()
	for name, tc := range map[string]struct {
		first, second [][]byte
		answers       [2]introspection.SharedAnswer
		want          string
	}{
		"revoked by whoever has both":    {[][]byte{twoSecret}, [][]byte{oneSecret, twoSecret}, [2]introspection.SharedAnswer{active("a", now), inactive("i", now)}, "i"},
		"revoked by whoever has the old": {[][]byte{oneSecret}, [][]byte{twoSecret, oneSecret}, [2]introspection.SharedAnswer{inactive("i", now), active("a", now.Add(time.Second))}, "i"},
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			first, second := member(t, server.Addr(), withSecrets(tc.first...)).Answers(), member(t, server.Addr(), withSecrets(tc.second...)).Answers()
			for n, store := range []introspection.Shared{first, second} {
				if err := store.Save(t.Context(), question("q"), tc.answers[n]); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := second.Load(t.Context(), question("q")); err != nil || string(got) != tc.want {
				t.Errorf("it is %q, %v, wanted %q", got, err, tc.want)
			}
			if got, err := first.Load(t.Context(), question("q")); err != nil || string(got) != tc.want {
				t.Errorf("where there is one secret it is %q, %v, wanted %q", got, err, tc.want)
			}
		})
	}
}

// TestAnswersKeptOut: an entry that was given a time far ahead keeps no answer out.
func TestAnswersKeptOut(t *testing.T) {
	server := miniredis.RunT(t)
	store := member(t, server.Addr(), nil).Answers()
	if err := store.Save(t.Context(), question("q"), active("answer", time.Now())); err != nil {
		t.Fatal(err)
	}
	name := server.Keys()[0]
	entry, _ := server.Get(name)
	for _, kind := range []string{"a", "i"} {
		_ = server.Set(name, kind+"999999999999999"+entry[16:])
		if err := store.Save(t.Context(), question("q"), active("new", time.Now())); err != nil {
			t.Fatal(err)
		}
		if got, err := store.Load(t.Context(), question("q")); err != nil || string(got) != "new" {
			t.Errorf("it is %q, %v, wanted the new one", got, err)
		}
	}
}

// TestLeases: one has it, and gives back its own alone.
func TestLeases(t *testing.T) {
	server := miniredis.RunT(t)
	one, two := member(t, server.Addr(), nil).Answers(), member(t, server.Addr(), nil).Answers()
	lease := func(store introspection.Shared, keep time.Duration) bool {
		t.Helper()
		mine, err := store.Lease(t.Context(), question("q"), keep)
		if err != nil {
			t.Fatal(err)
		}
		return mine
	}
	for n, step := range []struct {
		store   introspection.Shared
		keep    time.Duration
		passing time.Duration
		want    bool
	}{
		{one, time.Second, 0, true},
		{two, time.Second, 0, false},
		{two, 0, 0, false}, // gives back what it has not
		{two, time.Second, 0, false},
		{one, 0, 0, false},
		{two, time.Second, 0, true},
		{one, time.Second, time.Second, true},
	} {
		server.FastForward(step.passing)
		if got := lease(step.store, step.keep); got != step.want {
			t.Errorf("step %d: %v, wanted %v", n, got, step.want)
		}
	}
	if err := two.Save(t.Context(), question("q"), active("answer", time.Now())); err != nil {
		t.Fatal(err)
	}
	if !lease(two, time.Second) {
		t.Error("a lease outlives the answer")
	}
}

// TestAtRest: what stands in Redis tells nobody who has which token.
func TestAtRest(t *testing.T) {
	server := miniredis.RunT(t)
	f := member(t, server.Addr(), nil)
	c := asking(t, &endpoint{asked: make(map[string]int)}, f.Answers())
	if _, err := c.Introspect(t.Context(), "the-opaque-token"); err != nil {
		t.Fatal(err)
	}
	request := newKey(t).proof(t, "the-jti-of-it", time.Now())
	if _, err := verifier(t, f, time.Now).Verify(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	for range 500 { // the answer is saved when the request has gone on
		if len(server.Keys()) >= 2 && strings.Contains(strings.Join(server.Keys(), " "), "answer:") {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	var dump strings.Builder
	for _, name := range server.Keys() {
		text, _ := server.Get(name)
		dump.WriteString(name + "=" + text + "\n")
		if server.TTL(name) <= 0 {
			t.Errorf("%s stays for ever", name)
		}
	}
	if !strings.Contains(dump.String(), "answer:") || !strings.Contains(dump.String(), "proof:") {
		t.Fatalf("there is no answer or no proof in %q", dump.String())
	}
	for _, word := range []string{"the-opaque-token", "the-jti-of-it", "orders-batch", "orders:read", "id.example.com", request.Thumbprint, request.Proofs[0], string(oneSecret), "true"} {
		if strings.Contains(dump.String(), word) {
			t.Errorf("%q stands in Redis", word)
		}
	}
}
