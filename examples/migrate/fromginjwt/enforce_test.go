package fromginjwt_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	jwt "github.com/appleboy/gin-jwt/v2"
	"github.com/gin-gonic/gin"

	"github.com/m2mguard/m2mguard/examples/migrate/fromginjwt"
	"github.com/m2mguard/m2mguard/validator"
)

// TestEitherOrders: the handler goes by the new token where there is one, and by the old
// claims where there is none, as at the stage report behind Forget.
func TestEitherOrders(t *testing.T) {
	token, err := validator.DangerouslyUnverified([]byte(`{"sub": "new"}`), validator.Profile{})
	if err != nil {
		t.Fatal(err)
	}
	claims := func(c *gin.Context) { c.Set("JWT_PAYLOAD", jwt.MapClaims{"sub": "old"}) } // as gin-jwt does
	r := gin.New()
	r.GET("/enforce", claims, fromginjwt.EitherOrders)
	r.GET("/report", claims, fromginjwt.Forget, fromginjwt.EitherOrders)
	for _, tc := range []struct {
		path  string
		token *validator.Token
		want  string
	}{
		{"/enforce", token, "orders of new"},
		{"/enforce", nil, "orders of old"},
		{"/report", token, "orders of old"},
	} {
		ctx := validator.NewContext(t.Context(), tc.token)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", tc.path, http.NoBody))
		if w.Body.String() != tc.want {
			t.Errorf("%s, with a new token: %v: %s, wanted %s", tc.path, tc.token != nil, w.Body, tc.want)
		}
	}
}
