package fromgolangjwt

import (
	"context"
	"errors"
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
	mux.Handle("GET /orders", auth.RequireThat(scopes.All("orders:read"), OfATenant)(http.HandlerFunc(orders)))
	return mux
}

// OfATenant was claims.Validate.
func OfATenant(_ context.Context, token *validator.Token) error {
	var tenant string
	if err := token.Claim("tenant", &tenant); err != nil || tenant == "" {
		return errors.New("the token has no tenant")
	}
	return nil
}

func orders(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "orders of %s", validator.FromContext(r.Context()).Subject())
}
