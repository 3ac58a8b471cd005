package httpauth_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
	"github.com/m2mguard/m2mguard/validator/issuertest"
)

// newAPI is the program under test: its routes, for a given issuer.
func newAPI(issuer, audience string) (api http.Handler, stop func()) {
	v, err := validator.New(validator.Config{
		Issuers: []validator.Issuer{{URL: issuer, Audience: []string{audience}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	auth := httpauth.New(v, nil)
	mux := http.NewServeMux()
	mux.Handle("GET /orders", auth.Require(scopes.All("orders:read"))(http.HandlerFunc(listOrders)))
	return mux, v.Close
}

// TestListOrders is a user's test of a protected handler.
func TestListOrders(t *testing.T) {
	iss := issuertest.New(t)
	api, stop := newAPI(iss.URL(), issuertest.Audience)
	t.Cleanup(stop)
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:write"}))
	w := httptest.NewRecorder()
	if api.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("status %d, wanted 403: %s", w.Code, w.Body)
	}
}

// A test of a protected handler sends it tokens from a fake issuer.
func Example_handlerTest() {
	iss, err := issuertest.Start() // in a test function: iss := issuertest.New(t)
	if err != nil {
		log.Fatal(err)
	}
	defer iss.Close()
	api, stop := newAPI(iss.URL(), issuertest.Audience)
	defer stop()

	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(issuertest.Claims{Scope: "orders:read"}))
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output: 200 orders for m2m-client
}
