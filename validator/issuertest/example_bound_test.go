package issuertest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// A client gets a token that is bound to its key, and shows it to an API together
// with a proof for each request.
func ExampleNewDPoPClient() {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()

	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		fmt.Fprintf(w, "%s, %d proof", scheme, len(r.Header.Values("DPoP"))) // in earnest: auth.Require
	}))
	defer api.Close()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	dpop := &http.Client{Transport: issuertest.NewDPoPClient(key, iss.Client().Transport)}
	config := clientcredentials.Config{
		ClientID: issuertest.ClientID, ClientSecret: issuertest.ClientSecret, TokenURL: iss.TokenURL(),
	}
	client := config.Client(context.WithValue(context.Background(), oauth2.HTTPClient, dpop))

	resp, err := client.Get(api.URL + "/orders")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(answer))
	// Output: DPoP, 1 proof
}

// An API that looks at nothing but the presence of a proof lets every bad one in.
func ExampleBadProof() {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()

	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // in earnest: auth.Require
		if len(r.Header.Values("DPoP")) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	token := iss.Token(issuertest.Claims{JWKThumbprint: issuertest.Thumbprint(key.Public())})
	for _, flaw := range issuertest.ProofFlaws() {
		r := httptest.NewRequest("GET", "https://api.example.test/orders", nil)
		r.Header.Set("Authorization", "DPoP "+token)
		r.Header["Dpop"] = issuertest.BadProof(flaw, key, issuertest.ProofClaims{
			Method: r.Method, URL: r.URL.String(), Token: token,
		})
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code == http.StatusUnauthorized {
			fmt.Println(flaw, "is refused")
		}
	}
	// Output: twice is refused
}

// A client gets a token that is bound to its certificate, over TLS.
func ExampleIssuer_ClientWith() {
	iss, err := issuertest.StartTLS()
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	iss.Register(issuertest.ClientRegistration{ID: "reports", Secret: "s", CertificateBound: true})

	cert := issuertest.ClientCertificate("reports")
	client := iss.ClientWith(cert) // brings the token to the API, too
	config := clientcredentials.Config{ClientID: "reports", ClientSecret: "s", TokenURL: iss.TokenURL()}
	token, err := config.Token(context.WithValue(context.Background(), oauth2.HTTPClient, client))
	if err != nil {
		log.Fatal(err)
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(token.AccessToken, ".")[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.TokenType, strings.Contains(string(claims), issuertest.CertificateThumbprint(cert.Leaf)))
	// Output: Bearer true
}
