// Command jwxparse is the service that jwx guards.
package main

import (
	"context"
	"log"
	"net/http"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

func main() {
	const keySet = "https://id.example.com/jwks"
	cache := jwk.NewCache(context.Background())
	if err := cache.Register(keySet); err != nil {
		log.Fatal(err)
	}
	options := []jwt.ParseOption{
		jwt.WithKeySet(jwk.NewCachedSet(cache, keySet)), jwt.WithIssuer("https://id.example.com"),
		jwt.WithAudience("https://orders.example.com"), jwt.WithRequiredClaim(jwt.ExpirationKey),
	}
	http.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		raw, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		token, err := jwt.ParseString(raw, options...)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		scope, _ := token.PrivateClaims()["scope"].(string)
		if !slices.Contains(strings.Fields(scope), "orders:read") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(`{"orders":[]}`))
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
