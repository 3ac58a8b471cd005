package revocation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// issuers, and what tokens of a small world name. The empty name is none.
var (
	issuers = []string{"https://a.example", "https://b.example"}
	names   = []string{"", "x", "y"}
)

// told is an entry that an oracle was told of, and its number.
type told struct {
	kind     revocation.Kind
	issuer   string
	name     string
	lift     bool
	cutoff   uint32
	expires  uint32 // 0 for never
	sequence uint64
}

func (e told) target() revocation.Target {
	return map[revocation.Kind]func() revocation.Target{
		revocation.ByTokenID: func() revocation.Target { return revocation.TokenID(e.issuer, e.name) },
		revocation.ByClient:  func() revocation.Target { return revocation.Client(e.issuer, e.name) },
		revocation.BySubject: func() revocation.Target { return revocation.Subject(e.issuer, e.name) },
		revocation.ByKeyID:   func() revocation.Target { return revocation.KeyID(e.issuer, e.name) },
		revocation.ByIssuer:  func() revocation.Target { return revocation.Issuer(e.issuer) },
	}[e.kind]()
}

func (e told) record(t testing.TB, l *revocation.List) revocation.Record {
	t.Helper()
	var made revocation.Entry
	switch {
	case e.lift:
		made = revocation.Lift(e.target())
	case e.cutoff == revocation.Forever:
		made = revocation.Block(e.target())
	default:
		made = revocation.IssuedBefore(e.target(), time.Unix(int64(e.cutoff), 0))
	}
	if e.expires > 0 {
		made = made.DangerouslyExpire(time.Unix(int64(e.expires), 0))
	}
	r, err := l.Record(made, e.sequence)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// oracle says by going through all that it was told whether a token is revoked: slowly,
// and with no state but that.
func oracle(all []told, token *revocation.Token, now uint32) bool {
	issued := uint32(max(0, token.IssuedAt.Unix()))
	if token.IssuedAt.IsZero() {
		issued = 0
	}
	for _, e := range all {
		named := map[revocation.Kind]string{
			revocation.ByTokenID: token.ID, revocation.ByClient: token.Client, revocation.BySubject: token.Subject, revocation.ByKeyID: token.KeyID, revocation.ByIssuer: "",
		}[e.kind]
		about := named == e.name || named == "" && (e.kind == revocation.ByClient || e.kind == revocation.BySubject)
		if e.lift || e.issuer != token.Issuer || !about || issued > e.cutoff || e.expires > 0 && e.expires <= now {
			continue
		}
		lifted := slices.ContainsFunc(all, func(l told) bool {
			return l.lift && l.kind == e.kind && l.issuer == e.issuer && l.name == e.name && l.sequence >= e.sequence
		})
		if !lifted {
			return true
		}
	}
	return false
}

// begin is when the small world begins.
const begin = 1_800_000_000

// world makes some entries and lifts of few targets. A lift ends after all that it
// lifts.
func world(r *rand.Rand, n int) []told {
	var all []told
	for range n {
		e := told{
			kind:     revocation.Kind(1 + r.IntN(5)),
			issuer:   issuers[r.IntN(4)/3],
			name:     names[1+r.IntN(5)/4],
			lift:     r.IntN(4) == 0,
			sequence: 1 + r.Uint64N(8),
		}
		if e.kind == revocation.ByIssuer {
			e.name = ""
		}
		if !e.lift {
			e.cutoff = [...]uint32{begin - 10, begin - 5, begin, revocation.Forever}[r.IntN(4)]
			e.expires = [...]uint32{0, 0, begin + 50, begin + 100}[r.IntN(4)]
		}
		all = append(all, e)
	}
	for n := range all {
		l := &all[n]
		if !l.lift || r.IntN(2) == 0 {
			continue
		}
		for _, e := range all {
			if !e.lift && e.kind == l.kind && e.issuer == l.issuer && e.name == l.name && e.sequence <= l.sequence {
				if e.expires == 0 {
					l.expires = 0
					break
				}
				l.expires = max(l.expires, e.expires)
			}
		}
	}
	return all
}

// tokens are all of the small world that differ.
func tokens() (all []*revocation.Token) {
	for _, issuer := range issuers {
		for _, client := range names {
			for _, subject := range names {
				for _, id := range names {
					for _, issued := range []time.Time{{}, time.Unix(begin-10, 999), time.Unix(begin-9, 0), time.Unix(begin+1, 0)} {
						kid := names[len(all)%3]
						all = append(all, &revocation.Token{Issuer: issuer, ID: id, Client: client, Subject: subject, KeyID: kid, IssuedAt: issued})
					}
				}
			}
		}
	}
	return all
}

// clock is one that is set.
type clock struct{ now uint32 }

func (c *clock) Now() time.Time { return time.Unix(int64(c.now), 0) }

// TestMerge hands the same entries and lifts over in many orders, in pieces of any
// size and many times, while time goes on and what is over is dropped: a list is always
// of the oracle's opinion, and at the end lists are of the same.
func TestMerge(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	all := tokens()
	revoked, passed := 0, 0
	for round := range rounds {
		r := rand.New(rand.NewPCG(11, uint64(round)))
		entries := world(r, 1+r.IntN(14))
		for range 4 {
			c := &clock{begin}
			l, err := revocation.New(revocation.Config{Now: c.Now})
			if err != nil {
				t.Fatal(err)
			}
			marks := make([]revocation.Marks, len(all))
			for n := range all {
				l.Mark(&marks[n], all[n])
			}
			l.Current(time.Now())
			var heard []told
			compare := func() {
				t.Helper()
				for n, token := range all {
					got := l.Check(&marks[n], revocation.StaleByConfig)
					if want := oracle(heard, token, c.now); (got.Outcome() == revocation.Revoked) != want || got.Outcome() == revocation.Unavailable {
						t.Fatalf("round %d: %v, wanted revoked to be %v for %v\nafter %v", round, got, want, describe(token), heard)
					} else if want {
						revoked++
					} else {
						passed++
					}
				}
			}
			delivery := slices.Concat(entries, entries[:r.IntN(len(entries)+1)])
			r.Shuffle(len(delivery), func(i, j int) { delivery[i], delivery[j] = delivery[j], delivery[i] })
			for len(delivery) > 0 {
				n := 1 + r.IntN(len(delivery))
				var records []revocation.Record
				for _, e := range delivery[:n] {
					records = append(records, e.record(t, l))
				}
				if err := l.Merge(records...); err != nil {
					t.Fatal(err)
				}
				heard, delivery = append(heard, delivery[:n]...), delivery[n:]
				compare()
				if r.IntN(3) == 0 {
					c.now += uint32(r.IntN(60))
					if r.IntN(2) == 0 {
						l.Sweep()
					}
					if r.IntN(2) == 0 {
						for n := range all {
							l.Mark(&marks[n], all[n]) // as if it were seen for the first time
						}
					}
					compare()
				}
			}
			l.Sweep()
			copied, err := revocation.New(revocation.Config{Now: c.Now})
			if err != nil {
				t.Fatal(err)
			}
			if err := copied.Merge(slices.Collect(l.Records())...); err != nil {
				t.Fatal(err)
			}
			if a, b := l.Stats(), copied.Stats(); a.Entries != b.Entries || a.Lifts != b.Lifts {
				t.Fatalf("round %d: a copy holds %+v, wanted %+v", round, b, a)
			}
			copied.Close()
			l.Close()
		}
	}
	if revoked < 1000 || passed < 1000 {
		t.Errorf("%d revoked and %d passed: one of the two is hardly tested", revoked, passed)
	}
}

func describe(t *revocation.Token) string {
	return fmt.Sprintf("issuer %q, jti %q, client %q, sub %q, kid %q, iat %v", t.Issuer, t.ID, t.Client, t.Subject, t.KeyID, t.IssuedAt.Unix())
}
