package forwarded_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/adapters/httpauth/forwarded"
	"github.com/m2mguard/m2mguard/validator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newCertificate makes the DER of a client's certificate.
func newCertificate(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "orders-worker"}, NotAfter: time.Now().Add(time.Hour),
	}, &x509.Certificate{SerialNumber: big.NewInt(1)}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// escaped is a text as nginx and Envoy write it, and ALB with its safe characters.
func escaped(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func albEscaped(text string) string {
	return strings.NewReplacer("%2B", "+", "%3D", "=", "%2F", "/").Replace(escaped(text))
}

// from is a request with such a peer.
func from(peer net.Addr) *http.Request {
	r := httptest.NewRequest("GET", "/orders", nil)
	return r.WithContext(forwarded.ConnContext(r.Context(), conn{peer: peer}))
}

type conn struct {
	net.Conn
	peer net.Addr
}

func (c conn) RemoteAddr() net.Addr { return c.peer }

func tcp(address string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address)) }

var proxies = forwarded.Peers(netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8"))

func TestForms(t *testing.T) {
	der, other := newCertificate(t), newCertificate(t)
	b64 := base64.StdEncoding.EncodeToString(der)
	pemText, otherPEM := pemOf(der), pemOf(other)
	body := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(pemText, "-----BEGIN CERTIFICATE-----\n"), "\n-----END CERTIFICATE-----\n"), "\n", "")
	sum, otherSum := sha256.Sum256(der), sha256.Sum256(other)
	hash, otherHash := hex.EncodeToString(sum[:]), hex.EncodeToString(otherSum[:])
	const x = "X-Client-Cert"
	rfc9440, nginx, haproxy, apache := forwarded.ClientCert(proxies), forwarded.NGINX(x, proxies), forwarded.HAProxy(x, proxies), forwarded.Apache(x, proxies)
	caddy := forwarded.Caddy(x, proxies)
	alb, traefik, envoy := forwarded.ALB("x-amzn-mtls-clientcert", proxies), forwarded.Traefik(proxies), forwarded.Envoy(proxies)
	const traefikField, envoyField, albField = "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Client-Cert", "X-Amzn-Mtls-Clientcert"
	spaced := strings.ReplaceAll(pemText, "\n", " ")

	for name, tc := range map[string]struct {
		read  func(*http.Request) ([]byte, error)
		field string
		lines []string
		want  string // "certificate", "none", or a part of the error
	}{
		"RFC 9440":                            {rfc9440, "Client-Cert", []string{":" + b64 + ":"}, "certificate"},
		"RFC 9440, nothing":                   {rfc9440, "Client-Cert", nil, "none"},
		"RFC 9440, empty":                     {rfc9440, "Client-Cert", []string{""}, "none"},
		"RFC 9440, without colons":            {rfc9440, "Client-Cert", []string{b64}, "between colons"},
		"RFC 9440, one colon":                 {rfc9440, "Client-Cert", []string{":" + b64}, "between colons"},
		"RFC 9440, a colon alone":             {rfc9440, "Client-Cert", []string{":"}, "between colons"},
		"RFC 9440, an empty sequence":         {rfc9440, "Client-Cert", []string{"::"}, "no DER"},
		"RFC 9440, two lines":                 {rfc9440, "Client-Cert", []string{":" + b64 + ":", ":" + b64 + ":"}, "2 Client-Cert fields"},
		"RFC 9440, a list":                    {rfc9440, "Client-Cert", []string{":" + b64 + ":, :" + b64 + ":"}, "base64"},
		"RFC 9440, with a parameter":          {rfc9440, "Client-Cert", []string{":" + b64 + ":;a=1"}, "between colons"},
		"RFC 9440, white space":               {rfc9440, "Client-Cert", []string{": " + b64 + ":"}, "base64"},
		"RFC 9440, base64url":                 {rfc9440, "Client-Cert", []string{":" + base64.URLEncoding.EncodeToString(append([]byte{0x30, 0x82, 0xff}, bytes.Repeat([]byte{0xff}, 300)...)) + ":"}, "base64"},
		"RFC 9440, without padding":           {rfc9440, "Client-Cert", []string{":" + base64.RawStdEncoding.EncodeToString([]byte{0x30, 2, 1, 1, 0}) + ":"}, "base64"},
		"RFC 9440, spare bits":                {rfc9440, "Client-Cert", []string{":MAIBAf==:"}, "base64"},
		"RFC 9440, a line break":              {rfc9440, "Client-Cert", []string{":" + b64[:64] + "\n" + b64[64:] + ":"}, "line break"},
		"RFC 9440, two certificates in a row": {rfc9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString(append(bytes.Clone(der), other...)) + ":"}, "no DER"},
		"RFC 9440, a byte more":               {rfc9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString(append(bytes.Clone(der), 0)) + ":"}, "no DER"},
		"RFC 9440, a byte less":               {rfc9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString(der[:len(der)-1]) + ":"}, "no DER"},
		"RFC 9440, another length form":       {rfc9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString(append([]byte{0x30, 0x83, 0}, der[2:]...)) + ":"}, "no DER"},
		"RFC 9440, a short one in long form":  {rfc9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString([]byte{0x30, 0x81, 2, 5, 0}) + ":"}, "no DER"},
		"RFC 9440, no length at all":          {rfc9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString([]byte{0x30, 0x80, 5, 0, 0, 0}) + ":"}, "no DER"},
		"RFC 9440, four bytes of length":      {rfc9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString([]byte{0x30, 0x84, 0, 0, 0, 0}) + ":"}, "no DER"},
		"RFC 9440, a SET":                     {rfc9440, "Client-Cert", []string{":" + base64.StdEncoding.EncodeToString(append([]byte{0x31}, der[1:]...)) + ":"}, "no DER"},
		"RFC 9440, the PEM of nginx":          {rfc9440, "Client-Cert", []string{escaped(pemText)}, "between colons"},
		"RFC 9440, too long":                  {rfc9440, "Client-Cert", []string{":" + strings.Repeat("A", forwarded.MaxBytes) + ":"}, "wanted at most"},
		"RFC 9440, in another field":          {rfc9440, x, []string{":" + b64 + ":"}, "none"},

		"nginx":                             {nginx, x, []string{escaped(pemText)}, "certificate"},
		"nginx, empty":                      {nginx, x, []string{""}, "none"},
		"nginx, no newline at its end":      {nginx, x, []string{escaped(strings.TrimSpace(pemText))}, "certificate"},
		"nginx, CR LF":                      {nginx, x, []string{escaped(strings.ReplaceAll(pemText, "\n", "\r\n"))}, "certificate"},
		"nginx, a plus sign is none":        {nginx, x, []string{strings.ReplaceAll(escaped(pemText), "%2B", "+")}, "certificate"},
		"nginx, two certificates":           {nginx, x, []string{escaped(pemText + otherPEM)}, "more than one"},
		"nginx, a key behind":               {nginx, x, []string{escaped(pemText + strings.ReplaceAll(otherPEM, "CERTIFICATE", "PRIVATE KEY"))}, "no PEM"},
		"nginx, text before":                {nginx, x, []string{escaped("subject=CN\n" + pemText)}, "no PEM"},
		"nginx, text behind":                {nginx, x, []string{escaped(pemText + "x")}, "no PEM"},
		"nginx, another block":              {nginx, x, []string{escaped(strings.ReplaceAll(pemText, "CERTIFICATE", "PUBLIC KEY"))}, "no PEM"},
		"nginx, PEM headers":                {nginx, x, []string{escaped(strings.Replace(pemText, "-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1))}, "more than one"},
		"nginx, $ssl_client_cert":           {nginx, x, []string{pemText}, "certificate"},
		"nginx, a broken escape":            {nginx, x, []string{escaped(pemText) + "%4"}, "percent sign"},
		"nginx, escaped twice":              {nginx, x, []string{escaped(escaped(pemText))}, "no PEM"},
		"nginx, two lines":                  {nginx, x, []string{escaped(pemText), escaped(otherPEM)}, "2 X-Client-Cert fields"},
		"nginx, one line empty":             {nginx, x, []string{"", escaped(pemText)}, "2 X-Client-Cert fields"},
		"nginx, another's form":             {nginx, x, []string{b64}, "no PEM"},
		"nginx, a NUL":                      {nginx, x, []string{escaped(strings.Replace(pemText, "MII", "MII\x00", 1))}, "base64"},
		"nginx, white space within a line":  {nginx, x, []string{escaped(strings.Replace(pemText, "MII", "MI I", 1))}, "certificate"},
		"ALB":                               {alb, albField, []string{albEscaped(pemText)}, "certificate"},
		"ALB, escaped throughout":           {alb, albField, []string{escaped(pemText)}, "certificate"},
		"ALB, a chain begins with the leaf": {alb, albField, []string{albEscaped(pemText + otherPEM)}, "certificate"},
		"ALB, a chain with something else":  {alb, albField, []string{albEscaped(pemText + "x" + otherPEM)}, "no PEM"},
		"ALB, a chain that breaks off":      {alb, albField, []string{albEscaped(pemText + otherPEM[:100])}, "no PEM"},
		"ALB, nothing in it":                {alb, albField, []string{"%20"}, "none"},

		"HAProxy":                        {haproxy, x, []string{b64}, "certificate"},
		"HAProxy, empty":                 {haproxy, x, []string{""}, "none"},
		"HAProxy, with colons":           {haproxy, x, []string{":" + b64 + ":"}, "base64"},
		"HAProxy, joined by a comma":     {haproxy, x, []string{b64 + "," + b64}, "base64"},
		"HAProxy, hexadecimal":           {haproxy, x, []string{strings.ToUpper(hex.EncodeToString(der))}, "no "},
		"Caddy":                          {caddy, x, []string{b64}, "certificate"},
		"Caddy, its placeholder":         {caddy, x, []string{"{http.request.tls.client.certificate_der_base64}"}, "none"},
		"Caddy, its PEM placeholder":     {caddy, x, []string{"{http.request.tls.client.certificate_pem}"}, "base64"},
		"Caddy, the placeholder before":  {caddy, x, []string{"{http.request.tls.client.certificate_der_base64}" + b64}, "base64"},
		"Caddy, its field and another":   {caddy, x, []string{b64, "{http.request.tls.client.certificate_der_base64}"}, "2 X-Client-Cert fields"},
		"Apache":                         {apache, x, []string{spaced}, "certificate"},
		"Apache, (null)":                 {apache, x, []string{"(null)"}, "none"},
		"Apache, two certificates":       {apache, x, []string{spaced + strings.ReplaceAll(otherPEM, "\n", " ")}, "more than one"},
		"Apache, escaped":                {apache, x, []string{escaped(pemText)}, "no PEM"},
		"Traefik":                        {traefik, traefikField, []string{body}, "certificate"},
		"Traefik, escaped":               {traefik, traefikField, []string{escaped(body)}, "certificate"},
		"Traefik, with markers, escaped": {traefik, traefikField, []string{escaped(pemText)}, "certificate"},
		"Traefik, a chain":               {traefik, traefikField, []string{body + "," + body}, "several certificates"},
		"Traefik, a chain, escaped":      {traefik, traefikField, []string{escaped(body + "," + body)}, "several certificates"},

		"Envoy":                          {envoy, envoyField, []string{`Cert="` + escaped(pemText) + `"`}, "certificate"},
		"Envoy, without quotes":          {envoy, envoyField, []string{`Cert=` + escaped(pemText)}, "certificate"},
		"Envoy, all keys":                {envoy, envoyField, []string{`By=spiffe://acme/gate;Hash=` + hash + `;Cert="` + escaped(pemText) + `";Subject="CN=orders\",worker\\,O=acme;x=1";URI=;DNS=a;DNS=b`}, "certificate"},
		"Envoy, a Hash alone":            {envoy, envoyField, []string{`Hash=` + hash}, "no Cert"},
		"Envoy, another's Hash":          {envoy, envoyField, []string{`Hash=` + otherHash + `;Cert="` + escaped(pemText) + `"`}, "not the Cert's"},
		"Envoy, a Hash that is none":     {envoy, envoyField, []string{`Hash=` + hash[2:] + `;Cert="` + escaped(pemText) + `"`}, "no SHA-256"},
		"Envoy, two elements":            {envoy, envoyField, []string{`Cert="` + escaped(pemText) + `",Cert="` + escaped(otherPEM) + `"`}, "several elements"},
		"Envoy, an element before":       {envoy, envoyField, []string{`By=spiffe://evil,Cert="` + escaped(pemText) + `"`}, "several elements"},
		"Envoy, Cert twice":              {envoy, envoyField, []string{`Cert="` + escaped(pemText) + `";cert="` + escaped(otherPEM) + `"`}, "twice"},
		"Envoy, Hash twice":              {envoy, envoyField, []string{`Hash=` + hash + `;Hash=` + hash + `;Cert="` + escaped(pemText) + `"`}, "twice"},
		"Envoy, a Cert within a Subject": {envoy, envoyField, []string{`Subject=";Cert=` + escaped(pemText) + `"`}, "no Cert"},
		"Envoy, a quote that opens":      {envoy, envoyField, []string{`Cert="` + escaped(pemText)}, "does not end"},
		"Envoy, a quote within":          {envoy, envoyField, []string{`By=a"b;Cert="` + escaped(pemText) + `"`}, "quote within"},
		"Envoy, text behind a quote":     {envoy, envoyField, []string{`Cert="` + escaped(pemText) + `"x`}, "no list"},
		"Envoy, nothing behind ;":        {envoy, envoyField, []string{`Cert="` + escaped(pemText) + `";`}, "no list"},
		"Envoy, no pairs":                {envoy, envoyField, []string{escaped(pemText)}, "no list"},
		"Envoy, two lines":               {envoy, envoyField, []string{`Cert="` + escaped(pemText) + `"`, `By=a`}, "2 X-Forwarded-Client-Cert fields"},
	} {
		t.Run(name, func(t *testing.T) {
			for peer, believed := range map[string]bool{"10.1.2.3:4711": true, "[fd00::1]:4711": true, "10.2.0.1:4711": false, "127.0.0.1:4711": false} {
				r := from(tcp(peer))
				for _, line := range tc.lines {
					r.Header.Add(tc.field, line)
				}
				got, err := tc.read(r)
				want := tc.want
				if !believed {
					want = "none"
				}
				switch {
				case want == "certificate" && (err != nil || !bytes.Equal(got, der)):
					t.Errorf("from %s: %x, %v", peer, got, err)
				case want == "none" && (err != nil || got != nil):
					t.Errorf("from %s: %x, %v, wanted nothing", peer, got, err)
				case want != "certificate" && want != "none" && (err == nil || got != nil || !strings.Contains(err.Error(), want)):
					t.Errorf("from %s: %x, %v, wanted an error with %q", peer, got, err, want)
				}
			}
		})
	}
}

// TestWhoIsBelieved: the connection's own peer, or who knows a secret.
func TestWhoIsBelieved(t *testing.T) {
	der := newCertificate(t)
	value := ":" + base64.StdEncoding.EncodeToString(der) + ":"
	const secret, next = "0123456789abcdef-1", "0123456789abcdef-2"
	shared := forwarded.Secret("X-Proxy-Secret", secret, next)
	for name, tc := range map[string]struct {
		trust   []forwarded.Trust
		peer    net.Addr
		secrets []string
		good    bool
	}{
		"nobody":                          {nil, tcp("10.1.2.3:1"), nil, false},
		"the zero Trust":                  {[]forwarded.Trust{{}}, tcp("10.1.2.3:1"), nil, false},
		"no networks":                     {[]forwarded.Trust{forwarded.Peers()}, tcp("10.1.2.3:1"), nil, false},
		"a network":                       {[]forwarded.Trust{proxies}, tcp("10.1.2.3:1"), nil, true},
		"a neighbour of the network":      {[]forwarded.Trust{proxies}, tcp("10.2.2.3:1"), nil, false},
		"IPv4 in IPv6":                    {[]forwarded.Trust{proxies}, tcp("[::ffff:10.1.2.3]:1"), nil, true},
		"IPv6 with a zone":                {[]forwarded.Trust{forwarded.Peers(netip.MustParsePrefix("fe80::/10"))}, tcp("[fe80::1%eth0]:1"), nil, true},
		"a socket is no network":          {[]forwarded.Trust{proxies}, &net.UnixAddr{Name: "@", Net: "unix"}, nil, false},
		"a socket":                        {[]forwarded.Trust{forwarded.UnixSocket()}, &net.UnixAddr{Net: "unix"}, nil, true},
		"no socket":                       {[]forwarded.Trust{forwarded.UnixSocket()}, tcp("127.0.0.1:1"), nil, false},
		"another kind of connection":      {[]forwarded.Trust{proxies, forwarded.UnixSocket()}, &net.IPAddr{IP: net.IPv4(10, 1, 2, 3)}, nil, false},
		"a secret":                        {[]forwarded.Trust{shared}, tcp("127.0.0.1:1"), []string{secret}, true},
		"the next secret":                 {[]forwarded.Trust{shared}, tcp("127.0.0.1:1"), []string{next}, true},
		"no secret":                       {[]forwarded.Trust{shared}, tcp("127.0.0.1:1"), nil, false},
		"an empty secret":                 {[]forwarded.Trust{shared}, tcp("127.0.0.1:1"), []string{""}, false},
		"a wrong secret":                  {[]forwarded.Trust{shared}, tcp("127.0.0.1:1"), []string{secret + "0"}, false},
		"two secrets, one of them right":  {[]forwarded.Trust{shared}, tcp("127.0.0.1:1"), []string{"x", secret}, false},
		"two right ones":                  {[]forwarded.Trust{shared}, tcp("127.0.0.1:1"), []string{secret, next}, false},
		"a network or a secret, the last": {[]forwarded.Trust{proxies, shared}, tcp("127.0.0.1:1"), []string{secret}, true},
		"a network or a secret, neither":  {[]forwarded.Trust{proxies, shared}, tcp("127.0.0.1:1"), nil, false},
		"a network, and a wrong secret":   {[]forwarded.Trust{shared, proxies}, tcp("10.1.2.3:1"), []string{"x"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := from(tc.peer)
			r.RemoteAddr = "10.1.2.3:80" // as middlewares write it, from what a client says
			r.Header.Set("X-Forwarded-For", "10.1.2.3")
			r.Header.Set("Client-Cert", value)
			for _, s := range tc.secrets {
				r.Header.Add("X-Proxy-Secret", s)
			}
			got, err := forwarded.ClientCert(tc.trust...)(r)
			if err != nil || (got != nil) != tc.good || tc.good && !bytes.Equal(got, der) {
				t.Errorf("%x, %v", got, err)
			}
			if s := r.Header.Values("X-Proxy-Secret"); len(s) > 0 && strings.Contains(name, "secret") {
				t.Error("the secret is still there")
			}
		})
	}
}

// TestNoConnContext: who is on the other end is not known, so nobody is believed,
// and the operator is told.
func TestNoConnContext(t *testing.T) {
	read := forwarded.ClientCert(proxies)
	r := httptest.NewRequest("GET", "/", nil)
	if der, err := read(r); der != nil || err != nil {
		t.Errorf("without a field: %x, %v", der, err)
	}
	r.Header.Set("Client-Cert", "::")
	if der, err := read(r); der != nil || !errors.Is(err, validator.ErrUnavailable) || !strings.Contains(err.Error(), "http.Server.ConnContext") {
		t.Errorf("%x, %v", der, err)
	}
	r.Header.Set("X-Proxy-Secret", "0123456789abcdef")
	r.Header.Set("Client-Cert", ":"+base64.StdEncoding.EncodeToString(newCertificate(t))+":")
	if der, err := forwarded.ClientCert(proxies, forwarded.Secret("X-Proxy-Secret", "0123456789abcdef"))(r); der == nil || err != nil {
		t.Errorf("a secret needs no connection: %v", err)
	}
}

func TestWrongArguments(t *testing.T) {
	for name, call := range map[string]func(){
		"no field":       func() { forwarded.NGINX("", proxies) },
		"no secret":      func() { forwarded.Secret("X-Proxy-Secret") },
		"a short secret": func() { forwarded.Secret("X-Proxy-Secret", "0123456789abcde") },
		"no name":        func() { forwarded.Secret("", "0123456789abcdef") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				text, _ := recover().(string)
				if !strings.HasPrefix(text, "forwarded: ") || !strings.Contains(text, "wanted") || strings.Contains(text, "0123456789") {
					t.Errorf("panicked with %q", text)
				}
			}()
			call()
		})
	}
}

// TestOnASocket and over a Unix socket: ConnContext knows a real connection's peer.
func TestOnASocket(t *testing.T) {
	der := newCertificate(t)
	for name, tc := range map[string]struct {
		network, address string
		trust            forwarded.Trust
	}{
		"TCP":  {"tcp", "127.0.0.1:0", forwarded.Peers(netip.MustParsePrefix("127.0.0.0/8"))},
		"Unix": {"unix", filepath.Join(t.TempDir(), "api"), forwarded.UnixSocket()},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen(tc.network, tc.address)
			if err != nil {
				t.Fatal(err)
			}
			read := forwarded.ClientCert(tc.trust)
			api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got, err := read(r)
				if err != nil || !bytes.Equal(got, der) {
					t.Errorf("%x, %v", got, err)
				}
			}))
			_ = api.Listener.Close()
			api.Listener = listener
			api.Config.ConnContext = forwarded.ConnContext
			api.Start()
			defer api.Close()
			client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				return net.Dial(tc.network, listener.Addr().String())
			}}}
			defer client.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), "GET", "http://api.example.com/", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Client-Cert", ":"+base64.StdEncoding.EncodeToString(der)+":")
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
		})
	}
}
