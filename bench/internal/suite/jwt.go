package suite

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/validator"
)

// FastestPeer is the cheapest party of a group that is neither ours nor a
// primitive.
func FastestPeer(group measure.Results) measure.Result {
	own := []string{Seen, Observed, Metered, EachMetered, First, FirstCached, Bare, Primitive, Ours}
	return fastest(group, own)
}

// fastest leaves out those that are no peers.
func fastest(group measure.Results, own []string) measure.Result {
	peers := slices.DeleteFunc(slices.Clone(group), func(r measure.Result) bool { return slices.Contains(own, r.Name) })
	return slices.MinFunc(peers, func(a, b measure.Result) int { return cmp.Compare(a.Time, b.Time) })
}

// distinctTokens is how many tokens are signed to be seen for the first time by
// a validator with a cache; an RS256 signature takes a millisecond.
const distinctTokens = 2000

func (s *suite) verify() error {
	for i, algorithm := range fixture.Algorithms {
		v, err := s.verifyWith(algorithm, i == 0)
		if err != nil {
			return err
		}
		s.results.Verify = append(s.results.Verify, v)
	}
	return nil
}

func (s *suite) verifyWith(algorithm string, describe bool) (v Verify, err error) {
	defer s.tidy()
	f, err := s.fixture(algorithm)
	if err != nil {
		return v, err
	}
	raw := f.Good()
	ours, err := s.keep(contender.M2MGuard(f, nil))
	if err != nil {
		return v, err
	}
	observed, err := s.keep(contender.M2MGuard(f, contender.Observed))
	if err != nil {
		return v, err
	}
	metered, err := s.keep(contender.M2MGuard(f, contender.Metered(0)))
	if err != nil {
		return v, err
	}
	eachMetered, err := s.keep(contender.M2MGuard(f, contender.Metered(1)))
	if err != nil {
		return v, err
	}
	uncached, err := s.keep(contender.M2MGuard(f, contender.NoCache))
	if err != nil {
		return v, err
	}
	peers, err := s.peers(f)
	if err != nil {
		return v, err
	}
	if describe {
		s.describe(ours)
		s.describe(peers...)
	}
	for _, c := range []*contender.Contender{ours, observed, metered, eachMetered} {
		if err := c.Allows(context.Background(), raw); err != nil { // now it was seen before
			return v, err
		}
	}
	group := []measure.Subject{
		{Name: Seen, Worker: allows(ours, raw)},
		{Name: Observed, Worker: allows(observed, raw)},
		{Name: Metered, Worker: allows(metered, raw)},
		{Name: EachMetered, Worker: allows(eachMetered, raw)},
		{Name: First, Worker: ownToken(uncached, f.Good)},
		s.firstIntoCache(f),
		{Name: Bare, Worker: alone(contender.Bare, f, raw)},
		{Name: Primitive, Worker: alone(contender.Primitive, f, raw)},
	}
	for _, p := range peers {
		group = append(group, measure.Subject{Name: p.Name, Worker: allows(p, raw)})
	}
	v.Algorithm, v.TokenBytes = algorithm, len(raw)
	v.Pair, err = s.pair(algorithm, group)
	return v, err
}

func (s *suite) peers(f *fixture.Fixture) ([]*contender.Contender, error) {
	peers, err := contender.Peers(f)
	for _, p := range peers {
		s.later(p.Close)
	}
	return peers, err
}

// firstIntoCache takes every token to a validator that has a cache and has not
// seen it. Each batch gets a new validator.
func (s *suite) firstIntoCache(f *fixture.Fixture) measure.Subject {
	tokens := f.Distinct(min(distinctTokens, s.Tokens))
	var ours *contender.Contender
	s.later(func() {
		if ours != nil {
			ours.Close()
		}
	})
	return measure.Subject{
		Name: FirstCached,
		Most: len(tokens),
		Prepare: func(int) (err error) {
			if ours != nil {
				ours.Close()
			}
			ours, err = contender.M2MGuard(f, func(cfg *validator.Config) { cfg.CacheEntries = 2 * distinctTokens })
			return err
		},
		Worker: func() func(int) error {
			return func(i int) error { return ours.Allows(context.Background(), tokens[i]) }
		},
	}
}

// rejected measures bad tokens. Everybody has seen a good one before, as on any
// server that runs.
func (s *suite) rejected() error {
	defer s.tidy()
	f, err := s.fixture("RS256")
	if err != nil {
		return err
	}
	ours, err := s.keep(contender.M2MGuard(f, nil))
	if err != nil {
		return err
	}
	peers, err := s.peers(f)
	if err != nil {
		return err
	}
	good := f.Good()
	for _, c := range append(peers, ours) {
		if err := c.Allows(context.Background(), good); err != nil {
			return err
		}
	}
	for _, rejection := range f.Rejections() {
		group := []measure.Subject{
			{Name: Bare, Worker: alone(contender.Bare, f, good)},
			{Name: Ours, Worker: refuses(ours, rejection.Token)},
		}
		for _, p := range peers {
			group = append(group, measure.Subject{Name: p.Name, Worker: refuses(p, rejection.Token)})
		}
		r, err := s.one("rejected, "+rejection.Name, group)
		if err != nil {
			return err
		}
		s.results.Rejected = append(s.results.Rejected, Rejected{rejection.Name, r})
	}
	return nil
}

// allows is a worker that takes one good token to a contender.
func allows(c *contender.Contender, raw string) func() func(int) error {
	ctx := context.Background()
	return measure.Each(func() error { return c.Allows(ctx, raw) })
}

// ownToken is a worker with a token of its own: callers that show the same one
// at the same time share what it costs, which is not what is timed.
func ownToken(c *contender.Contender, issue func() string) func() func(int) error {
	return func() func(int) error { return allows(c, issue())() }
}

var errAccepted = errors.New("a bad token was accepted")

// refuses is a worker that takes one bad token to a contender.
func refuses(c *contender.Contender, raw string) func() func(int) error {
	ctx := context.Background()
	return measure.Each(func() error {
		if c.Allows(ctx, raw) == nil {
			return errAccepted
		}
		return nil
	})
}

// alone is a worker for the signature of one token.
func alone(kind func(*fixture.Fixture, string) (func() error, error), f *fixture.Fixture, raw string) func() func(int) error {
	return func() func(int) error {
		verify, err := kind(f, raw)
		return func(int) error {
			if err != nil {
				return err
			}
			return verify()
		}
	}
}
