package telemetry_test

import (
	"context"
	"fmt"
	"log"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/telemetry"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// A program that has OpenTelemetry's SDK sees how many requests there were, and keeps
// its log.
func ExampleObserver() {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	reader := metric.NewManualReader() // a program has an exporter here
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
		Observer: observe.Join(validator.LogEvents(nil), telemetry.Observer(telemetry.Config{
			Meters: metric.NewMeterProvider(metric.WithReader(reader)),
		})),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	token := iss.Token(issuertest.Claims{})
	for range 10 {
		_, _ = v.Verify(context.Background(), token)
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		log.Fatal(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "m2mguard.cache.requests" {
			for _, point := range sum.DataPoints {
				result, _ := point.Attributes.Value("m2mguard.result")
				fmt.Println(m.Name, result.AsString(), point.Value)
			}
		}
	}
	// Unordered output:
	// m2mguard.cache.requests hit 9
	// m2mguard.cache.requests miss 1
}
