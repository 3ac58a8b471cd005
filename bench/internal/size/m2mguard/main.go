// Command m2mguard is the service that m2mguard guards.
package main

import (
	"log"
	"net/http"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

func main() {
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{
		URL:      "https://id.example.com",
		Audience: []string{"https://orders.example.com"},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	auth := httpauth.New(v, nil)
	http.Handle("GET /orders", auth.Require(scopes.All("orders:read"))(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"orders":[]}`)) })))
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
