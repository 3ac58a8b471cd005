// Command golangjwt is the service that golang-jwt and keyfunc guard.
package main

import (
	"log"
	"net/http"
	"slices"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

func main() {
	keys, err := keyfunc.NewDefault([]string{"https://id.example.com/jwks"})
	if err != nil {
		log.Fatal(err)
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer("https://id.example.com"),
		jwt.WithAudience("https://orders.example.com"), jwt.WithExpirationRequired())
	type claims struct {
		jwt.RegisteredClaims
		Scope string `json:"scope"`
	}
	http.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		raw, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		var c claims
		if _, err := parser.ParseWithClaims(raw, &c, keys.Keyfunc); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !slices.Contains(strings.Fields(c.Scope), "orders:read") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(`{"orders":[]}`))
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
