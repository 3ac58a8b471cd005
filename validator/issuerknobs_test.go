package validator_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m2mguard/m2mguard/introspection"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/testdata"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestKeysArePassedOn sets each knob of an issuer's keys and sees it work.
func TestKeysArePassedOn(t *testing.T) {
	iss := issuertest.New(t)
	good := iss.Token(issuertest.Claims{})
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, published(t, map[string]string{"k": "ed25519-a"}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name            string
		keys            *jwks.Config
		fault           issuertest.Fault
		raw             string
		want            string
		discovery, jwks int // requests
	}{
		{name: "discovery", keys: nil, raw: good, want: "ok", discovery: 1, jwks: 1},
		{name: "Issuer, for another metadata URL", keys: &jwks.Config{Issuer: iss.URL()}, raw: good, want: "ok", discovery: 1, jwks: 1},
		{name: "URL", keys: &jwks.Config{URL: iss.JWKSURL()}, raw: good, want: "ok", jwks: 1},
		{name: "Set", keys: &jwks.Config{Set: published(t, map[string]string{"k": "ed25519-a"})}, raw: byKey(iss, "ed25519-a", "k", goodClaims(iss, time.Now())), want: "ok"},
		{name: "Set, another key", keys: &jwks.Config{Set: published(t, map[string]string{"k": "ed25519-a"})}, raw: good, want: "key"},
		{name: "Set, in PEM", keys: &jwks.Config{Set: inPEM(t, "ed25519-a")}, raw: byKey(iss, "ed25519-a", "any", goodClaims(iss, time.Now())), want: "ok"},
		{name: "Set, another key in PEM", keys: &jwks.Config{Set: inPEM(t, "ed25519-b")}, raw: byKey(iss, "ed25519-a", "any", goodClaims(iss, time.Now())), want: "key"},
		{name: "File", keys: &jwks.Config{File: file}, raw: byKey(iss, "ed25519-a", "k", goodClaims(iss, time.Now())), want: "ok"},
		{name: "Fetch", keys: &jwks.Config{Fetch: func(context.Context) ([]byte, error) { return os.ReadFile(file) }}, raw: byKey(iss, "ed25519-a", "k", goodClaims(iss, time.Now())), want: "ok"},
		{name: "Fetch that fails", keys: &jwks.Config{Fetch: func(context.Context) ([]byte, error) { return os.ReadFile(file + "x") }}, raw: good, want: "unavailable"},
		{name: "Algorithms, narrower than the issuer's", keys: &jwks.Config{URL: iss.JWKSURL(), Algorithms: []string{"ES256"}}, raw: good, want: "key", jwks: 1},
		{name: "MaxResponseBytes", keys: &jwks.Config{URL: iss.JWKSURL(), MaxResponseBytes: 100}, raw: good, want: "unavailable", jwks: 1},
		{name: "RequestTimeout", keys: &jwks.Config{URL: iss.JWKSURL(), RequestTimeout: 100 * time.Millisecond}, fault: issuertest.Slow(time.Hour), raw: good, want: "unavailable", jwks: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			iss.SetFault(issuertest.JWKS, tc.fault)
			discovery, sets := iss.Requests(issuertest.Discovery), iss.Requests(issuertest.JWKS)
			v := newJWT(t, iss, func(c *validator.Config) { c.Issuers[0].Keys = tc.keys })
			wantOutcome(t, tc.want)(v.Verify(t.Context(), tc.raw))
			wantRequests(t, iss, issuertest.Discovery, discovery+tc.discovery)
			wantRequests(t, iss, issuertest.JWKS, sets+tc.jwks)
		})
	}
}

// inPEM is the public half of a test key.
func inPEM(t *testing.T, name string) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(testdata.PrivateKey(name).Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// TestIssuerWithoutURLHasKeysInAFile: what is no URL needs no discovery, and New reads
// no file.
func TestIssuerWithoutURLHasKeysInAFile(t *testing.T) {
	for name, keys := range map[string]*jwks.Config{
		"File": {File: "/nobody/has/this"}, "Fetch": {Fetch: func(context.Context) ([]byte, error) { return nil, nil }}, "PEM": {Set: inPEM(t, "p256-a")},
	} {
		v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: "acme.com", Audience: []string{"api"}, Keys: keys}}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v.Close()
	}
}

// TestMinFetchInterval spends the burst of two on made-up kids; the next fetch
// for one waits for its turn, and meanwhile such tokens are invalid at once.
func TestMinFetchInterval(t *testing.T) {
	for name, tc := range map[string]struct{ configured, interval time.Duration }{
		"default": {0, 5 * time.Second}, "configured": {time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				iss := issuertest.NewInMemory(t)
				v := newJWT(t, iss, func(c *validator.Config) {
					c.Issuers[0].Keys.MinFetchInterval = tc.configured
					c.Issuers[0].Keys.RefreshInterval = 10 * time.Hour
				})
				wantOutcome(t, "ok")(v.Verify(t.Context(), iss.Token(issuertest.Claims{})))
				const intervals = 20
				for range intervals * 10 {
					elapse(tc.interval / 10)
					wantOutcome(t, "key")(v.Verify(t.Context(), iss.Bad(issuertest.UnknownKey, issuertest.Claims{Algorithm: "EdDSA"})))
				}
				if n := iss.Requests(issuertest.JWKS); n < intervals-1 || n > intervals+2 {
					t.Errorf("%d fetches in %d intervals", n, intervals)
				}
			})
		})
	}
}

// TestIntrospectionIsPassedOn does for introspection what TestKeysArePassedOn
// does for keys; lifetimes have tests of their own.
func TestIntrospectionIsPassedOn(t *testing.T) {
	iss := issuertest.New(t)
	raw := iss.Opaque(issuertest.Claims{})
	for _, tc := range []struct {
		name   string
		change func(*introspection.Config)
		fault  issuertest.Fault
		want   string
	}{
		{"endpoint discovered", func(c *introspection.Config) { c.Endpoint = "" }, nil, "ok"},
		{"client_secret_post", func(c *introspection.Config) {
			c.Auth = introspection.ClientSecretPost(issuertest.ClientID, introspection.Secret(issuertest.ClientSecret))
		}, nil, "ok"},
		{"wrong secret", func(c *introspection.Config) {
			c.Auth = introspection.ClientSecretPost(issuertest.ClientID, introspection.Secret("wrong"))
		}, nil, "unavailable"},
		{"MaxResponseBytes", func(c *introspection.Config) { c.MaxResponseBytes = 10 }, nil, "unavailable"},
		{"RequestTimeout", func(c *introspection.Config) { c.RequestTimeout = time.Millisecond }, issuertest.Slow(time.Hour), "unavailable"},
		{"Now", func(c *introspection.Config) { c.Now = func() time.Time { return time.Now().Add(2 * time.Hour) } }, nil, "ok"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			iss.SetFault(issuertest.Introspection, tc.fault)
			v := newOpaque(t, iss, func(c *validator.Config) { tc.change(c.Issuers[0].Introspection) })
			wantOutcome(t, tc.want)(v.Verify(t.Context(), raw))
		})
	}
}

func TestDangerouslyAcceptMissingAudience(t *testing.T) {
	iss := issuertest.New(t)
	none, empty := map[string]any{"aud": nil}, map[string]any{"aud": []string{}}
	for _, tc := range []struct {
		name     string
		audience []string
		claims   issuertest.Claims
		want     string
	}{
		{"missing", []string{"api"}, issuertest.Claims{Extra: none}, "ok"},
		{"empty", []string{"api"}, issuertest.Claims{Extra: empty}, "ok"},
		{"missing, none of ours", nil, issuertest.Claims{Extra: none}, "ok"},
		{"ours", []string{"api"}, issuertest.Claims{Audience: []string{"x", "api"}}, "ok"},
		{"another's", []string{"api"}, issuertest.Claims{Audience: []string{"other"}}, "aud"},
		{"another's, none of ours", nil, issuertest.Claims{Audience: []string{"other"}}, "aud"},
		{"an empty name", nil, issuertest.Claims{Audience: []string{""}}, "aud"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			change := func(c *validator.Config) {
				c.Issuers[0].Audience, c.Issuers[0].DangerouslyAcceptMissingAudience = tc.audience, true
			}
			wantOutcome(t, tc.want)(newJWT(t, iss, change).Verify(t.Context(), iss.Token(tc.claims)))
			wantOutcome(t, tc.want)(newOpaque(t, iss, change).Verify(t.Context(), iss.Opaque(tc.claims)))
		})
	}
}
