package validator_test

import (
	"context"
	"testing"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// Comparisons with other libraries and with the bare signature are in bench/;
// these are for work on this package.

func BenchmarkSeen(b *testing.B) {
	iss := issuertest.New(b)
	benchmarkVerify(b, newJWT(b, iss), iss.Token(benchClaims), true)
}

func BenchmarkSeenObserved(b *testing.B) {
	iss := issuertest.New(b)
	accepted := 0
	benchmarkVerify(b, newJWT(b, iss, func(c *validator.Config) {
		c.Observer = observe.Observer{Accepted: true, Event: func(context.Context, *observe.Event) { accepted++ }}
	}), iss.Token(benchClaims), true)
}

func BenchmarkFirst(b *testing.B) {
	iss := issuertest.New(b)
	benchmarkVerify(b, newJWT(b, iss, func(c *validator.Config) { c.CacheEntries = -1 }), iss.Token(benchClaims), true)
}

func BenchmarkRejected(b *testing.B) {
	iss := issuertest.New(b)
	v := newJWT(b, iss)
	if _, err := v.Verify(b.Context(), iss.Token(benchClaims)); err != nil {
		b.Fatal(err)
	}
	for _, bad := range []issuertest.Bad{issuertest.Expired, issuertest.WrongIssuer, issuertest.UnknownKey, issuertest.AlgHS256} {
		b.Run(bad.String(), func(b *testing.B) {
			benchmarkVerify(b, v, iss.Bad(bad, benchClaims), false)
		})
	}
}

var benchClaims = issuertest.Claims{
	Scope: "orders:read orders:write",
	Extra: map[string]any{"tenant": "acme", "gty": "client-credentials", "azp": issuertest.ClientID},
}

func benchmarkVerify(b *testing.B, v *validator.Validator, raw string, good bool) {
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(ctx, raw); (err == nil) != good {
			b.Fatal(err)
		}
	}
}
