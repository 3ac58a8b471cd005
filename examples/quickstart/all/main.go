// All is the quickstart with three frameworks side by side.
//
//	go run ./examples/quickstart/all
//
// shows the same API on net/http, Echo and Gin. With -serve they stay up, at
// 127.0.0.1:8401, 8402 and 8403.
package main

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"

	"github.com/m2mguard/m2mguard/adapters/echoauth"
	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/examples/quickstart/internal/quickstart"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// frameworks are the columns.
var frameworks = []quickstart.Framework{quickstart.NetHTTP, {Name: "Echo", Routes: onEcho}, {Name: "Gin", Routes: onGin}}

func main() { quickstart.Main(frameworks...) }

// onEcho is the API on Echo.
func onEcho(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	orders := func(c echo.Context) error {
		return c.JSON(http.StatusOK, quickstart.Greet(echoauth.Token(c)))
	}
	auth := echoauth.New(v, cfg)
	e := echo.New()
	e.GET("/orders", orders, auth.Require(scopes.All("orders:read")))
	e.POST("/orders", orders, auth.Require(scopes.All("orders:write")))
	e.DELETE("/orders", orders, auth.RequireFresh(0, scopes.All("orders:read")))
	auth.MountMetadata(e)
	return e
}

// onGin is the API on Gin.
func onGin(v *validator.Validator, cfg *httpauth.Config) http.Handler {
	orders := func(c *gin.Context) {
		c.JSON(http.StatusOK, quickstart.Greet(ginauth.Token(c)))
	}
	auth := ginauth.New(v, cfg)
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/orders", auth.Require(scopes.All("orders:read")), orders)
	r.POST("/orders", auth.Require(scopes.All("orders:write")), orders)
	r.DELETE("/orders", auth.RequireFresh(0, scopes.All("orders:read")), orders)
	auth.MountMetadata(r)
	return r
}
