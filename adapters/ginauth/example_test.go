package ginauth_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/m2mguard/m2mguard/adapters/ginauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func listOrders(c *gin.Context) {
	c.String(http.StatusOK, "orders for %s", ginauth.Token(c).ClientID())
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

	auth := ginauth.New(v, nil)
	r := gin.New()
	r.GET("/orders", auth.Require(scopes.All("orders:read")), listOrders)

	for _, scope := range []string{"orders:read", "orders:write"} {
		req := httptest.NewRequest("GET", "/orders", nil)
		req.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: scope}))
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
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

	auth := ginauth.New(v, nil)
	r := gin.New()
	orders := r.Group("/orders", auth.Require(scopes.All("orders:read")))
	orders.GET("", listOrders)
	orders.GET("/export", auth.Require(scopes.All("orders:export")), listOrders)

	for _, path := range []string{"/orders", "/orders/export"} {
		req := httptest.NewRequest("GET", path, nil)
		req.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		fmt.Println(path, w.Code)
	}
	// Output:
	// /orders 200
	// /orders/export 403
}
