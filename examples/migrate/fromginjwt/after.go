package fromginjwt

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// After is the API as it is.
func After(v *validator.Validator) http.Handler {
	auth := ginauth.New(v, nil)
	r := gin.New()
	r.GET("/orders", auth.Require(scopes.All("orders:read")), orders)
	return r
}

func orders(c *gin.Context) {
	c.String(http.StatusOK, "orders of "+ginauth.Token(c).Subject())
}
