package command_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/m2mguard/m2mguard/cmd/m2mguard/internal/command"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// web runs explain --web until the test, or end, ends it. end returns what it left.
func web(t *testing.T, args ...string) (address string, end func() result) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var errs bytes.Buffer
	r, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- command.Run(ctx, append([]string{"explain", "--web"}, args...), command.Surroundings{In: strings.NewReader(""), Out: w, Err: &errs, Getenv: os.Getenv})
		_ = w.Close()
	}()
	out := bufio.NewReader(r)
	written, err := out.ReadString('\n')
	if err != nil {
		t.Fatalf("%v: it ended with %d: %s", err, <-code, &errs)
	}
	end = sync.OnceValue(func() result {
		cancel()
		rest, _ := io.ReadAll(out) // ends with the program
		return result{<-code, written + string(rest), errs.String()}
	})
	t.Cleanup(func() { end() })
	return strings.TrimSpace(written), end
}

// origin is that of an address.
func origin(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Scheme + "://" + u.Host
}

// post sends a form as the page does, but for what change changes.
func post(t *testing.T, address string, form map[string]any, change func(*http.Request)) (int, []byte) {
	t.Helper()
	body, err := json.Marshal(form)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", address+"explain", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", origin(t, address))
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, text
}

// line is a step, as the terminal and the page have it.
type line struct {
	Name, Outcome, Found, Wanted, Fix string
	NotReached                        string `json:"not_reached"`
	Unproven                          bool
}

// TestWebSaysWhatTheTerminalSays: one form after the other, against explain with flags.
func TestWebSaysWhatTheTerminalSays(t *testing.T) {
	iss := issuertest.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const target = "https://api.example.com/orders"
	config := write(t, "issuers: [{url: '%s', audience: [%s]}]\ndpop: {}\n", iss.URL(), issuertest.Audience)
	good := iss.Token(issuertest.Claims{Scope: "orders:read"})
	bound := iss.Token(issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())})
	proof := issuertest.Proof(key, issuertest.ProofClaims{Method: "POST", URL: target, Token: bound})
	cert := issuertest.ClientCertificate("reports")
	mtls := iss.Token(issuertest.Claims{CertificateThumbprint: issuertest.CertificateThumbprint(cert.Leaf)})
	shown := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))
	now, later := time.Now().UTC().Format(time.RFC3339), time.Now().Add(2*time.Hour).UTC().Format(time.RFC3339)
	address, end := web(t, "-c", config)
	if status, text := post(t, address, map[string]any{"token": good, "scheme": "Bearer"}, nil); status != 200 { // which fetches the keys
		t.Fatalf("%d: %s", status, text)
	}
	secrets := []string{good, bound, proof, mtls}
	for name, test := range map[string]struct {
		form     map[string]any
		in       string
		args     []string
		accepted bool
	}{
		"good":             {map[string]any{"token": good}, good, nil, true},
		"with its field":   {map[string]any{"token": "Authorization: Bearer " + good + "\n"}, good, nil, true},
		"a scope":          {map[string]any{"token": good, "scope": " orders:read orders:write "}, good, []string{"--scope", "orders:read", "--scope", "orders:write"}, false},
		"an audience":      {map[string]any{"token": good, "audience": "https://x.example.com"}, good, []string{"--audience", "https://x.example.com"}, false},
		"two hours later":  {map[string]any{"token": good, "at": later}, good, []string{"--at", later}, false},
		"offline":          {map[string]any{"token": good, "offline": true}, good, nil, true},
		"with its proof":   {map[string]any{"token": bound, "scheme": "DPoP", "proof": proof, "method": "POST", "url": target}, bound, []string{"--scheme", "DPoP", "--proof", put(t, proof), "-X", "POST", "--url", target}, true},
		"for GET":          {map[string]any{"token": bound, "scheme": "DPoP", "proof": proof, "url": target}, bound, []string{"--scheme", "DPoP", "--proof", put(t, proof), "--url", target}, false},
		"a certificate":    {map[string]any{"token": mtls, "certificate": shown}, mtls, []string{"--certificate", put(t, shown)}, true},
		"no certificate":   {map[string]any{"token": mtls}, mtls, nil, false},
		"opaque":           {map[string]any{"token": "9f8b2c"}, "9f8b2c", nil, false},
		"not base64":       {map[string]any{"token": good + "="}, good + "=", nil, false},
		"another's":        {map[string]any{"token": issuertest.New(t).Token(issuertest.Claims{})}, "", nil, false},
		"larger than read": {map[string]any{"token": strings.Repeat("x", 1<<20)}, strings.Repeat("x", 1<<20), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			for name, value := range map[string]any{"at": now, "scheme": "Bearer"} {
				if test.form[name] == nil {
					test.form[name] = value
				}
			}
			if test.in == "" {
				test.in = test.form["token"].(string)
			}
			if test.form["at"] == now {
				test.args = append(test.args, "--at", now)
			}
			var got, want struct {
				Accepted, Proven bool
				Issuer           string
				Steps            []line
			}
			status, text := post(t, address, test.form, nil)
			if err := json.Unmarshal(text, &got); err != nil || status != 200 || got.Accepted != test.accepted {
				t.Fatalf("%v, %d, accepted %v, wanted %v: %.300s", err, status, got.Accepted, test.accepted, text)
			}
			r := feed(t, test.in, nil, append([]string{"explain", "-c", config, "--json"}, test.args...)...)
			if err := json.Unmarshal([]byte(r.out), &want); err != nil {
				t.Fatalf("%v: %+v", err, r)
			}
			for n, s := range want.Steps { // the page has one cell for both
				if s.NotReached != "" {
					want.Steps[n].Found, want.Steps[n].NotReached = s.NotReached, ""
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the page says otherwise (-terminal +page):\n%s", diff)
			}
			if found := tokens.Find(text); found != nil {
				t.Errorf("the answer holds %.20s…", found)
			}
		})
	}
	r := end()
	if r.code != 0 || strings.Count(r.out, "\n") != 1 || strings.Count(r.err, "\n") != 1 {
		t.Errorf("%+v", r)
	}
	for _, secret := range secrets {
		if part := strings.Split(secret, ".")[1]; strings.Contains(r.out+r.err, part) {
			t.Errorf("it wrote a token: %+v", r)
		}
	}
}

// TestWebFaults are fields that cannot be read, each named with what was wanted.
func TestWebFaults(t *testing.T) {
	iss := issuertest.New(t)
	address, _ := web(t, "-c", write(t, "issuers: [{url: '%s', audience: [x]}]\n", iss.URL()))
	const secret = "eyJhbGciOiJSUzI1NiJ9.e30.c2VjcmV0"
	for field, test := range map[string]struct{ value, want string }{
		"token": {" \n", "Paste"}, "scheme": {secret, "Bearer or DPoP"}, "at": {secret, "RFC 3339"}, "scope": {`"` + secret, "RFC 6749"}, "certificate": {secret, "PEM"},
	} {
		form := map[string]any{"token": "x", "scheme": "Bearer", field: test.value}
		status, text := post(t, address, form, nil)
		var got struct {
			Faults []struct{ Field, Text string }
		}
		if err := json.Unmarshal(text, &got); err != nil || status != 422 || len(got.Faults) != 1 || got.Faults[0].Field != field || !strings.Contains(got.Faults[0].Text, test.want) {
			t.Errorf("%s: %v, %d: %s", field, err, status, text)
		}
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%s: the answer holds what was typed: %s", field, text)
		}
	}
	if n := iss.Requests(issuertest.JWKS) + iss.Requests(issuertest.Discovery); n != 0 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

// TestWebRefuses a rebound name, a POST of another site, and proxies, over real
// connections.
func TestWebRefuses(t *testing.T) {
	iss := issuertest.New(t)
	address, _ := web(t, "-c", write(t, "issuers: [{url: '%s', audience: [%s]}]\n", iss.URL(), issuertest.Audience))
	form := map[string]any{"token": iss.Token(issuertest.Claims{}), "scheme": "Bearer"}
	if status, text := post(t, address, form, nil); status != 200 {
		t.Fatalf("%d: %s", status, text)
	}
	for name, change := range map[string]func(*http.Request){
		"rebinding":         func(r *http.Request) { r.Host = "rebinding.example:" + r.URL.Port() },
		"a cross-site POST": func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"a form of another site": func(r *http.Request) {
			r.Header.Set("Origin", "null")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Content-Type", "text/plain")
		},
		"a page at another port": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"a proxied request":      func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.7") },
	} {
		if status, text := post(t, address, form, change); status != 403 {
			t.Errorf("%s: %d: %s", name, status, text)
		}
	}
	page, err := url.Parse(origin(t, address))
	if err != nil {
		t.Fatal(err)
	}
	for name, proxy := range map[string]*httputil.ReverseProxy{
		"a proxy that says so": httputil.NewSingleHostReverseProxy(page),
		"a proxy that does not": {Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(page)
			r.Out.Header.Del("Sec-Fetch-Site")
		}},
	} {
		server := httptest.NewServer(proxy)
		t.Cleanup(server.Close)
		if status, text := post(t, strings.Replace(address, page.String(), server.URL, 1), form, nil); status != 403 {
			t.Errorf("%s: %d: %s", name, status, text)
		}
	}
}

// TestWebTakesTheFile: what concerns the file is a flag, and the rest is on the page.
func TestWebTakesTheFile(t *testing.T) {
	iss := issuertest.New(t)
	config := write(t, "issuers: [{url: '%s', audience: [%s]}]\n", iss.URL(), issuertest.Audience)
	good := iss.Token(issuertest.Claims{})
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"a file":       {[]string{put(t, good)}, "--web takes no FILE"},
		"JSON":         {[]string{"--json"}, "--json is not for --web"},
		"what is both": {[]string{"--scope", "x", "--at", "y"}, "--scope is not for --web"},
		"no issuer":    {[]string{"--issuer", iss.URL()}, "--keys"},
		"no config":    {[]string{"-c", "/nowhere/m2mguard.yaml"}, "no such file"},
	} {
		if r := run(t, nil, append([]string{"explain", "--web", "-c", config}, test.args...)...); r.code != 2 || !strings.Contains(r.err, test.want) || r.out != "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	resp, err := iss.Client().Get(iss.JWKSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	set, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	before := iss.Requests(issuertest.JWKS) + iss.Requests(issuertest.Discovery)
	address, _ := web(t, "-c", config, "--offline", "--keys", put(t, string(set)))
	status, text := post(t, address, map[string]any{"token": good, "scheme": "Bearer"}, nil)
	if status != 200 || !bytes.Contains(text, []byte(`"accepted":true`)) {
		t.Errorf("%d: %.300s", status, text)
	}
	offline, _ := web(t, "-c", config, "--offline")
	status, text = post(t, offline, map[string]any{"token": good, "scheme": "Bearer", "offline": false}, nil)
	if status != 200 || !bytes.Contains(text, []byte(`"not reached"`)) {
		t.Errorf("%d: %.300s", status, text)
	}
	if after := iss.Requests(issuertest.JWKS) + iss.Requests(issuertest.Discovery); after != before {
		t.Errorf("%d requests by --offline", after-before)
	}
}

// TestWebWritesNoLog: also of an issuer that cannot be reached, which the steps tell.
func TestWebWritesNoLog(t *testing.T) {
	var logged bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	iss := issuertest.New(t)
	address, end := web(t, "-c", write(t, "issuers: [{url: '%s', audience: [%s], keys: {url: '%s/none'}}]\n", iss.URL(), issuertest.Audience, iss.URL()))
	status, text := post(t, address, map[string]any{"token": iss.Token(issuertest.Claims{}), "scheme": "Bearer"}, nil)
	if r := end(); status != 200 || !bytes.Contains(text, []byte("404")) || r.code != 0 {
		t.Errorf("%d: %s", status, text)
	}
	if logged.Len() > 0 {
		t.Errorf("it logs %s", &logged)
	}
}
