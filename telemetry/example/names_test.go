package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

// metricName finds what a query asks of this library.
var metricName = regexp.MustCompile(`m2mguard_[a-z_]+`)

// labelNames are no metrics.
var labelNames = regexp.MustCompile(`^m2mguard_(issuer|path|result|scope|client|event|operation|report_only)$`)

// dashboard is what of Grafana's form is looked at.
type dashboard struct {
	Panels []struct {
		Title   string
		Type    string
		Targets []struct{ Expr string }
	}
}

// queries are those of the dashboard, by their panels.
func queries(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			found[p.Title] = append(found[p.Title], target.Expr)
		}
		if (p.Targets == nil) != (p.Type == "row") {
			t.Errorf("panel %q has no query", p.Title)
		}
	}
	if len(found) < 20 {
		t.Errorf("%d panels with queries", len(found))
	}
	return found
}

// quiet keeps the log of bad requests out of the tests.
func quiet(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(before) })
}

// TestNamesExist: each metric that the dashboard and the alerts name is one that
// Prometheus gets from the example.
func TestNamesExist(t *testing.T) {
	quiet(t)
	meters, metrics, err := newProvider()
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDemo(meters)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.traffic(t.Context())
	answer := httptest.NewRecorder()
	metrics.ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	exist := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if name := metricName.FindString(line); strings.HasPrefix(line, name) {
			exist[name] = true
		}
	}
	alerts, err := os.ReadFile("../alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	all, named := "", 0
	for line := range strings.Lines(string(alerts)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") && !strings.Contains(line, "runbook_url:") && !strings.Contains(line, "- name:") {
			all += line
		}
	}
	for _, panel := range queries(t) {
		all += strings.Join(panel, "\n") + "\n"
	}
	for _, name := range metricName.FindAllString(all, -1) {
		if !labelNames.MatchString(name) {
			named++
			if !exist[name] {
				t.Errorf("%s does not exist", name)
			}
		}
	}
	if named < 40 {
		t.Errorf("%d names in both files:\n%s", named, page)
	}
}

// TestAlertsHaveARunbook: each says why it fires, and what to do stands under its own
// heading.
func TestAlertsHaveARunbook(t *testing.T) {
	alerts, err := os.ReadFile("../alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := strings.Split(string(alerts), "- alert: ")[1:]
	if len(rules) < 10 {
		t.Fatalf("%d rules", len(rules))
	}
	for _, rule := range rules {
		name, rest, _ := strings.Cut(rule, "\n")
		if !regexp.MustCompile(`\n +summary: \S.{20,}\n +runbook_url: docs/operate.md#` + strings.ToLower(name) + `\n`).MatchString(rest) {
			t.Errorf("%s lacks a summary, or its runbook", name)
		}
		if !strings.Contains(string(page), "\n### "+name+"\n") {
			t.Errorf("docs/operate.md has no heading %s", name)
		}
	}
}

// TestRunEndsWithItsContext, and serves until then.
func TestRunEndsWithItsContext(t *testing.T) {
	quiet(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := run(ctx, "127.0.0.1:0"); err != nil {
		t.Error(err)
	}
}
