package contender

import (
	"errors"
	"net/http"
	"strings"
)

// Middleware guards a handler by c, for libraries that come without a middleware of their
// own. It does what nobody can leave out and no more: it finds the token, and refuses.
func (c *Contender) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch err := c.Allows(r.Context(), raw); {
		case errors.Is(err, errScope):
			w.WriteHeader(http.StatusForbidden)
		case err != nil:
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
