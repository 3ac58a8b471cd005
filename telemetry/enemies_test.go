package telemetry_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/internal/trials/hostile"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/telemetry"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestFlood: 100,000 made-up issuers, clients, scopes and kids add no series, whoever
// they claim to be of.
func TestFlood(t *testing.T) {
	const flood = 100_000
	iss := issuertest.NewInMemory(t)
	p := newProbe(t, telemetry.Config{ScopeUse: true, MaxClients: 100, SampleHits: 1})
	v := p.newValidator(iss, func(c *validator.Config) {
		c.Issuers[0].Keys = &jwks.Config{HTTPClient: iss.Client(), MinFetchInterval: time.Hour}
	})
	segment := func(format string, values ...any) string {
		return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, format, values...))
	}
	signature := strings.Repeat("A", 86)
	attack := func(n int) {
		url := fmt.Sprintf("https://id%d.example.com", n)
		if n%4 == 0 {
			url = iss.URL()
		}
		token := segment(`{"alg":"ES256","kid":"kid%d"}`, n) + "." + segment(`{"iss":%q,"sub":"s%d","client_id":"client%d","scope":"scope%d","aud":%q,"exp":%d}`,
			url, n, n, n, issuertest.Audience, time.Now().Add(time.Hour).Unix()) + "." + signature
		r := &validator.Request{Scheme: "Bearer", Token: token, Method: fmt.Sprint("M", n), Source: fmt.Sprint(n), Route: "GET /orders", Scopes: []string{"orders:read"}}
		if _, err := v.VerifyRequest(t.Context(), r, nil); err == nil {
			t.Fatal("let in")
		}
	}
	for n := range 1000 {
		attack(n)
	}
	_, before := p.collect()
	for n := range flood {
		attack(1000 + n)
	}
	_, after := p.collect()
	if diff := cmp.Diff(names(before, iss), names(after, iss)); diff != "" || len(after) > 40 {
		t.Errorf("%d series before, %d after:\n%s", len(before), len(after), diff)
	}
	refused := 0.0
	for name, value := range after {
		if strings.HasPrefix(name, "m2mguard.refusals{") {
			refused += value
		}
	}
	if refused != 1000+flood {
		t.Errorf("%v refusals are counted", refused)
	}
	t.Logf("%d series", len(after))
}

// TestResolvedIssuersAddNoSeries, however many a Resolver finds.
func TestResolvedIssuersAddNoSeries(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	p := newProbe(t, telemetry.Config{SampleHits: 1})
	v := p.newValidator(iss, func(c *validator.Config) {
		c.Issuers[0].Keys = &jwks.Config{HTTPClient: iss.Client()}
		c.Resolver = anybody{iss}
	})
	ask := func(n int) {
		if _, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{Issuer: fmt.Sprintf("https://id%d.example.com", n)})); err != nil {
			t.Fatal(err)
		}
	}
	ask(0)
	_, before := p.collect()
	for n := range 50 {
		ask(n)
	}
	_, after := p.collect()
	if diff := cmp.Diff(names(before), names(after)); diff != "" {
		t.Error(diff)
	}
	for name := range after { // which are of the configured ones
		if strings.HasPrefix(name, "m2mguard.jwks.keys{") || strings.HasPrefix(name, "m2mguard.jwks.age{") {
			t.Errorf("%s", name)
		}
	}
	if text := p.text(); strings.Contains(text, "example.com") || !strings.Contains(text, "_OTHER") {
		t.Error(text)
	}
}

// anybody is a Resolver that takes everybody for an issuer with one's keys.
type anybody struct{ iss *issuertest.Issuer }

func (a anybody) ResolveIssuer(_ context.Context, url string) (validator.Issuer, error) {
	return validator.Issuer{URL: url, Audience: []string{issuertest.Audience}, Keys: &jwks.Config{URL: a.iss.JWKSURL(), HTTPClient: a.iss.Client()}}, nil
}

// TestNoTokenIsTold: nothing of a token is in a metric or a span, whatever it holds.
func TestNoTokenIsTold(t *testing.T) {
	c := hostile.New(t)
	p := newProbe(t, telemetry.Config{SampleHits: 1, ScopeUse: true})
	iss := validator.Issuer{URL: c.Issuer.URL(), Audience: []string{issuertest.Audience}, Keys: &jwks.Config{HTTPClient: c.Issuer.Client(), MinFetchInterval: time.Hour}}
	asking := iss
	asking.Introspection = introspectionAt(c.Issuer)
	newValidator := func(of validator.Issuer) *validator.Validator {
		return p.newValidator(c.Issuer, func(cfg *validator.Config) {
			cfg.Issuers[0], cfg.Now, cfg.ClockSkew, cfg.MaxTokenBytes = of, hostile.Now, hostile.ClockSkew, hostile.MaxTokenBytes
		})
	}
	byKeys := newValidator(iss)
	for _, tc := range c.Cases {
		v := byKeys
		if tc.Config == hostile.Introspected || tc.Config == hostile.Both { // failures in a row would shut the way to the endpoint
			v = newValidator(asking)
		}
		for range 2 {
			_, _ = v.VerifyRequest(t.Context(), &validator.Request{Scheme: "Bearer", Token: tc.Token, Scopes: []string{hostile.Scope}, Route: "GET /orders", Method: "GET"}, nil)
		}
		if v != byKeys {
			v.Close()
		}
	}
	text, tried := p.text(), 0
	for _, tc := range c.Cases {
		for _, part := range append(strings.Split(tc.Token, "."), tc.Token) {
			if len(part) < 8 {
				continue
			}
			tried++
			if strings.Contains(text, part) {
				t.Errorf("%s: a part of the token is told", tc.Name)
			}
		}
	}
	if tried < 200 || !strings.Contains(text, "error.type=signature") || !strings.Contains(text, "m2mguard introspect") {
		t.Errorf("%d parts were looked for in\n%s", tried, text)
	}
}
