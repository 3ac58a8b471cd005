package main

import (
	"context"
	"crypto"
	"net/http"
	"net/http/httptest"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/telemetry"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// demo is an API, what it trusts, and who calls it.
type demo struct {
	jwts, opaque *issuertest.Issuer
	validator    *validator.Validator
	revocations  *revocation.List
	api          http.Handler
	key          crypto.Signer // of the client that binds its tokens
	seen         string        // a token that is used again
	closers      []func()
}

// publicURL is what clients call the API by.
const publicURL = "https://orders.example.com"

func newDemo(meters metric.MeterProvider) (_ *demo, err error) {
	d := &demo{key: issuertest.ClientCertificate("demo").PrivateKey.(crypto.Signer)}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	for _, issuer := range []**issuertest.Issuer{&d.jwts, &d.opaque} {
		if *issuer, err = issuertest.Start(); err != nil {
			return nil, err
		}
		d.closers = append(d.closers, (*issuer).Close)
	}
	return d, d.newAPI(meters)
}

func (d *demo) newAPI(meters metric.MeterProvider) (err error) {
	observer := telemetry.Observer(telemetry.Config{Meters: meters, ScopeUse: true, MaxClients: 100, SampleHits: 10})
	if d.revocations, err = revocation.New(revocation.Config{Observer: observer}); err != nil {
		return err
	}
	d.closers = append(d.closers, d.revocations.Close)
	nonces, err := dpop.NewSealed(dpop.SealedConfig{})
	if err != nil {
		return err
	}
	d.validator, err = validator.New(validator.Config{
		Issuers: []validator.Issuer{
			{URL: d.jwts.URL(), Audience: []string{issuertest.Audience}},
			{URL: d.opaque.URL(), Audience: []string{issuertest.Audience}, Introspection: &introspection.Config{
				Auth:   introspection.ClientSecretBasic(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret)),
				Shared: &flaky{kept: map[introspection.SharedKey][]byte{}},
			}},
		},
		DPoP:     &dpop.Config{Nonces: nonces},
		Observer: observe.Join(validator.LogEvents(nil), observer),
	})
	if err != nil {
		return err
	}
	d.closers = append(d.closers, d.validator.Close)
	auth := httpauth.New(d.validator, &httpauth.Config{PublicURL: []string{publicURL}})
	mux, orders := http.NewServeMux(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	auth.Handle(mux, "GET /orders", scopes.Any("orders:read", "orders:admin"), orders)
	auth.Handle(mux, "POST /orders", scopes.All("orders:write"), orders)
	auth.HandleGate(mux, "GET /stock", httpauth.Gate{Rule: scopes.All("stock:read"), DangerouslyReportOnly: true}, orders)
	d.api = mux
	d.seen = d.jwts.Token(issuertest.Claims{ClientID: "billing", Scope: "orders:read orders:write"})
	return nil
}

// Close ends what newDemo began, the youngest first.
func (d *demo) Close() {
	for n := len(d.closers) - 1; n >= 0; n-- {
		d.closers[n]()
	}
}

// traffic is a moment at an API: tokens that were seen before, new ones, opaque and
// bound ones, and bad ones.
func (d *demo) traffic(ctx context.Context) {
	d.revocations.Current(time.Now())
	for range 20 {
		d.call(ctx, "GET", "/orders", "Bearer", d.seen)
		d.call(ctx, "POST", "/orders", "Bearer", d.seen)
	}
	d.call(ctx, "GET", "/orders", "Bearer", d.jwts.Token(issuertest.Claims{ClientID: "reports", Scope: "orders:admin"}))
	d.call(ctx, "GET", "/orders", "Bearer", d.opaque.Opaque(issuertest.Claims{ClientID: "shop", Scope: "orders:read"}))
	d.call(ctx, "POST", "/orders", "Bearer", d.opaque.Opaque(issuertest.Claims{ClientID: "shop", Scope: "orders:read"})) // lacks a scope
	d.call(ctx, "GET", "/orders", "Bearer", d.jwts.Bad(issuertest.Expired, issuertest.Claims{}))
	d.call(ctx, "GET", "/orders", "Bearer", "an-opaque-token-of-nobody")
	d.call(ctx, "GET", "/stock", "Bearer", d.jwts.Bad(issuertest.WrongAudience, issuertest.Claims{}))
	d.call(ctx, "GET", "/orders", "", "")

	bound := d.jwts.Token(issuertest.Claims{ClientID: "bank", Scope: "orders:read", JWKThumbprint: issuertest.Thumbprint(d.key.Public())})
	proof := func(nonce string) string {
		return issuertest.Proof(d.key, issuertest.ProofClaims{Token: bound, Method: "GET", URL: publicURL + "/orders", Nonce: nonce})
	}
	nonce := d.call(ctx, "GET", "/orders", "DPoP", bound, proof("")).Get("DPoP-Nonce")
	spent := proof(nonce)
	for range 2 { // the second is a replay
		d.call(ctx, "GET", "/orders", "DPoP", bound, spent)
	}
}

// call sends a request to the API, and returns the answer's header.
func (d *demo) call(ctx context.Context, method, path, scheme, token string, proofs ...string) http.Header {
	r := httptest.NewRequestWithContext(ctx, method, path, nil)
	if token != "" {
		r.Header.Set("Authorization", scheme+" "+token)
	}
	if proofs != nil {
		r.Header["Dpop"] = proofs
	}
	answer := httptest.NewRecorder()
	d.api.ServeHTTP(answer, r)
	return answer.Header()
}
