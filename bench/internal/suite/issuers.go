package suite

import (
	"context"
	"fmt"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// manyIssuers is how many the validator with many of them has.
const manyIssuers = 100

// IssuersSubject is the name of a subject of the group Issuers.
func IssuersSubject(issuers, tokens int) string {
	return fmt.Sprintf("issuers: %d, tokens: %d", issuers, tokens)
}

// issuers compares a validator of one issuer with one of a hundred, both with
// one token in use and with a hundred, each issuer's own. All tokens were seen
// before.
func (s *suite) issuers() error {
	defer s.tidy()
	f, err := s.fixture("RS256")
	if err != nil {
		return err
	}
	var group []measure.Subject
	for _, n := range []int{1, manyIssuers} {
		v, tokens, err := withIssuers(f, n)
		if err != nil {
			return err
		}
		s.later(v.Close)
		for _, used := range []int{1, manyIssuers} {
			group = append(group, measure.Subject{Name: IssuersSubject(n, used), Worker: inTurn(v, tokens[:used])})
		}
	}
	s.results.Issuers, err = s.pair("many issuers", group)
	return err
}

// withIssuers makes a validator of n issuers, and a hundred tokens of those in
// turn that it has seen.
func withIssuers(f *fixture.Fixture, n int) (*validator.Validator, []string, error) {
	var cfg validator.Config
	for i := range n {
		cfg.Issuers = append(cfg.Issuers, validator.Issuer{
			URL:      tenant(i),
			Audience: []string{issuertest.Audience},
			Keys:     &jwks.Config{Set: f.JWKS},
		})
	}
	v, err := validator.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	tokens := make([]string, manyIssuers)
	for i := range tokens {
		claims := f.Claims()
		claims.Issuer = tenant(i % n)
		tokens[i] = f.Token(claims)
		if _, err := v.Verify(context.Background(), tokens[i]); err != nil {
			v.Close()
			return nil, nil, err
		}
	}
	return v, tokens, nil
}

func tenant(i int) string { return fmt.Sprintf("https://tenant-%03d.example.test", i) }

// inTurn is a worker that verifies tokens one after the other.
func inTurn(v *validator.Validator, tokens []string) func() func(int) error {
	ctx := context.Background()
	return func() func(int) error {
		next := 0
		return func(int) error {
			_, err := v.Verify(ctx, tokens[next])
			if next++; next == len(tokens) {
				next = 0
			}
			return err
		}
	}
}
