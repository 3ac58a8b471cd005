package forwarded_test

import (
	"encoding/pem"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth/forwarded"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// An API behind nginx, which hands on its clients' certificates.
func Example() {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	nginx := forwarded.Peers(netip.MustParsePrefix("127.0.0.1/32"))
	auth := httpauth.New(v, &httpauth.Config{ClientCertificate: forwarded.NGINX("X-Client-Cert", nginx)})
	orders := auth.Require(scopes.All("orders:read"))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server := httptest.NewUnstartedServer(orders)
	server.Config.ConnContext = forwarded.ConnContext // of the http.Server
	server.Start()
	defer server.Close()

	// What nginx does, for a client that shows its own certificate, and for a thief.
	own, other := issuertest.ClientCertificate("orders"), issuertest.ClientCertificate("thief")
	token := iss.Token(issuertest.Claims{Scope: "orders:read", CertificateThumbprint: issuertest.CertificateThumbprint(own.Leaf)})
	for _, shown := range [][]byte{own.Certificate[0], other.Certificate[0]} {
		req, err := http.NewRequest("GET", server.URL, nil)
		if err != nil {
			log.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("X-Client-Cert", url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: shown}))))
		res, err := server.Client().Do(req)
		if err != nil {
			log.Fatal(err)
		}
		_ = res.Body.Close()
		fmt.Println(res.StatusCode)
	}
	// Output:
	// 200
	// 401
}
