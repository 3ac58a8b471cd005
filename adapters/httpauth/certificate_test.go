package httpauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth/forwarded"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// TestClientCertificate: where a token's certificate is looked for.
func TestClientCertificate(t *testing.T) {
	iss := issuertest.New(t)
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	own, other := issuertest.ClientCertificate("own"), issuertest.ClientCertificate("other")
	bound := iss.Token(issuertest.Claims{Scope: "orders:read", CertificateThumbprint: issuertest.CertificateThumbprint(own.Leaf)})

	const secret = "0123456789abcdef"
	handedOn := &httpauth.Config{ClientCertificate: forwarded.ClientCert(forwarded.Secret("X-Proxy-Secret", secret))}
	finds := func(der []byte, err error) *httpauth.Config {
		return &httpauth.Config{ClientCertificate: func(*http.Request) ([]byte, error) { return der, err }}
	}
	for name, tc := range map[string]struct {
		cfg       *httpauth.Config
		connected *tls.Certificate // whose connection it is
		handed    *tls.Certificate // whose certificate the proxy names
		status    int
	}{
		"on the connection":                       {nil, &own, nil, http.StatusOK},
		"another on the connection":               {nil, &other, nil, http.StatusUnauthorized},
		"none":                                    {nil, nil, nil, http.StatusUnauthorized},
		"a field that nobody reads":               {nil, &other, &own, http.StatusUnauthorized},
		"handed on":                               {handedOn, nil, &own, http.StatusOK},
		"handed on, over a proxy's own":           {handedOn, &other, &own, http.StatusOK},
		"another handed on, over the token's own": {handedOn, &own, &other, http.StatusUnauthorized},
		"none handed on, over the token's own":    {handedOn, &own, nil, http.StatusUnauthorized},
		"found":                                   {finds(own.Certificate[0], nil), nil, nil, http.StatusOK},
		"none found, over the token's own":        {finds(nil, nil), &own, nil, http.StatusUnauthorized},
		"not to be read":                          {finds(nil, errors.New("odd")), &own, nil, http.StatusUnauthorized},
		"not to be had":                           {finds(nil, fmt.Errorf("%w: later", validator.ErrUnavailable)), &own, nil, http.StatusServiceUnavailable},
	} {
		auth := httpauth.New(v, tc.cfg)
		gate := auth.Require(scopes.All("orders:read"))
		for stack, guard := range map[string]func(http.Handler) http.Handler{
			"one gate": gate,
			"a gate behind another of its middleware": func(h http.Handler) http.Handler { return auth.Optional(scopes.All("orders:read"))(gate(h)) },
		} {
			t.Run(name+", "+stack, func(t *testing.T) {
				r := httptest.NewRequest("GET", "/orders", nil)
				r.Header.Set("Authorization", "Bearer "+bound)
				if tc.connected != nil {
					r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{tc.connected.Leaf}}
				}
				r.Header.Set("X-Proxy-Secret", secret)
				if tc.handed != nil {
					r.Header.Set("Client-Cert", ":"+base64.StdEncoding.EncodeToString(tc.handed.Certificate[0])+":")
				}
				w := httptest.NewRecorder()
				guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
				if w.Code != tc.status {
					t.Errorf("status %d, wanted %d: %s", w.Code, tc.status, w.Body)
				}
			})
		}
	}
}
