//go:build interop && load

package proxies_test

import (
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestLoad measures requests a second with tokens that were seen before, on one core, wrk
// on the other: the gate, the same program's empty handler, and Apache's own gate
// (AuthType oauth20 of mod_auth_openidc), each in turn, so that a noisy machine is as
// noisy to all. It is for the record, and not in every run:
//
//	go test -tags 'interop load' -run TestLoad -v .
func TestLoad(t *testing.T) {
	const rounds, length = 5, 3 * time.Second
	iss := issuertest.New(t)
	p := &gated{name: "haproxy", pinned: true}
	gate := p.serve(t, p.file(iss, "{jwt: {}}"))
	token := iss.Token(issuertest.Claims{Scope: "orders:read"})
	apache := peer(t, iss)
	subjects := []struct {
		name, url string
		headers   []string
		best      []float64
	}{
		{name: "the gate", url: "http://" + gate + "/auth", headers: []string{"Authorization: Bearer " + token, "X-Original-Method: GET", "X-Original-URI: /orders/17"}},
		{name: "an empty handler of the same program", url: "http://" + p.admin + "/live"},
		{name: "Apache, AuthType oauth20", url: "http://" + apache + "/orders/17", headers: []string{"Authorization: Bearer " + token}},
	}
	for range rounds {
		for n := range subjects {
			s := &subjects[n]
			s.best = append(s.best, perSecond(t, s.url, s.headers, length))
		}
	}
	median := func(list []float64) float64 {
		list = append([]float64{}, list...)
		for i := range list {
			for j := i; j > 0 && list[j] < list[j-1]; j-- {
				list[j], list[j-1] = list[j-1], list[j]
			}
		}
		return list[len(list)/2]
	}
	own, empty, other := median(subjects[0].best), median(subjects[1].best), median(subjects[2].best)
	for _, s := range subjects {
		t.Logf("%-38s %6.0f requests a second (%.0f)", s.name, median(s.best), s.best)
	}
	t.Logf("the gate has %.2f of the empty handler, wanted 0.50 at least, and %.2f of Apache's, wanted 1 at least", own/empty, own/other)
	if own < empty/2 || own < other {
		t.Error("too few")
	}
}

var (
	rate  = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	wrong = regexp.MustCompile(`Non-2xx or 3xx responses: .*|Socket errors: .*`)
)

// perSecond asks for a while.
func perSecond(t *testing.T, target string, headers []string, length time.Duration) float64 {
	t.Helper()
	wrk, err := find("wrk")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-c", "1", wrk.path, "-t1", "-c16", "-d" + fmt.Sprint(int(length.Seconds())) + "s"}
	for _, h := range headers {
		args = append(args, "-H", h)
	}
	cmd := exec.Command("taskset", append(args, target)...)
	cmd.Env = wrk.env
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("wrk: %v\n%s", err, text)
	}
	if fault := wrong.Find(text); fault != nil {
		t.Fatalf("%s: %s", target, fault)
	}
	found := rate.FindSubmatch(text)
	if found == nil {
		t.Fatalf("wrk says:\n%s", text)
	}
	number, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// peer starts Apache with a gate of its own, and returns where it listens.
func peer(t *testing.T, iss *issuertest.Issuer) string {
	t.Helper()
	apache, err := find("apache2")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "apache")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(folder, "files/orders"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "files/orders/17"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	user := ""
	if os.Getuid() == 0 {
		user = "User nobody\nGroup nogroup"
	}
	from, err := url.Parse(iss.URL())
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(from)) // it takes them by https alone
	t.Cleanup(keys.Close)
	listen := freeAddress(t)
	config := strings.NewReplacer("FOLDER", folder, "LISTEN", listen, "USER", user, "KEYS", keys.URL, "MODULES", filepath.Join(filepath.Dir(apache.path), "../lib/apache2/modules")).Replace(`ServerRoot FOLDER
ServerName api.example.com
PidFile FOLDER/pid
DefaultRuntimeDir FOLDER
ErrorLog /dev/stderr
USER
LoadModule mpm_event_module MODULES/mod_mpm_event.so
LoadModule authn_core_module MODULES/mod_authn_core.so
LoadModule authz_core_module MODULES/mod_authz_core.so
LoadModule authz_user_module MODULES/mod_authz_user.so
LoadModule auth_openidc_module MODULES/mod_auth_openidc.so
StartServers 1
ServerLimit 1
ThreadsPerChild 32
MaxRequestWorkers 32
MaxKeepAliveRequests 0
Listen LISTEN
OIDCCryptoPassphrase something-that-is-not-used
OIDCOAuthVerifyJwksUri KEYS/jwks
OIDCOAuthSSLValidateServer Off
OIDCOAuthRemoteUserClaim sub
DocumentRoot FOLDER/files
<Location "/">
	AuthType oauth20
	Require claim scope:orders:read
</Location>
`)
	if err := os.WriteFile(filepath.Join(folder, "config"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("taskset", "-c", "0", apache.path, "-D", "FOREGROUND", "-f", filepath.Join(folder, "config"))
	cmd.Env = apache.env
	launch(t, "apache", cmd, listen)
	return listen
}
