// Command example is an API whose metrics Prometheus scrapes. It brings its own
// authorization servers and its own clients, good and bad ones, so that each panel of
// ../dashboard.json shows something:
//
//	go run .                                          # prints where /metrics is
//	prometheus --config.file=prometheus.yml           # scrapes 127.0.0.1:9464
//
// What an API of yours needs is newProvider, and the two lines with observer in newAPI.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, "127.0.0.1:9464"); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, address string) error {
	meters, metrics, err := newProvider()
	if err != nil {
		return err
	}
	d, err := newDemo(meters)
	if err != nil {
		return err
	}
	defer d.Close()
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	fmt.Printf("metrics: http://%s/metrics\n", l.Addr())
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		d.traffic(ctx)
		select {
		case <-ctx.Done():
			closed := server.Close()
			if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return closed
		case err := <-ended:
			return err
		case <-again.C:
		}
	}
}

// newProvider makes OpenTelemetry's SDK with an exporter that Prometheus scrapes. The
// registry is its own, so that it has nothing else in it.
func newProvider() (*metric.MeterProvider, http.Handler, error) {
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return nil, nil, err
	}
	return metric.NewMeterProvider(metric.WithReader(reader)), promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), nil
}
