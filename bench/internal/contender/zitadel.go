package contender

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rs"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/m2mguard/m2mguard/bench/internal/fixture"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// Zitadel introspects opaque tokens. client may be nil for one of its own.
func Zitadel(f *fixture.Fixture, client *http.Client) (*Contender, error) {
	if client == nil {
		client = &http.Client{Transport: keepAlive(), Timeout: 5 * time.Second}
	}
	server, err := rs.NewResourceServerClientCredentials(context.Background(), f.URL(),
		issuertest.ClientID, issuertest.ClientSecret,
		rs.WithStaticEndpoints(f.TokenURL(), f.IntrospectionURL()), rs.WithClient(client))
	if err != nil {
		return nil, err
	}
	return &Contender{
		Name:    "zitadel/oidc rs",
		Modules: []string{"github.com/zitadel/oidc/v3"},
		Setup:   "rs.NewResourceServerClientCredentials with fixed endpoints and an HTTP client that keeps its connections; active, issuer, audience and expiry checked by hand, as rs.Introspect leaves them to the caller. It has no cache.",
		Allows: func(ctx context.Context, raw string) error {
			answer, err := rs.Introspect[*oidc.IntrospectionResponse](ctx, server, raw)
			if err != nil {
				return err
			}
			switch {
			case !answer.Active:
				return errInactive
			case answer.Issuer != f.URL():
				return errIssuer
			case !slices.Contains(answer.Audience, issuertest.Audience):
				return errAudience
			case !time.Now().Before(answer.Expiration.AsTime().Add(skew)):
				return errExpired
			}
			return grantedIn(answer.Scope)
		},
		Close: client.CloseIdleConnections,
	}, nil
}

// keepAlive is a transport on which every core keeps its connection: the
// default closes all but two.
func keepAlive() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = t.MaxIdleConns
	return t
}
