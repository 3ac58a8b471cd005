package revocation_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// FuzzMerge reads entries and lifts out of bytes, hands them over in one order as they
// come and in the reverse one at once, and holds both lists against the oracle.
func FuzzMerge(f *testing.F) {
	f.Add([]byte("\x01\x00\x05\x02\x00\x81\x00\x06"))
	f.Add([]byte{0x02, 0x03, 0x01, 0x82, 0x00, 0x01, 0x02, 0x03, 0x02})
	f.Add([]byte{0x05, 0x10, 0x03, 0x01, 0x21, 0x02, 0x03, 0x32, 0x04, 0x83, 0x00, 0x03})
	maker, all := newList(f, revocation.Config{}), tokens()
	marks := make([]revocation.Marks, len(all)) // the same for each list
	for n := range all {
		maker.Mark(&marks[n], all[n])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var entries []told
		for ; len(text) >= 3 && len(entries) < 64; text = text[3:] {
			e := told{
				kind:     revocation.Kind(1 + text[0]&0x7f%5),
				lift:     text[0]&0x80 != 0,
				issuer:   issuers[text[1]&1],
				name:     names[1+text[1]>>1&1],
				sequence: 1 + uint64(text[2]%16),
			}
			if e.kind == revocation.ByIssuer {
				e.name = ""
			}
			if !e.lift {
				e.cutoff = [...]uint32{begin - 10, begin - 5, begin, revocation.Forever}[text[1]>>4&3]
				e.expires = [...]uint32{0, begin + 100, begin, begin - 5}[text[1]>>6]
			}
			entries = append(entries, e)
		}
		c := &clock{begin}
		one, other := newList(t, revocation.Config{Now: c.Now}), newList(t, revocation.Config{Now: c.Now})
		var records []revocation.Record
		for _, e := range entries {
			r := e.record(t, one)
			records = append(records, r)
			if err := one.Merge(r); err != nil {
				t.Fatal(err)
			}
		}
		slices.Reverse(records)
		if err := other.Merge(slices.Concat(records, records)...); err != nil {
			t.Fatal(err)
		}
		for n, token := range all {
			want := oracle(entries, token, c.now)
			revoked := func(l *revocation.List) bool { return l.Check(marks[n].Copy(), 0).Outcome() == revocation.Revoked }
			if a, b := revoked(one), revoked(other); a != want || b != want {
				t.Fatalf("revoked is %v in order and %v in the reverse one, wanted %v for %v\nafter %v", a, b, want, describe(token), entries)
			}
		}
		a, b := slices.Collect(one.Records()), slices.Collect(other.Records())
		if !slices.Equal(a, b) {
			t.Fatalf("lists hold different records:\n%v\n%v", a, b)
		}
	})
}

// newList is one whose feed is up to date.
func newList(t testing.TB, c revocation.Config) *revocation.List {
	t.Helper()
	l, err := revocation.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	l.Current(time.Now())
	return l
}

// ask asks for a token that is seen for the first time.
func ask(l *revocation.List, token *revocation.Token) revocation.Verdict {
	var m revocation.Marks
	l.Mark(&m, token)
	return l.Check(&m, revocation.StaleByConfig)
}

// tell hands entries over, numbered from first on.
func tell(t testing.TB, l *revocation.List, first uint64, entries ...revocation.Entry) {
	t.Helper()
	records := make([]revocation.Record, len(entries))
	for n, e := range entries {
		var err error
		if records[n], err = l.Record(e, first+uint64(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Merge(records...); err != nil {
		t.Fatal(err)
	}
}

// TestLatestCutoff: an old entry of the issuer hides no newer one of a client, nor the
// other way (CVE-2026-18218 was that).
func TestLatestCutoff(t *testing.T) {
	at := func(n int64) time.Time { return time.Unix(begin+n, 0) }
	for name, entries := range map[string][]revocation.Entry{
		"client's later": {revocation.IssuedBefore(revocation.Issuer(example), at(-100)), revocation.IssuedBefore(revocation.Client(example, "c"), at(0))},
		"issuer's later": {revocation.IssuedBefore(revocation.Client(example, "c"), at(-100)), revocation.IssuedBefore(revocation.Issuer(example), at(0))},
		"twice the same": {revocation.IssuedBefore(revocation.Client(example, "c"), at(0)), revocation.IssuedBefore(revocation.Client(example, "c"), at(-100))},
	} {
		t.Run(name, func(t *testing.T) {
			l := newList(t, revocation.Config{})
			tell(t, l, 1, entries...)
			for n, want := range map[int64]revocation.Outcome{-200: revocation.Revoked, -1: revocation.Revoked, 0: revocation.Revoked, 1: revocation.Passes} {
				v := ask(l, &revocation.Token{Issuer: example, Client: "c", Subject: "c", IssuedAt: at(n)})
				if v.Outcome() != want || want == revocation.Revoked && !v.Cutoff().Equal(at(0)) {
					t.Errorf("issued at %d: %v", n, v)
				}
			}
		})
	}
}

// TestIssuedBeforeNow takes the clock skew in, by default.
func TestIssuedBeforeNow(t *testing.T) {
	c := &clock{begin}
	for skew, ahead := range map[time.Duration]int64{0: 30, time.Minute: 60, -1: 0} {
		l := newList(t, revocation.Config{Now: c.Now, ClockSkew: skew})
		tell(t, l, 1, revocation.IssuedBefore(revocation.Subject(example, "s"), time.Time{}))
		for n, want := range map[int64]revocation.Outcome{ahead: revocation.Revoked, ahead + 1: revocation.Passes} {
			if v := ask(l, &revocation.Token{Issuer: example, Client: "c", Subject: "s", IssuedAt: time.Unix(begin+n, 0)}); v.Outcome() != want {
				t.Errorf("skew %v, issued %d s ahead: %v", skew, n, v)
			}
		}
	}
}

// TestKindsNeverMeet: what differs in kind or issuer is another target, also where
// names and issuers run into each other.
func TestKindsNeverMeet(t *testing.T) {
	l := newList(t, revocation.Config{Secrets: secrets('a')})
	type target = revocation.Target
	seen := make(map[revocation.Key]target)
	hash := revocation.HashOpaque(secrets('a')()[0], "i", "x")
	for _, issuer := range []string{"i", "ix", "ixx", "x"} {
		for _, name := range []string{"x", "xx", "i", hash} {
			for _, to := range []target{revocation.TokenID(issuer, name), revocation.Client("https://id.example.com", name), revocation.Subject(issuer, name), revocation.KeyID(issuer, name), revocation.Issuer(issuer), revocation.OpaqueToken(issuer, hash)} {
				r, err := l.Record(revocation.Block(to), 1)
				if err != nil {
					t.Fatal(err)
				}
				if before, met := seen[r.Key]; met && before != to {
					t.Errorf("%v is %v", to, before)
				}
				if before, met := seen[r.Home]; met && (before.Kind() != to.Kind() || before.Issuer() != to.Issuer()) {
					t.Errorf("the home of %v is that of %v", to, before)
				}
				seen[r.Key], seen[r.Home] = to, revocation.Target{}
				if seen[r.Home] = to; r.Key == r.Home {
					t.Errorf("%v is its own home", to)
				}
			}
		}
	}
}

func secrets(of ...byte) func() [][]byte {
	var all [][]byte
	for _, b := range of {
		all = append(all, slices.Repeat([]byte{b}, 32))
	}
	return func() [][]byte { return all }
}

// TestOpaqueTokens are known by a hash, under either secret and no other.
func TestOpaqueTokens(t *testing.T) {
	const token = "0f3a-opaque"
	if a, b := revocation.HashOpaque([]byte("s"), "i", token), revocation.HashOpaque([]byte("s"), "j", token); a == b {
		t.Error("two issuers' tokens of one text are the same")
	}
	known := secrets('n', 'o')
	for name, c := range map[string]struct {
		secret       byte
		issuer, text string
		want         revocation.Outcome
	}{
		"the new secret":  {'n', example, token, revocation.Revoked},
		"the old secret":  {'o', example, token, revocation.Revoked},
		"another secret":  {'x', example, token, revocation.Passes},
		"another token":   {'n', example, token + "x", revocation.Passes},
		"another issuer":  {'n', example + "/", token, revocation.Passes},
		"a JWT of a name": {'n', example, "", revocation.Passes},
	} {
		t.Run(name, func(t *testing.T) {
			l := newList(t, revocation.Config{Secrets: known})
			hash := revocation.HashOpaque(slices.Repeat([]byte{c.secret}, 32), example, token)
			tell(t, l, 1, revocation.Block(revocation.OpaqueToken(example, hash)))
			v := ask(l, &revocation.Token{Issuer: c.issuer, Opaque: c.text, KeyID: "k"})
			if v.Outcome() != c.want || c.want == revocation.Revoked && v.By() != revocation.ByOpaqueToken {
				t.Error(v)
			}
		})
	}
}

// TestLiftIsRemembered while what it lifted could come again, and no longer.
func TestLiftIsRemembered(t *testing.T) {
	c := &clock{begin}
	l := newList(t, revocation.Config{Now: c.Now})
	client := revocation.Client(example, "c")
	token := &revocation.Token{Issuer: example, Client: "c", Subject: "c", IssuedAt: time.Unix(begin, 0)}
	short := revocation.Block(client).DangerouslyExpire(time.Unix(begin+1000, 0))
	tell(t, l, 1, short)
	tell(t, l, 5, revocation.Lift(client).DangerouslyExpire(time.Unix(begin+10, 0))) // sooner than the entry
	for _, now := range []uint32{begin, begin + 500, begin + 999} {
		c.now = now
		l.Sweep()
		tell(t, l, 1, short)
		if v := ask(l, token); v.Outcome() != revocation.Passes || l.Stats().Lifts != 1 {
			t.Errorf("at %d: %v, %+v", now-begin, v, l.Stats())
		}
	}
	c.now = begin + 1000
	l.Sweep()
	tell(t, l, 1, short)
	if s := l.Stats(); s.Lifts != 0 || s.Entries != 0 {
		t.Errorf("%+v, wanted nothing to be held", s)
	}
	tell(t, l, 6, revocation.Block(client))
	tell(t, l, 7, revocation.Lift(client))                                             // for ever
	tell(t, l, 7, revocation.Lift(client).DangerouslyExpire(time.Unix(begin+2000, 0))) // and not for less
	tell(t, l, 8, revocation.Lift(client).DangerouslyExpire(time.Unix(begin+3000, 0)))
	c.now = begin + 1e9
	l.Sweep()
	tell(t, l, 6, revocation.Block(client))
	if v := ask(l, token); v.Outcome() != revocation.Passes {
		t.Error(v)
	}
	tell(t, l, 9, revocation.Block(client))
	if v := ask(l, token); v.Outcome() != revocation.Revoked {
		t.Error(v)
	}
}

// TestServes: what can match nothing but expired tokens is dropped, where it is known
// how long they live, and only there.
func TestServes(t *testing.T) {
	for name, c := range map[string]struct {
		says func(l *revocation.List)
		kept [3]bool // a moment before the end of an hour, after it, and after a day
	}{
		"nobody":                  {func(*revocation.List) {}, [3]bool{true, true, true}},
		"one":                     {func(l *revocation.List) { l.Serves(example, time.Hour) }, [3]bool{true, false, false}},
		"another issuer":          {func(l *revocation.List) { l.Serves(example+"/", time.Hour) }, [3]bool{true, true, true}},
		"a longer one, later":     {func(l *revocation.List) { l.Serves(example, time.Hour); l.Serves(example, 2*time.Hour) }, [3]bool{true, true, false}},
		"a shorter one, later":    {func(l *revocation.List) { l.Serves(example, 2*time.Hour); l.Serves(example, time.Hour) }, [3]bool{true, true, false}},
		"one of any length later": {func(l *revocation.List) { l.Serves(example, time.Hour); l.Serves(example, 0) }, [3]bool{true, true, true}},
		"a length after any":      {func(l *revocation.List) { l.Serves(example, 0); l.Serves(example, time.Hour) }, [3]bool{true, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, early := range []bool{true, false} {
				now := &clock{begin}
				l := newList(t, revocation.Config{Now: now.Now})
				if early {
					c.says(l)
				}
				tell(t, l, 1, revocation.IssuedBefore(revocation.Client(example, "c"), time.Unix(begin, 0)), revocation.Block(revocation.Client(example, "blocked")))
				if !early {
					c.says(l)
				}
				for n, after := range []uint32{3601, 3602, 86400} {
					now.now = begin + after
					l.Sweep()
					if want := map[bool]int{true: 2, false: 1}[c.kept[n]]; l.Stats().Entries != want {
						t.Errorf("after %d s there are %d, wanted %d (said early: %v)", after, l.Stats().Entries, want, early)
					}
				}
				if v := ask(l, &revocation.Token{Issuer: example, Client: "blocked", Subject: "x", IssuedAt: now.Now()}); v.Outcome() != revocation.Revoked {
					t.Error("a block ended by itself")
				}
			}
		})
	}
}

// TestServesManyIssuers: of how many it takes a note is bounded, and of the others
// nothing is dropped.
func TestServesManyIssuers(t *testing.T) {
	now := &clock{begin}
	l := newList(t, revocation.Config{Now: now.Now})
	for n := range revocation.MostServed + 1 {
		l.Serves(fmt.Sprintf("%s/%d", example, n), time.Hour)
	}
	first, last := example+"/0", fmt.Sprintf("%s/%d", example, revocation.MostServed)
	tell(t, l, 1, revocation.IssuedBefore(revocation.Issuer(first), time.Unix(begin, 0)), revocation.IssuedBefore(revocation.Issuer(last), time.Unix(begin, 0)))
	if s := l.Stats(); s.Foreign != 1 {
		t.Errorf("%d entries are foreign, wanted that of the last issuer", s.Foreign)
	}
	now.now += 86400
	l.Sweep()
	if s := l.Stats(); s.Entries != 1 || s.Foreign != 1 {
		t.Errorf("%+v, wanted that of the last issuer", s)
	}
}

// TestForeign counts entries of issuers that nobody asks about.
func TestForeign(t *testing.T) {
	l := newList(t, revocation.Config{})
	l.Serves(example, 0)
	tell(t, l, 1, revocation.Block(revocation.Client(example, "a")), revocation.Block(revocation.Client(example+"/", "a")), revocation.Block(revocation.Issuer(example+"/")))
	if n := l.Stats().Foreign; n != 2 {
		t.Errorf("%d, wanted 2", n)
	}
	l.Serves(example+"/", time.Hour)
	if n := l.Stats().Foreign; n != 0 {
		t.Errorf("%d, wanted none", n)
	}
}

// TestFull: nothing is forgotten for lack of room, what is held can be lifted, and what
// found none is told.
func TestFull(t *testing.T) {
	l := newList(t, revocation.Config{MaxEntries: 1000})
	var records []revocation.Record
	for n := range 1500 {
		r, err := l.Record(revocation.Block(revocation.TokenID(example, fmt.Sprint(n))), uint64(n+1))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	if err := l.Merge(records[:900]...); err != nil {
		t.Fatal(err)
	}
	if err := l.Merge(records[900:]...); !errors.Is(err, revocation.ErrFull) || !strings.Contains(err.Error(), "MaxEntries") {
		t.Errorf("%v", err)
	}
	if s := l.Stats(); s.Entries > 1000 || s.Entries < 990 {
		t.Errorf("%+v", s)
	}
	for n := range 900 {
		if v := ask(l, &revocation.Token{Issuer: example, ID: fmt.Sprint(n), Client: "c", Subject: "c"}); v.Outcome() != revocation.Revoked {
			t.Fatalf("entry %d was forgotten", n)
		}
	}
	tell(t, l, 2000, revocation.Lift(revocation.TokenID(example, "7")))
	if v := ask(l, &revocation.Token{Issuer: example, ID: "7", Client: "c", Subject: "c"}); v.Outcome() != revocation.Passes {
		t.Error(v)
	}
}

// TestRecordsThatAreWrong change nothing, and the others of their batch count.
func TestRecordsThatAreWrong(t *testing.T) {
	l := newList(t, revocation.Config{})
	good, err := l.Record(revocation.Block(revocation.Client(example, "c")), 1)
	if err != nil {
		t.Fatal(err)
	}
	lift, err := l.Record(revocation.Lift(revocation.Client(example, "d")), 1)
	if err != nil {
		t.Fatal(err)
	}
	with := func(r revocation.Record, change func(*revocation.Record)) revocation.Record { change(&r); return r }
	for want, r := range map[string]revocation.Record{
		"Kind is 0":              {},
		"Kind is 7":              with(good, func(r *revocation.Record) { r.Kind = 7 }),
		"Sequence is 0":          with(good, func(r *revocation.Record) { r.Sequence = 0 }),
		"Key or Home is empty":   with(good, func(r *revocation.Record) { r.Key = revocation.Key{} }),
		"or Home is empty":       with(good, func(r *revocation.Record) { r.Home = revocation.Key{} }),
		"they are the same":      with(good, func(r *revocation.Record) { r.Home = r.Key }),
		"Cutoff is set":          with(lift, func(r *revocation.Record) { r.Cutoff = 1 }),
		"without Config.Secrets": with(good, func(r *revocation.Record) { r.Kind = revocation.ByOpaqueToken }),
	} {
		before := l.Stats()
		if err := l.Merge(r); err == nil || !strings.Contains(err.Error(), want) || l.Stats().Entries != before.Entries || l.Generation() != before.Generation {
			t.Errorf("%v, wanted %q and no change", err, want)
		}
	}
	if err := l.Merge(good); err != nil {
		t.Error(err)
	}
	if err := l.Merge(with(good, func(r *revocation.Record) { r.Kind, r.Key = revocation.ByKeyID, revocation.Key{7} })); err == nil || !strings.Contains(err.Error(), "Home is that of entries by client, and Kind says key id") {
		t.Error(err)
	}
	if err := l.Merge(revocation.Record{}, good); err == nil || !strings.Contains(err.Error(), "1 of 2 records are wrong; record 0") {
		t.Error(err)
	}
	if v := ask(l, &revocation.Token{Issuer: example, Client: "c", Subject: "s"}); v.Outcome() != revocation.Revoked {
		t.Error(v)
	}
}

// TestWhileItIsFilled: whoever asks is never told less than what was merged before it
// began to ask.
func TestWhileItIsFilled(t *testing.T) {
	l := newList(t, revocation.Config{})
	const entries = 3000
	revoked := make(chan int, entries)
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			var good revocation.Marks
			l.Mark(&good, &revocation.Token{Issuer: example, ID: "good", Client: "c", Subject: "c"})
			for n := range revoked {
				if v := ask(l, &revocation.Token{Issuer: example, ID: fmt.Sprint(n), Client: "c", Subject: "c"}); v.Outcome() != revocation.Revoked {
					t.Errorf("entry %d: %v", n, v)
				}
				if v := l.Check(&good, revocation.StaleByConfig); v.Outcome() != revocation.Passes {
					t.Errorf("a good token: %v", v)
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(1, 1))
	for n := 0; n < entries; {
		batch := min(1+r.IntN(40), entries-n)
		var all []revocation.Entry
		for m := range batch {
			all = append(all, revocation.Block(revocation.TokenID(example, fmt.Sprint(n+m))))
		}
		tell(t, l, uint64(n+1), all...)
		for m := range batch {
			revoked <- n + m
		}
		n += batch
	}
	close(revoked)
	asking.Wait()
}

// TestMemory measures what a million entries take.
func TestMemory(t *testing.T) {
	l, before := newList(t, revocation.Config{}), heap()
	million(t, l)
	each := float64(heap()-before) / float64(l.Stats().Entries)
	t.Logf("%.1f bytes an entry", each)
	if l.Stats().Entries != 1_000_000 || each > 64 {
		t.Errorf("%+v of %.1f bytes, wanted a million of at most 64", l.Stats(), each)
	}
	runtime.KeepAlive(l)
	if n := revocation.SizeOfMarks; n > 136 {
		t.Errorf("the marks of a token take %d bytes, wanted 136", n)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// million fills a list with as many entries by token id.
func million(t testing.TB, l *revocation.List) {
	t.Helper()
	const batch = 10_000
	records := make([]revocation.Record, batch)
	for n := range 1_000_000 {
		r, err := l.Record(revocation.Block(revocation.TokenID(example, fmt.Sprint(n))), uint64(n+1))
		if err != nil {
			t.Fatal(err)
		}
		if records[n%batch] = r; n%batch == batch-1 {
			if err := l.Merge(records...); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLifted: a feed learns of the lift that is held for a target, and of no other.
func TestLifted(t *testing.T) {
	l := newList(t, revocation.Config{})
	for n, e := range []revocation.Entry{
		revocation.Block(revocation.Client("https://id.example.com", "lifted")), revocation.Lift(revocation.Client("https://id.example.com", "lifted")),
		revocation.Block(revocation.Client("https://id.example.com", "blocked")),
	} {
		r, err := l.Record(e, uint64(n)+5)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Merge(r); err != nil {
			t.Fatal(err)
		}
	}
	for client, want := range map[string]uint64{"lifted": 6, "blocked": 0, "other": 0} {
		r, err := l.Record(revocation.Block(revocation.Client("https://id.example.com", client)), 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Lifted(r); got != want {
			t.Errorf("the lift of %s is number %d, wanted %d", client, got, want)
		}
	}
}
