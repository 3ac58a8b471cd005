package validator_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/internal/trials/hostile"
	"github.com/m2mguard/m2mguard/jwks"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// hostileValidator is a validator under one of the catalogue's configurations.
func hostileValidator(t testing.TB, c *hostile.Catalogue, config hostile.Config) *validator.Validator {
	t.Helper()
	iss := validator.Issuer{
		URL:      c.Issuer.URL(),
		Audience: []string{issuertest.Audience},
		// However slow the machine, made-up kids cause the burst of two and no more.
		Keys: &jwks.Config{HTTPClient: c.Issuer.Client(), MinFetchInterval: time.Hour},
	}
	switch config {
	case hostile.Every:
		iss.Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	case hostile.Strict:
		iss.Profile = validator.RFC9068()
	case hostile.Introspected:
		iss.Keys, iss.Introspection = nil, introspectionAt(c.Issuer)
	case hostile.Both:
		iss.Introspection = introspectionAt(c.Issuer)
	}
	return newValidator(t, iss, func(cfg *validator.Config) {
		cfg.Now = hostile.Now
		cfg.ClockSkew = hostile.ClockSkew
		cfg.MaxTokenBytes = hostile.MaxTokenBytes
	})
}

// TestHostile runs the catalogue through Verify, each token twice: what was
// refused stays refused, and what is in the cache is still checked. Nothing that
// a token says may cause a request, neither its URLs nor that it is bad, but for
// made-up kids, which have two fetches of the key set and no more.
func TestHostile(t *testing.T) {
	c := hostile.New(t)
	for _, config := range []hostile.Config{hostile.Plain, hostile.Every, hostile.Strict} {
		t.Run(string(config), func(t *testing.T) {
			before := requestsTo(c.Issuer)
			v := hostileValidator(t, c, config)
			runHostile(t, c, config, func() *validator.Validator { return v })
			got := requestsTo(c.Issuer)
			for endpoint := range got {
				got[endpoint] -= before[endpoint]
			}
			want := map[issuertest.Endpoint]int{issuertest.Discovery: 1, issuertest.JWKS: min(max(1, got[issuertest.JWKS]), 1+2), issuertest.Introspection: 0}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("requests to the issuer: %s", diff)
			}
		})
	}
	for _, config := range []hostile.Config{hostile.Introspected, hostile.Both} {
		t.Run(string(config), func(t *testing.T) {
			// One for each token: failures of the endpoint in a row would shut the
			// way to it.
			runHostile(t, c, config, func() *validator.Validator { return hostileValidator(t, c, config) })
		})
	}
	if n := c.CanaryRequests(); n != 0 {
		t.Errorf("%d requests to a URL out of a token", n)
	}
}

// TestCatalogueFailsEachCheck that a token can fail without a setting of the issuer's, so
// that a new one is tried by the adapters as well.
func TestCatalogueFailsEachCheck(t *testing.T) {
	failed := make(map[validator.Check]bool)
	for _, tc := range hostile.New(t).Cases {
		failed[validator.Check(tc.Want)] = true
	}
	for _, elsewhere := range []validator.Check{
		validator.CheckMissing, validator.CheckProof, validator.CheckNonce, validator.CheckHost, // about the request
		validator.CheckClient, validator.CheckApp, validator.CheckRevoked, validator.CheckPolicy, // by a setting, or a decision
		validator.CheckShare, validator.CheckUnavailable, // no fault of the token's
	} {
		failed[elsewhere] = true
	}
	for check := range kinds {
		if !failed[check] {
			t.Errorf("no token of internal/trials/hostile fails check %q: a function there, in sections of hostile.go, wants those that do, and the odd ones that pass; or name the check here, if a setting makes it", check)
		}
	}
}

func requestsTo(iss *issuertest.Issuer) map[issuertest.Endpoint]int {
	count := make(map[issuertest.Endpoint]int)
	for _, e := range []issuertest.Endpoint{issuertest.Discovery, issuertest.JWKS, issuertest.Introspection} {
		count[e] = iss.Requests(e)
	}
	return count
}

// runHostile tries every token that is for config.
func runHostile(t *testing.T, c *hostile.Catalogue, config hostile.Config, next func() *validator.Validator) {
	for _, tc := range c.Cases {
		if tc.Config != config {
			continue
		}
		v := next()
		for _, when := range []string{"first", "again"} {
			if fault := tryHostile(t, v, tc); fault != "" {
				t.Errorf("%s (%s), %s: %s", tc.Name, tc.Cite, when, fault)
			}
		}
	}
}

// tryHostile verifies one token and says what is not as it should be.
func tryHostile(t *testing.T, v *validator.Validator, tc hostile.Case) string {
	t.Helper()
	tok, err := v.Verify(t.Context(), tc.Token)
	if err == nil {
		err = tok.Check(scopeRule(tc))
	}
	e, _ := errors.AsType[*validator.Error](err)
	switch {
	case tc.Want == "" && err != nil:
		return "refused: " + err.Error()
	case tc.Want != "" && e == nil:
		return "let in"
	case tc.Want != "" && string(e.Check()) != tc.Want:
		return "wanted the check " + tc.Want + ": " + err.Error()
	case tok != nil && tok.Scopes().String() != tc.Scopes:
		return "grants " + tok.Scopes().String()
	case e != nil && leaks(e.Error(), tc.Token):
		return "the error holds the token"
	case e != nil && strings.ContainsFunc(e.Error(), func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Sprintf("the error is not one printable line: %q", e.Error())
	}
	return ""
}

// scopeRule is the route that a token is tried on: one that needs hostile.Scope,
// unless the token is good without it.
func scopeRule(tc hostile.Case) scopes.Rule {
	if tc.Want == "" && !strings.Contains(tc.Scopes, hostile.Scope) {
		return scopes.AnyToken()
	}
	return scopes.All(hostile.Scope)
}

// leaks reports whether text holds a token's signature or much of its payload.
func leaks(text, token string) bool {
	const enough = 40
	for _, part := range strings.Split(token, ".")[1:] {
		if len(part) >= enough && strings.Contains(text, part[len(part)-enough:]) {
			return true
		}
	}
	return false
}
