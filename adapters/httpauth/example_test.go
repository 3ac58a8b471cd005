package httpauth_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/go-chi/chi/v5"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

func listOrders(w http.ResponseWriter, r *http.Request) {
	token := validator.FromContext(r.Context())
	fmt.Fprintf(w, "orders for %s", token.ClientID())
}

func createOrder(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }

func Example() {
	iss, err := issuertest.Start() // stands for your authorization server
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()

	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{
			URL:      iss.URL(),
			Audience: []string{"https://api.example.test"},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	auth := httpauth.New(v, nil)
	mux := http.NewServeMux()
	mux.Handle("GET /orders", auth.Require(scopes.All("orders:read"))(http.HandlerFunc(listOrders)))
	mux.Handle("POST /orders", auth.Require(scopes.All("orders:write"))(http.HandlerFunc(createOrder)))

	token := iss.Token(issuertest.Claims{Scope: "orders:read", Audience: []string{"https://api.example.test"}})
	show(mux, "GET", "/orders", "Bearer "+token)
	show(mux, "POST", "/orders", "Bearer "+token)
	show(mux, "GET", "/orders", "")
	// Output:
	// GET /orders: 200 orders for m2m-client
	// POST /orders: 403 Bearer realm="api", error="insufficient_scope", error_description="The access token lacks a scope that this request needs.", scope="orders:write"
	// GET /orders: 401 Bearer realm="api"
}

// chi takes Require's middleware as it is, for a group or for a route.
func ExampleMiddleware_Require_chi() {
	iss, v := fakes()
	defer iss.Close()
	defer v.Close()

	auth := httpauth.New(v, nil)
	r := chi.NewRouter()
	r.Route("/orders", func(r chi.Router) {
		r.Use(auth.Require(scopes.All("orders:read")))
		r.Get("/", listOrders)
		r.With(auth.Require(scopes.All("orders:write"))).Post("/", createOrder)
	})

	token := iss.Token(issuertest.Claims{Scope: "orders:read"})
	show(r, "GET", "/orders/", "Bearer "+token)
	show(r, "POST", "/orders/", "Bearer "+token)
	// Output:
	// GET /orders/: 200 orders for m2m-client
	// POST /orders/: 403 Bearer realm="api", error="insufficient_scope", error_description="The access token lacks a scope that this request needs.", scope="orders:write"
}

// An ErrorHandler answers in the API's own form. The challenge is set already.
func ExampleConfig_errorHandler() {
	iss, v := fakes()
	defer iss.Close()
	defer v.Close()

	auth := httpauth.New(v, &httpauth.Config{
		Realm: "orders",
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, f *httpauth.Failure) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(f.Status)
			fmt.Fprintf(w, `{"title": %q, "status": %d}`, f.Body.Description, f.Status)
		},
	})
	orders := auth.Require(scopes.All("orders:read"))(http.HandlerFunc(listOrders))

	w := httptest.NewRecorder()
	orders.ServeHTTP(w, httptest.NewRequest("GET", "/orders", nil))
	fmt.Println(w.Header().Get("WWW-Authenticate"))
	fmt.Println(w.Body)
	// Output:
	// Bearer realm="orders"
	// {"title": "No access token was sent.", "status": 401}
}

// fakes starts a fake issuer and a validator that trusts it.
func fakes() (*issuertest.Issuer, *validator.Validator) {
	iss, err := issuertest.Start()
	if err != nil {
		log.Fatal(err)
	}
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: iss.URL(), Audience: []string{issuertest.Audience}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	return iss, v
}

// show prints what an API answers.
func show(api http.Handler, method, target, authorization string) {
	r := httptest.NewRequest(method, target, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	text := w.Header().Get("WWW-Authenticate")
	if text == "" {
		text = w.Body.String()
	}
	fmt.Printf("%s %s: %d %s\n", method, target, w.Code, text)
}
