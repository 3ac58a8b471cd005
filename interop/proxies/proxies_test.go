//go:build interop

// Package proxies_test sends certificate-bound tokens (RFC 8705 §3) through real
// proxies that end TLS in front of an API and hand on their clients' certificates.
package proxies_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// sent counts requests. A whole run that sent less than least has a test that has
// stopped testing.
var sent atomic.Int64

const least = 4000

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(run(m))
}

func run(m *testing.M) int {
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" &&
		flag.Lookup("test.list").Value.String() == ""
	fmt.Printf("proxies: %d requests\n", sent.Load())
	if whole && code == 0 && sent.Load() < least {
		fmt.Fprintf(os.Stderr, "proxies: wanted at least %d requests\n", least)
		code = 1
	}
	return code
}

// world is a proxy with its APIs, and who is about.
type world struct {
	*product
	roots                *x509.CertPool
	apis                 []*api
	alice, mallory       tls.Certificate
	aliceToken, bearer   string // alice's is bound to her certificate
	aliceShown, malShown string // their certificates, as a forger writes them
}

// newPeople are who is about, without the proxy and its APIs.
func newPeople(iss *issuertest.Issuer, p *product) *world {
	w := &world{product: p, alice: issuertest.ClientCertificate("alice"), mallory: issuertest.ClientCertificate("mallory")}
	w.aliceToken = iss.Token(issuertest.Claims{Scope: "orders:read", CertificateThumbprint: issuertest.CertificateThumbprint(w.alice.Leaf)})
	w.bearer = iss.Token(issuertest.Claims{Scope: "orders:read"})
	w.aliceShown, w.malShown = p.write(w.alice.Certificate[0]), p.write(w.mallory.Certificate[0])
	return w
}

func newWorld(t *testing.T, p *product) *world {
	t.Helper()
	iss := issuertest.New(t)
	w := newPeople(iss, p)
	w.apis = newAPIs(t, p, iss)
	var fronts []*front
	for _, a := range w.apis {
		fronts = append(fronts, &a.front)
	}
	server, roots := serverCertificate(t)
	w.roots = roots
	p.run(t, fronts, server)
	return w
}

// tlsOf is how a client connects to the proxy; without a certificate if it is nil.
func (w *world) tlsOf(certificate *tls.Certificate) *tls.Config {
	cfg := &tls.Config{RootCAs: w.roots, ServerName: host}
	if certificate != nil {
		cfg.Certificates = []tls.Certificate{*certificate}
	}
	return cfg
}

// answer is what became of a request.
type answer struct {
	status  int
	text    string
	reached bool   // the API
	reason  string // why it refused
}

// refused is what is wanted of a request that must not get through: the API says
// so, for a reason with that text, or the proxy does.
func (got answer) refused(reason string) bool {
	if !got.reached {
		return got.status >= 400 && got.status < 500
	}
	return got.status == http.StatusUnauthorized && strings.Contains(got.reason, reason)
}

const (
	noCertificate    = "the request shows none"
	notBelieved      = "whose word counts did not send it"
	otherCertificate = "bound to another client certificate"
	eitherOfThem     = "certificate"
)

// raw sends the lines of a request, as they are, over a connection of its own.
func raw(t *testing.T, a *api, conn net.Conn, token, body string, lines ...string) answer {
	t.Helper()
	defer conn.Close()
	sent.Add(1)
	before, _, _ := a.saw()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	head := append([]string{method + " /orders HTTP/1.1", "Host: " + host, "Authorization: Bearer " + token}, lines...)
	if _, err := io.WriteString(conn, strings.Join(head, "\r\n")+"\r\n\r\n"+body); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer to %q: %v", lines, err)
	}
	return a.answer(t, before, res)
}

func (a *api) answer(t *testing.T, before int, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	after, reason, _ := a.saw()
	return answer{res.StatusCode, string(text), after > before, reason}
}

// through sends a request through the proxy, over HTTP/1.1.
func (w *world) through(t *testing.T, a *api, certificate *tls.Certificate, token, body string, lines ...string) answer {
	t.Helper()
	conn, err := (&tls.Dialer{Config: w.tlsOf(certificate)}).DialContext(t.Context(), "tcp", a.Listen)
	if err != nil {
		t.Fatal(err)
	}
	return raw(t, a, conn, token, body, lines...)
}

// around sends a request to the API itself, from an address.
func around(t *testing.T, a *api, from, token string, lines ...string) answer {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", a.API)
	if err != nil {
		t.Fatal(err)
	}
	return raw(t, a, conn, token, "", lines...)
}

func TestNGINX(t *testing.T)          { behind(t, "nginx") }
func TestHAProxy(t *testing.T)        { behind(t, "HAProxy") }
func TestHAProxyRFC9440(t *testing.T) { behind(t, "HAProxy, RFC 9440") }
func TestCaddy(t *testing.T)          { behind(t, "Caddy") }
func TestApache(t *testing.T)         { behind(t, "Apache") }

func behind(t *testing.T, name string) {
	w := newWorld(t, named(t, name))
	for _, a := range w.apis {
		t.Run(a.Name, func(t *testing.T) {
			if a.unknown {
				w.isUnavailable(t, a)
				return
			}
			w.belongsToItsHolder(t, a)
			w.cannotBeForged(t, a)
			w.cannotBePassedBy(t, a)
			w.isSharedByHTTP2(t, a)
			w.isResumed(t, a)
		})
	}
}

// TestNoProxy: the same where TLS ends in the API itself, which reads no field.
func TestNoProxy(t *testing.T) {
	iss := issuertest.New(t)
	w := newPeople(iss, &product{name: "none", field: field, write: inBase64})
	for name, handler := range adapters {
		t.Run(name, func(t *testing.T) {
			a := new(api)
			s := httptest.NewUnstartedServer(a.count(a.look(handler(newValidator(t, iss, a), nil))))
			var server tls.Certificate
			server, w.roots = serverCertificate(t)
			s.TLS = &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequestClientCert}
			s.EnableHTTP2 = true
			s.StartTLS()
			t.Cleanup(s.Close)
			a.Listen = s.Listener.Addr().String()
			w.belongsToItsHolder(t, a)
			w.cannotBeForged(t, a)
			w.isSharedByHTTP2(t, a)
			w.isResumed(t, a)
		})
	}
}

// TestAppended: a proxy that adds its field to its client's, in place of setting it,
// lets nobody in by a forged one.
func TestAppended(t *testing.T) {
	for name, change := range map[string]*strings.Replacer{
		"HAProxy":           strings.NewReplacer("http-request set-header X-Client-Cert", "http-request add-header X-Client-Cert"),
		"HAProxy, RFC 9440": strings.NewReplacer("http-request set-header Client-Cert", "http-request add-header Client-Cert"),
		"Caddy":             strings.NewReplacer("header_up X-Client-Cert", "header_up +X-Client-Cert"),
		"Apache":            strings.NewReplacer("RequestHeader set X-Client-Cert", "RequestHeader add X-Client-Cert"),
	} {
		t.Run(name, func(t *testing.T) {
			careless := *named(t, name)
			if careless.config = change.Replace(careless.config); careless.config == named(t, name).config {
				t.Fatal("the configuration is the same")
			}
			w := newWorld(t, &careless)
			a := w.apis[0]
			if got := w.through(t, a, &w.alice, w.aliceToken, ""); got.status != http.StatusOK {
				t.Errorf("alice, with her token: %+v", got)
			}
			w.cannotBeForgedBy(t, a, w.aliceShown)
			if got := w.through(t, a, &w.alice, w.aliceToken, "", w.field+": "+w.malShown); !got.refused("wanted one: the proxy must overwrite") {
				t.Errorf("alice, with another's certificate before hers: %+v", got)
			}
		})
	}
}

func named(t *testing.T, name string) *product {
	t.Helper()
	for _, p := range products {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("no proxy %q", name)
	return nil
}

// belongsToItsHolder: a token passes with its certificate alone, and a bearer token
// as ever.
func (w *world) belongsToItsHolder(t *testing.T, a *api) {
	if got := w.through(t, a, &w.alice, w.aliceToken, ""); got.status != http.StatusOK || got.text != "orders for m2m-client" {
		t.Errorf("alice, with her token: %+v", got)
	}
	if got := w.through(t, a, &w.mallory, w.aliceToken, ""); !got.reached || !got.refused(otherCertificate) {
		t.Errorf("mallory, with alice's token: %+v", got)
	}
	if got := w.through(t, a, nil, w.aliceToken, ""); !got.reached || !got.refused(noCertificate) || strings.Contains(got.reason, "forwarded:") {
		t.Errorf("nobody, with alice's token: %+v", got)
	}
	if got := w.through(t, a, nil, w.bearer, ""); got.status != http.StatusOK {
		t.Errorf("nobody, with a bearer token: %+v", got)
	}
	if got := w.through(t, a, &w.mallory, w.bearer, ""); got.status != http.StatusOK {
		t.Errorf("mallory, with a bearer token: %+v", got)
	}
}

// forgeries are what a client may write so that a certificate counts as its own.
// The harmless ones may not hurt a client that uses its certificate.
func (w *world) forgeries(shown string) (harmless, others map[string][]string) {
	upper, lower := strings.ToUpper(w.field), strings.ToLower(w.field)
	under := strings.ReplaceAll(w.field, "-", "_")
	harmless = map[string][]string{
		"as the proxy writes it":   {w.field + ": " + shown},
		"in upper case":            {upper + ": " + shown},
		"in lower case":            {lower + ": " + shown},
		"without a space":          {w.field + ":" + shown},
		"underscores":              {under + ": " + shown},
		"underscores, lower case":  {strings.ToLower(under) + ": " + shown},
		"an underscore":            {strings.Replace(w.field, "-", "_", 1) + ": " + shown},
		"twice":                    {w.field + ": " + shown, w.field + ": " + shown},
		"twice, in two cases":      {upper + ": " + shown, lower + ": " + shown},
		"each spelling":            {w.field + ": " + shown, lower + ": " + shown, under + ": " + shown, strings.ToLower(under) + ": " + shown},
		"empty, and then":          {w.field + ":", w.field + ": " + shown},
		"and then empty":           {w.field + ": " + shown, w.field + ":"},
		"the proxy's address":      {w.field + ": " + shown, "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "True-Client-IP: 127.0.0.1", "Forwarded: for=127.0.0.1"},
		"a wrong secret":           {w.field + ": " + shown, secretField + ": 0123456789abcdef"},
		"two wrong secrets":        {w.field + ": " + shown, secretField + ": 0123456789abcdef", secretField + ": 0123456789abcdef"},
		"a hop's own, of no field": {w.field + ": " + shown, "Connection: X-Nothing"},
	}
	others = map[string][]string{
		"a space before the colon":  {w.field + " : " + shown},
		"a tab before the colon":    {w.field + "\t: " + shown},
		"a space before the name":   {"X-A: b", " " + w.field + ": " + shown},
		"folded":                    {w.field + ":", " " + shown},
		"behind a NUL":              {"X-A: b\x00", w.field + ": " + shown},
		"behind a bare LF":          {"X-A: b\n" + w.field + ": " + shown},
		"behind a bare CR":          {"X-A: b\r" + w.field + ": " + shown},
		"a hop's own":               {w.field + ": " + shown, "Connection: " + w.field},
		"a hop's own, lower case":   {w.field + ": " + shown, "Connection: close, " + lower},
		"the secret as a hop's own": {w.field + ": " + shown, "Connection: " + secretField},
		"both as a hop's own":       {w.field + ": " + shown, "Connection: keep-alive, " + secretField + ", " + w.field},
		"too long":                  {w.field + ": " + shown + strings.Repeat("A", 20<<10)},
	}
	return harmless, others
}

// cannotBeForged: what a client writes never stands for a certificate, nor takes the
// place of the client's own.
func (w *world) cannotBeForged(t *testing.T, a *api) {
	w.cannotBeForgedBy(t, a, w.aliceShown)
	harmless, _ := w.forgeries(w.malShown)
	for name, lines := range harmless {
		if got := w.through(t, a, &w.alice, w.aliceToken, "", lines...); got.status != http.StatusOK {
			t.Errorf("alice, with another's certificate in a field, %s: %+v", name, got)
		}
	}
}

func (w *world) cannotBeForgedBy(t *testing.T, a *api, shown string) {
	t.Helper()
	harmless, others := w.forgeries(shown)
	for _, forgeries := range []map[string][]string{harmless, others} {
		for name, lines := range forgeries {
			if got := w.through(t, a, &w.mallory, w.aliceToken, "", lines...); !got.refused(eitherOfThem) {
				t.Errorf("mallory, with alice's certificate forged, %s: %+v", name, got)
			}
			if got := w.through(t, a, nil, w.aliceToken, "", lines...); !got.refused(eitherOfThem) {
				t.Errorf("nobody, with alice's certificate forged, %s: %+v", name, got)
			}
		}
	}
	trailer := fmt.Sprintf("2\r\n{}\r\n0\r\n%s: %s\r\n\r\n", w.field, shown)
	for who, certificate := range map[string]*tls.Certificate{"mallory": &w.mallory, "nobody": nil} {
		if got := w.through(t, a, certificate, w.aliceToken, trailer, "Transfer-Encoding: chunked", "Trailer: "+w.field); !got.refused(eitherOfThem) {
			t.Errorf("%s, with alice's certificate in a trailer: %+v", who, got)
		}
	}
}

// cannotBePassedBy: the field counts for nothing on a connection that is not the
// proxy's, whatever its sender says of his address.
func (w *world) cannotBePassedBy(t *testing.T, a *api) {
	if a.Unix {
		return // who is not let into its folder cannot connect
	}
	const proxy, stranger = "127.0.0.1", "127.0.0.2"
	forged := w.field + ": " + w.aliceShown
	want := answer{status: http.StatusOK, text: "orders for m2m-client", reached: true}
	trusted := []string{forged}
	if a.Secret != "" {
		trusted = append(trusted, secretField+": "+secret)
		if got := around(t, a, proxy, w.aliceToken, forged); !got.refused(notBelieved) {
			t.Errorf("from the proxy's address, without the secret: %+v", got)
		}
		if got := around(t, a, proxy, w.aliceToken, forged, secretField+": "+secret+"0"); !got.refused(notBelieved) {
			t.Errorf("from the proxy's address, with another secret: %+v", got)
		}
	}
	if got := around(t, a, proxy, w.aliceToken, trusted...); got != want {
		t.Errorf("as the proxy does it: %+v", got) // else the rest shows nothing
	}
	for name, lines := range map[string][]string{
		"":                         nil,
		", X-Forwarded-For":        {"X-Forwarded-For: " + proxy},
		", X-Real-IP":              {"X-Real-IP: " + proxy},
		", True-Client-IP":         {"True-Client-IP: " + proxy},
		", the lot":                {"X-Forwarded-For: " + proxy, "X-Real-IP: " + proxy, "True-Client-IP: " + proxy, "Forwarded: for=" + proxy},
		", a wrong secret":         {secretField + ": 0123456789abcdef"},
		", X-Forwarded-For, twice": {"X-Forwarded-For: " + proxy, "X-Forwarded-For: " + proxy},
	} {
		got := around(t, a, stranger, w.aliceToken, append(lines, forged)...)
		if !got.reached || !got.refused(notBelieved) {
			t.Errorf("from another address%s: %+v", name, got)
		}
		_, _, remote := a.saw()
		if rewritten := a.Name == "chi's RealIP" || a.Name == "ProxyHeaders"; name == ", the lot" && rewritten && remote != proxy {
			t.Errorf("from another address%s: RemoteAddr is %s, wanted it rewritten", name, remote)
		}
	}
}

// isSharedByHTTP2: many requests on one connection have its certificate.
func (w *world) isSharedByHTTP2(t *testing.T, a *api) {
	for who, tc := range map[string]struct {
		certificate *tls.Certificate
		token       string
		status      int
	}{
		"alice":   {&w.alice, w.aliceToken, http.StatusOK},
		"mallory": {&w.mallory, w.aliceToken, http.StatusUnauthorized},
		"nobody":  {nil, w.aliceToken, http.StatusUnauthorized},
	} {
		client := w.client(t, a, w.tlsOf(tc.certificate), false)
		for _, spelling := range []string{w.field, strings.ReplaceAll(w.field, "-", "_"), "X-Other"} {
			res, got := get(t, a, client, tc.token, map[string]string{spelling: w.aliceShown, "X-Forwarded-For": "127.0.0.1"})
			if res.ProtoMajor != 2 || got.status != tc.status || got.status != http.StatusOK && !got.refused(eitherOfThem) {
				t.Errorf("%s over %s, with alice's certificate in %s: %+v", who, res.Proto, spelling, got)
			}
		}
	}
}

// isResumed: a session that is resumed has the certificate that began it (RFC 8446
// §2.2), and no other.
func (w *world) isResumed(t *testing.T, a *api) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cfg := w.tlsOf(&w.alice)
		cfg.ClientSessionCache, cfg.MinVersion, cfg.MaxVersion = tls.NewLRUClientSessionCache(8), version, version
		client := w.client(t, a, cfg, true)
		resumed := 0
		for range 3 {
			res, got := get(t, a, client, w.aliceToken, nil)
			if got.status != http.StatusOK {
				t.Errorf("alice in %s, resumed %t: %+v", tls.VersionName(version), res.TLS.DidResume, got)
			}
			if res.TLS.DidResume {
				resumed++
			}
		}
		if resumed != 2 {
			t.Errorf("%d of 3 sessions were resumed in %s, wanted 2", resumed, tls.VersionName(version))
		}
		cfg = w.tlsOf(&w.mallory)
		cfg.ClientSessionCache, cfg.MinVersion, cfg.MaxVersion = tls.NewLRUClientSessionCache(8), version, version
		client = w.client(t, a, cfg, true)
		for range 2 {
			if res, got := get(t, a, client, w.aliceToken, map[string]string{w.field: w.aliceShown}); !got.refused(otherCertificate) {
				t.Errorf("mallory in %s, resumed %t: %+v", tls.VersionName(version), res.TLS.DidResume, got)
			}
		}
	}
}

// isUnavailable: an API whose server has no ConnContext cannot tell its proxy from
// anybody else.
func (w *world) isUnavailable(t *testing.T, a *api) {
	if got := w.through(t, a, &w.alice, w.aliceToken, ""); got.status != http.StatusServiceUnavailable || !strings.Contains(got.reason, "http.Server.ConnContext") {
		t.Errorf("alice, with her token: %+v", got)
	}
	if got := w.through(t, a, &w.alice, w.bearer, ""); got.status != http.StatusOK {
		t.Errorf("alice, with a bearer token: %+v", got)
	}
}

// client is a Go program's, which speaks HTTP/2 unless each request has a
// connection of its own.
func (w *world) client(t *testing.T, a *api, cfg *tls.Config, single bool) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: cfg, DisableKeepAlives: single, ForceAttemptHTTP2: !single,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, a.Listen)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func get(t *testing.T, a *api, client *http.Client, token string, fields map[string]string) (*http.Response, answer) {
	t.Helper()
	sent.Add(1)
	before, _, _ := a.saw()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for name, value := range fields {
		req.Header[name] = []string{value}
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res, a.answer(t, before, res)
}
