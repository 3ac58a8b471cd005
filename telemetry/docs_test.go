package telemetry_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

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
	l.Current(time.Now())
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
	known := map[string]bool{ // TestProofsOfPossession and TestAnswersNeverFall
		"m2mguard.replay.requests": true, "m2mguard.nonce.requests": true, "m2mguard.introspect.cache.requests": true,
	}
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

// TestEachKindIsDocumented: the page has as many series of events as there are kinds,
// each kind of call's span, and those that share a metric; the alerts and the dashboard
// name events and calls by words that there are.
func TestEachKindIsDocumented(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	page, alerts := read("../docs/operate.md"), read("alerts.yml")
	events := constants(t, "../observe/event.go", "Kind")
	told := fmt.Sprintf("| %d × I | what concerns", len(events)-2) // requests are counted elsewhere
	if !strings.Contains(page, told) {
		t.Errorf("operate.md does not say %q: observe has %d kinds", told, len(events))
	}
	calls := constants(t, "../observe/operation.go", "OperationKind")
	if len(events) < 20 || len(calls) < 7 {
		t.Fatalf("%d kinds of events, %d of calls", len(events), len(calls))
	}
	for kind := range calls {
		if !strings.Contains(page, "`m2mguard "+kind+"`") {
			t.Errorf("operate.md does not name the span of %q", kind)
		}
		switch observe.OperationKind(kind) {
		case observe.FetchKeys, observe.Discover, observe.Introspect, observe.Resolve: // have metrics of their own
		default:
			if _, row, _ := strings.Cut(page, "| `m2mguard.operation.duration` |"); !strings.Contains(strings.SplitN(row, "\n", 2)[0], kind) {
				t.Errorf("operate.md does not name %q beside m2mguard.operation.duration", kind)
			}
		}
	}
	named := 0
	for label, known := range map[string]map[string]bool{"m2mguard_event": events, "m2mguard_operation": calls} {
		for n, part := range strings.Split(alerts, label+`=~"`) {
			if words, _, _ := strings.Cut(part, `"`); n > 0 {
				for word := range strings.SplitSeq(words, "|") {
					if named++; !known[word] {
						t.Errorf("an alert names the %s %q, and there is none", label, word)
					}
				}
			}
		}
	}
	if named < 4 {
		t.Errorf("the alerts name %d events and calls", named)
	}
}

// constants are the texts of a file's constants of a type.
func constants(t *testing.T, path, of string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if c, ok := n.(*ast.ValueSpec); ok && len(c.Values) == 1 {
			if name, ok := c.Type.(*ast.Ident); ok && name.Name == of {
				text, err := strconv.Unquote(c.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				all[text] = true
			}
		}
		return true
	})
	return all
}
