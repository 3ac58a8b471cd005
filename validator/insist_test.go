package validator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/dpop"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestInsistOnConfig: each check sees the finished configuration, and each of its
// sentences is a fault; a copy of the Issuer has its own.
func TestInsistOnConfig(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	short := func(cfg validator.Config, i validator.Issuer) (unmet []string) {
		if len(cfg.Issuers) > 0 || cfg.Resolver != nil {
			unmet = append(unmet, "short: it sees whom else the API trusts")
		}
		if i.MaxTokenLifetime == 0 {
			unmet = append(unmet, "short: MaxTokenLifetime is 0")
		}
		if cfg.ClockSkew > time.Minute {
			unmet = append(unmet, "short: Config.ClockSkew is more than a minute")
		}
		return unmet
	}
	good := validator.Issuer{URL: iss.URL(), Audience: []string{issuertest.Audience}, MaxTokenLifetime: time.Hour}
	good.InsistOnConfig(short)
	loosened, none := good, good
	loosened.MaxTokenLifetime = 0
	none.InsistOnConfig(nil)
	for name, tc := range map[string]struct {
		issuer validator.Issuer
		skew   time.Duration
		want   []string
	}{
		"good":       {good, 0, nil},
		"loosened":   {loosened, 0, []string{"short: MaxTokenLifetime is 0"}},
		"everywhere": {loosened, 2 * time.Minute, []string{"short: MaxTokenLifetime is 0", "short: Config.ClockSkew is more than a minute"}},
		"nil":        {none, 0, []string{"InsistOnConfig was given nil"}},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := validator.New(validator.Config{Issuers: []validator.Issuer{tc.issuer}, ClockSkew: tc.skew})
			text := ""
			if err == nil {
				v.Close()
			} else {
				text = err.Error()
			}
			for _, want := range tc.want {
				if !strings.Contains(text, `validator: Issuer "`+iss.URL()+`": `+want) {
					t.Errorf("got %s\nwanted %s", text, want)
				}
			}
			if n := strings.Count(text, "validator: "); n != len(tc.want) {
				t.Errorf("%d faults, wanted %d: %s", n, len(tc.want), text)
			}
		})
	}
}

// TestDemandsOfResolvedIssuers are on the Config as New got it, whatever its owner
// makes of that since.
func TestDemandsOfResolvedIssuers(t *testing.T) {
	iss := issuertest.NewInMemory(t)
	proofs := &dpop.Config{MaxAge: time.Minute}
	found := keysOf(iss)
	found.InsistOnConfig(func(cfg validator.Config, _ validator.Issuer) []string {
		if cfg.DPoP.MaxAge != time.Minute {
			return []string{"wide: DPoP.MaxAge is not a minute"}
		}
		return nil
	})
	v := newResolving(t, newDirectory(found), func(c *validator.Config) { c.DPoP = proofs })
	proofs.MaxAge = time.Hour
	if _, err := v.Verify(t.Context(), iss.Token(issuertest.Claims{})); err != nil {
		t.Error(err)
	}
}
