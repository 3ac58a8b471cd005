package fromginjwt

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// Enforce is the API while a request must pass both.
func Enforce(ctx context.Context, v *validator.Validator, keySet string) (http.Handler, error) {
	m, err := middleware(ctx, keySet)
	if err != nil {
		return nil, err
	}
	m.TokenLookup = "header: Authorization" // where the new one looks, or each may see another token
	auth := ginauth.New(v, nil)
	r := gin.New()
	r.GET("/orders", auth.Require(scopes.All("orders:read")), m.MiddlewareFunc(), eitherOrders)
	return r, nil
}

// eitherOrders goes by the new token where there is one.
func eitherOrders(c *gin.Context) {
	if ginauth.Token(c) != nil {
		orders(c)
		return
	}
	listOrders(c)
}

// Forget is migrate.Forget for Gin.
func Forget(c *gin.Context) {
	c.Request = c.Request.WithContext(validator.NewContext(c.Request.Context(), nil))
}
