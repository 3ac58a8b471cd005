package suite

import (
	"strings"

	"github.com/m2mguard/m2mguard/bench/internal/reuse"
	"github.com/m2mguard/m2mguard/validator"
)

// cacheShare is how many distinct tokens there are for each entry of the cache,
// where there are many: a million for the default of ten thousand.
const cacheShare = 1_000_000 / validator.DefaultCacheEntries

// reuse measures the cache with 1, 10, 100 … distinct tokens. A run with fewer
// than a million gets a cache that is smaller in the same proportion.
func (s *suite) reuse() error {
	defer s.tidy()
	f, err := s.fixture("EdDSA")
	if err != nil {
		return err
	}
	entries := s.Tokens / cacheShare
	s.Log("signing %d distinct tokens", s.Tokens)
	p, err := reuse.NewPopulation(f, s.Tokens, "")
	if err != nil {
		return err
	}
	for distinct := 1; distinct <= s.Tokens; distinct *= 10 {
		s.Log("reuse: %d distinct tokens", distinct)
		r, err := reuse.Measure(f, p, distinct, s.Tokens, entries)
		if err != nil {
			return err
		}
		s.results.Reuse = append(s.results.Reuse, r)
	}
	s.Log("memory: %d distinct tokens", s.Tokens)
	if s.results.Memory, err = reuse.MeasureMemory(f, p, entries, 0); err != nil {
		return err
	}
	// The same with tokens just below MaxTokenBytes: twice as many as have room,
	// for the sets of the table to fill.
	const longest = validator.DefaultMaxTokenBytes / 4 * 3
	const filler = longest - 600
	long, err := reuse.NewPopulation(f, 2*entries, strings.Repeat("x", filler))
	if err != nil {
		return err
	}
	s.Log("memory: %d tokens of %d bytes", 2*entries, len(long.Token(0)))
	s.results.LongMemory, err = reuse.MeasureMemory(f, long, entries, longest)
	return err
}
