package telemetry

import (
	"cmp"
	"math"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/m2mguard/m2mguard/observe"
)

// DefaultSampleHits is the default of Config.SampleHits.
const DefaultSampleHits = 1024

// scope is the name of this library among those of a program that are measured.
const scope = "github.com/m2mguard/m2mguard/telemetry"

// Config is what one program has once. The zero value of each field means its default.
type Config struct {
	_ [0]func()

	// Meters is where metrics go, and Tracers where spans go. Default OpenTelemetry's
	// global ones, which do nothing until the program sets them.
	Meters  metric.MeterProvider
	Tracers trace.TracerProvider

	// SampleHits is of how many requests whose token was proven before one is timed;
	// those that prove a token are timed each. Default 1,024, since looking at the clock
	// takes a good part of what a hit takes; 1 for each, negative for none. How many
	// hits there are is counted in any case.
	SampleHits int

	// ScopeUse counts accepted requests by route and by the scopes of the route's rule
	// that their token has. Each accepted request is told to the observer then, which
	// costs a hit some hundred nanoseconds. Default no.
	ScopeUse bool

	// MaxClients is how many client ids ScopeUse tells apart: the first that are seen,
	// and the others are "_OTHER". Each has a series for each route and scope that it
	// uses. Default none, at most 10,000; more is 10,000.
	MaxClients int
}

// Bounds of what is told apart. What is beyond is "_OTHER".
const (
	maxIssuers = 1_000 // of all validators' configurations together
	maxRoutes  = 1_000 // by their patterns; an adapter that has none may hand on paths
	maxClients = 10_000
)

// Observer returns the observer for validator.Config.Observer, which several
// validators may share: what they count is added up. The same goes into
// revocation.Config.Observer, for the age and the size of the list, or into
// fleet.Config.Observer for all that instances share. It starts no goroutine. What OpenTelemetry says is wrong goes to its error handler.
func Observer(cfg Config) observe.Observer {
	if cfg.Meters == nil {
		cfg.Meters = otel.GetMeterProvider()
	}
	if cfg.Tracers == nil {
		cfg.Tracers = otel.GetTracerProvider()
	}
	m := newMeter(cfg)
	calls := &calls{meter: m, tracer: cfg.Tracers.Tracer(scope)}
	o := observe.Observer{Event: m.event, Accepted: cfg.ScopeUse, Start: calls.start, Watch: m.watch}
	if o.SampleHits = cmp.Or(cfg.SampleHits, DefaultSampleHits); o.SampleHits < 0 {
		o.SampleHits = math.MaxInt // one in so many is none
	}
	return o
}
