package telemetry_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/telemetry"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// probe is what a program's SDK got.
type probe struct {
	t       *testing.T
	metrics *sdk.ManualReader
	spans   *tracetest.SpanRecorder
	tracers *trace.TracerProvider
	observe.Observer
}

func newProbe(t *testing.T, cfg telemetry.Config) *probe {
	t.Helper()
	p := &probe{t: t, metrics: sdk.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	p.tracers = trace.NewTracerProvider(trace.WithSpanProcessor(p.spans))
	cfg.Meters, cfg.Tracers = sdk.NewMeterProvider(sdk.WithReader(p.metrics), sdk.WithCardinalityLimit(0)), p.tracers
	p.Observer = telemetry.Observer(cfg)
	return p
}

// collect returns the metrics, and each series as "name{attributes}" with its value;
// a histogram's is how often it was written.
func (p *probe) collect() ([]metricdata.Metrics, map[string]float64) {
	p.t.Helper()
	var all metricdata.ResourceMetrics
	if err := p.metrics.Collect(context.Background(), &all); err != nil {
		p.t.Fatal(err)
	}
	series := map[string]float64{}
	var metrics []metricdata.Metrics
	for _, s := range all.ScopeMetrics {
		if s.Scope != (instrumentation.Scope{Name: "github.com/m2mguard/m2mguard/telemetry"}) {
			p.t.Errorf("scope %v", s.Scope)
		}
		metrics = append(metrics, s.Metrics...)
		for _, m := range s.Metrics {
			add := func(of attribute.Set, value float64) {
				series[m.Name+"{"+of.Encoded(attribute.DefaultEncoder())+"}"] = value
			}
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, point := range d.DataPoints {
					add(point.Attributes, float64(point.Value))
				}
			case metricdata.Gauge[int64]:
				for _, point := range d.DataPoints {
					add(point.Attributes, float64(point.Value))
				}
			case metricdata.Gauge[float64]:
				for _, point := range d.DataPoints {
					add(point.Attributes, point.Value)
				}
			case metricdata.Histogram[float64]:
				for _, point := range d.DataPoints {
					add(point.Attributes, float64(point.Count))
				}
			default:
				p.t.Errorf("%s is a %T", m.Name, d)
			}
		}
	}
	return metrics, series
}

// names lists series without what changes from run to run.
func names(series map[string]float64, iss ...*issuertest.Issuer) []string {
	all := slices.Sorted(maps.Keys(series))
	for n := range all {
		for i, one := range iss {
			all[n] = strings.ReplaceAll(all[n], one.URL(), fmt.Sprintf("ISSUER%d", i))
		}
	}
	slices.Sort(all)
	return all
}

// text is everything that the program got, in words.
func (p *probe) text() string {
	_, series := p.collect()
	text := strings.Join(names(series), "\n")
	for _, s := range p.spans.Ended() {
		text += fmt.Sprintf("\n%s %v %v %v %v", s.Name(), s.Attributes(), s.Events(), s.Status(), s.Links())
	}
	return text
}

// newValidator makes one that p observes.
func (p *probe) newValidator(iss *issuertest.Issuer, change func(*validator.Config)) *validator.Validator {
	p.t.Helper()
	cfg := validator.Config{
		Issuers:  []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		Observer: p.Observer,
	}
	if change != nil {
		change(&cfg)
	}
	v, err := validator.New(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(v.Close)
	return v
}

func introspectionAt(iss *issuertest.Issuer) *introspection.Config {
	return &introspection.Config{
		Endpoint:   iss.IntrospectionURL(),
		Auth:       introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret)),
		HTTPClient: iss.Client(),
	}
}
