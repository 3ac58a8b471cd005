package fromoidc

import (
	"fmt"
	"net/http"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// After is the API as it is.
func After(v *validator.Validator) http.Handler {
	auth := httpauth.New(v, nil)
	mux := http.NewServeMux()
	mux.Handle("GET /orders", auth.Require(scopes.All("orders:read"))(http.HandlerFunc(orders)))
	return mux
}

func orders(w http.ResponseWriter, r *http.Request) {
	token := validator.FromContext(r.Context())
	var claims struct {
		Plan string `json:"plan"`
	}
	if err := token.Claims(&claims); err != nil {
		http.Error(w, "claims of another form", http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "orders of %s, plan %q", token.Subject(), claims.Plan)
}
