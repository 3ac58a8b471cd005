package validator_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestMaxTokenLifetime, of JWTs and of answers: from iat to exp, both of which must be
// there, and no iat that leads the bound into the future.
func TestMaxTokenLifetime(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	null := json.RawMessage("null")
	change := func(c *validator.Config) {
		c.Now = func() time.Time { return noon }
		c.Issuers[0].MaxTokenLifetime = time.Hour
	}
	jwt, asked := newJWT(t, iss, change), newOpaque(t, iss, change)
	at := func(d time.Duration) int64 { return noon.Add(d).Unix() }
	const hour, second = time.Hour, time.Second
	for name, tc := range map[string]struct {
		iat, exp any
		want     string
		says     string
	}{
		"an hour from now":              {at(0), at(hour), "ok", ""},
		"a minute":                      {at(-2 * second), at(58 * second), "ok", ""},
		"issued while clocks differ":    {at(30 * second), at(hour), "ok", ""},
		"a second longer":               {at(0), at(hour + second), "exp", "good for 1h0m1s from its iat, wanted at most 1h0m0s"},
		"nearly over and too long":      {at(-9 * hour), at(second), "exp", "good for 9h0m1s"},
		"half a second longer":          {at(0), json.Number("1772370000.5"), "exp", "good for 1h0m0.5s"},
		"thousands of years":            {json.Number("0"), json.Number("253402300799"), "exp", "Issuer.MaxTokenLifetime"},
		"no iat":                        {nil, at(hour), "iat", "there is no iat (let the authorization server write iat, or clear Issuer.MaxTokenLifetime)"},
		"iat is null":                   {null, at(hour), "iat", "there is no iat"},
		"iat of 0":                      {0, at(hour), "exp", "good for"},
		"issued in ten years":           {at(87600 * hour), at(87601 * hour), "iat", "issued 20"},
		"issued a second beyond clocks": {at(31 * second), at(hour), "iat", "issued 20"},
		"issued after it expires":       {at(9 * hour), at(hour), "iat", "issued 20"},
		"iat is a string":               {"0", at(hour), "iat", "NumericDate"},
	} {
		t.Run(name, func(t *testing.T) {
			claims := goodClaims(iss, noon)
			claims["iat"], claims["exp"] = tc.iat, tc.exp
			_, err := jwt.Verify(t.Context(), signed(iss, claims))
			says(iss, claims)
			_, answered := asked.Verify(t.Context(), "opaque-"+strings.ReplaceAll(name, " ", "-"))
			for how, err := range map[string]error{"JWT": err, "answer": answered} {
				if got := outcome(nil, err); got != tc.want || err != nil && !strings.Contains(err.Error(), tc.says) {
					t.Errorf("%s: %s (%v), wanted %s", how, got, err, tc.want)
				}
			}
		})
	}
	// An answer without exp is good for any time.
	claims := goodClaims(iss, noon)
	delete(claims, "exp")
	says(iss, claims)
	wantOutcome(t, "exp")(asked.Verify(t.Context(), "opaque-without-exp"))
	// Without the setting, none of it counts.
	claims = goodClaims(iss, noon)
	claims["iat"], claims["exp"] = nil, at(87600*hour)
	wantOutcome(t, "ok")(newJWT(t, iss, func(c *validator.Config) { c.Now = func() time.Time { return noon } }).Verify(t.Context(), signed(iss, claims)))
}

// TestLifetimeHasItsOwnWords for a client, which a new token of the kind helps
// nothing.
func TestLifetimeHasItsOwnWords(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	v := newJWT(t, iss, func(c *validator.Config) {
		c.Now = func() time.Time { return noon }
		c.Issuers[0].MaxTokenLifetime = time.Minute
	})
	for want, changes := range map[string]map[string]any{
		"The access token is good for longer than this API accepts.": {},
		"The access token does not say when it was issued.":          {"iat": nil},
		"The access token was issued in the future.":                 {"iat": noon.Add(time.Hour).Unix()},
	} {
		claims := goodClaims(iss, noon)
		for name, value := range changes {
			claims[name] = value
		}
		_, err := v.Verify(t.Context(), signed(iss, claims))
		e, ok := err.(*validator.Error)
		if !ok {
			t.Fatalf("%v", err)
		}
		checkError(t, e)
		if e.Description() != want || strings.Contains(e.Error(), "fetch a new token") {
			t.Errorf("%q, %v, wanted %q", e.Description(), e, want)
		}
	}
}
