package suite

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
)

// Dear is what forged tokens of one algorithm cost that are made to cost much, on one
// goroutine.
type Dear struct {
	Algorithm string
	Kinds     []string
	// One has each kind's name for a refusal, and SignatureOf it for the verification alone.
	One measure.Results
}

// SignatureOf names the verification of the signature of a dear token alone.
func SignatureOf(kind string) string { return kind + ": its signature" }

// Dearest is the kind that costs most beside its signature, and what that is in
// verifications of an RS256 signature.
func (d Dear) Dearest() (kind string, beside float64) {
	unit := d.One.Get(Bare).Time
	of := func(kind string) float64 { return (d.One.Get(kind).Time - d.One.Get(SignatureOf(kind)).Time) / unit }
	kind = slices.MaxFunc(d.Kinds, func(a, b string) int { return cmp.Compare(of(a), of(b)) })
	return kind, of(kind)
}

func (s *suite) dear() error {
	defer s.tidy()
	unit, err := s.fixture("RS256")
	if err != nil {
		return err
	}
	for _, algorithm := range fixture.Algorithms {
		if err := s.dearWith(algorithm, unit); err != nil {
			return err
		}
	}
	return nil
}

func (s *suite) dearWith(algorithm string, unit *fixture.Fixture) error {
	f, err := s.fixture(algorithm)
	if err != nil {
		return err
	}
	ours, err := s.keep(contender.M2MGuard(f, nil))
	if err != nil {
		return err
	}
	if err := ours.Allows(context.Background(), f.Good()); err != nil {
		return err
	}
	d := Dear{Algorithm: algorithm}
	group := []measure.Subject{{Name: Bare, Worker: alone(contender.Bare, unit, unit.Good())}}
	for _, token := range f.Dear() {
		d.Kinds = append(d.Kinds, token.Name)
		group = append(group,
			measure.Subject{Name: token.Name, Worker: refuses(ours, token.Token)},
			measure.Subject{Name: SignatureOf(token.Name), Worker: inVain(f, token.Token)},
		)
	}
	if d.One, err = s.one("dear refusals, "+algorithm, group); err != nil {
		return err
	}
	s.results.Dear = append(s.results.Dear, d)
	return nil
}

// inVain is a worker for the signature of a forged token.
func inVain(f *fixture.Fixture, raw string) func() func(int) error {
	worker := alone(contender.Bare, f, raw)
	return func() func(int) error {
		verify := worker()
		return func(i int) error {
			if verify(i) == nil {
				return errors.New("a forged signature was accepted")
			}
			return nil
		}
	}
}
