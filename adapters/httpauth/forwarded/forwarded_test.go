package forwarded_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/m2mguard/m2mguard/adapters/httpauth/forwarded"
	"github.com/m2mguard/m2mguard/internal/trials/certfields"
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

// readers read each form of the catalogue.
func readers(from ...forwarded.Trust) map[certfields.Form]func(*http.Request) ([]byte, error) {
	const x = certfields.Field
	return map[certfields.Form]func(*http.Request) ([]byte, error){
		certfields.RFC9440: forwarded.ClientCert(from...), certfields.NGINX: forwarded.NGINX(x, from...), certfields.HAProxy: forwarded.HAProxy(x, from...),
		certfields.Apache: forwarded.Apache(x, from...), certfields.Caddy: forwarded.Caddy(x, from...), certfields.Traefik: forwarded.Traefik(from...),
		certfields.ALB: forwarded.ALB("x-amzn-mtls-clientcert", from...), certfields.Envoy: forwarded.Envoy(from...),
	}
}

func TestForms(t *testing.T) {
	for _, tc := range certfields.All(newCertificate(t), newCertificate(t)) {
		t.Run(tc.Name, func(t *testing.T) {
			for peer, believed := range map[string]bool{"10.1.2.3:4711": true, "[fd00::1]:4711": true, "10.2.0.1:4711": false, "127.0.0.1:4711": false} {
				r := from(tcp(peer))
				for _, line := range tc.Lines {
					r.Header.Add(tc.Field, line)
				}
				got, err := readers(proxies)[tc.Form](r)
				want := tc.Want
				if !believed && len(strings.Join(tc.Lines, "")) > 0 && tc.Name != "RFC 9440, in another field" {
					want = "did not send it"
				}
				switch {
				case want == certfields.Certificate && (err != nil || !bytes.Equal(got, tc.DER)):
					t.Errorf("from %s: %x, %v", peer, got, err)
				case want == certfields.None && (err != nil || got != nil):
					t.Errorf("from %s: %x, %v, wanted nothing", peer, got, err)
				case want != certfields.Certificate && want != certfields.None && (err == nil || got != nil || !strings.Contains(err.Error(), want)):
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
			if (err == nil) != tc.good || (got != nil) != tc.good || tc.good && !bytes.Equal(got, der) {
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
		"nobody":         func() { forwarded.ClientCert() },
		"a zero Trust":   func() { forwarded.ClientCert(proxies, forwarded.Trust{}) },
		"no networks":    func() { forwarded.Peers() },
		"no network":     func() { forwarded.Peers(netip.Prefix{}) },
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

// TestPeerContext is ConnContext without a connection.
func TestPeerContext(t *testing.T) {
	der := newCertificate(t)
	for address, want := range map[net.Addr]bool{
		tcp("10.1.2.3:1"):                      true,
		tcp("10.2.2.3:1"):                      false,
		&net.UnixAddr{Net: "unix"}:             false,
		&net.IPAddr{IP: net.IPv4(10, 1, 2, 3)}: false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r = r.WithContext(forwarded.PeerContext(r.Context(), address))
		r.Header.Set("Client-Cert", ":"+base64.StdEncoding.EncodeToString(der)+":")
		if got, err := forwarded.ClientCert(proxies)(r); (err == nil) != want || (got != nil) != want {
			t.Errorf("%v: %x, %v", address, got, err)
		}
	}
}
