package guardtest_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/m2mguard/m2mguard/adapters/guardtest"
	"github.com/m2mguard/m2mguard/adapters/httpauth"
	"github.com/m2mguard/m2mguard/scopes"
	"github.com/m2mguard/m2mguard/validator"
)

// printer stands for the *testing.T of a test function.
type printer struct{}

func (printer) Helper()                           {}
func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// newAPI is the API under test. Somebody forgot the gate of a route.
func newAPI(issuer, audience string) guardtest.App {
	v, err := validator.New(validator.Config{Issuers: []validator.Issuer{{URL: issuer, Audience: []string{audience}}}})
	if err != nil {
		log.Fatal(err)
	}
	auth, mux := httpauth.New(v, nil), http.NewServeMux()
	auth.Handle(mux, "GET /orders", scopes.All("orders:read"), http.HandlerFunc(ok))
	mux.HandleFunc("POST /orders", ok)
	mux.HandleFunc("GET /healthz", ok)
	return guardtest.App{Handler: mux, Routes: auth.Routes(), Close: v.Close}
}

func ExampleAllGuarded() {
	var t printer
	guardtest.AllGuarded(t, newAPI, guardtest.Want{
		"GET /orders":  scopes.All("orders:read"),
		"POST /orders": scopes.All("orders:write"),
	}, guardtest.Public("GET /healthz"))
	// Output:
	// guardtest: POST /orders is open: 200 without a token, 200 with a bad one, wanted 401: it is registered past the gate, shadowed by an open route, or report-only
}
