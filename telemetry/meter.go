package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/m2mguard/m2mguard/observe"
)

// meter counts what happens, and reads what others count.
type meter struct {
	instruments
	figures  figures
	watched  watched
	scopeUse bool

	issuers, routes, clients *names
	series                   known[labels, *series]
}

func newMeter(cfg Config) *meter {
	made := maker{meter: cfg.Meters.Meter(scope)}
	m := &meter{
		instruments: made.instruments(), figures: made.figures(), scopeUse: cfg.ScopeUse,
		issuers: newNames(maxIssuers), routes: newNames(maxRoutes), clients: newNames(min(cfg.MaxClients, maxClients)),
	}
	_, err := made.meter.RegisterCallback(m.collect, m.figures.all...)
	made.fault(err)
	made.tell()
	return m
}

// labels are the attributes of a series; what is empty is left out. None is a text
// that a request can make up.
type labels struct {
	check, issuer, path, scope, route, client, event, operation string
	refusal, reportOnly                                         bool
}

// series is what is made once for all measurements with the same labels.
type series struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

// maxSeries bounds what is remembered of series: all that names can make is far less
// unless clients are told apart, and then it is what the operator asked for.
const maxSeries = 100_000

// of finds the series of labels. Where there are too many, one stands for the others.
func (m *meter) of(l labels) *series {
	if s, ok := m.series.get(l, maxSeries, labels.series); ok {
		return s
	}
	return overflow
}

var overflow = labels{issuer: other, scope: other, route: other}.series()

func (l labels) series() *series {
	var of []attribute.KeyValue
	for _, a := range []struct{ key, value string }{
		{errorKey, l.check}, {issuerKey, l.issuer}, {pathKey, l.path}, {scopeKey, l.scope}, {routeKey, l.route},
		{clientKey, l.client}, {eventKey, l.event}, {operationKey, l.operation},
	} {
		if a.value != "" {
			of = append(of, attribute.String(a.key, a.value))
		}
	}
	if l.refusal {
		of = append(of, attribute.Bool(reportOnlyKey, l.reportOnly))
	}
	option := metric.WithAttributeSet(attribute.NewSet(of...))
	return &series{[]metric.AddOption{option}, []metric.RecordOption{option}}
}

// issuer is an issuer's name in a metric: one that is configured, or other, or empty
// where none is known.
func (m *meter) issuer(url string) string {
	if url == "" || m.issuers.has(url) {
		return url
	}
	return other
}

func (m *meter) event(ctx context.Context, e *observe.Event) {
	issuer := m.issuer(e.Issuer.Text)
	switch e.Kind {
	case observe.Accepted:
		if e.Took > 0 {
			m.validate.Record(ctx, e.Took.Seconds(), m.of(labels{issuer: issuer, path: string(e.Way)}).record...)
		}
		if m.scopeUse {
			m.used(ctx, e)
		}
	case observe.Refused:
		m.refusals.Add(ctx, 1, m.of(labels{check: e.Check, issuer: issuer, refusal: true, reportOnly: e.ReportOnly}).add...)
		if e.Took > 0 {
			m.validate.Record(ctx, e.Took.Seconds(), m.of(labels{check: e.Check, issuer: issuer}).record...)
		}
	default:
		if !e.Routine {
			m.events.Add(ctx, 1, m.of(labels{event: string(e.Kind), issuer: issuer}).add...)
		}
	}
}

// used counts an accepted request for each scope that it needed.
func (m *meter) used(ctx context.Context, e *observe.Event) {
	l := labels{client: m.client(e.Client.Text), route: m.routes.of(e.Route)}
	for _, scope := range e.Used {
		l.scope = scope
		m.instruments.scopeUse.Add(ctx, 1, m.of(l).add...)
	}
}

// client is an accepted token's client id in a metric; empty where none is to be told
// apart.
func (m *meter) client(id string) string {
	if m.clients.most <= 0 || id == "" {
		return ""
	}
	return m.clients.of(id)
}
