package validator_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// tracer is the part of an Observer that spans are made from.
type tracer struct {
	mu    sync.Mutex
	spans []string
	open  int
}

type spanName struct{}

func (s *tracer) start(ctx context.Context, op observe.Operation) (context.Context, func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := string(op.Kind)
	if outer, _ := ctx.Value(spanName{}).(string); outer != "" {
		line = outer + " > " + line
	}
	ctx = context.WithValue(ctx, spanName{}, line)
	cause := ""
	if op.Cause != nil {
		id, _ := op.Cause.Value(requestID{}).(string)
		cause = " for " + id
		if op.Cause.Done() != nil {
			cause += ", which ends"
		}
	}
	if op.Issuer == "" {
		cause += " of nobody"
	}
	s.open++
	return ctx, func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
		s.spans = append(s.spans, fmt.Sprintf("%s%s: %t", line, cause, err == nil))
	}
}

// TestEachCallIsTimed: an observer with Start sees each call that touches a
// network begin and end, and from which request it came.
func TestEachCallIsTimed(t *testing.T) {
	iss := issuertest.New(t)
	var trace tracer
	watched := func(c *validator.Config) { c.Observer.Start = trace.start }
	discovering := newJWT(t, iss, watched, func(c *validator.Config) { c.Issuers[0].Keys.URL = "" })
	asking := newOpaque(t, iss, watched, func(c *validator.Config) {
		c.Issuers[0].Introspection.Endpoint, c.Issuers[0].Introspection.Issuer = "", iss.URL()
	})
	resolving, err := validator.New(validator.Config{Resolver: phoneBook{iss.URL(): {URL: iss.URL(), Audience: []string{issuertest.Audience}}}, Observer: observe.Observer{Start: trace.start}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(resolving.Close)

	for n, tc := range []struct {
		name string
		v    *validator.Validator
		raw  string
		want []string
	}{
		{"a key set that is discovered", discovering, iss.Token(issuertest.Claims{}), []string{"fetch key set > discover: true", "fetch key set for 0: true"}},
		{"a hit", discovering, iss.Token(issuertest.Claims{}), nil},
		{"an endpoint that is discovered", asking, iss.Opaque(issuertest.Claims{}), []string{"discover for 2: true", "introspect for 2: true"}},
		{"one that is known", asking, iss.Opaque(issuertest.Claims{}), []string{"introspect for 3: true"}},
		{"an issuer that is resolved", resolving, iss.Token(issuertest.Claims{}), []string{"resolve issuer for 4: true", "fetch key set > discover: true", "fetch key set for 4: true"}},
		{"one that is unknown", resolving, issuertest.New(t).Token(issuertest.Claims{}), []string{"resolve issuer for 5: false"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx := context.WithValue(t.Context(), requestID{}, fmt.Sprint(n))
			_, _ = tc.v.Verify(ctx, tc.raw)
			trace.mu.Lock()
			defer trace.mu.Unlock()
			if diff := cmp.Diff(tc.want, trace.spans); diff != "" || trace.open != 0 {
				t.Errorf("%d operations did not end (-want +got):\n%s", trace.open, diff)
			}
			trace.spans = nil
		})
	}
}

// phoneBook is a Resolver.
type phoneBook map[string]validator.Issuer

func (k phoneBook) ResolveIssuer(_ context.Context, url string) (validator.Issuer, error) {
	if iss, ok := k[url]; ok {
		return iss, nil
	}
	return validator.Issuer{}, validator.ErrUnknownIssuer
}
