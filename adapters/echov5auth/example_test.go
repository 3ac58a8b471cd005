package echov5auth_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/labstack/echo/v5"

	"github.com/m2mguard/m2mguard/adapters/echov5auth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func listOrders(c *echo.Context) error {
	return c.String(http.StatusOK, "orders for "+echov5auth.Token(c).ClientID())
}

func Example() {
	iss, err := issuertest.Start() // stands for your authorization server
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	auth := echov5auth.New(v, nil)
	e := echo.New()
	e.GET("/orders", listOrders, auth.Require(scopes.All("orders:read")))

	for _, scope := range []string{"orders:read", "orders:write"} {
		r := httptest.NewRequest("GET", "/orders", nil)
		r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: scope}))
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 orders for m2m-client
	// 403 {"error":"insufficient_scope","error_description":"The access token lacks a scope that this request needs."}
}

// A rule for a group holds for each of its routes; a route may ask for more.
func ExampleMiddleware_Require_group() {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	auth := echov5auth.New(v, nil)
	e := echo.New()
	orders := e.Group("/orders", auth.Require(scopes.All("orders:read")))
	orders.GET("", listOrders)
	orders.GET("/export", listOrders, auth.Require(scopes.All("orders:export")))

	for _, path := range []string{"/orders", "/orders/export"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		fmt.Println(path, w.Code)
	}
	// Output:
	// /orders 200
	// /orders/export 403
}
