package contender

import (
	"context"

	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/telemetry"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// M2MGuard is ours, as NewValidator makes it.
func M2MGuard(f *fixture.Fixture, change func(*validator.Config)) (*Contender, error) {
	v, err := NewValidator(f, change)
	if err != nil {
		return nil, err
	}
	return ours(v, "validator.New with issuer and audience, everything else by default; keys by discovery."), nil
}

// NewValidator is the quick start's configuration, with the keys fetched. change
// alters it and may be nil.
func NewValidator(f *fixture.Fixture, change func(*validator.Config)) (*validator.Validator, error) {
	cfg := validator.Config{Issuers: []validator.Issuer{{
		URL:      f.URL(),
		Audience: []string{issuertest.Audience},
	}}}
	if change != nil {
		change(&cfg)
	}
	v, err := validator.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := v.Ready(context.Background()); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// NoCache switches the verified-token cache off, so that every token is seen
// for the first time.
func NoCache(cfg *validator.Config) { cfg.CacheEntries = -1 }

// Observed has an observer that asks for accepted requests, and does with each what
// it must not leave out: look at it.
func Observed(cfg *validator.Config) {
	cfg.Observer = observe.Observer{Accepted: true, Event: func(_ context.Context, e *observe.Event) {
		if e.Kind == observe.Accepted && e.Client.Text == "" {
			panic("bench: an accepted request of nobody")
		}
	}}
}

// Metered has telemetry with OpenTelemetry's SDK behind it, which times one hit in so
// many; 0 is the default.
func Metered(sampleHits int) func(*validator.Config) {
	return func(cfg *validator.Config) {
		meters := metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))
		cfg.Observer = telemetry.Observer(telemetry.Config{Meters: meters, SampleHits: sampleHits})
	}
}

// M2MGuardOpaque is ours for opaque tokens. change alters how it introspects
// and may be nil.
func M2MGuardOpaque(f *fixture.Fixture, change func(*introspection.Config)) (*Contender, error) {
	asks := introspection.Config{
		Endpoint: f.IntrospectionURL(),
		Auth:     introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret)),
	}
	if change != nil {
		change(&asks)
	}
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{
		URL:           f.URL(),
		Audience:      []string{issuertest.Audience},
		Introspection: &asks,
	}}})
	if err != nil {
		return nil, err
	}
	return ours(v, "validator.New with issuer, audience and introspection, everything else by default."), nil
}

func ours(v *validator.Validator, setup string) *Contender {
	rule := scopes.All(fixture.Scope)
	return &Contender{
		Name:    "m2mguard",
		Modules: []string{"github.com/m2mguard/m2mguard"},
		Setup:   setup,
		Allows: func(ctx context.Context, raw string) error {
			token, err := v.Verify(ctx, raw)
			if err != nil {
				return err
			}
			return token.Check(rule)
		},
		Close: v.Close,
	}
}
