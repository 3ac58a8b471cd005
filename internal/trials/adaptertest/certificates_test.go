package adaptertest_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5/middleware"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth/forwarded"
	"github.com/m2mguard/m2mguard/internal/trials/certfields"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// leaf is the certificate of a key pair.
func leaf(t testing.TB, c tls.Certificate) *x509.Certificate {
	t.Helper()
	parsed, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestCertificateOfTheConnection: where this API's own server ends TLS, the client's
// certificate is that of the connection, over HTTP/1.1 and HTTP/2, also when the session
// is resumed.
func TestCertificateOfTheConnection(t *testing.T) {
	iss := issuertest.New(t)
	mine, other := issuertest.ClientCertificate("orders-sync"), issuertest.ClientCertificate("billing")
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", CertificateThumbprint: issuertest.CertificateThumbprint(leaf(t, mine))})
	bearer := iss.Token(issuertest.Claims{Scope: "orders:read"})
	v := provingValidator(t, iss, func(c *validator.Config) { c.DPoP = nil })
	for _, f := range frameworks {
		for _, http2 := range []bool{false, true} {
			server := httptest.NewUnstartedServer(f.api(v, nil, serve))
			server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
			server.EnableHTTP2 = http2
			server.StartTLS()
			for name, tc := range map[string]struct {
				certificate   *tls.Certificate
				token, path   string
				header        string
				status        int
				wantChallenge string
			}{
				"its certificate":               {&mine, bound, "/require", "", 200, ""},
				"its certificate, bound route":  {&mine, bound, "/bound", "", 200, ""},
				"another":                       {&other, bound, "/require", "", 401, "bound to another sender"},
				"none":                          {nil, bound, "/require", "", 401, "bound to a sender"},
				"a header says so":              {nil, bound, "/require", "Client-Cert", 401, "bound to a sender"},
				"another, and a header says so": {&other, bound, "/require", "Client-Cert", 401, "bound to another sender"},
				"a bearer token":                {&other, bearer, "/require", "", 200, ""},
				"a bearer token, bound route":   {&mine, bearer, "/bound", "", 401, "needs an access token that is bound"},
			} {
				t.Run(f.name+", "+name, func(t *testing.T) {
					transport := server.Client().Transport.(*http.Transport).Clone()
					transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(4)
					if tc.certificate != nil {
						transport.TLSClientConfig.Certificates = []tls.Certificate{*tc.certificate}
					}
					for n := range 2 { // the second one on a session that is resumed
						r, err := http.NewRequest("GET", server.URL+tc.path, nil)
						if err != nil {
							t.Fatal(err)
						}
						r.Header.Set("Authorization", "Bearer "+tc.token)
						if tc.header != "" {
							r.Header.Set(tc.header, ":"+base64.StdEncoding.EncodeToString(mine.Certificate[0])+":")
						}
						response, err := transport.RoundTrip(r)
						if err != nil {
							t.Fatal(err)
						}
						_, _ = io.Copy(io.Discard, response.Body)
						_ = response.Body.Close()
						transport.CloseIdleConnections()
						if n == 1 && !response.TLS.DidResume && tc.certificate == nil {
							t.Log("the session was not resumed")
						}
						if response.StatusCode != tc.status || !strings.Contains(response.Header.Get("WWW-Authenticate"), tc.wantChallenge) {
							t.Errorf("%d %s, wanted %d with %q", response.StatusCode, response.Header.Get("WWW-Authenticate"), tc.status, tc.wantChallenge)
						}
						if http2 != (response.ProtoMajor == 2) {
							t.Errorf("over %s", response.Proto)
						}
					}
				})
			}
			server.Close()
		}
	}
}

// TestCertificateByAProxy: what a header says counts from whom it is believed alone,
// whatever stands before the gate and makes of RemoteAddr, and a connection's own
// certificate does not count then.
func TestCertificateByAProxy(t *testing.T) {
	iss := issuertest.New(t)
	mine, other := issuertest.ClientCertificate("orders-sync"), issuertest.ClientCertificate("billing")
	bound := iss.Token(issuertest.Claims{Scope: "orders:read orders:write", CertificateThumbprint: issuertest.CertificateThumbprint(leaf(t, mine))})
	v := provingValidator(t, iss, func(c *validator.Config) { c.DPoP = nil })
	field := func(c tls.Certificate) string { return ":" + base64.StdEncoding.EncodeToString(c.Certificate[0]) + ":" }
	loopback := forwarded.Peers(netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	elsewhere := forwarded.Peers(netip.MustParsePrefix("10.9.9.9/32"))
	const secret = "a secret that the proxy shares"
	for _, f := range frameworks {
		for name, tc := range map[string]struct {
			from   forwarded.Trust
			header http.Header
			tls    bool // the connection shows mine
			path   string
			status int
		}{
			"from the proxy":                {loopback, http.Header{"Client-Cert": {field(mine)}}, false, "/require", 200},
			"two gates":                     {loopback, http.Header{"Client-Cert": {field(mine)}}, false, "/require/group/write", 200},
			"another certificate":           {loopback, http.Header{"Client-Cert": {field(other)}}, false, "/require", 401},
			"two fields":                    {loopback, http.Header{"Client-Cert": {field(mine), field(mine)}}, false, "/require", 401},
			"none":                          {loopback, nil, false, "/require", 401},
			"from somebody else":            {elsewhere, http.Header{"Client-Cert": {field(mine)}}, false, "/require", 401},
			"who claims to be the proxy":    {elsewhere, http.Header{"Client-Cert": {field(mine)}, "X-Forwarded-For": {"10.9.9.9"}, "X-Real-Ip": {"10.9.9.9"}, "True-Client-Ip": {"10.9.9.9"}}, false, "/require", 401},
			"with the secret":               {forwarded.Secret("X-Proxy-Secret", secret), http.Header{"Client-Cert": {field(mine)}, "X-Proxy-Secret": {secret}}, false, "/require", 200},
			"with the secret, two gates":    {forwarded.Secret("X-Proxy-Secret", secret), http.Header{"Client-Cert": {field(mine)}, "X-Proxy-Secret": {secret}}, false, "/require/group/write", 200},
			"with another secret":           {forwarded.Secret("X-Proxy-Secret", secret), http.Header{"Client-Cert": {field(mine)}, "X-Proxy-Secret": {secret + "x"}}, false, "/require", 401},
			"with the secret twice":         {forwarded.Secret("X-Proxy-Secret", secret), http.Header{"Client-Cert": {field(mine)}, "X-Proxy-Secret": {secret, secret}}, false, "/require", 401},
			"the connection's own":          {loopback, nil, true, "/require", 401},
			"the connection's, and another": {loopback, http.Header{"Client-Cert": {field(other)}}, true, "/require", 401},
		} {
			t.Run(f.name+", "+name, func(t *testing.T) {
				seen := make(chan http.Header, 1)
				api := f.api(v, &httpauth.Config{ClientCertificate: forwarded.ClientCert(tc.from)}, func(w http.ResponseWriter, r *http.Request) {
					seen <- r.Header.Clone()
					serve(w, r)
				})
				//lint:ignore SA1019 what it does wrong is what is tried here
				server := httptest.NewUnstartedServer(middleware.RealIP(api)) // which believes any client
				server.Config.ConnContext = forwarded.ConnContext
				server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
				server.StartTLS()
				defer server.Close()
				transport := server.Client().Transport.(*http.Transport)
				if tc.tls {
					transport.TLSClientConfig.Certificates = []tls.Certificate{mine}
				}
				r, err := http.NewRequest("GET", server.URL+tc.path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if tc.header != nil {
					r.Header = tc.header.Clone()
				}
				r.Header.Set("Authorization", "Bearer "+bound)
				response, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if response.StatusCode != tc.status {
					t.Errorf("%d %s, wanted %d", response.StatusCode, body, tc.status)
				}
				if response.StatusCode == 200 && (<-seen).Get("X-Proxy-Secret") != "" {
					t.Error("the handler sees the proxy's secret")
				}
			})
		}
	}
}

// TestWithoutConnContext is 503 for a bound token with a header, and for nobody else.
func TestWithoutConnContext(t *testing.T) {
	iss := issuertest.New(t)
	mine := issuertest.ClientCertificate("orders-sync")
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", CertificateThumbprint: issuertest.CertificateThumbprint(leaf(t, mine))})
	bearer := iss.Token(issuertest.Claims{Scope: "orders:read"})
	v := provingValidator(t, iss, func(c *validator.Config) { c.DPoP = nil })
	cfg := &httpauth.Config{ClientCertificate: forwarded.ClientCert(forwarded.Peers(netip.MustParsePrefix("192.0.2.0/24")))}
	for _, f := range frameworks {
		for name, tc := range map[string]struct {
			token  string
			header string
			status int
		}{
			"a bound token":                  {bound, ":MAA=:", 503},
			"a bound token without a header": {bound, "", 401},
			"a bearer token":                 {bearer, ":MAA=:", 200},
		} {
			r := httptest.NewRequest("GET", "/require", nil)
			r.Header.Set("Authorization", "Bearer "+tc.token)
			if tc.header != "" {
				r.Header.Set("Client-Cert", tc.header)
			}
			w := httptest.NewRecorder()
			f.api(v, cfg, serve).ServeHTTP(w, r)
			if w.Code != tc.status {
				t.Errorf("%s, %s: %d %s, wanted %d", f.name, name, w.Code, w.Body, tc.status)
			}
		}
	}
}

// TestCatalogueOfCertificateFields runs forwarded's catalogue through VerifyRequest, in
// each adapter: a token that is bound to the certificate that is meant gets through where
// the field holds it, and comes from the proxy, and nowhere else.
func TestCatalogueOfCertificateFields(t *testing.T) {
	iss := issuertest.New(t)
	v := provingValidator(t, iss, func(c *validator.Config) { c.DPoP = nil })
	mine, other := issuertest.ClientCertificate("orders-sync"), issuertest.ClientCertificate("billing")
	proxies := forwarded.Peers(netip.MustParsePrefix("10.1.0.0/16"))
	const x = certfields.Field
	read := map[certfields.Form]func(*http.Request) ([]byte, error){
		certfields.RFC9440: forwarded.ClientCert(proxies), certfields.NGINX: forwarded.NGINX(x, proxies), certfields.HAProxy: forwarded.HAProxy(x, proxies),
		certfields.Apache: forwarded.Apache(x, proxies), certfields.Caddy: forwarded.Caddy(x, proxies), certfields.Traefik: forwarded.Traefik(proxies),
		certfields.ALB: forwarded.ALB("X-Amzn-Mtls-Clientcert", proxies), certfields.Envoy: forwarded.Envoy(proxies),
	}
	tokens := make(map[string]string)
	all := certfields.All(mine.Certificate[0], other.Certificate[0])
	if len(all) < 60 {
		t.Errorf("%d fields, wanted 60 at least", len(all))
	}
	for _, f := range frameworks {
		apis := make(map[certfields.Form]http.Handler)
		for form := range read {
			apis[form] = f.api(v, &httpauth.Config{ClientCertificate: read[form]}, serve)
		}
		for _, tc := range all {
			if tokens[tc.Thumbprint] == "" {
				tokens[tc.Thumbprint] = iss.Token(issuertest.Claims{Scope: "orders:read", CertificateThumbprint: tc.Thumbprint})
			}
			for peer, believed := range map[string]bool{"10.1.2.3": true, "10.2.0.1": false} {
				r := httptest.NewRequest("GET", "/require", nil)
				r = r.WithContext(forwarded.ConnContext(r.Context(), connFrom{address: netip.AddrPortFrom(netip.MustParseAddr(peer), 4711)}))
				r.Header.Set("Authorization", "Bearer "+tokens[tc.Thumbprint])
				for _, line := range tc.Lines {
					r.Header.Add(tc.Field, line)
				}
				w := httptest.NewRecorder()
				apis[tc.Form].ServeHTTP(w, r)
				want := http.StatusUnauthorized
				if believed && tc.Want == certfields.Certificate {
					want = http.StatusOK
				}
				if w.Code != want {
					t.Errorf("%s, %s, from %s: %d %s, wanted %d (%s)", f.name, tc.Name, peer, w.Code, w.Body, want, tc.Cite)
				}
			}
		}
	}
}

// connFrom is a connection of which the other end is known alone.
type connFrom struct {
	net.Conn
	address netip.AddrPort
}

func (c connFrom) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.address) }
