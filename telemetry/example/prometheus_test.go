//go:build prometheus

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long Prometheus may take until each query has an answer.
const patience = 2 * time.Minute

// find finds a program of Debian's package prometheus on this machine, or in the
// package, unpacked. So nothing of the machine changes and no service starts; APT
// checks the signature.
func find(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	root, err := unpacked()
	if err != nil {
		t.Fatalf("there is no %s on this machine, and Debian's package prometheus could not be had: %v", name, err)
	}
	return filepath.Join(root, "usr/bin", name)
}

// scratch is what unpacked unpacks into; it is not kept.
var scratch string

var unpacked = sync.OnceValues(func() (root string, err error) {
	if root, err = os.MkdirTemp("", "prometheus"); err != nil {
		return "", err
	}
	scratch = root
	ctx, end := context.WithTimeout(context.Background(), 5*time.Minute)
	defer end()
	for _, folder := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			return "", err
		}
	}
	apt := []string{"apt-get", "-o", "Dir::State::Lists=" + filepath.Join(root, "lists"), "-o", "Dir::Cache=" + filepath.Join(root, "cache"), "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=true"}
	for _, command := range [][]string{append(apt, "update"), append(apt, "download", "prometheus"), {"sh", "-c", "dpkg-deb --extract prometheus_*.deb ."}} {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w\n%s", command, err, out)
		}
	}
	return root, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if scratch != "" {
		_ = os.RemoveAll(scratch)
	}
	os.Exit(code)
}

// TestRules: Prometheus' own checker takes the alerts, and those of stores fire when
// they should.
func TestRules(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), find(t, "promtool"), "check", "rules", "../alerts.yml").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	if out, err := exec.CommandContext(t.Context(), find(t, "promtool"), "check", "config", "prometheus.yml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), find(t, "promtool"), "test", "rules", "rules_test.yml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestDashboard: each query of the dashboard has an answer from a Prometheus that
// scraped the example.
func TestDashboard(t *testing.T) {
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
	server := httptest.NewServer(metrics)
	defer server.Close()
	ctx, end := context.WithTimeout(t.Context(), patience)
	defer end()
	at := startPrometheus(t, ctx, strings.TrimPrefix(server.URL, "http://"))
	left := map[string]string{} // query to panel
	for panel, all := range queries(t) {
		for _, query := range all {
			left[query] = panel
		}
	}
	answered := len(left)
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for len(left) > 0 {
		d.traffic(ctx)
		for query := range left {
			if ask(ctx, at, strings.ReplaceAll(query, "$__rate_interval", "1m")) {
				delete(left, query)
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no answer to %q", left)
		case <-again.C:
		}
	}
	t.Logf("%d queries have an answer", answered)
}

// startPrometheus starts one that scrapes a target each second, and ends it with the
// test. It returns its address.
func startPrometheus(t *testing.T, ctx context.Context, target string) string {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "prometheus.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: orders\n  metrics_path: /\n  static_configs: [{targets: [%q]}]\n", target), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	var printed bytes.Buffer
	ctx, kill := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, find(t, "prometheus"), "--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+address)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, &printed, &printed
	if err := cmd.Start(); err != nil {
		kill()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("Prometheus printed:\n%s", &printed)
		}
	})
	return address
}

// ask reports whether a query has an answer with a number in it.
func ask(ctx context.Context, address, query string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/v1/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	var answer struct {
		Status string
		Data   struct{ Result []struct{ Value [2]any } }
	}
	if json.NewDecoder(response.Body).Decode(&answer) != nil || answer.Status != "success" {
		return false
	}
	for _, one := range answer.Data.Result {
		if text, ok := one.Value[1].(string); ok && text != "NaN" {
			return true
		}
	}
	return false
}
