package telemetry

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
)

// calls measures and traces what touches a network.
type calls struct {
	*meter
	tracer trace.Tracer
}

// start begins a span, which is a child of the request's where the call is made on its
// way, and else has a link to the request that caused it.
func (c *calls) start(ctx context.Context, op observe.Operation) (context.Context, func(error)) {
	began, issuer := time.Now(), c.issuer(op.Issuer)
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes(op, issuer)...)}
	if op.Cause != nil && trace.SpanContextFromContext(op.Cause).IsValid() {
		options = append(options, trace.WithLinks(trace.LinkFromContext(op.Cause)))
	}
	ctx, span := c.tracer.Start(ctx, "m2mguard "+string(op.Kind), options...)
	return ctx, func(err error) {
		l := labels{issuer: issuer, check: outcome(err)}
		duration, ok := c.calls[op.Kind]
		if !ok {
			duration, l.operation = c.otherCalls, string(op.Kind)
		}
		duration.Record(ctx, time.Since(began).Seconds(), c.of(l).record...)
		if err != nil { // whose text is for the log: an issuer's own words may be in it
			span.SetAttributes(attribute.String(errorKey, l.check))
			span.SetStatus(codes.Error, l.check)
		}
		span.End()
	}
}

// attributes name the issuer, and the host that is asked where the configuration, or
// an issuer of the configuration, says which that is.
func attributes(op observe.Operation, issuer string) []attribute.KeyValue {
	var all []attribute.KeyValue
	if issuer != "" {
		all = append(all, attribute.String(issuerKey, issuer))
	}
	if at, err := url.Parse(op.URL); err == nil && at.Hostname() != "" && issuer != other {
		all = append(all, attribute.String("server.address", at.Hostname()))
	}
	return all
}

// outcome is the error.type of a call: empty where it went well, and else a status, one
// of two words, or other: no more than 26 of them.
func outcome(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*introspection.UnavailableError](err); ok && e.Status != 0 && e.Status != 200 {
		return status(e.Status)
	}
	var slow interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return "timeout"
	}
	return other
}

// statuses are those that an authorization server, or what stands before it, answers
// with; each is an error.type of its own.
var statuses = []int{301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 408, 410, 413, 415, 429, 500, 501, 502, 503, 504}

// status is the error.type of an answer: the server chooses its status, and could make a
// time series of each number.
func status(code int) string {
	switch {
	case slices.Contains(statuses, code):
		return strconv.Itoa(code)
	case code >= 400 && code < 500:
		return "4xx"
	case code >= 500 && code < 600:
		return "5xx"
	}
	return other
}
