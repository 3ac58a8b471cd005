package fromoidc

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/m2mguard/m2mguard/validator"
)

type oldToken struct{}

// Old is what stood in each handler, as a middleware.
func Old(verifier *oidc.IDTokenVerifier) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !found {
				http.Error(w, "no token", http.StatusUnauthorized)
				return
			}
			token, err := verifier.Verify(r.Context(), raw)
			if err != nil {
				http.Error(w, "invalid token", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), oldToken{}, token)))
		})
	}
}

// EitherOrders goes by the new token where there is one, and checks the old one's scope
// as long as there is an old one.
func EitherOrders(w http.ResponseWriter, r *http.Request) {
	token, isOld := r.Context().Value(oldToken{}).(*oidc.IDToken)
	if isOld && !readsOrders(token) {
		http.Error(w, "insufficient scope", http.StatusForbidden)
		return
	}
	if validator.FromContext(r.Context()) != nil {
		orders(w, r)
		return
	}
	fmt.Fprintf(w, "orders of %s", token.Subject)
}

func readsOrders(token *oidc.IDToken) bool {
	var claims struct {
		Scope string `json:"scope"`
	}
	return token.Claims(&claims) == nil && slices.Contains(strings.Fields(claims.Scope), "orders:read")
}
