package httpauth_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// An access log: request id, client id and reason of each refusal.
func ExampleFailure_accessLog() {
	auth, token, stop := recipe(&httpauth.Config{ErrorHandler: func(w http.ResponseWriter, r *http.Request, f *httpauth.Failure) {
		client := "-" // what a bad token says is nobody's word
		if f.Token != nil {
			client = f.Token.ClientID()
		}
		fmt.Println(r.Header.Get("X-Request-Id"), client, f.Status, f.Err.Check())
		f.Respond(w)
	}})
	defer stop()
	api := auth.Require(scopes.All("orders:read"))(http.HandlerFunc(listOrders))
	send(api, "GET", "/orders", "")
	send(api, "GET", "/orders", token("orders:write"))
	// Output:
	// request-1 - 401 missing
	// request-1 m2m-client 403 scope
}

// A tenant reads its own orders alone.
func ExampleMiddleware_Deny_tenant() {
	auth, token, stop := recipe(nil)
	defer stop()
	mux := http.NewServeMux()
	auth.Handle(mux, "GET /tenants/{tenant}/orders", scopes.All("orders:read"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tenant := validator.FromContext(r.Context()).Tenant(); tenant != r.PathValue("tenant") {
			auth.Deny(w, r, fmt.Errorf("these are not the orders of tenant %q", tenant))
			return
		}
		listOrders(w, r)
	}))
	fmt.Println(send(mux, "GET", "/tenants/acme/orders", token("orders:read")))
	fmt.Println(send(mux, "GET", "/tenants/evil/orders", token("orders:read")))
	// Output:
	// 200 orders for m2m-client
	// 403 {"error":"access_denied","error_description":"This API does not let the client of the access token do this."}
}

// Refusals as problem details (RFC 9457).
func ExampleFailure_problem() {
	auth, _, stop := recipe(&httpauth.Config{ErrorHandler: func(w http.ResponseWriter, r *http.Request, f *httpauth.Failure) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(f.Status)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"title": http.StatusText(f.Status), "status": f.Status, "detail": f.Body.Description, "instance": r.URL.Path,
		})
	}})
	defer stop()
	api := auth.Require(scopes.All("orders:read"))(http.HandlerFunc(listOrders))
	fmt.Println(send(api, "GET", "/orders", ""))
	// Output: 401 {"detail":"No access token was sent.","instance":"/orders","status":401,"title":"Unauthorized"}
}

// A CORS preflight carries no token: it is answered before the gate, by what also
// marks refusals, so that a browser's script can read them.
func ExampleMiddleware_Require_preflight() {
	auth, _, stop := recipe(nil)
	defer stop()
	mux := http.NewServeMux()
	auth.Handle(mux, "GET /orders", scopes.All("orders:read"), http.HandlerFunc(listOrders))
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://app.example.test")
		w.Header().Set("Access-Control-Allow-Headers", "authorization")
		if r.Method != http.MethodOptions {
			mux.ServeHTTP(w, r)
		}
	})
	fmt.Println(send(api, "OPTIONS", "/orders", ""))
	fmt.Println(send(api, "GET", "/orders", ""))
	// Output:
	// 200
	// 401 {"error":"unauthorized","error_description":"No access token was sent."}
}

// recipe makes a middleware, and tokens of tenant acme for it.
func recipe(cfg *httpauth.Config) (auth *httpauth.Middleware, token func(scope string) string, stop func()) {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{
		URL: iss.URL(), Audience: []string{issuertest.Audience}, Profile: validator.Profile{TenantClaim: "tenant"},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	token = func(scope string) string {
		return iss.Token(issuertest.Claims{Scope: scope, Extra: map[string]any{"tenant": "acme"}})
	}
	return httpauth.New(v, cfg), token, func() { v.Close(); iss.Close() }
}

// send asks an API, and returns what it answers.
func send(api http.Handler, method, target, token string) string {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("X-Request-Id", "request-1")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return strings.TrimSpace(fmt.Sprintf("%d %s", w.Code, w.Body))
}
