package httpauth_test

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// An access log under chi, whose middleware gives each request its id.
func ExampleFailure_accessLogChi() {
	auth, token, stop := recipe(&httpauth.Config{ErrorHandler: func(w http.ResponseWriter, r *http.Request, f *httpauth.Failure) {
		client := "-" // what a bad token says is nobody's word
		if f.Token != nil {
			client = f.Token.ClientID()
		}
		fmt.Println(middleware.GetReqID(r.Context()), client, f.Status, f.Err.Check())
		f.Respond(w)
	}})
	defer stop()
	r := chi.NewRouter()
	r.Use(middleware.RequestID)
	r.With(auth.Require(scopes.All("orders:read"))).Get("/orders", listOrders)
	send(r, "GET", "/orders", "")
	send(r, "GET", "/orders", token("orders:write"))
	// Output:
	// request-1 - 401 missing
	// request-1 m2m-client 403 scope
}

// A tenant reads its own orders alone, under chi.
func ExampleMiddleware_Deny_tenantChi() {
	auth, token, stop := recipe(nil)
	defer stop()
	r := chi.NewRouter()
	r.With(auth.Require(scopes.All("orders:read"))).Get("/tenants/{tenant}/orders", func(w http.ResponseWriter, r *http.Request) {
		if tenant := validator.FromContext(r.Context()).Tenant(); tenant != chi.URLParam(r, "tenant") {
			auth.Deny(w, r, fmt.Errorf("these are not the orders of tenant %q", tenant))
			return
		}
		listOrders(w, r)
	})
	fmt.Println(send(r, "GET", "/tenants/acme/orders", token("orders:read")))
	fmt.Println(send(r, "GET", "/tenants/evil/orders", token("orders:read")))
	// Output:
	// 200 orders for m2m-client
	// 403 {"error":"access_denied","error_description":"This API does not let the client of the access token do this."}
}

// Refusals as problem details (RFC 9457), under chi.
func ExampleFailure_problemChi() {
	auth, _, stop := recipe(&httpauth.Config{ErrorHandler: func(w http.ResponseWriter, r *http.Request, f *httpauth.Failure) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(f.Status)
		_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(f.Status), "status": f.Status, "detail": f.Body.Description})
	}})
	defer stop()
	r := chi.NewRouter()
	r.With(auth.Require(scopes.All("orders:read"))).Get("/orders", listOrders)
	fmt.Println(send(r, "GET", "/orders", ""))
	// Output: 401 {"detail":"No access token was sent.","status":401,"title":"Unauthorized"}
}

// A CORS preflight carries no token: under chi, too, it is answered before the
// gate, by what also marks refusals.
func ExampleMiddleware_Require_preflightChi() {
	auth, _, stop := recipe(nil)
	defer stop()
	r := chi.NewRouter()
	r.Use(func(next http.Handler) http.Handler { // or github.com/go-chi/cors; before the routes
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "https://app.example.test")
			w.Header().Set("Access-Control-Allow-Headers", "authorization")
			if r.Method != http.MethodOptions {
				next.ServeHTTP(w, r)
			}
		})
	})
	r.With(auth.Require(scopes.All("orders:read"))).Get("/orders", listOrders)
	fmt.Println(send(r, "OPTIONS", "/orders", ""))
	fmt.Println(send(r, "GET", "/orders", ""))
	// Output:
	// 200
	// 401 {"error":"unauthorized","error_description":"No access token was sent."}
}
