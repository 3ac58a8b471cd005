// Package fromechojwt is an API that leaves echo-jwt.
package fromechojwt

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	echojwt "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
)

// Before is the API as it was.
func Before(ctx context.Context, keySet string) (http.Handler, error) {
	keys, err := keyfunc.NewDefaultCtx(ctx, []string{keySet})
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(echojwt.WithConfig(echojwt.Config{KeyFunc: keys.Keyfunc}))
	e.GET("/orders", listOrders)
	return e, nil
}

func listOrders(c echo.Context) error {
	claims := c.Get("user").(*jwt.Token).Claims.(jwt.MapClaims)
	scope, _ := claims["scope"].(string)
	if !slices.Contains(strings.Fields(scope), "orders:read") {
		return echo.ErrForbidden
	}
	subject, _ := claims.GetSubject()
	return c.String(http.StatusOK, "orders of "+subject)
}
