package serve

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/telemetry"
)

// Metrics is what /metrics serves, and the observer that feeds it: the library's own
// metrics (docs/operate.md), and those of the process.
func Metrics() (http.Handler, observe.Observer, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return nil, observe.Observer{}, err
	}
	meters := metric.NewMeterProvider(metric.WithReader(reader))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), telemetry.Observer(telemetry.Config{Meters: meters}), nil
}
