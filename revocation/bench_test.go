package revocation_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/revocation"
)

// sizes are how many entries the lists of benchmarks hold.
var sizes = []int{0, 1_000, 1_000_000}

// filled is a list of so many entries by token id, and of as many kinds as there are
// where there are any.
func filled(b *testing.B, n int) *revocation.List {
	b.Helper()
	l := newList(b, revocation.Config{})
	switch n {
	case 0:
		return l
	case 1_000_000:
		million(b, l)
	default:
		for m := range n {
			tell(b, l, uint64(m+1), revocation.Block(revocation.TokenID(example, fmt.Sprint(m))))
		}
	}
	tell(b, l, 2_000_000, revocation.Block(revocation.Client(example, "bad")), revocation.Block(revocation.Subject(example, "bad")), revocation.Block(revocation.KeyID(example, "bad")), revocation.IssuedBefore(revocation.Issuer(example), time.Unix(1, 0)))
	return l
}

// good is a token that no entry is about.
func good(n int) *revocation.Token {
	return &revocation.Token{Issuer: example, ID: fmt.Sprint("good-", n), Client: "c", Subject: "s", KeyID: "k", IssuedAt: time.Unix(begin, 0)}
}

// BenchmarkCheck is of a remembered token: "hit" with nothing new, "new" where it is looked up
// after an entry came, each time another of 4,096; "revoked" is one that is.
func BenchmarkCheck(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l := filled(b, size)
			marks := make([]revocation.Marks, 4096)
			for n := range marks {
				l.Mark(&marks[n], good(n))
			}
			b.Run("hit", func(b *testing.B) {
				b.ReportAllocs()
				m := &marks[0]
				for b.Loop() {
					if l.Check(m, 0).Outcome() != revocation.Passes {
						b.Fatal("refused")
					}
				}
			})
			b.Run("new", func(b *testing.B) {
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					m := &marks[n&4095]
					if m.Forget(); l.Check(m, 0).Outcome() != revocation.Passes {
						b.Fatal("refused")
					}
				}
			})
			if size == 0 {
				return
			}
			var revoked revocation.Marks
			token := good(0)
			token.ID = "77"
			l.Mark(&revoked, token)
			b.Run("revoked", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if l.Check(&revoked, 0).Outcome() != revocation.Revoked {
						b.Fatal("passed")
					}
				}
			})
		})
	}
}

// BenchmarkMark is what is done once, at the proof of a token.
func BenchmarkMark(b *testing.B) {
	for name, token := range map[string]*revocation.Token{"JWT": good(0), "opaque": {Issuer: example, Client: "c", Subject: "s", Opaque: "0f3a-opaque"}} {
		b.Run(name, func(b *testing.B) {
			l := newList(b, revocation.Config{Secrets: secrets('a')})
			b.ReportAllocs()
			var m revocation.Marks
			for b.Loop() {
				l.Mark(&m, token)
			}
		})
	}
}

// BenchmarkMerge is an update of a list: one entry, a lift of it, and 100,000 at once.
func BenchmarkMerge(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l := filled(b, size)
			sequence := uint64(3_000_000)
			record := func(e revocation.Entry) revocation.Record {
				sequence++
				r, err := l.Record(e, sequence)
				if err != nil {
					b.Fatal(err)
				}
				return r
			}
			merge := func(records ...revocation.Record) {
				if err := l.Merge(records...); err != nil {
					b.Fatal(err)
				}
			}
			b.Run("entry and lift of a token", func(b *testing.B) {
				for b.Loop() {
					t := revocation.TokenID(example, fmt.Sprint(sequence%1000))
					merge(record(revocation.Block(t)))
					merge(record(revocation.Lift(t).DangerouslyExpire(time.Unix(begin, 0))))
				}
			})
			b.Run("entry and lift of a client", func(b *testing.B) {
				for b.Loop() {
					merge(record(revocation.Block(revocation.Client(example, "c"))))
					merge(record(revocation.Lift(revocation.Client(example, "c"))))
				}
			})
		})
	}
	b.Run("100,000 at once", func(b *testing.B) {
		l := newList(b, revocation.Config{})
		var records []revocation.Record
		for n := range 100_000 {
			r, err := l.Record(revocation.Block(revocation.TokenID(example, fmt.Sprint(n))), uint64(n+1))
			if err != nil {
				b.Fatal(err)
			}
			records = append(records, r)
		}
		for b.Loop() {
			l := newList(b, revocation.Config{})
			if err := l.Merge(records...); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDuringALoad reports how long the slowest hundredth of checks takes while
// 100,000 entries come in, ten at a time, on a list of a million: each check is of a
// token that something is new for.
func BenchmarkDuringALoad(b *testing.B) {
	l := filled(b, 1_000_000)
	marks := make([]revocation.Marks, 1024)
	for n := range marks {
		l.Mark(&marks[n], good(n))
	}
	for b.Loop() {
		var done atomic.Bool
		var loading sync.WaitGroup
		loading.Go(func() {
			defer done.Store(true)
			for n := range 10_000 {
				var records []revocation.Record
				for m := range 10 {
					r, err := l.Record(revocation.Block(revocation.TokenID(example, fmt.Sprint("load-", n, "-", m))), uint64(n+1))
					if err != nil {
						b.Error(err)
					}
					records = append(records, r)
				}
				if err := l.Merge(records...); err != nil {
					b.Error(err)
				}
			}
		})
		took := make([]time.Duration, 0, 2_000_000)
		for n := 0; !done.Load() && len(took) < cap(took); n++ {
			start := time.Now()
			l.Check(&marks[n&1023], 0)
			took = append(took, time.Since(start))
			runtime.Gosched() // no race for the processor
		}
		loading.Wait()
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
		b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
		b.ReportMetric(float64(len(took)), "checks")
	}
}
