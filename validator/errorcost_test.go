package validator_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// fastest is how long f takes when nothing else gets in its way.
func fastest(f func()) time.Duration {
	best := time.Hour
	for range 8 {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

// aVerification is what a good RS256 token costs that was not seen before: the
// measure for what made-up ones may cost.
func aVerification(t *testing.T, iss *issuertest.Issuer) time.Duration {
	v := newValidator(t, keysOf(iss), func(c *validator.Config) { c.CacheEntries = -1 })
	raw := iss.Token(issuertest.Claims{Algorithm: "RS256"})
	return fastest(func() { wantOutcome(t, "ok")(v.Verify(t.Context(), raw)) })
}

// TestErrorsCostLittleToRead: an observer that reads each error pays for what
// somebody made up, once and not for each issuer, audience, scope or claim.
func TestErrorsCostLittleToRead(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	one := aVerification(t, iss)
	list := []validator.Issuer{keysOf(iss)}
	for i := range 300 {
		list = append(list, validator.Issuer{URL: fmt.Sprintf("https://login.microsoftonline.com/%036d/v2.0", i), Audience: []string{"x"}})
		list[0].Audience = append(list[0].Audience, fmt.Sprintf("api://orders/%d", i))
	}
	v, err := validator.New(validator.Config{Issuers: list, Observer: observe.Observer{Event: func(context.Context, *observe.Event) {}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	aud := func(element string, n int) string {
		return fmt.Sprintf(`{"iss":%q,"exp":9999999999,"aud":[%s"x"]}`, iss.URL(), strings.Repeat(`"`+element+`",`, n))
	}
	good := goodClaims(iss, time.Now())
	with := func(name string, value any) map[string]any {
		claims := map[string]any{}
		for n, v := range good {
			claims[n] = v
		}
		claims[name] = value
		return claims
	}
	lacks := func(claims map[string]any) error {
		token, err := v.Verify(t.Context(), signed(iss, claims))
		if err != nil {
			t.Fatal(err)
		}
		return token.Check(scopes.All("a", "b", "c", "d", "e", "f", "g", "h"))
	}
	refused := func(payload string) error {
		_, err := v.Verify(t.Context(), forged(iss, payload))
		return err
	}
	for name, err := range map[string]error{
		"a host without end":    refused(`{"iss":"https://sts.` + strings.Repeat("a.", 6000) + `"}`),
		"a tenant without end":  refused(`{"iss":"https://login.microsoftonline.com/` + strings.Repeat("0", 12000) + `"}`),
		"slashes":               refused(`{"iss":"https://` + strings.Repeat("/", 12000) + `"}`),
		"as long as is hinted":  refused(`{"iss":"https://sts.` + strings.Repeat("a.", 250) + `"}`),
		"many audiences":        refused(aud("api://orders/", 700)),
		"long audiences":        refused(aud("api://orders/"+strings.Repeat("/", 1400), 8)),
		"a long name and much":  lacks(with(strings.Repeat("n", 6000), make([]string, 1100))),
		"all of it in aud":      lacks(with("roles", append(make([]string, 1000), "z"))),
		"below a long name":     lacks(with(strings.Repeat("n", 4000), map[string]any{strings.Repeat("m", 4000): make([]string, 1000)})),
		"many scopes":           lacks(with("scope", distinctScopes(2000)[len("0 1 2 3 4 5 6 7 8 9 a b c d e f 10 11 "):])),
		"scopes with commas":    lacks(with("scope", strings.Repeat("x,y;z ", 1500))),
		"the scopes as a value": lacks(with("note", strings.Repeat("a b c d ", 1000))),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		checkError(t, err.(*validator.Error))
		if cost := fastest(func() { _ = err.Error() }); cost > 30*one {
			t.Errorf("%s: to read the error costs %v, %.0f times a verification", name, cost, float64(cost)/float64(one))
		}
	}
}

// TestAudienceCostsOnce: what a forged aud costs does not grow with the names that
// this API has.
func TestAudienceCostsOnce(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	const prefix = "https://orders.example.com/api/with/long/prefix/and/so/on/v"
	named := func(n int) *validator.Validator {
		issuer := keysOf(iss)
		for i := range n {
			issuer.Audience = append(issuer.Audience, fmt.Sprint(prefix, i))
		}
		return newMany(t, issuer)
	}
	var escaped strings.Builder
	for _, c := range prefix {
		fmt.Fprintf(&escaped, `\u%04x`, c)
	}
	for name, element := range map[string]string{"plain": prefix, "escaped": escaped.String()} {
		raw := forged(iss, fmt.Sprintf(`{"iss":%q,"exp":9999999999,"aud":[%s"x"]}`, iss.URL(), strings.Repeat(`"`+element+`",`, 12_000/(len(element)+4))))
		cost := func(v *validator.Validator) time.Duration {
			return fastest(func() { wantOutcome(t, "aud")(nil, errOf(v.Verify(t.Context(), raw))) })
		}
		if one, many := cost(named(1)), cost(named(100)); many > 6*one {
			t.Errorf("%s: %v with one name, %v with a hundred", name, one, many)
		}
	}
	for _, aud := range []string{prefix + "7", prefix + `\u0037`, escaped.String() + "7", escaped.String() + `\u0037`} {
		wantOutcome(t, "signature")(nil, errOf(named(8).Verify(t.Context(), forged(iss, fmt.Sprintf(`{"iss":%q,"exp":9999999999,"aud":["x","%s"]}`, iss.URL(), aud)))))
	}
	for _, aud := range []string{prefix, prefix + "8", prefix + "77", escaped.String() + `\u0038`, escaped.String() + `\n`, prefix + `7\u0000`, strings.ToUpper(prefix) + "7"} {
		wantOutcome(t, "aud")(nil, errOf(named(8).Verify(t.Context(), forged(iss, fmt.Sprintf(`{"iss":%q,"exp":9999999999,"aud":["x","%s"]}`, iss.URL(), aud)))))
	}
}

func errOf(_ *validator.Token, err error) error { return err }
