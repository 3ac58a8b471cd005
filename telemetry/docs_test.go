package telemetry_test

import (
	"os"
	"strings"
	"testing"

	"github.com/m2mguard/m2mguard/observe"
	"github.com/m2mguard/m2mguard/revocation"
	"github.com/m2mguard/m2mguard/telemetry"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestEachMetricIsDocumented with its unit and its attributes, and no other is.
func TestEachMetricIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{} // name to row
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); strings.HasPrefix(line, "| `m2mguard.") && len(cells) == 7 {
			documented[strings.Trim(cells[1], " `")] = line
		}
	}
	iss := issuertest.New(t)
	p := newProbe(t, telemetry.Config{ScopeUse: true, MaxClients: 1, SampleHits: 1})
	l, err := revocation.New(revocation.Config{Observer: p.Observer})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	v := p.newValidator(iss, func(c *validator.Config) { c.Resolver = anybody{iss} })
	r := &validator.Request{Token: iss.Token(issuertest.Claims{Scope: "a"}), Scopes: []string{"a"}, Route: "GET /"}
	for range 2 {
		if _, err := v.VerifyRequest(t.Context(), r, nil); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = v.Verify(t.Context(), "")
	for _, kind := range []observe.OperationKind{observe.Introspect, observe.Resolve, "other"} {
		_, end := p.Begin(t.Context(), observe.Operation{Kind: kind})
		end(nil)
	}
	p.Tell(t.Context(), &observe.Event{Kind: observe.RefreshFailed})
	metrics, series := p.collect()
	known := map[string]bool{"m2mguard.replay.requests": true, "m2mguard.nonce.requests": true} // TestProofsOfPossession
	for _, m := range metrics {
		known[m.Name] = true
		row := documented[m.Name]
		if !strings.Contains(row, "| `"+m.Unit+"` |") || m.Description == "" {
			t.Errorf("%s (%s): the row is %q", m.Name, m.Unit, row)
		}
		for of := range series {
			if attributes, ok := strings.CutPrefix(of, m.Name+"{"); ok {
				for pair := range strings.SplitSeq(strings.TrimSuffix(attributes, "}"), ",") {
					if key, _, ok := strings.Cut(pair, "="); ok && !strings.Contains(row, "`"+key+"`") {
						t.Errorf("%s has %s, and its row says nothing of it", m.Name, key)
					}
				}
			}
		}
	}
	for name := range documented {
		if !known[name] {
			t.Errorf("%s is documented, and there is no such metric", name)
		}
	}
}
