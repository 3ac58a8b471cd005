// Package suite is the list of what one run measures.
package suite

import (
	"fmt"
	"slices"
	"time"

	"github.com/m2mguard/m2mguard/bench/internal/contender"
	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/bench/internal/measure"
	"github.com/m2mguard/m2mguard/bench/internal/reuse"
	"github.com/m2mguard/m2mguard/bench/internal/size"
)

// Options say how much to measure.
type Options struct {
	measure.Options
	// Tokens is how many distinct tokens there are where there are many.
	Tokens int
	// Services are built for their sizes, the unguarded one first, then ours.
	Services []size.Service
	// Log is told what is under way.
	Log func(format string, args ...any)
}

// Names of subjects, beside those of the contenders.
const (
	Seen        = "m2mguard, seen before"
	Observed    = "m2mguard, seen before, with an observer that asks for accepted requests"
	Metered     = "m2mguard, seen before, with telemetry"
	EachMetered = "m2mguard, seen before, with telemetry that times every hit"
	First       = "m2mguard, first time"
	FirstCached = "m2mguard, first time, into the cache"
	Bare        = "bare primitive"
	Primitive   = "primitive through jwx"
	Ours        = "m2mguard"
)

// Results is everything that one run measured.
type Results struct {
	Verify   []Verify
	Rejected []Rejected
	Dear     []Dear
	Bound    []Bound
	Opaque   Pair
	Requests Pair
	Calls    Pair
	// ConnectCalls begins with nobody's guard, as Calls does.
	ConnectCalls Pair
	Sockets      Sockets
	Sizes        []size.Program
	Issuers      Pair

	Revocations Revocations
	Reuse       []reuse.Result
	// Memory is that of the cache under tokens as everywhere, and under the
	// longest that it takes.
	Memory, LongMemory reuse.Memory
	// Contenders say how each party was set up.
	Contenders []Contender
	Elapsed    time.Duration
}

// Contender describes one party.
type Contender struct {
	Name, Setup string
	Modules     []string
}

// Pair is one group on one goroutine and on all cores.
type Pair struct{ One, All measure.Results }

// Verify is what good JWTs of one algorithm cost.
type Verify struct {
	Algorithm  string
	TokenBytes int
	Pair
}

// Rejected is what one kind of bad JWT costs on one goroutine.
type Rejected struct {
	Kind string
	One  measure.Results
}

// Run measures everything.
func Run(o Options) (*Results, error) {
	begun := time.Now()
	s := &suite{Options: o, results: new(Results)}
	steps := []func() error{s.verify, s.rejected, s.dear, s.bound, s.opaque, s.requests, s.calls, s.sockets, s.issuers, s.revocations, s.reuse, s.sizes}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	s.results.Elapsed = time.Since(begun)
	return s.results, nil
}

type suite struct {
	Options
	results *Results
	cleanup []func()
}

// sizes builds the minimal services.
func (s *suite) sizes() (err error) {
	s.Log("sizes of programs: %d services", len(s.Services))
	s.results.Sizes, err = size.Measure(s.Services)
	return err
}

// one measures a group on one goroutine.
func (s *suite) one(what string, group []measure.Subject) (measure.Results, error) {
	s.Log("%s: %d subjects", what, len(group))
	r, err := measure.Run(group, measure.One, s.Options.Options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return r, nil
}

// pair measures a group on one goroutine and on all cores.
func (s *suite) pair(what string, group []measure.Subject) (p Pair, err error) {
	if p.One, err = s.one(what, group); err != nil {
		return p, err
	}
	if p.All, err = measure.Run(group, measure.All, s.Options.Options); err != nil {
		return p, fmt.Errorf("%s, all cores: %w", what, err)
	}
	return p, nil
}

// later keeps what is to be closed at the end of a step.
func (s *suite) later(f func()) { s.cleanup = append(s.cleanup, f) }

// tidy closes it, the youngest first.
func (s *suite) tidy() {
	for _, f := range slices.Backward(s.cleanup) {
		f()
	}
	s.cleanup = nil
}

// fixture starts an issuer for one step.
func (s *suite) fixture(algorithm string) (*fixture.Fixture, error) {
	f, err := fixture.New(algorithm)
	if err == nil {
		s.later(f.Close)
	}
	return f, err
}

// keep closes a contender at the end of a step.
func (s *suite) keep(c *contender.Contender, err error) (*contender.Contender, error) {
	if err == nil {
		s.later(c.Close)
	}
	return c, err
}

// describe adds contenders to the report.
func (s *suite) describe(contenders ...*contender.Contender) {
	for _, c := range contenders {
		s.results.Contenders = append(s.results.Contenders, Contender{Name: c.Name, Setup: c.Setup, Modules: c.Modules})
	}
}
