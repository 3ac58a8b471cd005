// Package fromginjwt is an API that leaves gin-jwt.
package fromginjwt

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc"
	jwt "github.com/appleboy/gin-jwt/v2"
	"github.com/gin-gonic/gin"
)

// Before is the API as it was.
func Before(ctx context.Context, keySet string) (http.Handler, error) {
	m, err := middleware(ctx, keySet)
	if err != nil {
		return nil, err
	}
	r := gin.New()
	r.GET("/orders", m.MiddlewareFunc(), listOrders)
	return r, nil
}

func middleware(ctx context.Context, keySet string) (*jwt.GinJWTMiddleware, error) {
	keys, err := keyfunc.Get(keySet, keyfunc.Options{
		Ctx: ctx, RefreshInterval: time.Hour, RefreshRateLimit: 5 * time.Minute, RefreshUnknownKID: true,
	})
	if err != nil {
		return nil, err
	}
	return jwt.New(&jwt.GinJWTMiddleware{
		Realm:       "orders",
		KeyFunc:     keys.Keyfunc,
		TokenLookup: "header: Authorization, query: token, cookie: jwt",
		Authorizator: func(_ any, c *gin.Context) bool {
			scope, _ := jwt.ExtractClaims(c)["scope"].(string)
			return slices.Contains(strings.Fields(scope), "orders:read")
		},
	})
}

func listOrders(c *gin.Context) {
	subject, _ := jwt.ExtractClaims(c)["sub"].(string)
	c.String(http.StatusOK, "orders of "+subject)
}
