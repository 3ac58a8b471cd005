// Package telemetry turns what an observer is told into OpenTelemetry metrics and
// spans:
//
//	v, err := validator.New(validator.Config{
//		Issuers: issuers,
//		Observer: observe.Join(validator.LogEvents(nil), telemetry.Observer(telemetry.Config{
//			Meters: meterProvider, Tracers: tracerProvider,
//		})),
//	})
//
// It needs OpenTelemetry's API alone: the SDK and its exporters are the program's.
// docs/operate.md of the root lists each metric with its unit, its attributes and how
// many series it has, and what to do when an alert fires; dashboard.json and
// alerts.yml beside this file are for Grafana and Prometheus.
//
// Nobody who calls the API can add a series. An issuer is one of
// validator.Config.Issuers, by its URL, or "_OTHER"; a reason is one of validator's
// checks; a scope is one that a route's rule names; a client id stands in a metric
// only where Config asks for it, once its token was accepted, and up to a number. No
// metric and no span holds a text that came with a request.
package telemetry
