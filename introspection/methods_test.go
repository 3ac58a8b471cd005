package introspection_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/m2mguard/m2mguard/introspection"
)

// signerFunc is an AssertionSigner that signs nothing.
type signerFunc func(audience string) (string, error)

func (f signerFunc) SignAssertion(_ context.Context, audience string) (string, error) {
	return f(audience)
}

// sourceFunc is a TokenSource.
type sourceFunc func() (string, error)

func (f sourceFunc) AccessToken(context.Context) (string, error) { return f() }

// TestMethodsOnTheWire compares everything that a request holds.
func TestMethodsOnTheWire(t *testing.T) {
	assertion := signerFunc(func(audience string) (string, error) { return "assertion for " + audience, nil })
	form := func(more url.Values) url.Values {
		all := url.Values{"token": {"the token"}, "token_type_hint": {"access_token"}}
		for name, values := range more {
			all[name] = values
		}
		return all
	}
	const jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	for _, test := range []struct {
		name          string
		issuer        string
		auth          introspection.ClientAuth
		form          url.Values
		authorization string
	}{
		{
			name: "private_key_jwt, for the endpoint",
			auth: introspection.PrivateKeyJWT("api", assertion),
			form: form(url.Values{"client_id": {"api"}, "client_assertion_type": {jwtBearer}, "client_assertion": {"assertion for " + endpointURL}}),
		},
		{
			name:   "private_key_jwt, for the issuer",
			issuer: "https://id.example.com",
			auth:   introspection.PrivateKeyJWT("api", assertion),
			form:   form(url.Values{"client_id": {"api"}, "client_assertion_type": {jwtBearer}, "client_assertion": {"assertion for https://id.example.com"}}),
		},
		{
			name: "tls_client_auth",
			auth: introspection.TLSClientAuth("api"),
			form: form(url.Values{"client_id": {"api"}}),
		},
		{
			name:          "a bearer token",
			auth:          introspection.BearerToken(sourceFunc(func() (string, error) { return "our-own", nil })),
			form:          form(nil),
			authorization: "Bearer our-own",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent := make(chan *http.Request, 1)
			c := newClient(t, nil, func(cfg *introspection.Config) {
				cfg.Issuer, cfg.Auth = test.issuer, test.auth
				cfg.HTTPClient = &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
					if err := req.ParseForm(); err != nil {
						return nil, err
					}
					sent <- req
					return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(activeBody))}, nil
				})}
			})
			expect(t, c, "the token", "active")
			req := <-sent
			if diff := cmp.Diff(test.form, req.PostForm); diff != "" {
				t.Errorf("form (-want +got):\n%s", diff)
			}
			want := http.Header{"Accept": {jsonType}, "Content-Type": {"application/x-www-form-urlencoded"}}
			if test.authorization != "" {
				want.Set("Authorization", test.authorization)
			}
			if diff := cmp.Diff(want, req.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewRefusesMethods(t *testing.T) {
	for _, test := range []struct {
		name string
		auth introspection.ClientAuth
		says []string
	}{
		{"an assertion of nobody, signed by nobody", introspection.PrivateKeyJWT("", nil), []string{"empty client id", "nil AssertionSigner"}},
		{"a certificate of nobody", introspection.TLSClientAuth(""), []string{"empty client id", "HTTPClient is missing"}},
		{"no certificate", introspection.TLSClientAuth("api"), []string{"Config.HTTPClient is missing", "client certificate"}},
		{"no token", introspection.BearerToken(nil), []string{"nil TokenSource"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := introspection.New(introspection.Config{Endpoint: endpointURL, Auth: test.auth})
			for _, says := range test.says {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("error is %v, want %q in it", err, says)
				}
			}
		})
	}
}

// TestCredentialsThatCannotBeHad are an outage with a cause, and nothing is sent.
func TestCredentialsThatCannotBeHad(t *testing.T) {
	errVault := errors.New("vault sealed")
	for name, auth := range map[string]introspection.ClientAuth{
		"no assertion": introspection.PrivateKeyJWT("api", signerFunc(func(string) (string, error) { return "", errVault })),
		"no token":     introspection.BearerToken(sourceFunc(func() (string, error) { return "", errVault })),
		"empty token":  introspection.BearerToken(sourceFunc(func() (string, error) { return "", nil })),
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(always(activeBody))
			c := newClient(t, u, func(cfg *introspection.Config) { cfg.Auth = auth })
			_, err := c.Introspect(t.Context(), "token")
			failure(t, err)
			if name != "empty token" && !errors.Is(err, errVault) {
				t.Errorf("error is %v, want it to wrap the cause", err)
			}
			if u.calls() != 0 {
				t.Error("asked without credentials")
			}
		})
	}
}

// TestRefusedCredentialsAreRenewedOnce: a fresh assertion, or a token that was
// renewed meanwhile, is worth one more request; the same token is not.
func TestRefusedCredentialsAreRenewedOnce(t *testing.T) {
	var made atomic.Int64
	next := func(string) (string, error) { return fmt.Sprint("credentials ", made.Add(1)), nil }
	for name, test := range map[string]struct {
		auth introspection.ClientAuth
		want int
	}{
		"assertions":        {introspection.PrivateKeyJWT("api", signerFunc(next)), 2},
		"tokens":            {introspection.BearerToken(sourceFunc(func() (string, error) { return next("") })), 2},
		"one and the same":  {introspection.BearerToken(sourceFunc(func() (string, error) { return "token", nil })), 1},
		"a TLS certificate": {introspection.TLSClientAuth("api"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(func(string) answer { return answer{status: 401} })
			c := newClient(t, u, func(cfg *introspection.Config) { cfg.Auth = test.auth })
			expect(t, c, "token", "unavailable")
			if u.calls() != test.want {
				t.Errorf("asked %d times, want %d", u.calls(), test.want)
			}
		})
	}
}

// TestTLSClientAuth runs over a TLS server that asks for certificates.
func TestTLSClientAuth(t *testing.T) {
	ours, strangers := certificate(t, "orders-api"), certificate(t, "orders-api")
	known := x509.NewCertPool()
	known.AddCert(ours.Leaf)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) == 0 || r.FormValue("client_id") != r.TLS.PeerCertificates[0].Subject.CommonName || r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, activeBody)
	}))
	srv.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: known}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)

	for name, test := range map[string]struct {
		client       string
		certificates []tls.Certificate
		want         string
	}{
		"our certificate":           {"orders-api", []tls.Certificate{ours}, "active"},
		"none":                      {"orders-api", nil, "unavailable"},
		"a stranger's":              {"orders-api", []tls.Certificate{strangers}, "unavailable"},
		"ours, for another client":  {"billing-api", []tls.Certificate{ours}, "unavailable"},
		"none, for another client":  {"billing-api", nil, "unavailable"},
		"ours, then the stranger's": {"orders-api", []tls.Certificate{ours, strangers}, "active"},
	} {
		t.Run(name, func(t *testing.T) {
			transport := srv.Client().Transport.(*http.Transport).Clone()
			transport.TLSClientConfig.Certificates = test.certificates
			t.Cleanup(transport.CloseIdleConnections)
			c := newClient(t, nil, func(cfg *introspection.Config) {
				cfg.Endpoint, cfg.Auth = srv.URL, introspection.TLSClientAuth(test.client)
				cfg.HTTPClient = &http.Client{Transport: transport}
			})
			expect(t, c, "token", test.want)
		})
	}
}

// certificate is a self-signed client certificate (RFC 8705 §2.2).
func certificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// ownToken adapts golang.org/x/oauth2, which renews its tokens by itself.
type ownToken struct{ oauth2.TokenSource }

func (s ownToken) AccessToken(context.Context) (string, error) {
	token, err := s.Token()
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

// authorizationServer issues tokens to this resource server, each good for so
// many seconds, and lets whoever holds one introspect.
func authorizationServer(seconds int) (server *httptest.Server, issued *atomic.Int64) {
	issued = new(atomic.Int64)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if id, secret, _ := r.BasicAuth(); id != "orders-api" || secret != secretText {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", jsonType)
		fmt.Fprintf(w, `{"access_token":"own-%d","token_type":"Bearer","expires_in":%d}`, issued.Add(1), seconds)
	})
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer own-%d", issued.Load()) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, activeBody)
	})
	return httptest.NewServer(mux), issued
}

func TestBearerTokenOfClientCredentials(t *testing.T) {
	for name, test := range map[string]struct{ seconds, issued int }{
		"one for all": {3600, 1},
		"renewed":     {1, 5}, // oauth2 renews ten seconds early, so that each is used once
	} {
		t.Run(name, func(t *testing.T) {
			srv, issued := authorizationServer(test.seconds)
			t.Cleanup(srv.Close)
			own := clientcredentials.Config{ClientID: "orders-api", ClientSecret: secretText, TokenURL: srv.URL + "/token"}
			source := own.TokenSource(context.WithValue(t.Context(), oauth2.HTTPClient, srv.Client()))
			c := newClient(t, nil, func(cfg *introspection.Config) {
				cfg.Endpoint, cfg.HTTPClient = srv.URL+"/introspect", srv.Client()
				cfg.Auth = introspection.BearerToken(ownToken{source})
			})
			for n := range 5 {
				expect(t, c, tokenNumber(n), "active")
			}
			if int(issued.Load()) != test.issued {
				t.Errorf("%d tokens were issued, want %d", issued.Load(), test.issued)
			}
		})
	}
}

// A resource server that authenticates with a token of its own, from the
// client-credentials flow. The adapter from golang.org/x/oauth2 is
//
//	type ownToken struct{ oauth2.TokenSource }
//
//	func (s ownToken) AccessToken(context.Context) (string, error) {
//		token, err := s.Token()
//		if err != nil {
//			return "", err
//		}
//		return token.AccessToken, nil
//	}
func ExampleBearerToken() {
	server, _ := authorizationServer(3600)
	defer server.Close()
	own := clientcredentials.Config{ClientID: "orders-api", ClientSecret: secretText, TokenURL: server.URL + "/token"}

	client, err := introspection.New(introspection.Config{
		Endpoint: server.URL + "/introspect",
		Auth:     introspection.BearerToken(ownToken{own.TokenSource(context.Background())}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	result, err := client.Introspect(context.Background(), "opaque-token")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("active:", result.Active())
	// Output: active: true
}
