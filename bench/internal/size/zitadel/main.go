// Command zitadel is the service that zitadel's resource server guards, by introspection.
package main

import (
	"context"
	"log"
	"net/http"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/client/rs"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

func main() {
	server, err := rs.NewResourceServerClientCredentials(context.Background(), "https://id.example.com", "orders", "secret")
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		raw, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		answer, err := rs.Introspect[*oidc.IntrospectionResponse](r.Context(), server, raw)
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if !answer.Active || answer.Issuer != "https://id.example.com" || !slices.Contains(answer.Audience, "https://orders.example.com") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !slices.Contains(answer.Scope, "orders:read") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(`{"orders":[]}`))
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
