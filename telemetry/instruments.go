package telemetry

import (
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/m2mguard/m2mguard/observe"
)

// Attributes of ours. error.type and http.route are OpenTelemetry's.
const (
	issuerKey     = "m2mguard.issuer"
	pathKey       = "m2mguard.path"
	resultKey     = "m2mguard.result"
	scopeKey      = "m2mguard.scope"
	clientKey     = "m2mguard.client"
	eventKey      = "m2mguard.event"
	operationKey  = "m2mguard.operation"
	reportOnlyKey = "m2mguard.report_only"
	errorKey      = "error.type"
	routeKey      = "http.route"
)

// Limits of histograms, in seconds: from a hit of half a microsecond over a signature
// to an issuer that is asked, and calls of an issuer alone.
var (
	validateLimits = []float64{1e-6, 5e-6, 25e-6, 100e-6, 500e-6, .0025, .01, .05, .25, 1, 2.5, 5}
	callLimits     = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
)

// instruments are those that are written as things happen.
type instruments struct {
	refusals, events, scopeUse metric.Int64Counter
	validate                   metric.Float64Histogram
	calls                      map[observe.OperationKind]metric.Float64Histogram
	otherCalls                 metric.Float64Histogram
}

// maker makes instruments, and keeps what is wrong with them.
type maker struct {
	meter  metric.Meter
	faults []error
}

func (m *maker) fault(err error) {
	if err != nil {
		m.faults = append(m.faults, err)
	}
}

func (m *maker) counter(name, unit, help string) metric.Int64Counter {
	c, err := m.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(help))
	m.fault(err)
	return c
}

func (m *maker) histogram(name, help string, limits []float64) metric.Float64Histogram {
	h, err := m.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(help), metric.WithExplicitBucketBoundaries(limits...))
	m.fault(err)
	return h
}

func (m *maker) instruments() instruments {
	call := func(name, help string) metric.Float64Histogram { return m.histogram(name, help, callLimits) }
	return instruments{
		refusals: m.counter("m2mguard.refusals", "{refusal}", "Refused requests, by validator's check."),
		events:   m.counter("m2mguard.events", "{event}", "What concerns an issuer, a list of revocations or what instances share, by the words of the log."),
		scopeUse: m.counter("m2mguard.scope.use", "{request}", "Accepted requests, by route and by each scope of its rule that the token has."),
		validate: m.histogram("m2mguard.validate.duration", "How long it took to judge a token: each that was proven, and a sample of those that were proven before.", validateLimits),
		calls: map[observe.OperationKind]metric.Float64Histogram{
			observe.FetchKeys:  call("m2mguard.jwks.fetch.duration", "Fetches of key sets, discovery included."),
			observe.Discover:   call("m2mguard.discovery.client.duration", "Readings of an issuer's metadata."),
			observe.Introspect: call("m2mguard.introspect.client.duration", "Requests to an introspection endpoint."),
			observe.Resolve:    call("m2mguard.resolve.client.duration", "Calls of validator.Config.Resolver."),
		},
		otherCalls: call("m2mguard.operation.duration", "Other calls that touch a network, such as those of a shared store."),
	}
}

// figures are the instruments that are read when somebody collects.
type figures struct {
	cacheRequests, replays, nonces, introspectRequests                         metric.Int64ObservableCounter
	cacheEntries, cacheLimit, verifyActive, verifyWaiting, openRoutes, streams metric.Int64ObservableGauge
	resolved, resolveActive, resolveWaiting                                    metric.Int64ObservableGauge
	keys, keysStale, introspectActive, introspectWaiting, introspectEntries    metric.Int64ObservableGauge
	revocationEntries, revocationForeign, revocationStale                      metric.Int64ObservableGauge
	keysAge, revocationLag                                                     metric.Float64ObservableGauge
	all                                                                        []metric.Observable
}

func (m *maker) figures() (f figures) {
	count := func(name, unit, help string) metric.Int64ObservableCounter {
		c, err := m.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
		m.fault(err)
		f.all = append(f.all, c)
		return c
	}
	gauge := func(name, unit, help string) metric.Int64ObservableGauge {
		g, err := m.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(help))
		m.fault(err)
		f.all = append(f.all, g)
		return g
	}
	seconds := func(name, help string) metric.Float64ObservableGauge {
		g, err := m.meter.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(help))
		m.fault(err)
		f.all = append(f.all, g)
		return g
	}
	f.cacheRequests = count("m2mguard.cache.requests", "{request}", "Requests with a token, by whether its proof was remembered.")
	f.cacheEntries = gauge("m2mguard.cache.entries", "{token}", "Proofs that the verified-token cache holds.")
	f.cacheLimit = gauge("m2mguard.cache.limit", "{token}", "How many it can hold.")
	f.verifyActive = gauge("m2mguard.verify.active", "{token}", "Signatures that are being verified.")
	f.verifyWaiting = gauge("m2mguard.verify.waiting", "{token}", "Tokens that wait for that.")
	f.openRoutes = gauge("m2mguard.route.open", "{route}", "Routes that refuse nobody (DangerouslyReportOnly).")
	f.streams = gauge("m2mguard.stream.active", "{stream}", "Contexts of Validator.Live that have not ended.")
	f.resolved = gauge("m2mguard.issuer.resolved", "{issuer}", "Issuers that validator.Config.Resolver found, and that are held.")
	f.resolveActive = gauge("m2mguard.resolve.active", "{call}", "Calls of it that are under way.")
	f.resolveWaiting = gauge("m2mguard.resolve.waiting", "{token}", "Tokens that wait for one.")
	f.keys = gauge("m2mguard.jwks.keys", "{key}", "Keys that can be used.")
	f.keysAge = seconds("m2mguard.jwks.age", "How long ago the key set was fetched.")
	f.keysStale = gauge("m2mguard.jwks.stale", "{set}", "1 while the key set is past its age and cannot be refreshed.")
	f.introspectActive = gauge("m2mguard.introspect.active", "{request}", "Requests to the introspection endpoint that are under way.")
	f.introspectWaiting = gauge("m2mguard.introspect.waiting", "{token}", "Tokens that wait for one.")
	f.introspectRequests = count("m2mguard.introspect.cache.requests", "{request}", "Questions about a token, by whether a remembered answer served.")
	f.introspectEntries = gauge("m2mguard.introspect.cache.entries", "{answer}", "Introspection answers that are remembered.")
	f.revocationEntries = gauge("m2mguard.revocation.entries", "{entry}", "Entries of the list of revocations.")
	f.revocationForeign = gauge("m2mguard.revocation.foreign", "{entry}", "Those about issuers that nobody asks about here.")
	f.revocationLag = seconds("m2mguard.revocation.lag", "How long ago the list was complete.")
	f.revocationStale = gauge("m2mguard.revocation.stale", "{list}", "1 while that is too long ago, or the list was never filled.")
	f.replays = count("m2mguard.replay.requests", "{proof}", "Good proofs of possession, by whether they were seen before.")
	f.nonces = count("m2mguard.nonce.requests", "{proof}", "Proofs of possession, by their nonce.")
	return f
}

// tell hands what is wrong with the instruments to OpenTelemetry.
func (m *maker) tell() {
	if err := errors.Join(m.faults...); err != nil {
		otel.Handle(err)
	}
}
