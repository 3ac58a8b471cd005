package contender

import (
	"context"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func goOIDC(f *fixture.Fixture) (*Contender, error) {
	provider, err := oidc.NewProvider(context.Background(), f.URL())
	if err != nil {
		return nil, err
	}
	verifier := provider.Verifier(&oidc.Config{
		ClientID:             issuertest.Audience,
		SupportedSigningAlgs: []string{f.Algorithm},
	})
	type claims struct {
		Scope    string `json:"scope"`
		ClientID string `json:"client_id"`
	}
	return &Contender{
		Name:    "go-oidc",
		Modules: []string{"github.com/coreos/go-oidc/v3"},
		Setup:   "Provider by discovery, its Verifier with the API as client ID and one algorithm, keys cached by RemoteKeySet; Claims for the scope, which IDToken lacks. It has no skew to set.",
		Allows: func(ctx context.Context, raw string) error {
			token, err := verifier.Verify(ctx, raw)
			if err != nil {
				return err
			}
			var c claims
			if err := token.Claims(&c); err != nil {
				return err
			}
			return granted(c.Scope)
		},
		Close: nothing,
	}, nil
}
