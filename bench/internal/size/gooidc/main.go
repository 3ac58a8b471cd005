// Command gooidc is the service that go-oidc guards.
package main

import (
	"context"
	"log"
	"net/http"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

func main() {
	provider, err := oidc.NewProvider(context.Background(), "https://id.example.com")
	if err != nil {
		log.Fatal(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: "https://orders.example.com"})
	http.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		raw, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		var claims struct {
			Scope string `json:"scope"`
		}
		token, err := verifier.Verify(r.Context(), raw)
		if err != nil || token.Claims(&claims) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !slices.Contains(strings.Fields(claims.Scope), "orders:read") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(`{"orders":[]}`))
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
