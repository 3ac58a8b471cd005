package suite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/validator"
)

// Listed are the numbers of entries of which a list is asked.
var Listed = []int{0, 1_000, 1_000_000}

// AskingList names a hit with a list of so many entries.
func AskingList(entries int) string {
	return fmt.Sprintf("m2mguard, seen before, with a list of %d entries", entries)
}

// Loaded is how many entries come while requests go on, and OpenStreams how many streams
// are open.
const (
	Loaded      = 100_000
	OpenStreams = 10_000
)

// Revocations is what a list of revocations costs, and what it ends.
type Revocations struct {
	Pair
	// Quiet, Loading and After are the 99th percentiles of a hit: of a list that is
	// left alone, while Loaded entries come, and right after a new one.
	Quiet, Loading, After time.Duration
	// EntryBytes is what one of a million entries takes.
	EntryBytes float64
	Streams    Streams
}

// Streams is what OpenStreams of them cost.
type Streams struct {
	Open  time.Duration // to open and end one, of which the others are open
	Bytes float64       // each, with its request's context
	// End is from a revocation to the last of the streams that it ends, a hundredth.
	End        time.Duration
	Goroutines int // more than without streams
}

func (s *suite) revocations() error {
	defer s.tidy()
	f, err := s.fixture("EdDSA")
	if err != nil {
		return err
	}
	raw := &validator.Request{Scheme: "Bearer", Token: f.Good()}
	plain, err := contender.NewValidator(f, nil)
	if err != nil {
		return err
	}
	s.later(plain.Close)
	group := []measure.Subject{{Name: Seen, Worker: passes(plain, raw)}}
	r := &s.results.Revocations
	for _, n := range Listed {
		list, v, err := s.listed(f)
		if err != nil {
			return err
		}
		before := heapBytes()
		if err := fill(list, f.URL(), 1, n); err != nil {
			return err
		}
		if n > 0 {
			r.EntryBytes = float64(heapBytes()-before) / float64(n) // the last is the largest
		}
		group = append(group, measure.Subject{Name: AskingList(n), Worker: passes(v, raw)})
	}
	if r.Pair, err = s.pair("a list of revocations", group); err != nil {
		return err
	}
	if err := s.news(f, raw, r); err != nil {
		return err
	}
	return s.streams(f, &r.Streams)
}

// listed makes a validator with a list that is up to date.
func (s *suite) listed(f *fixture.Fixture) (*revocation.List, *validator.Validator, error) {
	list, err := revocation.New(revocation.Config{StaleAfter: time.Hour})
	if err != nil {
		return nil, nil, err
	}
	s.later(list.Close)
	list.Current(time.Now())
	v, err := contender.NewValidator(f, func(cfg *validator.Config) { cfg.Revocations = list })
	if err != nil {
		return nil, nil, err
	}
	s.later(v.Close)
	return list, v, nil
}

// fill revokes clients of nobody's tokens, in batches as a feed hands them over.
func fill(list *revocation.List, issuer string, first, n int) error {
	const batch = 1000
	records := make([]revocation.Record, 0, batch)
	for i := range n {
		client := revocation.Client(issuer, fmt.Sprint("revoked-", first+i))
		r, err := list.Record(revocation.Block(client), uint64(first+i))
		if err != nil {
			return err
		}
		if records = append(records, r); len(records) == batch || i == n-1 {
			if err := list.Merge(records...); err != nil {
				return err
			}
			records = records[:0]
		}
	}
	return nil
}

// news times single hits while entries come.
func (s *suite) news(f *fixture.Fixture, raw *validator.Request, r *Revocations) error {
	list, v, err := s.listed(f)
	if err != nil {
		return err
	}
	hit := passes(v, raw)()
	time1 := func() (time.Duration, error) {
		begun := time.Now()
		err := hit(0)
		return time.Since(begun), err
	}
	const most = 200_000
	p99 := func(more func(n int) bool, before func(n int) error) (time.Duration, error) {
		var took []time.Duration
		for n := 0; len(took) < most && more(n); n++ {
			if err := before(n); err != nil {
				return 0, err
			}
			d, err := time1()
			if err != nil {
				return 0, err
			}
			took = append(took, d)
		}
		slices.Sort(took)
		return took[len(took)*99/100], nil
	}
	nothing := func(int) error { return nil }
	if r.Quiet, err = p99(func(n int) bool { return n < 20_000 }, nothing); err != nil {
		return err
	}
	loaded := make(chan error, 1)
	go func() { loaded <- fill(list, f.URL(), 1, Loaded) }()
	r.Loading, err = p99(func(int) bool { return len(loaded) == 0 }, nothing)
	if err := errors.Join(err, <-loaded); err != nil {
		return err
	}
	r.After, err = p99(func(n int) bool { return n < 2000 }, func(n int) error { return fill(list, f.URL(), Loaded+1+n, 1) })
	return err
}

// streams opens them and revokes a client.
func (s *suite) streams(f *fixture.Fixture, r *Streams) error {
	list, v, err := s.listed(f)
	if err != nil {
		return err
	}
	const clients = 100
	var tokens []*validator.Token
	for n := range clients {
		c := f.Claims()
		c.ClientID, c.Subject, c.Extra = fmt.Sprint("client-", n), "", nil
		token, err := v.Verify(context.Background(), f.Token(c))
		if err != nil {
			return err
		}
		tokens = append(tokens, token)
	}
	requests, end := context.WithCancel(context.Background())
	defer end()
	open := make([]context.Context, OpenStreams)
	idle, before := runtime.NumGoroutine(), heapBytes()
	for n := range open {
		request, gone := context.WithCancel(requests) // as net/http makes one for each
		defer gone()
		open[n], _ = v.Live(request, tokens[n%clients])
		open[n].Done() // as a handler asks for
	}
	r.Bytes = float64(heapBytes()-before) / OpenStreams
	r.Goroutines = runtime.NumGoroutine() - idle
	begun := time.Now()
	for n := range OpenStreams {
		_, stop := v.Live(requests, tokens[n%clients])
		stop()
	}
	r.Open = time.Since(begun) / OpenStreams
	record, err := list.Record(revocation.Block(revocation.Client(f.URL(), "client-7")), 1)
	if err != nil {
		return err
	}
	var ended sync.WaitGroup
	for n := 7; n < OpenStreams; n += clients {
		ended.Go(func() { <-open[n].Done() })
	}
	begun = time.Now()
	if err := list.Merge(record); err != nil {
		return err
	}
	ended.Wait()
	r.End = time.Since(begun)
	for n, ctx := range open {
		if (ctx.Err() != nil) != (n%clients == 7) {
			return fmt.Errorf("stream %d has ended: %v", n, ctx.Err())
		}
	}
	return nil
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC() // what a pool held at the first one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
