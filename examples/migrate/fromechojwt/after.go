package fromechojwt

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// After is the API as it is.
func After(v *validator.Validator) http.Handler {
	auth := echoauth.New(v, nil)
	e := echo.New()
	e.GET("/orders", orders, auth.Require(scopes.All("orders:read")))
	return e
}

func orders(c echo.Context) error {
	return c.String(http.StatusOK, "orders of "+echoauth.Token(c).Subject())
}
